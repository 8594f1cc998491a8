//! Values on their way into a database and out of it: one kind for both, so that a query says nothing of which it is.

use super::Error;
use bytes::{BufMut, BytesMut};
use rusqlite::types::{ToSqlOutput, ValueRef as SqliteValue};
use std::borrow::Cow;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

/// A value, borrowed from who gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::store) enum ValueRef<'a> {
    Null,
    Integer(i64),
    Bool(bool),
    /// Text in UTF-8; checked when it is read.
    Text(&'a [u8]),
    Blob(&'a [u8]),
    /// An array, which only PostgreSQL has.
    Integers(&'a [i64]),
}

impl<'a> ValueRef<'a> {
    /// Text that is there.
    pub(in crate::store) fn as_str(self) -> Result<&'a str, Error> {
        self.as_str_or_null()?.ok_or(Error::Column("NULL where there must be a text"))
    }

    /// Text, or nothing.
    pub(in crate::store) fn as_str_or_null(self) -> Result<Option<&'a str>, Error> {
        match self {
            Self::Null => Ok(None),
            Self::Text(text) => {
                std::str::from_utf8(text).map(Some).map_err(|_| Error::Column("a text that is no UTF-8"))
            }
            _ => Err(Error::Column("something else where there must be a text")),
        }
    }
}

/// A value of one's own, for conditions that are put together while running.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::store) enum Value {
    Null,
    Integer(i64),
    Bool(bool),
    Text(String),
    Blob(Vec<u8>),
}

/// What can be given to a statement.
pub(in crate::store) trait ToValue {
    fn value(&self) -> ValueRef<'_>;
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn value(&self) -> ValueRef<'_> {
        (**self).value()
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn value(&self) -> ValueRef<'_> {
        self.as_ref().map_or(ValueRef::Null, ToValue::value)
    }
}

impl ToValue for str {
    fn value(&self) -> ValueRef<'_> {
        ValueRef::Text(self.as_bytes())
    }
}

impl ToValue for String {
    fn value(&self) -> ValueRef<'_> {
        ValueRef::Text(self.as_bytes())
    }
}

impl ToValue for Cow<'_, str> {
    fn value(&self) -> ValueRef<'_> {
        ValueRef::Text(self.as_bytes())
    }
}

impl ToValue for [u8; 32] {
    fn value(&self) -> ValueRef<'_> {
        ValueRef::Blob(self)
    }
}

impl ToValue for Vec<u8> {
    fn value(&self) -> ValueRef<'_> {
        ValueRef::Blob(self)
    }
}

impl ToValue for Vec<i64> {
    fn value(&self) -> ValueRef<'_> {
        ValueRef::Integers(self)
    }
}

impl ToValue for bool {
    fn value(&self) -> ValueRef<'_> {
        ValueRef::Bool(*self)
    }
}

impl ToValue for i64 {
    fn value(&self) -> ValueRef<'_> {
        ValueRef::Integer(*self)
    }
}

impl ToValue for u32 {
    fn value(&self) -> ValueRef<'_> {
        ValueRef::Integer((*self).into())
    }
}

impl ToValue for u16 {
    fn value(&self) -> ValueRef<'_> {
        ValueRef::Integer((*self).into())
    }
}

impl ToValue for Value {
    fn value(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Bool(flag) => ValueRef::Bool(*flag),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }
    }
}

/// What a column can be read as.
pub(in crate::store) trait FromColumn: Sized {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Error>;
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Error> {
        if value == ValueRef::Null { Ok(None) } else { T::from_column(value).map(Some) }
    }
}

impl FromColumn for i64 {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Error> {
        match value {
            ValueRef::Integer(number) => Ok(number),
            ValueRef::Bool(flag) => Ok(flag.into()),
            _ => Err(Error::Column("something else where there must be a number")),
        }
    }
}

impl FromColumn for u32 {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Error> {
        Self::try_from(i64::from_column(value)?).map_err(|_| Error::Column("a number that is too large"))
    }
}

impl FromColumn for u16 {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Error> {
        Self::try_from(i64::from_column(value)?).map_err(|_| Error::Column("a number that is too large"))
    }
}

impl FromColumn for bool {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Error> {
        Ok(i64::from_column(value)? != 0)
    }
}

impl FromColumn for String {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Error> {
        value.as_str().map(str::to_owned)
    }
}

impl FromColumn for Vec<u8> {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Error> {
        match value {
            ValueRef::Blob(bytes) => Ok(bytes.to_vec()),
            _ => Err(Error::Column("something else where there must be bytes")),
        }
    }
}

impl FromColumn for [u8; 32] {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Error> {
        let ValueRef::Blob(bytes) = value else {
            return Err(Error::Column("something else where there must be bytes"));
        };
        bytes.try_into().map_err(|_| Error::Column("a digest of another length"))
    }
}

impl FromColumn for Value {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Error> {
        Ok(match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Bool(flag) => Self::Bool(flag),
            ValueRef::Text(_) => Self::Text(value.as_str()?.to_owned()),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_vec()),
            ValueRef::Integers(_) => return Err(Error::Column("an array where there must be one value")),
        })
    }
}

impl<'a> TryFrom<SqliteValue<'a>> for ValueRef<'a> {
    type Error = Error;

    fn try_from(value: SqliteValue<'a>) -> Result<Self, Error> {
        Ok(match value {
            SqliteValue::Null => Self::Null,
            SqliteValue::Integer(number) => Self::Integer(number),
            SqliteValue::Text(text) => Self::Text(text),
            SqliteValue::Blob(bytes) => Self::Blob(bytes),
            SqliteValue::Real(_) => return Err(Error::Column("a fraction, which we never store")),
        })
    }
}

impl rusqlite::ToSql for ValueRef<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Null => SqliteValue::Null,
            Self::Integer(number) => SqliteValue::Integer(number),
            Self::Bool(flag) => SqliteValue::Integer(flag.into()),
            Self::Text(text) => SqliteValue::Text(text),
            Self::Blob(bytes) => SqliteValue::Blob(bytes),
            Self::Integers(_) => {
                let error = Error::Column("SQLite has no arrays");
                return Err(rusqlite::Error::ToSqlConversionFailure(Box::new(error)));
            }
        }))
    }
}

type Failed = Box<dyn std::error::Error + Sync + Send>;

impl<'a> FromSql<'a> for ValueRef<'a> {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Failed> {
        Ok(match *kind {
            Type::INT8 => Self::Integer(i64::from_be_bytes(raw.try_into()?)),
            Type::INT4 => Self::Integer(i32::from_be_bytes(raw.try_into()?).into()),
            Type::INT2 => Self::Integer(i16::from_be_bytes(raw.try_into()?).into()),
            Type::BOOL => Self::Bool(raw.first().is_some_and(|byte| *byte != 0)),
            Type::BYTEA => Self::Blob(raw),
            Type::TEXT | Type::VARCHAR | Type::NAME | Type::BPCHAR | Type::UNKNOWN => Self::Text(raw),
            _ => return Err(format!("a column of type {kind}").into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failed> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl ToSql for ValueRef<'_> {
    /// Written as what the server takes the parameter for.
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Failed> {
        let number = match *self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Text(text) => {
                out.put_slice(text);
                return Ok(IsNull::No);
            }
            Self::Blob(bytes) => {
                out.put_slice(bytes);
                return Ok(IsNull::No);
            }
            Self::Integers(numbers) => return numbers.to_sql(&Type::INT8_ARRAY, out),
            Self::Integer(number) => number,
            Self::Bool(flag) => flag.into(),
        };
        match *kind {
            Type::INT8 => out.put_i64(number),
            Type::INT4 => out.put_i32(number.try_into()?),
            Type::INT2 => out.put_i16(number.try_into()?),
            Type::BOOL => out.put_u8((number != 0).into()),
            _ => return Err(format!("a number for a parameter of type {kind}").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Failed> {
        let fits = match self {
            Self::Text(_) => {
                matches!(*kind, Type::TEXT | Type::VARCHAR | Type::NAME | Type::BPCHAR | Type::UNKNOWN)
            }
            Self::Blob(_) => *kind == Type::BYTEA,
            Self::Integers(_) => *kind == Type::INT8_ARRAY,
            // Numbers say themselves what they fit into.
            Self::Null | Self::Integer(_) | Self::Bool(_) => true,
        };
        if fits { self.to_sql(kind, out) } else { Err(format!("a wrong parameter of type {kind}").into()) }
    }
}

//! Reads the parameters of a query; those that are read are described.

use crate::control::openapi::Reading;
use crate::dialect::endpoint::Call;
use crate::dialect::form::{BadForm, Form};
use std::cell::RefCell;

/// The parameters of a query, taken one by one. Those that nobody takes are ignored.
#[derive(Debug)]
pub(super) struct Query {
    form: Form,
    reading: RefCell<Reading>,
}

impl Query {
    /// Reads the query of a call.
    ///
    /// # Errors
    /// [`BadForm`]
    pub(super) fn read(call: &Call) -> Result<Self, BadForm> {
        let form = Form::read(call.query.as_deref())?;
        Ok(Self { form, reading: RefCell::new(Reading::new(call.endpoint)) })
    }

    /// The parameter of this name, also when there is nothing in it.
    pub(super) fn named(&self, name: &'static str) -> Option<&str> {
        self.reading.borrow_mut().parameter(name);
        self.form.named(name)
    }

    /// The parameter of this name, when there is something in it.
    pub(super) fn given(&self, name: &'static str) -> Option<&str> {
        self.named(name).filter(|value| !value.is_empty())
    }

    /// Ends the reading.
    pub(super) fn done(self) {
        self.reading.into_inner().parameters_done();
    }
}

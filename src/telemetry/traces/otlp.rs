//! Spans as a collector reads them: OTLP 1, in the binary encoding of Protocol Buffers.

use super::{Kind, Span, Value};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span as Encoded, Status, span, status,
};
use prost::Message;

/// The type of the content.
pub const CONTENT_TYPE: &str = "application/x-protobuf";

/// W3C's flag for a trace that is recorded, and OTLP's two for whether a parent is known to be another program's.
const SAMPLED: u32 = 1;
const HAS_IS_REMOTE: u32 = 1 << 8;
const IS_REMOTE: u32 = 1 << 9;

/// A request to a collector to take these spans; `resource` says who sends them.
pub fn export(resource: &[(&'static str, Value)], spans: Vec<Span>) -> Vec<u8> {
    let scope = InstrumentationScope {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Default::default()
    };
    let spans = spans.into_iter().map(encoded).collect();
    let resource = Resource { attributes: attributes(resource.to_vec()), ..Default::default() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: String::new() }];
    let resource_spans =
        vec![ResourceSpans { resource: Some(resource), scope_spans, schema_url: String::new() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// How many spans a collector has not taken, although it has answered well, and what it says of them.
pub fn rejected(answer: &[u8]) -> Option<(u64, String)> {
    let partial = ExportTraceServiceResponse::decode(answer).ok()?.partial_success?;
    let count = u64::try_from(partial.rejected_spans).unwrap_or(0);
    (count > 0).then_some((count, partial.error_message))
}

fn encoded(span: Span) -> Encoded {
    let remote = if span.remote_parent { IS_REMOTE } else { 0 };
    let kind = match span.kind {
        Kind::Server => span::SpanKind::Server,
        Kind::Client => span::SpanKind::Client,
        Kind::Internal => span::SpanKind::Internal,
    };
    let code = if span.failed { status::StatusCode::Error } else { status::StatusCode::Unset };
    Encoded {
        trace_id: span.trace.to_be_bytes().to_vec(),
        span_id: span.id.to_be_bytes().to_vec(),
        parent_span_id: span.parent.map(|id| id.to_be_bytes().to_vec()).unwrap_or_default(),
        flags: SAMPLED | HAS_IS_REMOTE | remote,
        name: span.name.into_owned(),
        kind: kind.into(),
        start_time_unix_nano: span.start_ns,
        end_time_unix_nano: span.end_ns,
        attributes: attributes(span.attributes),
        status: Some(Status { code: code.into(), message: String::new() }),
        ..Default::default()
    }
}

fn attributes(all: Vec<(&'static str, Value)>) -> Vec<KeyValue> {
    let attribute = |(key, value): (&'static str, Value)| {
        let value = match value {
            Value::Text(text) => any_value::Value::StringValue(text.into_owned()),
            Value::Integer(number) => any_value::Value::IntValue(number),
        };
        let value = Some(AnyValue { value: Some(value) });
        KeyValue { key: key.to_owned(), value, ..Default::default() }
    };
    all.into_iter().map(attribute).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;

    pub(in super::super) fn span() -> Span {
        Span {
            trace: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
            id: 7,
            parent: None,
            remote_parent: false,
            kind: Kind::Server,
            name: "GET /v1/things".into(),
            start_ns: 5,
            end_ns: 9,
            attributes: vec![("http.response.status_code", Value::Integer(200))],
            failed: false,
        }
    }

    #[test]
    fn a_span_reads_as_it_was_written() {
        let child = Span { id: 8, parent: Some(7), kind: Kind::Client, failed: true, ..span() };
        let joined = Span { id: 9, parent: Some(1), remote_parent: true, ..span() };
        let bytes = export(&[("service.name", "edge".into())], vec![span(), child, joined]);
        let read = ExportTraceServiceRequest::decode(&*bytes).unwrap();
        let resource = read.resource_spans[0].resource.as_ref().unwrap();
        assert_eq!(resource.attributes[0].key, "service.name");
        let spans = &read.resource_spans[0].scope_spans[0].spans;
        assert_eq!(spans[0].trace_id[..4], [0x4b, 0xf9, 0x2f, 0x35]);
        assert_eq!((spans[0].parent_span_id.len(), spans[0].flags), (0, 0x101));
        assert_eq!(spans[1].parent_span_id, spans[0].span_id);
        assert_eq!(spans[1].kind, span::SpanKind::Client as i32);
        assert_eq!(spans[1].status.as_ref().unwrap().code, status::StatusCode::Error as i32);
        assert_eq!(spans[2].flags, 0x301);
        assert_eq!((spans[0].start_time_unix_nano, spans[0].end_time_unix_nano), (5, 9));
    }

    #[test]
    fn what_a_collector_has_not_taken_is_heard() {
        let answer = |rejected_spans| {
            let partial = ExportTracePartialSuccess { rejected_spans, error_message: "too old".to_owned() };
            ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec()
        };
        assert_eq!(rejected(&answer(3)), Some((3, "too old".to_owned())));
        assert_eq!(rejected(&answer(0)), None);
        assert_eq!(rejected(b""), None);
        assert_eq!(rejected(b"{}"), None, "not in this encoding");
    }
}

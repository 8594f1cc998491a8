//! A collector of traces: takes OTLP over HTTP, and keeps what came.

use super::wait;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A span, as a reader of traces sees it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty for none.
    pub(crate) parent: String,
    pub(crate) name: String,
    /// As in OTLP: 1 internal, 2 server, 3 client.
    pub(crate) kind: i32,
    pub(crate) failed: bool,
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) attributes: BTreeMap<String, String>,
    /// Whose it is.
    pub(crate) resource: BTreeMap<String, String>,
}

impl Seen {
    #[track_caller]
    pub(crate) fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// What a request to another program says of it.
    pub(crate) fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace, self.id)
    }
}

/// A collector; its thread ends with the process.
pub(crate) struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    spans: Mutex<Vec<Seen>>,
    heads: Mutex<Vec<String>>,
    /// How the next requests are answered, in place of being taken.
    answers: Mutex<VecDeque<&'static str>>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").expect("a port"))
    }

    /// One where another program was, or none.
    pub(crate) fn start_at(address: SocketAddr) -> Self {
        let bind = || TcpListener::bind(address).ok();
        Self::at(wait::poll(Duration::from_secs(10), bind).expect("the address"))
    }

    fn at(listener: TcpListener) -> Self {
        let (address, shared) = (listener.local_addr().expect("an address"), Arc::<Shared>::default());
        let for_thread = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = for_thread.clone();
                std::thread::spawn(move || shared.serve(&stream));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Has the next request answered so: status line and fields, each with its line end.
    pub(crate) fn refuse_next(&self, head: &'static str) {
        self.shared.answers.lock().expect("answers").push_back(head);
    }

    /// The heads of all requests, in lower case.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.shared.heads.lock().expect("heads").clone()
    }

    /// Everything that came.
    pub(crate) fn spans(&self) -> Vec<Seen> {
        self.shared.spans.lock().expect("spans").clone()
    }

    /// The spans of the request with this id, once its server span is there.
    #[track_caller]
    pub(crate) fn of(&self, request_id: &str) -> Vec<Seen> {
        let named =
            |span: &&Seen| span.attributes.get("portcullis.request_id").is_some_and(|id| id == request_id);
        let found = wait::poll(Duration::from_secs(20), || {
            let spans = self.spans();
            let trace = spans.iter().find(named)?.trace.clone();
            Some(spans.into_iter().filter(|span| span.trace == trace).collect())
        });
        found.unwrap_or_else(|| panic!("no trace of {request_id} in {:?}", self.spans()))
    }
}

/// The one span of this name.
#[track_caller]
pub(crate) fn one<'s>(spans: &'s [Seen], name: &str) -> &'s Seen {
    let mut named = spans.iter().filter(|span| span.name == name);
    let first = named.next().unwrap_or_else(|| panic!("no {name} in {spans:?}"));
    assert!(named.next().is_none(), "several {name} in {spans:?}");
    first
}

impl Shared {
    fn serve(&self, stream: &TcpStream) -> Option<()> {
        let (mut reader, mut head, mut length) = (BufReader::new(stream), String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line.is_empty() {
                break;
            }
            head.push_str(&line);
            head.push('\n');
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let refusal = self.answers.lock().expect("answers").pop_front();
        let good = head.starts_with("post /v1/traces http/1.1")
            && head.contains("content-type: application/x-protobuf");
        let answer = match refusal {
            Some(head) => head,
            None if !good => "HTTP/1.1 400 Bad Request\r\n",
            None => {
                self.spans.lock().expect("spans").extend(read(&body));
                "HTTP/1.1 200 OK\r\n"
            }
        };
        self.heads.lock().expect("heads").push(head);
        let mut stream = stream;
        stream.write_all(format!("{answer}content-length: 0\r\n\r\n").as_bytes()).ok()
    }
}

fn read(body: &[u8]) -> Vec<Seen> {
    let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
    let mut all = Vec::new();
    for of in request.resource_spans {
        let resource = texts(&of.resource.expect("a resource").attributes);
        for span in of.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            all.push(seen(&span, &resource));
        }
    }
    all
}

fn seen(span: &Span, resource: &BTreeMap<String, String>) -> Seen {
    Seen {
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        name: span.name.clone(),
        kind: span.kind,
        failed: span.status.as_ref().is_some_and(|status| status.code == 2),
        start_ns: span.start_time_unix_nano,
        end_ns: span.end_time_unix_nano,
        attributes: texts(&span.attributes),
        resource: resource.clone(),
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |of: &KeyValue| match of.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    };
    attributes.iter().map(|of| (of.key.clone(), text(of))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

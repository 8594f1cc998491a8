//! An upstream that reads bytes as strictly as RFC 9112 can be read, and notes whatever leaves a choice.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// One request that arrived, or began to.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) body: Vec<u8>,
    /// It came to its end.
    pub(super) complete: bool,
}

#[derive(Default)]
struct Notes {
    seen: Vec<Seen>,
    /// What could have been read in another way.
    problems: Vec<String>,
    /// Lines with what only a liar writes.
    evil: usize,
}

/// A recording upstream.
pub(super) struct Recorder {
    address: SocketAddr,
    notes: Arc<Mutex<Notes>>,
}

impl Recorder {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let notes = Arc::new(Mutex::new(Notes::default()));
        let shared = Arc::clone(&notes);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let notes = Arc::clone(&shared);
                std::thread::spawn(move || Reader { stream, ahead: Vec::new(), notes }.serve());
            }
        });
        Self { address, notes }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests whose path this is.
    pub(super) fn seen(&self, path: &str) -> Vec<Seen> {
        let is = |seen: &&Seen| {
            let target = seen.line.split(' ').nth(1).unwrap_or_default();
            target.split('?').next() == Some(path)
        };
        lock(&self.notes).seen.iter().filter(is).cloned().collect()
    }

    /// What could have been read in another way, and how often a client's lie arrived.
    pub(super) fn problems(&self) -> (Vec<String>, usize) {
        let notes = lock(&self.notes);
        (notes.problems.clone(), notes.evil)
    }
}

fn lock(notes: &Mutex<Notes>) -> std::sync::MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Reader {
    stream: TcpStream,
    ahead: Vec<u8>,
    notes: Arc<Mutex<Notes>>,
}

impl Reader {
    fn serve(mut self) {
        // An end between two requests is none of them.
        while !self.ahead.is_empty() || self.fill().is_some() {
            let mut seen = Seen::default();
            let read = self.request(&mut seen);
            seen.complete = matches!(read, Some(Ok(())));
            let mut notes = lock(&self.notes);
            notes.seen.push(seen);
            match read {
                Some(Ok(())) => {}
                Some(Err(problem)) => return notes.problems.push(problem),
                None => return,
            }
            drop(notes);
            if self.stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                return;
            }
        }
    }

    /// Reads one message; `None` when it breaks off.
    fn request(&mut self, seen: &mut Seen) -> Option<Result<(), String>> {
        let mut lines = Vec::new();
        loop {
            match self.line()? {
                Ok(line) if line.is_empty() => break,
                Ok(line) => lines.push(line),
                Err(problem) => return Some(Err(problem)),
            }
        }
        seen.line = lines.remove(0);
        let fields = match fields(&lines) {
            Ok(fields) => fields,
            Err(problem) => return Some(Err(format!("{problem} in {lines:?}"))),
        };
        let one = |name: &str| match fields.get(name).map(Vec::as_slice) {
            None => Ok(None),
            Some([value]) => Ok(Some(value.clone())),
            Some(more) => Err(format!("{} lines of {name}", more.len())),
        };
        let framing = one("content-length").and_then(|length| Ok((length, one("transfer-encoding")?)));
        let body = match framing {
            Err(problem) => return Some(Err(problem)),
            Ok((Some(_), Some(_))) => return Some(Err("a length and a coding".into())),
            Ok((None, None)) => Ok(Vec::new()),
            Ok((Some(length), None)) => match length.parse() {
                Ok(number) if length == usize::to_string(&number) => Ok(self.exactly(number)?),
                _ => Err(format!("the length {length:?}")),
            },
            Ok((None, Some(coding))) if coding == "chunked" => self.chunked()?,
            Ok((None, Some(coding))) => Err(format!("the coding {coding:?}")),
        };
        Some(body.map(|body| seen.body = body))
    }

    fn chunked(&mut self) -> Option<Result<Vec<u8>, String>> {
        let mut body = Vec::new();
        loop {
            let size = match self.line()? {
                Ok(line) => line,
                Err(problem) => return Some(Err(problem)),
            };
            let Ok(length) = usize::from_str_radix(&size, 16) else {
                return Some(Err(format!("the size {size:?}")));
            };
            if size != format!("{length:x}") {
                return Some(Err(format!("the size {size:?}")));
            }
            if length == 0 {
                break;
            }
            body.extend(self.exactly(length)?);
            if self.exactly(2)? != b"\r\n" {
                return Some(Err("a chunk without its end".into()));
            }
        }
        let mut lines = Vec::new();
        loop {
            match self.line()? {
                Ok(line) if line.is_empty() => break,
                Ok(line) => lines.push(line),
                Err(problem) => return Some(Err(problem)),
            }
        }
        let forbidden = |name: &str| {
            ["content-length", "transfer-encoding", "host", "authorization", "cookie", "content-type"]
                .contains(&name)
                || name.replace('_', "-").starts_with("x-gateway-")
        };
        Some(fields(&lines).and_then(|fields| match fields.keys().find(|name| forbidden(name)) {
            Some(name) => Err(format!("{name} in trailers")),
            None => Ok(body),
        }))
    }

    fn line(&mut self) -> Option<Result<String, String>> {
        let end = loop {
            match self.ahead.iter().position(|&byte| byte == b'\n') {
                Some(end) => break end,
                None => self.fill()?,
            }
        };
        let line: Vec<u8> = self.ahead.drain(..=end).collect();
        let Some(text) = line.strip_suffix(b"\r\n") else { return Some(Err(format!("a bare LF: {line:?}"))) };
        if text.iter().any(|&byte| byte < b' ' && byte != b'\t' || byte == 0x7f) {
            return Some(Err(format!("a control character: {text:?}")));
        }
        let text = String::from_utf8_lossy(text).into_owned();
        if text.to_ascii_lowercase().contains("evil") {
            lock(&self.notes).evil += 1;
        }
        Some(Ok(text))
    }

    fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.ahead.len() < length {
            self.fill()?;
        }
        Some(self.ahead.drain(..length).collect())
    }

    fn fill(&mut self) -> Option<()> {
        let mut piece = [0; 16 * 1024];
        let read = self.stream.read(&mut piece).ok().filter(|&read| read > 0)?;
        self.ahead.extend_from_slice(&piece[..read]);
        Some(())
    }
}

/// Field lines by name.
fn fields(lines: &[String]) -> Result<HashMap<String, Vec<String>>, String> {
    let mut fields: HashMap<String, Vec<String>> = HashMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("no field: {line:?}"))?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(fits) {
            return Err(format!("the name {name:?}"));
        }
        let value = value.trim_matches([' ', '\t']).to_owned();
        fields.entry(name.to_ascii_lowercase()).or_default().push(value);
    }
    Ok(fields)
}

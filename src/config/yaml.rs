//! YAML text into a tree that knows where everything stands. The only module that names the YAML library.
//!
//! Scalars keep the text of the file: whether `010` is a number is for the reader of that key to say. Aliases are
//! expanded within the same bounds as everything else, so that a file of a few lines cannot become a gigabyte.

use super::problem::{Code, Problem};
use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput};
use std::collections::HashMap;

/// Deepest nesting of lists and sections.
const MAX_DEPTH: usize = 64;
/// Most nodes, each expanded alias counted in full.
const MAX_NODES: usize = 250_000;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
    /// What stands there.
    pub(crate) kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// Something that was reported already; whoever reads it stays silent.
    Broken,
    /// A text.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in the order of the file, each key once.
    Mapping(Vec<(Key, Node)>),
}

/// A scalar's text.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    /// The text, substitutions made.
    pub(crate) text: String,
    /// Whether it stands without quotes; only such a scalar can be a number or a boolean.
    pub(crate) plain: bool,
    /// The text before substitution, where there was one. Diagnostics show this.
    pub(crate) written: Option<String>,
}

/// A mapping's key.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// Its text.
    pub(crate) text: String,
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
}

impl Node {
    fn count(&self) -> usize {
        match &self.kind {
            Kind::Null | Kind::Broken | Kind::Scalar(_) => 1,
            Kind::Sequence(items) => 1 + items.iter().map(Self::count).sum::<usize>(),
            Kind::Mapping(entries) => 1 + entries.iter().map(|(_, value)| value.count()).sum::<usize>(),
        }
    }

    fn height(&self) -> usize {
        match &self.kind {
            Kind::Null | Kind::Broken | Kind::Scalar(_) => 0,
            Kind::Sequence(items) => 1 + items.iter().map(Self::height).max().unwrap_or(0),
            Kind::Mapping(entries) => 1 + entries.iter().map(|(_, value)| value.height()).max().unwrap_or(0),
        }
    }
}

/// Reads one document. The tree is missing when the text is not YAML, or too large; what was wrong is in the list.
pub(crate) fn parse(source: &str) -> (Option<Node>, Vec<Problem>) {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str_with_options(source.trim_start_matches('\u{feff}'), options);
    let outcome = builder.read(&mut parser);
    if let Err(problem) = outcome {
        builder.problems.push(*problem);
        builder.root = None;
    }
    (builder.root, builder.problems)
}

/// Ends the reading.
type Fatal = Box<Problem>;

#[derive(Default)]
struct Builder {
    frames: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    documents: usize,
    root: Option<Node>,
    problems: Vec<Problem>,
}

/// A collection that is still open.
struct Frame {
    line: usize,
    column: usize,
    anchor: usize,
    open: Open,
}

enum Open {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<(Key, Node)>, seen: HashMap<String, usize>, pending: Option<Pending> },
}

/// A key that waits for its value.
enum Pending {
    Keep(Key),
    /// The key was reported; its value is read and dropped.
    Drop,
}

impl Builder {
    fn read<'a>(&mut self, parser: &mut Parser<'a, StrInput<'a>>) -> Result<(), Fatal> {
        while let Some(next) = parser.next_event() {
            let (event, span) = next.map_err(|error| syntax(&error))?;
            self.event(event, span)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Fatal> {
        let (line, column) = (span.start.line(), span.start.col() + 1);
        if event.tag().is_some() {
            let message = "a YAML tag (`!…`) has no meaning here".to_owned();
            self.problems.push(self.problem(line, column, Code::Syntax, message).help("remove the tag"));
        }
        match event {
            Event::DocumentStart(..) => self.document(line, column),
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let kind = match &*text {
                    "" | "~" | "null" if plain => Kind::Null,
                    _ => Kind::Scalar(Scalar { text: text.into_owned(), plain, written: None }),
                };
                self.place(Node { line, column, kind }, anchor)
            }
            Event::Alias(id) => self.alias(id, line, column),
            Event::SequenceStart(_, anchor, _) => {
                self.open(Frame { line, column, anchor, open: Open::Sequence(Vec::new()) })
            }
            Event::MappingStart(_, anchor, _) => self.open(Frame {
                line,
                column,
                anchor,
                open: Open::Mapping { entries: Vec::new(), seen: HashMap::new(), pending: None },
            }),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            // Stream and document ends; the library may add kinds that carry no data.
            _ => Ok(()),
        }
    }

    fn document(&mut self, line: usize, column: usize) -> Result<(), Fatal> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        let message = "a second YAML document starts here, and only one is read".to_owned();
        Err(Box::new(
            Problem::new(Code::Syntax, String::new(), line, column, message)
                .help("remove the `---` and what follows it"),
        ))
    }

    fn open(&mut self, frame: Frame) -> Result<(), Fatal> {
        if self.frames.len() >= MAX_DEPTH {
            return Err(Box::new(too_deep(frame.line, frame.column)));
        }
        self.frames.push(frame);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fatal> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let kind = match frame.open {
            Open::Sequence(items) => Kind::Sequence(items),
            Open::Mapping { entries, .. } => Kind::Mapping(entries),
        };
        self.place(Node { line: frame.line, column: frame.column, kind }, frame.anchor)
    }

    fn alias(&mut self, id: usize, line: usize, column: usize) -> Result<(), Fatal> {
        let Some(target) = self.anchors.get(&id) else {
            let message = "this alias stands inside the very value that it names".to_owned();
            return Err(Box::new(Problem::new(Code::Syntax, self.path(), line, column, message)));
        };
        if self.frames.len() + target.height() > MAX_DEPTH {
            return Err(Box::new(too_deep(line, column)));
        }
        // Counted before the copy is made: the bound is there to keep the copy from being made.
        self.nodes += target.count();
        if self.nodes > MAX_NODES {
            return Err(Box::new(too_large(line, column)));
        }
        let kind = target.kind.clone();
        self.place(Node { line, column, kind }, 0)
    }

    /// Puts a finished node where it belongs: into the open collection, as a key, or at the top.
    fn place(&mut self, node: Node, anchor: usize) -> Result<(), Fatal> {
        self.nodes += if anchor == 0 { 1 } else { node.count() };
        if self.nodes > MAX_NODES {
            return Err(Box::new(too_large(node.line, node.column)));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.frames.last_mut().map(|frame| &mut frame.open) {
            None => self.root = Some(node),
            Some(Open::Sequence(items)) => items.push(node),
            Some(Open::Mapping { entries, pending, .. }) => match pending.take() {
                Some(Pending::Keep(key)) => entries.push((key, node)),
                Some(Pending::Drop) => {}
                None => self.key(node),
            },
        }
        Ok(())
    }

    fn key(&mut self, node: Node) {
        let (line, column) = (node.line, node.column);
        let decided = match node.kind {
            Kind::Scalar(Scalar { text, plain: true, .. }) if text == "<<" => Err(self
                .problem(line, column, Code::Syntax, "merge keys (`<<`) are not supported".to_owned())
                .help("write the keys out, or use an alias for a whole value: `key: *name`")),
            Kind::Scalar(scalar) => self.unique(Key { text: scalar.text, line, column }),
            Kind::Null => self.unique(Key { text: "null".to_owned(), line, column }),
            Kind::Broken | Kind::Sequence(_) | Kind::Mapping(_) => {
                let message = "a key must be a text, not a list or a section".to_owned();
                Err(self.problem(line, column, Code::Syntax, message))
            }
        };
        let waiting = match decided {
            Ok(key) => Pending::Keep(key),
            Err(problem) => {
                self.problems.push(problem);
                Pending::Drop
            }
        };
        if let Some(Frame { open: Open::Mapping { pending, .. }, .. }) = self.frames.last_mut() {
            *pending = Some(waiting);
        }
    }

    fn unique(&mut self, key: Key) -> Result<Key, Problem> {
        let Some(Frame { open: Open::Mapping { seen, .. }, .. }) = self.frames.last_mut() else {
            return Ok(key);
        };
        let Some(first) = seen.get(&key.text).copied() else {
            seen.insert(key.text.clone(), key.line);
            return Ok(key);
        };
        let message = format!("duplicate key `{}`: line {first} has it already", key.text);
        let mut problem = self.problem(key.line, key.column, Code::DuplicateKey, message);
        problem.path = join(&problem.path, &key.text);
        Err(problem.help("keep one of the two"))
    }

    fn problem(&self, line: usize, column: usize, code: Code, message: String) -> Problem {
        Problem::new(code, self.path(), line, column, message)
    }

    /// The path of what is being read.
    fn path(&self) -> String {
        self.frames.iter().fold(String::new(), |path, frame| match &frame.open {
            Open::Sequence(items) => format!("{path}[{}]", items.len()),
            Open::Mapping { pending: Some(Pending::Keep(key)), .. } => join(&path, &key.text),
            Open::Mapping { .. } => path,
        })
    }
}

/// `path.key`, or `key` at the top.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn syntax(error: &ScanError) -> Fatal {
    let (line, column) = (error.marker().line(), error.marker().col() + 1);
    if *error.kind() == ErrorKind::RecursionLimitExceeded {
        return Box::new(too_deep(line, column));
    }
    let mut problem = Problem::new(Code::Syntax, String::new(), line, column, error.info());
    problem.help = advice(error.kind()).map(str::to_owned);
    Box::new(problem)
}

/// What to do about the usual slips; the library's messages name the rule that was broken.
fn advice(kind: &ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation => {
            Some("indent with spaces")
        }
        ErrorKind::UnknownAnchor => {
            Some("a value that starts with `*` is an alias: put quotes around it if it is a text")
        }
        ErrorKind::UnclosedQuotedScalar => Some("close the quote that starts here"),
        ErrorKind::UnclosedFlowCollection { .. } => Some("close the bracket that is open"),
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator => {
            Some("put a `,` between two values, and quotes around a text with brackets or commas in it")
        }
        ErrorKind::InvalidIndentation
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::SimpleKeyExpected => Some("check the indentation of this line and of the one above"),
        ErrorKind::MappingValueNotAllowed => {
            Some("put quotes around a text that has `: ` in it; check the indentation")
        }
        _ => None,
    }
}

fn too_deep(line: usize, column: usize) -> Problem {
    let message = format!("lists and sections are nested more than {MAX_DEPTH} deep");
    Problem::new(Code::Syntax, String::new(), line, column, message)
}

fn too_large(line: usize, column: usize) -> Problem {
    let message = format!("more than {MAX_NODES} values, aliases counted in full");
    Problem::new(Code::Syntax, String::new(), line, column, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(source: &str) -> Vec<String> {
        parse(source).1.iter().map(|p| format!("{}:{} {} {}", p.line, p.column, p.path, p.message)).collect()
    }

    fn entry<'a>(node: &'a Node, key: &str) -> &'a Node {
        let Kind::Mapping(entries) = &node.kind else { panic!("not a section: {node:?}") };
        &entries.iter().find(|(k, _)| k.text == key).unwrap().1
    }

    #[test]
    fn places_are_counted_from_one_and_in_characters() {
        let (tree, problems) = parse("name: ชื่อ\nmap: { ก: [a, \"b\"] }\n");
        assert!(problems.is_empty(), "{problems:?}");
        let map = tree.unwrap();
        assert_eq!((entry(&map, "name").line, entry(&map, "name").column), (1, 7));
        let list = entry(entry(&map, "map"), "ก");
        let Kind::Sequence(items) = &list.kind else { panic!() };
        assert_eq!((items[1].line, items[1].column), (2, 15));
        assert!(matches!(&items[0].kind, Kind::Scalar(s) if s.plain && s.text == "a"));
        assert!(matches!(&items[1].kind, Kind::Scalar(s) if !s.plain && s.text == "b"));
    }

    #[test]
    fn a_duplicate_key_names_the_line_of_the_first() {
        let found = messages("a:\n  - b: 1\n    c: 2\n    b: 3\n");
        assert_eq!(found, ["4:5 a[0].b duplicate key `b`: line 2 has it already"]);
    }

    #[test]
    fn what_is_refused_says_so() {
        assert!(messages("a: &x {b: 1}\nc:\n  <<: *x\n")[0].contains("merge keys"));
        assert!(messages("a: 1\n---\nb: 2\n")[0].starts_with("2:1  a second YAML document"));
        assert!(messages("[a]: 1\n")[0].contains("a key must be a text"));
        assert!(messages("a: !!str 5\n")[0].contains("tag"));
        assert_eq!(messages("a: [1, 2\nb: 3\n").len(), 1);
        assert_eq!(messages("a: &x [*x]\n").len(), 1);
    }

    #[test]
    fn an_alias_bomb_and_deep_nesting_end_at_once() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let refs = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{refs}]\n"));
        }
        assert!(messages(&bomb)[0].contains("250000"));
        assert_eq!(messages(&"[".repeat(200_000)).len(), 1);
        assert_eq!(messages(&"- ".repeat(100_000)).len(), 1);
    }

    #[test]
    fn an_alias_stands_for_the_whole_value() {
        let (tree, problems) = parse("a: &x { b: 1 }\nc: *x\n");
        assert!(problems.is_empty(), "{problems:?}");
        assert!(matches!(&entry(entry(&tree.unwrap(), "c"), "b").kind, Kind::Scalar(s) if s.text == "1"));
    }
}

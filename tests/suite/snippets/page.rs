//! A page of the documentation as the tests read it: its fenced blocks, and the comments that say what becomes of each.
//!
//! A comment `<!-- test: … -->` stands on lines of its own before the fence that it is about. CONTRIBUTING.md lists what it
//! can say.

/// What a comment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// A new folder and a new shell from here on, prepared by these scripts of `sessions/`.
    Session(String),
    /// Commands that a reader has no need to see.
    Run(String),
    /// In what is run, one text stands for another: on this page, from here on.
    Replace(String, String),
    /// The block is the content of this file of the session's folder.
    File(String),
    /// The block is a part of a configuration, completed by this frame of `frames/`.
    Into(String),
    /// The block is what the commands before it print.
    Output,
    /// The command goes on running; it is ready when this answers 200.
    Serve(String),
    /// The commands are typed into a terminal of their own, which knows nothing of the one before.
    Terminal,
    /// The exit code of the commands.
    Exit(i32),
    /// The commands can not be run here, for this reason: they are looked at only.
    NotRun(String),
    /// Nothing is there to compare the block with, for this reason.
    Shown(String),
}

/// A fenced block.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) line: usize,
    pub(super) language: String,
    pub(super) text: String,
    pub(super) marks: Vec<Mark>,
}

/// What a page consists of, in its order.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Block(Block),
    Session(usize, String),
    Run(usize, String),
    Replace(String, String),
}

/// A page: its name, as in `docs/tls.md`, and its parts.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) name: String,
    pub(super) parts: Vec<Part>,
}

impl Page {
    /// Reads it; what is wrong with its comments is told with its line.
    pub(super) fn read(name: &str, text: &str) -> Result<Self, String> {
        let mut reader = Reader { lines: text.lines().enumerate().collect(), at: 0 };
        let (mut parts, mut pending) = (Vec::new(), Vec::new());
        while let Some((line, content)) = reader.next() {
            let wrong = |what: String| format!("{name}:{line}: {what}");
            let trimmed = content.trim_start();
            if let Some(rest) = trimmed.strip_prefix("<!-- test:") {
                match reader.comment(rest).and_then(|text| mark(&text)).map_err(wrong)? {
                    Mark::Session(script) => parts.push(Part::Session(line, script)),
                    Mark::Run(commands) => parts.push(Part::Run(line, commands)),
                    Mark::Replace(from, to) => parts.push(Part::Replace(from, to)),
                    mark => pending.push(mark),
                }
            } else if let Some(language) = trimmed.strip_prefix("```") {
                let text = reader.fenced(content.len() - trimmed.len()).map_err(wrong)?;
                let (language, marks) = (language.trim().to_owned(), std::mem::take(&mut pending));
                parts.push(Part::Block(Block { line, language, text, marks }));
            } else if !trimmed.is_empty() && !pending.is_empty() {
                return Err(wrong(format!("{pending:?} stands before no block")));
            }
        }
        Ok(Self { name: name.to_owned(), parts })
    }

    pub(super) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.parts.iter().filter_map(|part| match part {
            Part::Block(block) => Some(block),
            Part::Session(..) | Part::Run(..) | Part::Replace(..) => None,
        })
    }
}

impl Block {
    pub(super) fn file(&self) -> Option<&str> {
        self.marks
            .iter()
            .find_map(|mark| if let Mark::File(name) = mark { Some(name.as_str()) } else { None })
    }

    /// Why it is not run, or compared with nothing.
    pub(super) fn excused(&self) -> bool {
        self.marks.iter().any(|mark| matches!(mark, Mark::NotRun(_) | Mark::Shown(_)))
    }
}

struct Reader<'t> {
    lines: Vec<(usize, &'t str)>,
    at: usize,
}

impl<'t> Reader<'t> {
    /// The next line, with its number from 1.
    fn next(&mut self) -> Option<(usize, &'t str)> {
        let (number, line) = *self.lines.get(self.at)?;
        self.at += 1;
        Some((number + 1, line))
    }

    /// The text of a comment that began on this line, up to its end.
    fn comment(&mut self, first: &str) -> Result<String, String> {
        let mut text = first.to_owned();
        while !text.trim_end().ends_with("-->") {
            let (_, line) = self.next().ok_or("the comment has no end")?;
            text.push('\n');
            text.push_str(line);
        }
        Ok(text.trim_end().trim_end_matches("-->").trim().to_owned())
    }

    /// The lines up to the closing fence, less the indentation of the opening one.
    fn fenced(&mut self, indent: usize) -> Result<String, String> {
        let mut text = String::new();
        loop {
            let (_, line) = self.next().ok_or("the block has no end")?;
            let margin = line.len() - line.trim_start_matches(' ').len();
            let line = &line[margin.min(indent)..];
            if line.trim_end() == "```" {
                return Ok(text);
            }
            text.push_str(line);
            text.push('\n');
        }
    }
}

fn mark(text: &str) -> Result<Mark, String> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    let named = || if rest.is_empty() { Err(format!("`{word}` needs more")) } else { Ok(rest.to_owned()) };
    Ok(match word {
        "session" => Mark::Session(named()?),
        "run" => Mark::Run(named()?),
        "file" => Mark::File(named()?),
        "into" => Mark::Into(named()?),
        "output" => Mark::Output,
        "terminal" => Mark::Terminal,
        "exit" => Mark::Exit(rest.parse().map_err(|_| format!("{rest:?} is no exit code"))?),
        "serve" if rest.is_empty() => Mark::Serve("http://127.0.0.1:9090/readyz".to_owned()),
        "serve" => Mark::Serve(rest.to_owned()),
        "replace" => {
            let (from, to) = rest.split_once(" => ").ok_or("`replace` is FROM => TO")?;
            Mark::Replace(from.to_owned(), to.to_owned())
        }
        "not-run:" => Mark::NotRun(named()?),
        "shown:" => Mark::Shown(named()?),
        _ => return Err(format!("`{word}` is no word of these comments")),
    })
}

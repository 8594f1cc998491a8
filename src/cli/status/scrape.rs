//! The metrics of a gateway at one moment, read from the Prometheus text format.

use crate::clock::Moment;
use std::collections::BTreeMap;

/// All samples of a scrape.
#[derive(Clone, Debug)]
pub(super) struct Scrape {
    /// When it was made, by the clock of this machine.
    pub(super) at: Moment,
    samples: Vec<Sample>,
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

impl Sample {
    /// The value of a label; empty where it has none.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

impl Scrape {
    /// Reads a text; lines that are no samples are passed over.
    pub(super) fn parse(text: &str, at: Moment) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self { at, samples: lines.filter_map(sample).collect() }
    }

    /// The samples of this name.
    pub(super) fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Sample> {
        self.samples.iter().filter(move |sample| sample.name == name)
    }

    /// The sample of a name that has only one.
    pub(super) fn value(&self, name: &str) -> Option<f64> {
        self.all(name).next().map(|sample| sample.value)
    }

    /// The sum of those samples of a name that are wanted.
    pub(super) fn sum(&self, name: &str, wanted: impl Fn(&Sample) -> bool) -> f64 {
        self.all(name).filter(|sample| wanted(sample)).map(|sample| sample.value).sum()
    }
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, value) = rest.split_once("=\"")?;
            let (value, behind) = quoted(value)?;
            labels.insert(label.to_owned(), value);
            rest = behind.strip_prefix(',').unwrap_or(behind);
        }
        rest = &rest[1..];
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// The text up to the closing quotation mark, and what stands behind that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_their_labels() {
        let text = "# HELP a b\na 3\nb_total{x=\"1\",y=\"a \\\"b\\\" {c}, \\\\\"} 2.5\nb_total{x=\"2\"} 4 1700\nnothing\n";
        let scrape = Scrape::parse(text, Moment { mono_ns: 0, unix_ms: 0 });
        assert_eq!(scrape.value("a"), Some(3.0));
        assert_eq!(scrape.sum("b_total", |_| true), 6.5);
        assert_eq!(scrape.all("b_total").next().unwrap().label("y"), "a \"b\" {c}, \\");
        assert_eq!(scrape.sum("b_total", |sample| sample.label("x") == "2"), 4.0);
        assert_eq!(scrape.value("nothing"), None);
    }
}

//! A call of one of the scripts, as it is sent, and its answer.

use super::link::{Link, lacks_script};
use crate::limiter::{Algorithm, Asking, Claim, LEASE_LIFE, Limit, Told};
use redis::{Cmd, ErrorKind, RedisError, RedisResult, Script, Value};
use std::fmt::Write;
use std::sync::LazyLock;

/// A script, and the name that a server knows it by.
pub(super) struct Code {
    text: &'static str,
    script: Script,
}

macro_rules! code {
    ($file:literal) => {
        LazyLock::new(|| {
            let text = concat!(include_str!("scripts/state.lua"), include_str!($file));
            Code { text, script: Script::new(text) }
        })
    };
}

static DECIDE: LazyLock<Code> = code!("scripts/decide.lua");
static LEASE: LazyLock<Code> = code!("scripts/lease.lua");

/// The names under which a bucket stands in Redis. What is in braces decides the node of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    text: String,
    /// Where the names of one end and begin.
    ends: [usize; 3],
}

impl Keys {
    /// `prefix:{id}:api`, and the same for stamps and leases.
    pub(super) fn new(prefix: &str, id: &str, api: &str) -> Self {
        let mut text = String::with_capacity(3 * (prefix.len() + id.len() + api.len() + 6));
        let mut ends = [0; 3];
        for (end, kind) in ends.iter_mut().zip(["", "/window", "/leases"]) {
            text.push_str(prefix);
            text.push_str(":{");
            for c in id.chars() {
                match c {
                    '{' => text.push_str("%7B"),
                    '}' => text.push_str("%7D"),
                    c => text.push(c),
                }
            }
            let _ = write!(text, "}}{kind}:{api}");
            *end = text.len();
        }
        Self { text, ends }
    }

    fn each(&self) -> [&str; 3] {
        let [one, two, three] = self.ends;
        [&self.text[..one], &self.text[one..two], &self.text[two..three]]
    }
}

/// Asks for one decision.
pub(super) async fn decide(link: &mut Link, keys: &Keys, limit: &Limit, claim: &Claim) -> RedisResult<Told> {
    let (first, told) = run(link, &DECIDE, keys, limit, claim, &[1]).await?;
    Ok(Told { allowed: first == 1, ..told })
}

/// Asks for permits, or gives them back; answers how many were granted, and nothing where that is not the way.
pub(super) async fn lease(
    link: &mut Link,
    keys: &Keys,
    limit: &Limit,
    claim: &Claim,
    node: &str,
    asking: &Asking<'_>,
) -> RedisResult<Option<(u32, Told)>> {
    let us = u64::try_from(LEASE_LIFE.as_micros()).unwrap_or(u64::MAX);
    let numbers = [asking.call, asking.holds.into(), asking.returned.into(), asking.wanted.into(), us];
    let mut arguments = Vec::with_capacity(6);
    arguments.push(Argument::Text(node));
    arguments.extend(numbers.map(Argument::Number));
    let (granted, told) = run_with(link, &LEASE, keys, limit, claim, &arguments).await?;
    Ok(u32::try_from(granted).ok().map(|granted| (granted, told)))
}

enum Argument<'a> {
    Text(&'a str),
    Number(u64),
}

async fn run(
    link: &mut Link,
    code: &Code,
    keys: &Keys,
    limit: &Limit,
    claim: &Claim,
    numbers: &[u64],
) -> RedisResult<(i64, Told)> {
    let arguments: Vec<Argument<'_>> = numbers.iter().map(|number| Argument::Number(*number)).collect();
    run_with(link, code, keys, limit, claim, &arguments).await
}

async fn run_with(
    link: &mut Link,
    code: &Code,
    keys: &Keys,
    limit: &Limit,
    claim: &Claim,
    arguments: &[Argument<'_>],
) -> RedisResult<(i64, Told)> {
    let by_name = command("EVALSHA", code.script.get_hash(), keys, limit, claim, arguments);
    let answer = match link.send(&by_name).await {
        Err(error) if lacks_script(&error) => {
            link.send(&command("EVAL", code.text, keys, limit, claim, arguments)).await
        }
        answer => answer,
    };
    parsed(&answer?)
        .ok_or_else(|| RedisError::from((ErrorKind::UnexpectedReturnType, "the answer is not a decision")))
}

fn command(
    name: &str,
    script: &str,
    keys: &Keys,
    limit: &Limit,
    claim: &Claim,
    arguments: &[Argument<'_>],
) -> Cmd {
    let (letter, requests, per_us) = (letter(limit.algorithm()), limit.requests(), limit.per_us());
    let mut command = redis::cmd(name);
    command.arg(script).arg(3);
    for key in keys.each() {
        command.arg(key);
    }
    command.arg(format!("{letter}:{requests}:{per_us}")).arg(letter).arg(requests).arg(per_us);
    command.arg(claim.born).arg(claim.number).arg(claim.missing).arg(claim.as_of);
    for argument in arguments {
        match argument {
            Argument::Text(text) => command.arg(*text),
            Argument::Number(number) => command.arg(*number),
        };
    }
    command
}

fn letter(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::TokenBucket => "t",
        Algorithm::SlidingWindow => "s",
        Algorithm::FixedWindow => "f",
    }
}

/// The first number of an answer, and what it tells.
fn parsed(answer: &Value) -> Option<(i64, Told)> {
    let Value::Array(values) = answer else { return None };
    let number = |index: usize| match values.get(index) {
        Some(Value::Int(number)) => Some(*number),
        _ => None,
    };
    let positive = |index| number(index).and_then(|number| u64::try_from(number).ok());
    let small = |index| positive(index).and_then(|number| u32::try_from(number).ok());
    let told = Told {
        allowed: false,
        limit: small(1)?,
        left: small(2)?,
        full_in_us: positive(3)?,
        retry_in_us: positive(4)?,
        born: positive(5)?,
        number: positive(6)?,
        missing: positive(7)?,
        as_of: positive(8)?,
    };
    Some((number(0)?, told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_one_node_of_a_cluster_and_never_each_others() {
        let keys = Keys::new("portcullis", "68da", "open-api");
        let expected = [
            "portcullis:{68da}:open-api",
            "portcullis:{68da}/window:open-api",
            "portcullis:{68da}/leases:open-api",
        ];
        assert_eq!(keys.each(), expected);
        let odd = Keys::new("p", "}{", "a}b");
        assert!(odd.each().iter().all(|key| key.starts_with("p:{%7D%7B}")), "{odd:?}");
    }

    #[test]
    fn an_answer_that_is_no_decision_is_none() {
        let nine = |first| Value::Array([first, 60, 59, 1, 0, 7, 1, 1, 0].map(Value::Int).into());
        let (allowed, told) = parsed(&nine(1)).unwrap();
        assert_eq!((allowed, told.limit, told.left, told.born), (1, 60, 59, 7));
        assert_eq!(parsed(&nine(-1)).unwrap().0, -1);
        for odd in [Value::Nil, Value::Array(vec![Value::Int(1)]), Value::Okay] {
            assert_eq!(parsed(&odd), None);
        }
    }
}

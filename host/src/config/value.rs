//! Typed values: the one place where kinds, ranges and their sentences are.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::call::Fault;
use super::error::Problem;
use super::lexer::{Rest, Word, Words};
use super::row::Args;
use super::sections;
use super::units::{self, Bytes, Time};

/// What a directive's arguments say, by the kind its row declares.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of [`Args::Flag`].
    Flag(bool),
    /// Of [`Args::Int`].
    Int(i64),
    /// Of [`Args::Size`], in bytes.
    Size(u64),
    /// Of [`Args::Duration`].
    Duration(Duration),
    /// Of [`Args::Float`].
    Float(f64),
    /// Of [`Args::Word`].
    Word(String),
    /// Of [`Args::Words`].
    Words(Vec<String>),
    /// Of [`Args::Path`], no longer relative.
    Path(PathBuf),
    /// Of [`Args::Enum`]: the index of the name.
    Enum(usize),
    /// Of [`Args::Raw`].
    Raw(String),
}

/// What the sentences about a directive and its paths need to know.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) name: &'a str,
    pub(super) help: &'a str,
    pub(super) server_root: &'a Path,
}

/// Splits and checks the arguments of the directive written as `name`. What is wrong goes to
/// `problems`; only warnings leave a value.
pub(super) fn evaluate<N, S>(
    args: &Args<N>,
    subject: &Subject<'_>,
    name: &Word,
    rest: &Rest,
    problems: &mut Vec<Problem>,
) -> Option<(Value, Vec<Word>)>
where
    N: AsRef<[S]>,
    S: AsRef<str>,
{
    let Words { words, unclosed } = match args {
        Args::Raw => Words { words: rest.raw().into_iter().collect(), unclosed: None },
        _ => rest.words(),
    };
    problems.extend(unclosed.as_ref().map(sections::unclosed_quote));
    match parse(args, subject, &words) {
        Ok(value) => Some((value, words)),
        Err(fault) => {
            problems.push(fault.problem(name, &words));
            None
        }
    }
}

/// Checks words against kind and range.
///
/// # Errors
///
/// httpd's sentence where it has one, else one that names the range.
fn parse<N, S>(args: &Args<N>, subject: &Subject<'_>, words: &[Word]) -> Result<Value, Fault>
where
    N: AsRef<[S]>,
    S: AsRef<str>,
{
    match args {
        Args::Flag => flag(subject, words),
        &Args::Int { min, max } => {
            let wanted = || within("an integer", bounds(min, i64::MIN, max, i64::MAX));
            let number = |text: &str| text.parse().ok();
            ranged(subject, words, number, &(min..=max), wanted).map(Value::Int)
        }
        &Args::Size { min, max } => {
            let wanted = || {
                let bounds = bounds(Bytes(min), Bytes::ZERO, Bytes(max), Bytes::MAX);
                within("a size such as 8192, 64K or 1M,", bounds)
            };
            ranged(subject, words, units::size, &(min..=max), wanted).map(Value::Size)
        }
        &Args::Duration { min, max } => {
            let wanted = || {
                let bounds = bounds(Time(min), Time::ZERO, Time(max), Time::MAX);
                within("a time such as 30, 500ms or 5min,", bounds)
            };
            ranged(subject, words, units::duration, &(min..=max), wanted).map(Value::Duration)
        }
        &Args::Float { min, max } => {
            let wanted =
                || within("a number", bounds(min, -units::FRACTION_MAX, max, units::FRACTION_MAX));
            ranged(subject, words, units::fraction, &(min..=max), wanted).map(Value::Float)
        }
        Args::Word => Ok(Value::Word(one(subject, words)?.to_owned())),
        &Args::Words { min, max } => {
            counted(subject, words, min, max)?;
            let texts = words.iter().map(|word| word.text.clone());
            Ok(Value::Words(texts.collect()))
        }
        Args::Path => Ok(Value::Path(subject.server_root.join(one(subject, words)?))),
        Args::Enum(names) => choice(subject, words, names.as_ref()),
        Args::Raw => {
            let text = words.first().map(|word| word.text.clone());
            Ok(Value::Raw(text.unwrap_or_default()))
        }
    }
}

fn flag(subject: &Subject<'_>, words: &[Word]) -> Result<Value, Fault> {
    let fault = || Fault::new(format!("{} must be On or Off", subject.name));
    match words {
        [word] if word.text.eq_ignore_ascii_case("on") => Ok(Value::Flag(true)),
        [word] if word.text.eq_ignore_ascii_case("off") => Ok(Value::Flag(false)),
        [] => Err(fault()),
        [_] => Err(fault().at(0)),
        _ => Err(fault().at(1)),
    }
}

fn choice<S: AsRef<str>>(
    subject: &Subject<'_>,
    words: &[Word],
    names: &[S],
) -> Result<Value, Fault> {
    let text = one(subject, words)?;
    let index = names.iter().position(|name| name.as_ref().eq_ignore_ascii_case(text));
    index.map(Value::Enum).ok_or_else(|| {
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        let listed = match names.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, [first])) => format!("{first} or {last}"),
            Some((last, others)) => format!("one of {} or {last}", others.join(", ")),
            None => String::new(),
        };
        Fault::new(format!("{} must be {listed}", subject.name)).at(0)
    })
}

fn ranged<T: PartialOrd>(
    subject: &Subject<'_>,
    words: &[Word],
    read: impl Fn(&str) -> Option<T>,
    range: &RangeInclusive<T>,
    wanted: impl Fn() -> String,
) -> Result<T, Fault> {
    let value = read(one(subject, words)?);
    value
        .filter(|value| range.contains(value))
        .ok_or_else(|| Fault::new(format!("{} must be {}", subject.name, wanted())).at(0))
}

fn one<'a>(subject: &Subject<'_>, words: &'a [Word]) -> Result<&'a str, Fault> {
    counted(subject, words, 1, 1)?;
    Ok(words.first().map_or("", |word| &word.text))
}

/// Checks the number of words. An empty one counts as missing where one is needed, as in httpd.
fn counted(subject: &Subject<'_>, words: &[Word], min: usize, max: usize) -> Result<(), Fault> {
    let fault = || Fault::new(arity(subject, min, max));
    let needed = words.iter().take(min);
    if let Some(empty) = needed.clone().position(|word| word.text.is_empty()) {
        return Err(fault().at(empty));
    }
    if needed.len() < min {
        return Err(fault());
    }
    if words.len() > max {
        return Err(fault().at(max));
    }
    Ok(())
}

/// httpd's sentence about the number of arguments; where it has none, one of the same form.
fn arity(subject: &Subject<'_>, min: usize, max: usize) -> String {
    let counted = |n: usize| match n {
        1 => "one argument".to_owned(),
        2 => "two arguments".to_owned(),
        3 => "three arguments".to_owned(),
        n => format!("{n} arguments"),
    };
    let takes = match (min, max) {
        (0, 0) => return format!("{} takes no arguments", subject.name),
        (min, usize::MAX) => format!("requires at least {}", counted(min)),
        (2, 3) => "takes two or three arguments".to_owned(),
        (1, 3) => "takes one, two or three arguments".to_owned(),
        (0, max) => format!("takes at most {}", counted(max)),
        (min, max) if min == max => format!("takes {}", counted(min)),
        (min, max) => format!("takes {min}-{max} arguments"),
    };
    match subject.help {
        "" => format!("{} {takes}", subject.name),
        help => format!("{} {takes}, {help}", subject.name),
    }
}

/// Bounds as text; one that reaches what a module can say is none.
fn bounds<T: PartialOrd + Display>(
    min: T,
    lowest: T,
    max: T,
    highest: T,
) -> (Option<String>, Option<String>) {
    let min = (min > lowest).then(|| min.to_string());
    let max = (max < highest).then(|| max.to_string());
    (min, max)
}

fn within(what: &str, bounds: (Option<String>, Option<String>)) -> String {
    match bounds {
        (Some(min), Some(max)) => format!("{what} between {min} and {max}"),
        (Some(min), None) => format!("{what} of at least {min}"),
        (None, Some(max)) => format!("{what} of at most {max}"),
        (None, None) => what.trim_end_matches(',').to_owned(),
    }
}

#[cfg(test)]
mod tests;

//! Statements and words of a logical line.

use std::ops::Range;

use super::line::Line;
use super::source::Place;

/// A word after unquoting, and where it stands.
#[derive(Clone, Debug)]
pub struct Word {
    /// Without quotes and escapes, variables replaced.
    pub text: String,
    /// What it covers in the file, quotes included.
    pub place: Place,
}

/// What a line says.
#[derive(Debug)]
pub(super) enum Statement {
    /// Nothing, or a comment.
    Blank,
    /// `Name arguments`
    Directive { name: Word, rest: Rest },
    /// `<Name arguments>`; the name is without `<`.
    Open { name: Word, rest: Rest, end: End },
    /// `</Name>`; the name is without `</`.
    Close { name: Word, end: End },
}

/// How a `<…` ended.
#[derive(Debug)]
pub(super) enum End {
    /// With `>`.
    Whole,
    /// With `>` and then this, which is no part of it.
    Trailing(Place),
    /// Without `>`.
    Missing,
}

/// A directive's arguments, not yet split: only its row says whether they are words at all.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    line: Line,
    /// Invariant: within the line's text and on character boundaries; no blanks at either end.
    range: Range<usize>,
}

/// The words of a [`Rest`].
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) words: Vec<Word>,
    /// A quote that is opened and never closed. Its word runs to the end of the line, as in httpd.
    pub(super) unclosed: Option<Place>,
}

/// Blank as httpd understands it: ASCII only, with the vertical tab.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// Whether a line is empty or a comment. Decided before variables are replaced, so that a comment
/// cannot complain about one.
pub(super) fn is_comment(line: &Line) -> bool {
    let text = line.text().trim_start_matches(is_blank);
    text.is_empty() || text.starts_with('#')
}

/// Takes a line apart as far as possible without knowing the directive.
pub(super) fn statement(line: Line) -> Statement {
    let Some(first) = next_token(line.text(), 0) else {
        return Statement::Blank;
    };
    if first.text.starts_with("</") {
        return close(&line, &first);
    }
    if first.text.starts_with('<') {
        return open(line, &first);
    }
    let name = Word { place: line.place(first.start..first.end), text: first.text };
    let range = first.end..line.text().len();
    let rest = Rest::new(line, range);
    Statement::Directive { name, rest }
}

fn close(line: &Line, first: &Token) -> Statement {
    let name = first.text.strip_prefix("</").unwrap_or("");
    let (name, end) = match name.strip_suffix('>') {
        Some(name) => (name, trailing(line, first.end)),
        None => (name, End::Missing),
    };
    let place = line.place(first.start..first.end);
    let text = name.to_owned();
    Statement::Close { name: Word { text, place }, end }
}

fn open(line: Line, first: &Token) -> Statement {
    let name = first.text.strip_prefix('<').unwrap_or("");
    // The last `>` of the line closes the section's head: an argument may contain others.
    let outer = line.text().rfind('>').filter(|&at| at >= first.end);
    let (name, is_whole) = match name.strip_suffix('>') {
        Some(name) => (name.to_owned(), true),
        None => (name.to_owned(), false),
    };
    let (range, end) = match outer {
        Some(at) => (first.end..at, trailing(&line, at + 1)),
        None if is_whole => (first.end..first.end, trailing(&line, first.end)),
        None => (first.end..line.text().len(), End::Missing),
    };
    let covered = first.end - usize::from(is_whole);
    let place = line.place(first.start..covered.max(first.start));
    let rest = Rest::new(line, range);
    Statement::Open { name: Word { text: name, place }, rest, end }
}

fn trailing(line: &Line, from: usize) -> End {
    let range = trimmed(line.text(), from..line.text().len());
    if range.is_empty() { End::Whole } else { End::Trailing(line.place(range)) }
}

/// `range` without the blanks at its ends.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let Some(part) = text.get(range.clone()) else {
        return range.start..range.start;
    };
    let left = part.trim_start_matches(is_blank);
    let start = range.end - left.len();
    start..start + left.trim_end_matches(is_blank).len()
}

impl Rest {
    fn new(line: Line, range: Range<usize>) -> Self {
        let range = trimmed(line.text(), range);
        Self { line, range }
    }

    /// Everything as one word, quotes and all; no word if there is nothing.
    pub(super) fn raw(&self) -> Option<Word> {
        let text = self.line.text().get(self.range.clone())?;
        (!text.is_empty())
            .then(|| Word { text: text.to_owned(), place: self.line.place(self.range.clone()) })
    }

    /// Splits at blanks. A word may be in single or double quotes; in these a backslash makes the
    /// quote or a backslash an ordinary character, outside only a backslash.
    pub(super) fn words(&self) -> Words {
        let text = self.line.text().get(..self.range.end).unwrap_or("");
        let mut all = Words::default();
        let mut at = self.range.start;
        while let Some(token) = next_token(text, at) {
            at = token.end;
            let place = self.line.place(token.start..token.end);
            if !token.is_closed {
                all.unclosed = Some(place.clone());
            }
            all.words.push(Word { text: token.text, place });
        }
        all
    }

    /// This without a `!` at its beginning, and whether there was one.
    pub(super) fn strip_not(&self) -> (Self, bool) {
        let text = self.line.text().get(self.range.clone()).unwrap_or("");
        if !text.starts_with('!') {
            return (self.clone(), false);
        }
        let range = self.range.start + 1..self.range.end;
        (Self::new(self.line.clone(), range), true)
    }
}

/// A word at `start..end` of a line's text; `text` is it unquoted.
struct Token {
    start: usize,
    end: usize,
    text: String,
    is_closed: bool,
}

fn next_token(text: &str, from: usize) -> Option<Token> {
    let rest = text.get(from..)?.trim_start_matches(is_blank);
    let start = text.len() - rest.len();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    let mut chars = rest.char_indices().peekable();
    chars.next_if(|(_, c)| quote == Some(*c));
    let mut token =
        Token { start, end: text.len(), text: String::new(), is_closed: quote.is_none() };
    while let Some((at, c)) = chars.next() {
        if quote == Some(c) {
            // The word ends here even if no blank follows, as in httpd.
            token.end = start + at + 1;
            token.is_closed = true;
            break;
        }
        if quote.is_none() && is_blank(c) {
            token.end = start + at;
            break;
        }
        let escaped =
            chars.next_if(|&(_, next)| c == '\\' && (next == '\\' || Some(next) == quote));
        token.text.push(escaped.map_or(c, |(_, next)| next));
    }
    (!rest.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests;

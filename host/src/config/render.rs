//! How problems are printed.

use std::ops::Range;

use super::error::{Problem, Severity};

/// Widest source line printed, with what stands before it. Longer ones are cut around the place.
const COLUMNS_MAX: usize = 160;
/// Longest sentence printed, in characters.
const SENTENCE_LEN_MAX: usize = 1000;
/// Columns between tab stops, counted from the line's own beginning as an editor does.
const TAB_COLUMNS: usize = 8;
/// Stands for what was cut off.
const CUT: char = '…';

impl Problem {
    /// The lines to print, each ended. `color` is for terminals only.
    ///
    /// Control characters from files are not passed on: they could drive the reader's terminal.
    pub fn render(&self, color: bool) -> String {
        let (kind, on) = match self.severity {
            Severity::Error => ("Syntax error", "\x1b[1;31m"),
            Severity::Warning => ("Warning", "\x1b[1;33m"),
            Severity::Note => ("Note", "\x1b[1;36m"),
        };
        let (on, off) = if color { (on, "\x1b[0m") } else { ("", "") };
        let code = self.code;
        let sentence = sentence(&self.sentence);
        let place = printable(&self.place.to_string());
        let mut out = match self.place.line() {
            0 => format!("{on}{code}: {sentence}{off}\n"),
            _ => format!("{on}{code}: {kind} on {place}:{off}\n{sentence}\n"),
        };
        let hint = self.hint.as_deref().map(printable);
        let Some(line) = self.place.source_line() else {
            if let Some(hint) = hint {
                out += &format!("hint: {hint}\n");
            }
            return out;
        };
        let gutter = format!("{:>5} | ", self.place.line());
        let start = self.place.column().saturating_sub(1);
        let end = start + self.place.width();
        let (text, span) = excerpt(line, start..end, COLUMNS_MAX - gutter.len());
        let blank = format!("{:>1$}", "| ", gutter.len());
        let indent = " ".repeat(span.start);
        let carets = "^".repeat(span.len().max(1));
        let hint = hint.map(|hint| format!(" {hint}")).unwrap_or_default();
        out + &format!("{gutter}{text}\n{blank}{indent}{on}{carets}{hint}{off}\n")
    }
}

/// A sentence without control characters, cut where no sentence of ours ends so late: the rest can
/// only be a word that was quoted.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let mut cut: String = chars.by_ref().take(SENTENCE_LEN_MAX).map(visible).collect();
    if chars.next().is_some() {
        cut.push(CUT);
    }
    cut
}

/// A line as columns: tabs spread out, cut around `span` to at most `width`; and `span` in it.
fn excerpt(line: &str, span: Range<usize>, width: usize) -> (String, Range<usize>) {
    let mut columns: Vec<char> = Vec::new();
    let (mut start, mut end) = (None, None);
    for (index, c) in line.chars().enumerate() {
        if index == span.start {
            start = Some(columns.len());
        }
        if index == span.end {
            end = Some(columns.len());
        }
        match c {
            '\t' => {
                let stop = (columns.len() / TAB_COLUMNS + 1) * TAB_COLUMNS;
                columns.resize(stop, ' ');
            }
            c => columns.push(visible(c)),
        }
    }
    let start = start.unwrap_or(columns.len());
    let end = end.unwrap_or(columns.len());
    if columns.len() <= width {
        let text = String::from_iter(columns);
        return (text.trim_end().to_owned(), start..end);
    }
    // A third of the room goes to what stands before, so that the reader finds the spot.
    let left = start.saturating_sub(width / 3).min(columns.len() - width);
    let right = left + width;
    let cut = columns.iter().enumerate().skip(left).take(width);
    let text = cut.map(|(at, &c)| {
        let is_cut = (at == left && left > 0) || (at + 1 == right && right < columns.len());
        if is_cut { CUT } else { c }
    });
    (text.collect(), start - left..end.min(right) - left)
}

fn printable(text: &str) -> String {
    text.chars().map(visible).collect()
}

fn visible(c: char) -> char {
    if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }
}

#[cfg(test)]
mod tests;

//! Logical lines: continuation joined, variables replaced, every byte's origin known.

use std::ops::Range;
use std::sync::Arc;

use super::source::{Place, Source};

/// Longest logical line in bytes, before and after variables are replaced. Far above any real
/// line, and low enough that variables made of variables cannot eat the memory.
pub(super) const LINE_LEN_MAX: usize = 1 << 20;

/// One logical line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    text: String,
    /// Where the runs of `text` come from. Invariant: ascending by `at`.
    runs: Vec<Run>,
    source: Arc<Source>,
    order: u32,
}

/// From byte `at` of a line's text on, bytes come from this place of the source.
#[derive(Clone, Copy, Debug)]
struct Run {
    at: usize,
    line: u32,
    /// Offset in that line.
    byte: usize,
    /// Length of the `${…}` that the whole run stands for; `None`: byte for byte as written.
    replaced: Option<usize>,
}

impl Run {
    /// Origin of the run's byte at offset `at` of the line's text.
    fn start(self, at: usize) -> usize {
        match self.replaced {
            Some(_) => self.byte,
            None => self.byte + at.saturating_sub(self.at),
        }
    }

    /// Origin of the end of something that ends in this run, at offset `end`.
    fn end(self, end: usize) -> usize {
        match self.replaced {
            Some(len) => self.byte + len,
            None => self.byte + end.saturating_sub(self.at),
        }
    }
}

impl Line {
    fn new(source: Arc<Source>, order: u32) -> Self {
        Self { text: String::new(), runs: Vec::new(), source, order }
    }

    /// The text of the logical line.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn push(&mut self, text: &str, line: u32, byte: usize, replaced: Option<usize>) {
        self.runs.push(Run { at: self.text.len(), line, byte, replaced });
        self.text.push_str(text);
    }

    /// Where the bytes `range` of the text stand in the source. What crosses the end of a line
    /// there is shown as far as that end.
    pub(super) fn place(&self, range: Range<usize>) -> Place {
        let (line, span) = self.origin(range);
        Place::new(Arc::clone(&self.source), line, span, self.order)
    }

    fn origin(&self, range: Range<usize>) -> (u32, Range<usize>) {
        let Some(first) = self.run_at(range.start) else {
            return (0, 0..0);
        };
        let start = first.start(range.start);
        if range.is_empty() {
            return (first.line, start..start);
        }
        let end = match self.run_at(range.end - 1) {
            Some(last) if last.line == first.line => last.end(range.end),
            _ => {
                let line = self.source.line(first.line).map_or("", |(text, _)| text);
                line.strip_suffix('\\').unwrap_or(line).len()
            }
        };
        (first.line, start..end)
    }

    fn run_at(&self, at: usize) -> Option<Run> {
        let after = self.runs.partition_point(|run| run.at <= at);
        self.runs.get(after.checked_sub(1)?).copied()
    }

    /// Replaces each `${NAME}` by what `lookup` knows. One that it does not know stays as written,
    /// unless it brings its own default (`${NAME?=text}`), and is passed to `undefined`.
    ///
    /// # Errors
    ///
    /// The line has become longer than [`LINE_LEN_MAX`].
    pub(super) fn expand(
        self,
        lookup: impl Fn(&str) -> Option<String>,
        mut undefined: impl FnMut(&str, Place),
    ) -> Result<Self, Place> {
        let mut out = Self::new(Arc::clone(&self.source), self.order);
        // Everything before `done` is in `out`.
        let mut done = 0;
        let mut from = 0;
        while let Some((open, close)) = self.variable(from) {
            from = close;
            let inside = self.text.get(open + 2..close - 1).unwrap_or("");
            let (name, default) = match inside.split_once("?=") {
                Some((name, default)) => (name, Some(default)),
                None => (inside, None),
            };
            let Some(value) = lookup(name).or_else(|| default.map(str::to_owned)) else {
                undefined(name, self.place(open..close));
                continue;
            };
            self.copy_to(&mut out, done..open);
            let (line, span) = self.origin(open..close);
            out.push(&value, line, span.start, Some(span.len()));
            done = close;
            if out.text.len() > LINE_LEN_MAX {
                break;
            }
        }
        if done == 0 {
            return Ok(self);
        }
        self.copy_to(&mut out, done..self.text.len());
        if out.text.len() > LINE_LEN_MAX {
            return Err(self.place(0..self.text.len()));
        }
        Ok(out)
    }

    /// Where the next `${…}` begins and ends.
    fn variable(&self, from: usize) -> Option<(usize, usize)> {
        let open = from + self.text.get(from..)?.find("${")?;
        let close = open + self.text.get(open..)?.find('}')? + 1;
        Some((open, close))
    }

    fn copy_to(&self, out: &mut Self, range: Range<usize>) {
        let mut at = range.start;
        while at < range.end {
            let Some(run) = self.run_at(at) else { return };
            let next = self.runs.partition_point(|run| run.at <= at);
            let end = self.runs.get(next).map_or(range.end, |run| run.at);
            let end = end.min(range.end);
            let text = self.text.get(at..end).unwrap_or("");
            out.push(text, run.line, run.start(at), run.replaced);
            at = end;
        }
    }
}

/// The logical lines of a source, in order.
#[derive(Debug)]
pub(super) struct Lines {
    source: Arc<Source>,
    next: u32,
}

impl Lines {
    pub(super) fn new(source: Arc<Source>) -> Self {
        Self { source, next: 1 }
    }

    /// The next line, numbered `order` in the whole reading. `Err` is the place of one that is
    /// longer than [`LINE_LEN_MAX`]; reading may go on after it.
    pub(super) fn next_line(&mut self, order: u32) -> Option<Result<Line, Place>> {
        let first = self.next;
        let mut line = Line::new(Arc::clone(&self.source), order);
        let mut is_too_long = false;
        while let Some((text, ended)) = self.source.line(self.next) {
            // As httpd: two backslashes continue a line too, and one at the very end of the file,
            // with no line to follow, is a backslash.
            let continued = text.strip_suffix('\\').filter(|_| ended);
            let text = continued.unwrap_or(text);
            is_too_long |= line.text.len() + text.len() > LINE_LEN_MAX;
            if !is_too_long {
                line.push(text, self.next, 0, None);
            }
            self.next += 1;
            if continued.is_none() {
                break;
            }
        }
        if self.next == first {
            return None;
        }
        Some(if is_too_long {
            Err(Place::new(Arc::clone(&self.source), first, 0..0, order))
        } else {
            Ok(line)
        })
    }
}

#[cfg(test)]
mod tests;

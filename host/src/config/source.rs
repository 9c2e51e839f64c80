//! Files as they were read, and places in them.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest configuration file in bytes; a longer one is a mistake (an included log, a device).
const FILE_LEN_MAX: u64 = 64 << 20;

/// One file, or the texts given by `-C` or `-c`, kept so that a message can show its line.
pub(super) struct Source {
    path: PathBuf,
    text: String,
    /// Offset in `text` at which each line starts.
    starts: Vec<usize>,
}

impl Source {
    /// A text under the name it goes by in messages.
    pub(super) fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let text = text.into();
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(ends.filter(|&at| at < text.len())).collect();
        Self { path: path.into(), text, starts }
    }

    /// Reads a file. One that is not UTF-8 is read all the same, so that its other problems are
    /// found in the same run; the second value is the offset of the first wrong byte.
    ///
    /// # Errors
    ///
    /// The system's, or that this is not a regular file (a pipe would block for ever).
    pub(super) fn open(path: &Path) -> io::Result<(Self, Option<usize>)> {
        let metadata = fs::metadata(path)?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !metadata.is_file() && path != Path::new("/dev/null") {
            return Err(io::Error::other("not a regular file"));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(FILE_LEN_MAX + 1).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|len| len > FILE_LEN_MAX) {
            return Err(io::Error::other("larger than 64 MiB"));
        }
        let (text, wrong) = match String::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                (text, Some(at))
            }
        };
        // Some editors begin a file with a byte order mark; it is no part of the first word.
        let Some(marked) = text.strip_prefix('\u{feff}') else {
            return Ok((Self::new(path, text), wrong));
        };
        let wrong = wrong.map(|at| at.saturating_sub('\u{feff}'.len_utf8()));
        Ok((Self::new(path, marked), wrong))
    }

    /// Line `number` (from 1) without its end, and whether it has one (the last may not).
    pub(super) fn line(&self, number: u32) -> Option<(&str, bool)> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        let start = *self.starts.get(index)?;
        let end = self.starts.get(index + 1).copied();
        let line = self.text.get(start..end.unwrap_or(self.text.len()))?;
        match line.strip_suffix('\n') {
            Some(line) => Some((line.strip_suffix('\r').unwrap_or(line), true)),
            None => Some((line, false)),
        }
    }

    /// Number of the line that holds the byte at `offset`, and where that line starts.
    pub(super) fn line_at(&self, offset: usize) -> (u32, usize) {
        let line = self.starts.partition_point(|&start| start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied();
        let number = u32::try_from(line).unwrap_or(u32::MAX);
        (number, start.unwrap_or(0))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.path).finish()
    }
}

/// Where something stands in the configuration: file, line, and the columns it covers.
///
/// Keeps the text of its file, so that a problem found long after reading (an address that cannot
/// be bound, a value the MPM refuses) can still show the line.
#[derive(Clone)]
pub struct Place {
    source: Arc<Source>,
    /// From 1; 0 for the whole source.
    line: u32,
    /// Bytes of the line.
    span: Range<usize>,
    /// Counts the lines of the whole reading.
    order: u32,
}

impl Place {
    /// A file as a whole, where no line can be named.
    pub fn of_file(path: impl Into<PathBuf>) -> Self {
        let source = Source::new(path, "");
        Self::new(Arc::new(source), 0, 0..0, 0)
    }

    /// Bytes of a line of a source; `order` is the line's number in the whole reading.
    pub(super) fn new(source: Arc<Source>, line: u32, span: Range<usize>, order: u32) -> Self {
        Self { source, line, span, order }
    }

    /// The file, or `-C/-c directives`.
    pub fn file(&self) -> &Path {
        &self.source.path
    }

    /// Line from 1; 0 when the file as a whole is meant.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// Column from 1, in characters; 0 when the file as a whole is meant.
    pub fn column(&self) -> usize {
        match self.source_line() {
            Some(line) => characters(line, 0..self.span.start) + 1,
            None => 0,
        }
    }

    /// Characters covered on that line; 0 stands for a place between characters.
    pub fn width(&self) -> usize {
        let line = self.source_line().unwrap_or("");
        characters(line, self.span.clone())
    }

    /// The line as it stands in the file.
    pub fn source_line(&self) -> Option<&str> {
        self.source.line(self.line).map(|(text, _)| text)
    }

    /// Key that sorts places as they were read, across included files.
    pub(super) fn reading_order(&self) -> (u32, u32, usize) {
        (self.order, self.line, self.span.start)
    }
}

fn characters(line: &str, span: Range<usize>) -> usize {
    line.get(span).map_or(0, |text| text.chars().count())
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file().display()),
            line => write!(f, "line {line} of {}", self.file().display()),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file().display(), self.line, self.column())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_their_ends() {
        let source = Source::new("f", "a\r\n\nb\rc\nlast");
        let lines: Vec<_> = (1..=5).map(|number| source.line(number)).collect();
        let expected = [("a", true), ("", true), ("b\rc", true), ("last", false)];
        assert_eq!(lines[..4], expected.map(Some));
        assert_eq!(lines[4], None);
        assert_eq!(source.line(0), None);
        assert_eq!(Source::new("f", "a\n").line(2), None);
    }

    #[test]
    fn lines_by_offset() {
        let source = Source::new("f", "ab\ncd\n");
        let found = [0, 2, 3, 5, 99].map(|at| source.line_at(at));
        assert_eq!(found, [(1, 0), (1, 0), (2, 3), (2, 3), (2, 3)]);
    }

    #[test]
    fn places_count_characters() {
        let source = Arc::new(Source::new("/f", "Nämë ü\n"));
        let place = Place::new(source, 1, 7..9, 1);
        assert_eq!((place.line(), place.column(), place.width()), (1, 6, 1));
        assert_eq!(place.to_string(), "line 1 of /f");
        assert_eq!(format!("{place:?}"), "/f:1:6");
        assert_eq!(place.source_line(), Some("Nämë ü"));
    }

    #[test]
    fn a_whole_file_has_no_line() {
        let place = Place::of_file("/f");
        assert_eq!((place.line(), place.column(), place.width()), (0, 0, 0));
        assert_eq!(place.to_string(), "/f");
        assert_eq!(place.source_line(), None);
    }

    #[test]
    fn what_is_no_file() {
        let root = tempfile::tempdir().unwrap();
        let kind = |path: &Path| Source::open(path).unwrap_err().kind();
        assert_eq!(kind(root.path()), io::ErrorKind::IsADirectory);
        assert_eq!(kind(&root.path().join("none")), io::ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn special_files() {
        let error = Source::open(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.to_string(), "not a regular file");
        let (source, _) = Source::open(Path::new("/dev/null")).unwrap();
        assert_eq!(source.line(1), Some(("", false)));
    }

    #[test]
    fn a_huge_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(FILE_LEN_MAX + 1).unwrap();
        let error = Source::open(file.path()).unwrap_err();
        assert_eq!(error.to_string(), "larger than 64 MiB");
    }

    #[test]
    fn encodings() {
        let read = |bytes: &[u8]| {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), bytes).unwrap();
            let (source, wrong) = Source::open(file.path()).unwrap();
            (source.text, wrong)
        };
        assert_eq!(read(b"\xef\xbb\xbfa"), ("a".into(), None));
        assert_eq!(read("ü".as_bytes()), ("ü".into(), None));
        assert_eq!(read(b"a\xffb"), ("a\u{fffd}b".into(), Some(1)));
        assert_eq!(read(b"\xef\xbb\xbfa\xff"), ("a\u{fffd}".into(), Some(1)));
    }
}

//! Static files (httpd's default handler): opened safely, small ones kept, answered with validators
//! and ranges.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::conditional::{self, Validators, Verdict};
use super::content::{Content, FileContent};
use super::range::{self, Wanted};
use super::types::MimeTypes;
use crate::sys::files::{self, Kind, Lookup, Stamp};

/// Longest file kept in memory, in bytes. Above it the copy into the socket outweighs the look-up.
pub const SMALL_MAX: u64 = 64 * 1024;

/// Time after a change in which a file can change again without its times showing it: clocks of file
/// systems go in steps, some of a second. httpd's entity tags are weak for as long.
const SETTLES_AFTER: Duration = Duration::from_secs(1);

/// Fields of most answers: five for a whole file, and the server's name.
const FIELDS: usize = 6;

/// Where and how to look for a file.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// DocumentRoot. Symbolic links in it are followed: it is the administrator's own path.
    pub root: &'a CStr,
    /// The rest, relative.
    pub relative: &'a CStr,
    /// How to look.
    pub lookup: Lookup,
}

/// What a path leads to.
#[derive(Debug)]
pub enum Found {
    /// A file.
    File(Box<Representation>),
    /// A directory.
    Directory,
}

/// Why there is no file.
#[derive(Debug)]
pub enum Missing {
    /// Ask again on a thread that may block.
    WouldBlock,
    /// 404.
    NotFound,
    /// 403.
    Forbidden(Obstacle),
    /// 500, with the reason for the error log.
    Failed(io::Error),
}

/// Why a file may not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The permissions of the file or of a directory on the way.
    Permissions,
    /// A symbolic link where none may be followed, or too many.
    SymbolicLink,
    /// A device, pipe or socket.
    NotAFile,
    /// A name longer than the file system has.
    NameTooLong,
}

impl From<io::Error> for Missing {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => Self::NotFound,
            Some(libc::EACCES | libc::EPERM) => Self::Forbidden(Obstacle::Permissions),
            Some(libc::ELOOP) => Self::Forbidden(Obstacle::SymbolicLink),
            // Opening a socket, or a device that is not there.
            Some(libc::ENXIO | libc::ENODEV) => Self::Forbidden(Obstacle::NotAFile),
            Some(libc::ENAMETOOLONG) => Self::Forbidden(Obstacle::NameTooLong),
            _ => Self::Failed(error),
        }
    }
}

/// Opens what a path leads to and gets it ready to be sent.
///
/// # Errors
/// See [`Missing`].
pub fn find(place: Place<'_>, types: &MimeTypes) -> Result<Found, Missing> {
    let may_block = place.lookup.may_block;
    let now = SystemTime::now();
    let cannot_wait = |error: io::Error| match error {
        error if !may_block && files::would_block(&error) => Missing::WouldBlock,
        error => error.into(),
    };
    let root = files::open_root(place.root, may_block).map_err(cannot_wait)?;
    let file =
        files::open_below(root.as_fd(), place.relative, place.lookup).map_err(cannot_wait)?;
    let stamp = files::stamp_of_file(file.as_fd())?;
    match stamp.kind {
        Kind::Directory => Ok(Found::Directory),
        Kind::Other => Err(Missing::Forbidden(Obstacle::NotAFile)),
        Kind::File => {
            let content_type = types.of(place.relative.to_bytes()).cloned();
            let source = read_small(file, &stamp, may_block).map_err(cannot_wait)?;
            Ok(Found::File(Box::new(Representation::new(stamp, source, content_type, now))))
        }
    }
}

/// A small file into memory, unless it changes meanwhile.
fn read_small(file: OwnedFd, stamp: &Stamp, may_block: bool) -> io::Result<Source> {
    if stamp.size > SMALL_MAX {
        return Ok(Source::File(file));
    }
    let mut bytes = vec![0; usize::try_from(stamp.size).unwrap_or(0)];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match files::read_at(file.as_fd(), rest, filled as u64, may_block)? {
            0 => break,
            n => filled += n,
        }
    }
    let whole = filled == bytes.len() && files::stamp_of_file(file.as_fd())? == *stamp;
    Ok(if whole { Source::Memory(bytes.into()) } else { Source::File(file) })
}

/// A file ready to be sent.
#[derive(Debug)]
pub struct Representation {
    stamp: Stamp,
    source: Source,
    /// Any change from now on will show in the stamp.
    is_settled: bool,
    validators: Validators,
    last_modified: HeaderValue,
    content_length: HeaderValue,
    content_type: Option<HeaderValue>,
}

#[derive(Debug)]
enum Source {
    Memory(Bytes),
    File(OwnedFd),
}

impl Representation {
    /// `now`: not later than the stamp was taken.
    fn new(
        stamp: Stamp,
        source: Source,
        content_type: Option<HeaderValue>,
        now: SystemTime,
    ) -> Self {
        let (seconds, nanos) = stamp.modified;
        // httpd's `FileETag MTime Size`.
        let micros = i128::from(seconds) * 1_000_000 + i128::from(nanos / 1000);
        let mark = if settled(stamp.modified, now) { "" } else { "W/" };
        let etag = format!("{mark}\"{:x}-{micros:x}\"", stamp.size);
        // Not later than the answer (RFC 9110, section 8.8.2.1).
        let now_s = now.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let modified = conditional::whole_seconds(seconds.min(now_s.cast_signed()));
        Self {
            is_settled: settled(stamp.modified, now) && settled(stamp.changed, now),
            validators: Validators { etag: ascii(&etag), modified },
            last_modified: ascii(&httpdate::fmt_http_date(modified)),
            content_length: HeaderValue::from(stamp.size),
            content_type,
            stamp,
            source,
        }
    }

    /// Whether it may be kept, and how many bytes that takes.
    pub fn small_len(&self) -> Option<usize> {
        match &self.source {
            Source::Memory(bytes) => self.is_settled.then_some(bytes.len()),
            Source::File(_) => None,
        }
    }

    /// Whether `path` still leads to this very state of the file. One `statx`.
    pub fn is_fresh(&self, path: &CStr) -> bool {
        files::stamp_of_path(path).is_ok_and(|now| now == self.stamp)
    }

    /// Answers a GET or HEAD from memory. `fields` are the request's; they are used up.
    pub fn respond_small(&self, method: &Method, fields: &mut HeaderMap) -> Response<Content> {
        self.respond(method, fields, |range| match &self.source {
            Source::Memory(bytes) => Content::Bytes(slice(bytes, range)),
            Source::File(_) => Content::Empty,
        })
    }

    /// Answers a GET or HEAD. `fields` are the request's; they are used up.
    pub fn respond_once(
        mut self: Box<Self>,
        method: &Method,
        fields: &mut HeaderMap,
        sendfile: bool,
    ) -> Response<Content> {
        let source = std::mem::replace(&mut self.source, Source::Memory(Bytes::new()));
        let stamp = self.stamp;
        self.respond(method, fields, |range| match source {
            Source::Memory(bytes) => Content::Bytes(slice(&bytes, range)),
            Source::File(file) => Content::File(FileContent::new(file, stamp, range, sendfile)),
        })
    }

    fn respond(
        &self,
        method: &Method,
        fields: &mut HeaderMap,
        content: impl FnOnce(std::ops::Range<u64>) -> Content,
    ) -> Response<Content> {
        let verdict = conditional::evaluate(fields, &self.validators);
        let wanted = match conditional::only(fields, &RANGE) {
            Some(field) if *method == Method::GET && verdict == Verdict::Send => {
                if conditional::range_applies(fields, &self.validators, SystemTime::now()) {
                    range::parse(field, self.stamp.size)
                } else {
                    Wanted::Whole
                }
            }
            _ => Wanted::Whole,
        };
        // The request's map is used for the response: its memory is there already.
        let mut head = std::mem::take(fields);
        head.clear();
        // Growing from a request's one or two fields step by step costs more than the fields.
        head.reserve(FIELDS);
        let (status, content) = match (verdict, wanted) {
            (Verdict::Failed, _) => (StatusCode::PRECONDITION_FAILED, Content::Empty),
            (Verdict::NotModified, _) => {
                head.insert(ETAG, self.validators.etag.clone());
                (StatusCode::NOT_MODIFIED, Content::Empty)
            }
            (Verdict::Send, Wanted::Unsatisfiable) => {
                head.insert(CONTENT_RANGE, ascii(&format!("bytes */{}", self.stamp.size)));
                (StatusCode::RANGE_NOT_SATISFIABLE, Content::Empty)
            }
            (Verdict::Send, Wanted::Part(part)) => {
                self.describe(&mut head, HeaderValue::from(part.end - part.start));
                let (start, end, all) = (part.start, part.end - 1, self.stamp.size);
                head.insert(CONTENT_RANGE, ascii(&format!("bytes {start}-{end}/{all}")));
                (StatusCode::PARTIAL_CONTENT, content(part))
            }
            (Verdict::Send, Wanted::Whole) => {
                self.describe(&mut head, self.content_length.clone());
                let whole = 0..self.stamp.size;
                let content = if *method == Method::GET { content(whole) } else { Content::Empty };
                (StatusCode::OK, content)
            }
        };
        let mut response = Response::new(content);
        *response.status_mut() = status;
        *response.headers_mut() = head;
        response
    }

    /// Fields in httpd's order.
    fn describe(&self, head: &mut HeaderMap, len: HeaderValue) {
        head.insert(LAST_MODIFIED, self.last_modified.clone());
        head.insert(ETAG, self.validators.etag.clone());
        head.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        head.insert(CONTENT_LENGTH, len);
        if let Some(value) = &self.content_type {
            head.insert(CONTENT_TYPE, value.clone());
        }
    }
}

/// Whether a change at `time` is so long ago that the next one will have another time.
fn settled((seconds, nanos): (i64, u32), now: SystemTime) -> bool {
    let time = conditional::whole_seconds(seconds) + Duration::from_nanos(nanos.into());
    now.duration_since(time).is_ok_and(|age| age >= SETTLES_AFTER)
}

fn slice(bytes: &Bytes, range: std::ops::Range<u64>) -> Bytes {
    let bound = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(bound(range.start)..bound(range.end))
}

/// A field value made of digits, letters and punctuation by our own code.
fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// A path for the system: `None` if it contains NUL.
pub fn c_path(bytes: Vec<u8>) -> Option<CString> {
    CString::new(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN_S: i64 = 1_600_000_000;

    /// A file written at [`WRITTEN_S`] and a half, its times set afterwards, read at `now`.
    fn read(modified: (i64, u32), now: SystemTime) -> Representation {
        let stamp = Stamp {
            device: (0, 0),
            inode: 1,
            size: 1,
            modified,
            changed: (WRITTEN_S, 500_000_000),
            kind: Kind::File,
        };
        Representation::new(stamp, Source::Memory(Bytes::from_static(b"x")), None, now)
    }

    fn at(millis: u64) -> SystemTime {
        conditional::whole_seconds(WRITTEN_S) + Duration::from_millis(millis)
    }

    #[test]
    fn what_changed_a_moment_ago_may_change_again_unseen() {
        let fresh = (WRITTEN_S, 500_000_000);
        let file = read(fresh, at(1_499));
        assert_eq!(file.validators.etag, "W/\"1-5af3107aba120\"");
        assert_eq!(file.small_len(), None);
        let file = read(fresh, at(1_500));
        assert_eq!(file.validators.etag, "\"1-5af3107aba120\"");
        assert_eq!(file.small_len(), Some(1));
    }

    #[test]
    fn a_time_that_was_set_does_not_hide_a_change() {
        let file = read((1, 0), at(1_000));
        assert_eq!(file.validators.etag, "\"1-f4240\"");
        assert_eq!(file.small_len(), None);
    }

    #[test]
    fn last_modified_is_never_in_the_future() {
        let file = read((WRITTEN_S + 1_000, 0), at(1_700));
        assert_eq!(file.last_modified, "Sun, 13 Sep 2020 12:26:41 GMT");
        assert_eq!(file.small_len(), None, "the next answer has another time");
    }
}

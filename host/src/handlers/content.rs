//! The content of a response, as frames for hyper.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::sys::file_window::{FileWindow, WINDOW_LEN};
use crate::sys::files::{self, Stamp};
use crate::task::{self, Blocking};

/// Bytes read at a time where a file's bytes must be touched.
const READ_LEN: usize = 64 * 1024;

/// The content of a response.
#[derive(Debug, Default)]
pub enum Content {
    /// None.
    #[default]
    Empty,
    /// Bytes at hand.
    Bytes(Bytes),
    /// A stretch of a file.
    File(FileContent),
}

/// A stretch of a file that is sent piece by piece.
#[derive(Debug)]
pub struct FileContent {
    file: Arc<OwnedFd>,
    /// The file as it was when the head of the response was made.
    stamp: Stamp,
    position: u64,
    end: u64,
    /// Pieces are sent by `sendfile`, unread.
    sendfile: bool,
    /// A read that waits for a thread that may block.
    reading: Option<Read>,
}

type Read = Blocking<Box<dyn FnOnce() -> io::Result<Vec<u8>> + Send>>;

/// Why content ended early. The connection is closed then, and nothing else sent.
#[derive(Debug)]
pub enum ContentError {
    /// The file is not the one any more whose head was sent.
    Changed,
    /// The file cannot be read.
    Read(io::Error),
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("the file changed while it was being sent"),
            Self::Read(_) => f.write_str("the file cannot be read"),
        }
    }
}

impl std::error::Error for ContentError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Changed => None,
            Self::Read(error) => Some(error),
        }
    }
}

impl FileContent {
    /// `range` of `file`, which was in the state of `stamp` when the head was made.
    pub fn new(file: OwnedFd, stamp: Stamp, range: std::ops::Range<u64>, sendfile: bool) -> Self {
        let (position, end) = (range.start, range.end);
        Self { file: Arc::new(file), stamp, position, end, sendfile, reading: None }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ContentError>>> {
        if self.position >= self.end {
            return Poll::Ready(None);
        }
        if self.sendfile && self.reading.is_none() {
            if let Err(error) = self.check_unchanged() {
                return Poll::Ready(Some(Err(error)));
            }
            if let Some(window) = self.window() {
                return Poll::Ready(Some(Ok(window)));
            }
        }
        let piece = match self.poll_read(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(piece)) if piece.is_empty() => Err(ContentError::Changed),
            // Afterwards: no change can come between the look and the read.
            Poll::Ready(Ok(piece)) => self.check_unchanged().map(|()| {
                self.position += piece.len() as u64;
                Bytes::from(piece)
            }),
            Poll::Ready(Err(error)) => Err(ContentError::Read(error)),
        };
        Poll::Ready(Some(piece))
    }

    /// Asked at every piece: a mixture of two versions must not look like a whole document.
    fn check_unchanged(&self) -> Result<(), ContentError> {
        let now = files::stamp_of_file(self.file.as_fd()).map_err(ContentError::Read)?;
        if now.same_contents(&self.stamp) { Ok(()) } else { Err(ContentError::Changed) }
    }

    /// The next piece for `sendfile`, if addresses are left.
    fn window(&mut self) -> Option<Bytes> {
        let len = usize::try_from(self.end - self.position).unwrap_or(usize::MAX).min(WINDOW_LEN);
        let window = FileWindow::new(Arc::clone(&self.file), self.position, len)?;
        self.position += len as u64;
        Some(Bytes::from_owner(window))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let (len, position) = (left.min(READ_LEN), self.position);
        if self.reading.is_none() && !task::may_block() {
            match read(&self.file, position, len, false) {
                Err(error) if files::would_block(&error) => {}
                result => return Poll::Ready(result),
            }
        }
        let file = Arc::clone(&self.file);
        let reading = self.reading.get_or_insert_with(|| {
            task::blocking(Box::new(move || read(&file, position, len, true)))
        });
        let result = std::task::ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        Poll::Ready(result)
    }
}

fn read(file: &OwnedFd, position: u64, len: usize, may_block: bool) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; len];
    let n = files::read_at(file.as_fd(), &mut piece, position, may_block)?;
    piece.truncate(n);
    Ok(piece)
}

impl Content {
    /// Bytes in all.
    pub fn len(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(file) => file.end - file.position,
        }
    }

    /// Whether there are no bytes (left).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl http_body::Body for Content {
    type Data = Bytes;
    type Error = ContentError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ContentError>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::File(file) => file.poll_piece(cx).map(|p| p.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len())
    }
}

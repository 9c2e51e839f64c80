//! hyper's view of the descriptor: reads and writes that never wait, as few of them as possible.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};

use super::shared::Shared;
use crate::sys::file_window::{self, FileRange};
use crate::sys::socket::{self, Mode};

/// How long `sendfile` may wait on a blocking socket.
const SEND_WAIT: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Transport {
    shared: Arc<Shared>,
}

impl Transport {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    fn blocked<T>(&self, write: bool) -> Poll<io::Result<T>> {
        if write {
            self.shared.write_blocked.set(true);
        } else {
            self.shared.read_blocked.set(true);
        }
        Poll::Pending
    }

    fn wrote(&self, result: io::Result<usize>) -> Poll<io::Result<usize>> {
        match result {
            Ok(n) => {
                self.shared.note_progress();
                self.shared.spend(n);
                Poll::Ready(Ok(n))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.blocked(true),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn send_file(&self, range: &FileRange, len: usize) -> io::Result<usize> {
        let shared = &self.shared;
        // There is no MSG_DONTWAIT for sendfile. A thread that waits for room waits in `poll(2)`, where
        // it can be told something.
        if shared.mode == Mode::Blocking && !shared.send_timeout_set.get() {
            socket::set_write_timeout(shared.fd(), SEND_WAIT)?;
            shared.send_timeout_set.set(true);
        }
        socket::send_file(shared.fd(), range.file(), range.offset, len)
    }
}

impl Read for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let shared = &self.shared;
        let room = buf.remaining();
        let taken = shared.take_ahead(|ahead| {
            let part = ahead.get(..room).unwrap_or(ahead);
            buf.put_slice(part);
            part.len()
        });
        if taken.is_some() || shared.eof.get() {
            return Poll::Ready(Ok(()));
        }
        if !shared.readable.get() {
            return self.blocked(false);
        }
        match socket::read(shared.fd(), shared.mode, &mut buf) {
            Ok(0) => {
                shared.eof.set(true);
                Poll::Ready(Ok(()))
            }
            Ok(n) => {
                // A short read has emptied the socket: the next bytes make a new edge. But a FIN
                // that was announced together with these bytes makes none.
                if n < room && !shared.hangup.get() {
                    shared.readable.set(false);
                }
                shared.note_read();
                Poll::Ready(Ok(()))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                shared.readable.set(false);
                self.blocked(false)
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl Write for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let shared = &self.shared;
        if shared.budget.load(std::sync::atomic::Ordering::Relaxed) == 0 {
            // Others get their turn; the poll ends with YIELD.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let plain = slices.iter().take_while(|slice| !file_window::is_window(slice)).count();
        let (memory, rest) = slices.split_at(plain);
        let result = match rest.first() {
            Some(window) if memory.is_empty() => match file_window::resolve(window) {
                Some(range) => self.send_file(&range, window.len()),
                None => Err(io::ErrorKind::InvalidInput.into()),
            },
            // The bytes of a file follow at once: no packet for the head alone.
            more => socket::write(shared.fd(), shared.mode, memory, more.is_some()),
        };
        self.wrote(result)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Everything is flushed when hyper calls this; the FIN is the lingering close's.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

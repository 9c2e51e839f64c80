//! The control channel between the parent and one child: orders, with the descriptors of logs, over a
//! socket pair that keeps messages whole; notices over a pipe, a byte each.
//!
//! The parent trusts nothing it reads: a notice is one of a few words, and says only what the child may
//! say of itself. A pipe carries no descriptors. Over a socket a child could send one whose last `close`
//! takes as long as it likes (SO_LINGER), and the parent must never wait.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::fcntl::OFlag;
use nix::sys::socket::{AddressFamily, Shutdown, SockFlag, SockType, shutdown, socketpair};
use nix::unistd::pipe2;

use crate::sys::socket;

/// From the parent to a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Leave at once.
    Stop,
    /// Finish what is held, then leave; force is used at this time (monotonic ns).
    Drain(u64),
    /// Finish the requests in progress, do not wait for further ones, then leave; likewise.
    Leave(u64),
}

/// What a child reads.
#[derive(Debug)]
pub(super) enum Told {
    /// Do this.
    Order(Order),
    /// The log with this number is open anew: write to this descriptor.
    Reopen(usize, OwnedFd),
    /// That was the last of the logs.
    Reopened,
}

/// From a child to the parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// It can serve.
    Ready,
    /// It takes no more connections.
    Stopping,
    /// Its numbers in the scoreboard crossed a mark.
    Load,
    /// It writes to the logs it was sent.
    Reopened,
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read<T> {
    /// A message.
    Message(T),
    /// None there.
    Nothing,
    /// The other side is gone.
    Closed,
}

/// The parent's end of a channel.
#[derive(Debug)]
pub(super) struct ParentEnd {
    orders: OwnedFd,
    notices: OwnedFd,
}

/// The child's end of a channel.
#[derive(Debug)]
pub(super) struct ChildEnd {
    orders: OwnedFd,
    notices: OwnedFd,
}

/// The parent's and the child's end.
pub(super) fn pair() -> io::Result<(ParentEnd, ChildEnd)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let (parent, child) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
    // Nobody reads here, so nothing may be left here either.
    shutdown(raw(&parent), Shutdown::Read)?;
    let (read, write) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    let parent = ParentEnd { orders: parent, notices: read };
    Ok((parent, ChildEnd { orders: child, notices: write }))
}

fn raw(fd: &OwnedFd) -> RawFd {
    fd.as_raw_fd()
}

const LEN: usize = 9;

const STOP: u8 = 1;
const DRAIN: u8 = 2;
const LEAVE: u8 = 3;
const REOPEN: u8 = 4;
const REOPENED: u8 = 5;

impl ParentEnd {
    /// An end that an earlier image made.
    pub(super) fn new(orders: OwnedFd, notices: OwnedFd) -> Self {
        Self { orders, notices }
    }

    /// Its descriptors, for the next image: for orders and for notices.
    pub(super) fn descriptors(&self) -> (BorrowedFd<'_>, BorrowedFd<'_>) {
        (self.orders.as_fd(), self.notices.as_fd())
    }

    fn send(&self, kind: u8, number: u64, fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let mut message = [kind; LEN];
        for (to, from) in message.iter_mut().skip(1).zip(number.to_ne_bytes()) {
            *to = from;
        }
        socket::send_with_fd(self.orders.as_fd(), &message, fd)
    }

    /// Tells the child.
    pub(super) fn order(&self, order: Order) -> io::Result<()> {
        match order {
            Order::Stop => self.send(STOP, 0, None),
            Order::Drain(deadline) => self.send(DRAIN, deadline, None),
            Order::Leave(deadline) => self.send(LEAVE, deadline, None),
        }
    }

    /// Sends a log that was opened anew.
    pub(super) fn reopen(&self, log: usize, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.send(REOPEN, log as u64, Some(fd))
    }

    /// That was the last of the logs.
    pub(super) fn reopened(&self) -> io::Result<()> {
        self.send(REOPENED, 0, None)
    }

    /// What the child says: at most one notice a call, so that one that floods its pipe does not keep
    /// the parent from the others.
    pub(super) fn next_notice(&self) -> Read<Notice> {
        let mut kind = [0];
        match nix::unistd::read(&self.notices, &mut kind) {
            Ok(0) => Read::Closed,
            Ok(_) => {
                let known = [Notice::Ready, Notice::Stopping, Notice::Load, Notice::Reopened];
                match known.into_iter().find(|notice| [*notice as u8] == kind) {
                    Some(notice) => Read::Message(notice),
                    None => Read::Nothing,
                }
            }
            Err(nix::Error::EAGAIN | nix::Error::EINTR) => Read::Nothing,
            Err(_) => Read::Closed,
        }
    }
}

impl AsFd for ParentEnd {
    /// Readable while there are notices.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.notices.as_fd()
    }
}

impl ChildEnd {
    fn receive(&self) -> Read<(u8, u64, Option<OwnedFd>)> {
        let mut message = [0; LEN];
        match socket::recv_with_fd(self.orders.as_fd(), &mut message) {
            Ok((LEN, fd)) => {
                let [kind, number @ ..] = message;
                Read::Message((kind, u64::from_ne_bytes(number), fd))
            }
            Ok((0, _)) => Read::Closed,
            // Not a message of ours: as if it had not come.
            Ok(_) => Read::Message((u8::MAX, 0, None)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Read::Nothing,
                _ => Read::Closed,
            },
        }
    }

    /// What the parent wants. Unknown words of another version are skipped.
    pub(super) fn next_told(&self) -> Read<Told> {
        loop {
            let order = match self.receive() {
                Read::Message((STOP, ..)) => Order::Stop,
                Read::Message((DRAIN, deadline, _)) => Order::Drain(deadline),
                Read::Message((LEAVE, deadline, _)) => Order::Leave(deadline),
                Read::Message((REOPEN, log, Some(fd))) => {
                    let log = usize::try_from(log).unwrap_or(usize::MAX);
                    return Read::Message(Told::Reopen(log, fd));
                }
                Read::Message((REOPENED, ..)) => return Read::Message(Told::Reopened),
                Read::Message(_) => continue,
                Read::Nothing => return Read::Nothing,
                Read::Closed => return Read::Closed,
            };
            return Read::Message(Told::Order(order));
        }
    }

    /// Tells the parent.
    pub(super) fn notify(&self, notice: Notice) {
        // A full pipe means that the parent has plenty to read, and it looks at the scoreboard then; a
        // closed one is seen elsewhere.
        let _ = nix::unistd::write(&self.notices, &[notice as u8]);
    }
}

impl AsFd for ChildEnd {
    /// Readable while there are orders.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.orders.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Seek, Write};

    fn told(read: Read<Told>) -> String {
        format!("{read:?}")
    }

    #[test]
    fn messages_arrive_whole_and_in_order() {
        let (parent, child) = pair().unwrap();
        assert_eq!(told(child.next_told()), "Nothing");
        parent.order(Order::Drain(12_345)).unwrap();
        parent.order(Order::Leave(1)).unwrap();
        parent.order(Order::Stop).unwrap();
        assert_eq!(told(child.next_told()), "Message(Order(Drain(12345)))");
        assert_eq!(told(child.next_told()), "Message(Order(Leave(1)))");
        assert_eq!(told(child.next_told()), "Message(Order(Stop))");
        child.notify(Notice::Load);
        assert_eq!(parent.next_notice(), Read::Message(Notice::Load));
        drop(child);
        assert_eq!(parent.next_notice(), Read::Closed);
    }

    #[test]
    fn logs_arrive_as_descriptors() {
        let (parent, child) = pair().unwrap();
        let mut log = tempfile::tempfile().unwrap();
        parent.reopen(3, log.as_fd()).unwrap();
        parent.reopened().unwrap();
        let Read::Message(Told::Reopen(3, fd)) = child.next_told() else { panic!("no log") };
        std::fs::File::from(fd).write_all(b"line").unwrap();
        let mut text = String::new();
        log.rewind().unwrap();
        log.read_to_string(&mut text).unwrap();
        assert_eq!(text, "line");
        assert_eq!(told(child.next_told()), "Message(Reopened)");
        child.notify(Notice::Reopened);
        assert_eq!(parent.next_notice(), Read::Message(Notice::Reopened));
    }

    #[test]
    fn nonsense_of_a_child_is_nothing() {
        let (parent, child) = pair().unwrap();
        nix::unistd::write(&child.notices, &[77]).unwrap();
        assert_eq!(parent.next_notice(), Read::Nothing);
        assert_eq!(parent.next_notice(), Read::Nothing);
    }

    #[test]
    fn a_child_cannot_send_descriptors() {
        let (_parent, child) = pair().unwrap();
        let (_read, write) = nix::unistd::pipe().unwrap();
        let sent = socket::send_with_fd(child.orders.as_fd(), b"x", Some(write.as_fd()));
        assert_eq!(sent.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_flooding_child_does_not_block() {
        let (_parent, child) = pair().unwrap();
        for _ in 0..100_000 {
            child.notify(Notice::Load);
        }
    }
}

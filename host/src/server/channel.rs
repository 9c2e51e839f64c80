//! The control channel between the parent and one child: a socket pair that keeps messages whole.
//!
//! The parent trusts nothing it reads here: a message is one of three words, and says only what the
//! child may say of itself.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};

/// From the parent to a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Leave at once.
    Stop,
    /// Finish what is held, then leave; force is used at this time (monotonic ns).
    Drain(u64),
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

/// One end of a channel.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

/// The parent's and the child's end.
pub(super) fn pair() -> io::Result<(Channel, Channel)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let (parent, child) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
    Ok((Channel(parent), Channel(child)))
}

const LEN: usize = 9;

impl Channel {
    fn send(&self, kind: u8, number: u64) -> io::Result<()> {
        let mut message = [kind; LEN];
        for (to, from) in message.iter_mut().skip(1).zip(number.to_ne_bytes()) {
            *to = from;
        }
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        send(self.0.as_raw_fd(), &message, flags)?;
        Ok(())
    }

    fn receive(&self) -> Read<(u8, u64)> {
        let mut message = [0; LEN];
        match recv(self.0.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT) {
            Ok(LEN) => {
                let [kind, number @ ..] = message;
                Read::Message((kind, u64::from_ne_bytes(number)))
            }
            Ok(0) => Read::Closed,
            // Not a message of ours: as if it had not come.
            Ok(_) => Read::Message((u8::MAX, 0)),
            Err(nix::Error::EAGAIN | nix::Error::EINTR) => Read::Nothing,
            Err(_) => Read::Closed,
        }
    }

    /// Parent: tells the child.
    pub(super) fn order(&self, order: Order) -> io::Result<()> {
        match order {
            Order::Stop => self.send(1, 0),
            Order::Drain(deadline) => self.send(2, deadline),
        }
    }

    /// Child: what the parent wants. Unknown words of another version are skipped.
    pub(super) fn next_order(&self) -> Read<Order> {
        loop {
            return match self.receive() {
                Read::Message((1, _)) => Read::Message(Order::Stop),
                Read::Message((2, deadline)) => Read::Message(Order::Drain(deadline)),
                Read::Message(_) => continue,
                Read::Nothing => Read::Nothing,
                Read::Closed => Read::Closed,
            };
        }
    }

    /// Child: tells the parent.
    pub(super) fn notify(&self, notice: Notice) {
        // A full channel means that the parent has plenty to read, and it looks at the scoreboard
        // then; a closed one is seen elsewhere.
        let _ = self.send(notice as u8, 0);
    }

    /// Parent: what the child says.
    pub(super) fn next_notice(&self) -> Read<Notice> {
        match self.receive() {
            Read::Message((kind, _)) => {
                let known = [Notice::Ready, Notice::Stopping, Notice::Load];
                match known.into_iter().find(|notice| *notice as u8 == kind) {
                    Some(notice) => Read::Message(notice),
                    None => Read::Nothing,
                }
            }
            Read::Nothing => Read::Nothing,
            Read::Closed => Read::Closed,
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_whole_and_in_order() {
        let (parent, child) = pair().unwrap();
        assert_eq!(child.next_order(), Read::Nothing);
        parent.order(Order::Drain(12_345)).unwrap();
        parent.order(Order::Stop).unwrap();
        assert_eq!(child.next_order(), Read::Message(Order::Drain(12_345)));
        assert_eq!(child.next_order(), Read::Message(Order::Stop));
        child.notify(Notice::Load);
        assert_eq!(parent.next_notice(), Read::Message(Notice::Load));
        drop(child);
        assert_eq!(parent.next_notice(), Read::Closed);
    }

    #[test]
    fn nonsense_of_a_child_is_nothing() {
        let (parent, child) = pair().unwrap();
        child.send(77, 0).unwrap();
        send(child.0.as_raw_fd(), b"x", MsgFlags::empty()).unwrap();
        assert_eq!(parent.next_notice(), Read::Nothing);
        assert_eq!(parent.next_notice(), Read::Nothing);
        assert_eq!(parent.next_notice(), Read::Nothing);
    }

    #[test]
    fn a_flooding_child_does_not_block() {
        let (_parent, child) = pair().unwrap();
        for _ in 0..100_000 {
            child.notify(Notice::Load);
        }
    }
}

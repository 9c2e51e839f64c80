//! A child: what it is made of, what it reports, what it is told.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use mpm_abi::{CHILD_FATAL, CHILD_INIT, Plan};

use super::channel::{self, Channel, Notice, Order, Read};
use super::scoreboard::{Report, Scoreboard};
use super::supervisor::Birth;
use crate::log_line;
use crate::sys::process::Account;
use crate::sys::{process, signals};

/// What the host keeps in a child.
#[derive(Debug)]
pub(super) struct ChildSide {
    slot: u32,
    channel: Channel,
    /// The parent's end, where one process plays both parts (`-X`).
    _parent: Option<Channel>,
    board: Arc<Scoreboard>,
    plan: Plan,
    /// Where the last report stood relative to the plan's marks.
    stand: AtomicU8,
}

/// What a child is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing new.
    Nothing,
    /// Leave at once.
    Stop,
    /// Finish what is held; force is used at this time.
    Drain(u64),
}

impl ChildSide {
    /// Descriptor that is readable while [`ChildSide::told`] has something.
    pub(super) fn control(&self) -> &Channel {
        &self.channel
    }

    /// The next thing this child is told.
    pub(super) fn told(&self) -> Told {
        if signals::is_stopping() {
            return Told::Stop;
        }
        match self.channel.next_order() {
            Read::Nothing => Told::Nothing,
            // The parent is gone, or SIGTERM shut the channel.
            Read::Closed | Read::Message(Order::Stop) => Told::Stop,
            Read::Message(Order::Drain(deadline)) => {
                signals::set_draining();
                Told::Drain(deadline)
            }
        }
    }

    pub(super) fn notify(&self, notice: Notice) {
        self.channel.notify(notice);
    }

    /// Publishes numbers; the parent is woken only when that may matter to it.
    pub(super) fn report(&self, report: Report) {
        self.board.publish(self.slot, report);
        let idle = match report.idle {
            idle if idle < self.plan.idle_low => 0,
            idle if idle > self.plan.idle_high => 2,
            _ => 1,
        };
        let stand = idle << 1 | u8::from(report.accepting);
        if self.stand.swap(stand, Ordering::Relaxed) != stand {
            self.notify(Notice::Load);
        }
    }
}

/// What a child is made from.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    /// Whom it runs as.
    pub(super) account: Account,
    /// What it reports to.
    pub(super) board: Arc<Scoreboard>,
    /// What the MPM planned.
    pub(super) plan: Plan,
}

impl Parts {
    fn side(&self, slot: u32, channel: Channel, parent: Option<Channel>) -> ChildSide {
        ChildSide {
            slot,
            channel,
            _parent: parent,
            board: Arc::clone(&self.board),
            plan: self.plan,
            stand: AtomicU8::new(u8::MAX),
        }
    }

    /// Turns a freshly forked process into a child. The error is its exit code.
    pub(super) fn set_up(&self, birth: Birth, after_fork: impl FnOnce()) -> Result<ChildSide, i32> {
        let Birth { slot, channel, parent } = birth;
        signals::prepare_child(channel.as_fd())
            .map_err(|error| failed("signals", &error, CHILD_INIT))?;
        after_fork();
        self.drop_privileges()?;
        process::die_with_parent(parent)
            .map_err(|error| failed("watching the parent", &error, CHILD_INIT))?;
        Ok(self.side(slot, channel, None))
    }

    /// Turns this process into child 0 (`-X`). The error is its exit code.
    pub(super) fn set_up_alone(&self) -> Result<ChildSide, i32> {
        let (parent, channel) =
            channel::pair().map_err(|error| failed("control channel", &error, CHILD_INIT))?;
        signals::prepare_alone(channel.as_fd())
            .map_err(|error| failed("signals", &error, CHILD_INIT))?;
        self.drop_privileges()?;
        Ok(self.side(0, channel, Some(parent)))
    }

    /// Fatal if it fails: with the wrong account nothing may be served, and no other child would
    /// fare better.
    fn drop_privileges(&self) -> Result<(), i32> {
        process::drop_privileges(&self.account)
            .map_err(|error| failed("giving up root's privileges", &error, CHILD_FATAL))
    }
}

fn failed(what: &str, error: &std::io::Error, code: i32) -> i32 {
    log_line!(ALERT, "GB0304", "child cannot be set up: {what}: {error}");
    code
}

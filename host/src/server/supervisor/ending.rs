//! The end of the server, and how children leave.

use std::time::Duration;

use super::*;

/// How long children may take once a stop is asked for again.
const HURRY_NS: u64 = 1_000_000_000;

/// How long children may take to close the listening sockets at a graceful stop.
const FREE_WAIT_NS: u64 = 2_000_000_000;

/// How long children that were killed are waited for: one in a wait of the kernel does not end.
const GIVE_UP_NS: u64 = 10_000_000_000;

impl Supervisor {
    /// The server shall stop: no restart begins or goes on.
    pub(super) fn end(&mut self, how: Happening) {
        if let Some(trial) = self.trial.take() {
            trial.kill();
        }
        self.restart.stop();
        // A stop wins over a restart that was about to be made.
        self.happened.retain(|happening| !matches!(happening, Happening::Restart(_)));
        self.ready_by_ns = NEVER;
        self.service.stopping("stopping");
        let reply = self.failure("the server stops");
        self.answer_all(Wait::Outcome, &reply);
        self.answer_all(Wait::QueuedOutcome, &reply);
        self.happened.push_back(how);
    }

    /// How children leave within StopTimeout, and when they are killed.
    pub(super) fn leave_order(&self) -> (Order, u64) {
        let now = clock::now_ns();
        if self.patience.stop.is_zero() {
            return (Order::Stop, now.saturating_add(STOP_WAIT_NS));
        }
        let deadline = later(now, self.patience.stop);
        (Order::Leave(deadline), deadline)
    }

    /// The listeners that are of use.
    pub(super) fn open_listeners(&self) -> impl Iterator<Item = &Listener> {
        let is_open = |listener: &&Listener| !self.closed.contains(&listener.number());
        self.listeners.iter().chain(&self.spare).filter(is_open)
    }

    /// The older children do not know these: nobody would answer there.
    pub(super) fn close_new_listeners(&mut self) {
        let Ok(null) = std::fs::File::open("/dev/null") else { return };
        let new = self.listeners.iter().map(Listener::number);
        let new: Vec<RawFd> = new.filter(|number| !self.inherited.contains(number)).collect();
        for number in new {
            let _ = crate::sys::files::replace(number, null.as_fd());
            self.closed.push(number);
        }
    }

    /// The addresses are free for others; children still finish what they hold.
    pub(super) fn close_listeners(&mut self) {
        self.spare.clear();
        let Ok(null) = std::fs::File::open("/dev/null") else { return };
        for listener in self.listeners.iter() {
            let _ = crate::sys::files::replace(listener.number(), null.as_fd());
        }
    }

    pub(super) fn order_all(&mut self, order: Order, deadline_ns: u64) {
        self.children.iter_mut().for_each(|child| child.order(order, deadline_ns));
    }

    /// Tells every child to finish the requests in progress and waits until all have left; kills
    /// those that take longer than StopTimeout. A further stop signal shortens that.
    pub(in crate::server) fn stop_all(&mut self) -> io::Result<()> {
        self.restart.stop();
        self.close_listeners();
        let (order, deadline) = self.leave_order();
        self.order_all(order, deadline);
        let give_up = deadline.saturating_add(GIVE_UP_NS);
        while !self.children.is_empty() {
            match self.next(give_up)? {
                Happening::Stop => {
                    self.order_all(Order::Stop, clock::now_ns().saturating_add(HURRY_NS));
                }
                Happening::Nothing if clock::now_ns() >= give_up => {
                    let pids = self.children.iter().map(|(_, child)| child.pid.to_string());
                    let pids = pids.collect::<Vec<_>>().join(", ");
                    log_line!(
                        ERROR,
                        "AH00047",
                        "could not make child process {pids} exit, attempting to continue anyway"
                    );
                    break;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Lets every child finish what it holds, for as long as GracefulShutdownTimeout says; a further
    /// stop ends that. Another server may start as soon as the addresses are free.
    pub(in crate::server) fn drain_all(&mut self) -> io::Result<()> {
        self.restart.stop();
        self.close_listeners();
        let now = clock::now_ns();
        let deadline = self.patience.shutdown.map_or(NEVER, |wait| later(now, wait));
        self.order_all(Order::Drain(deadline), deadline);
        let free_by = now.saturating_add(FREE_WAIT_NS);
        while !self.children.is_empty() {
            let is_accepting = self.children.iter().any(|(_, child)| !child.stopped_accepting);
            let is_waiting = self.pid_file.is_some() || self.control.is_some();
            if is_waiting && (!is_accepting || clock::now_ns() >= free_by) {
                self.let_go();
            }
            let until = if is_waiting { free_by } else { NEVER };
            if matches!(self.next(until)?, Happening::Stop | Happening::GracefulStop) {
                return self.stop_all();
            }
        }
        self.let_go();
        Ok(())
    }

    /// Nothing of this server is in another's way any more.
    fn let_go(&mut self) {
        let reply = self.success("");
        self.answer_all(Wait::Freed, &reply);
        (self.pid_file, self.control, self.former) = (None, None, (None, None));
    }
}

pub(super) fn later(now_ns: u64, wait: Duration) -> u64 {
    now_ns.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(NEVER))
}

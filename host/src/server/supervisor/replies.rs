//! What clients of the control socket ask, and what they are answered.

use nix::sys::epoll::{EpollEvent, EpollFlags};

use super::super::control::{ChildStatus, Status};
use super::*;
use crate::status::ChildView;

impl Supervisor {
    pub(super) fn accept_client(&mut self) {
        let id = self.new_id();
        let Some(control) = &mut self.control else { return };
        if let Some(client) = control.accept(id) {
            // A client that cannot be watched is never heard, and closed when others come.
            let _ = self.epoll.add(client, client_event(id));
        }
    }

    pub(super) fn hear_client(&mut self, id: u64) {
        let Some(control) = &mut self.control else { return };
        if let Heard::Asks(command) = control.hear(id) {
            self.obey(id, command);
        }
    }

    fn obey(&mut self, id: u64, command: Command) {
        match command {
            Command::Stop => {
                log_line!(NOTICE, "GB0327", "asked to stop, shutting down");
                self.answer(id, &self.success(""));
                self.end(Happening::Stop);
            }
            Command::GracefulStop => {
                log_line!(NOTICE, "GB0327", "asked to stop gracefully, shutting down");
                self.wait(id, Wait::Freed);
                self.end(Happening::GracefulStop);
            }
            Command::Graceful => {
                log_line!(NOTICE, "GB0328", "asked for a graceful restart");
                self.obey_restart(id, Kind::Graceful);
            }
            Command::Restart => {
                log_line!(NOTICE, "GB0328", "asked for a restart");
                self.obey_restart(id, Kind::Restart);
            }
            Command::Reopen => {
                self.wait(id, Wait::Reopened);
                self.reopen();
            }
            Command::Status => {
                let reply = Reply { status: Some(self.status()), ..self.success("") };
                self.answer(id, &reply);
            }
        }
    }

    fn obey_restart(&mut self, id: u64, kind: Kind) {
        // Before it is dealt with: the answer may come at once.
        let is_free = !self.restart.is_busy();
        self.wait(id, if is_free { Wait::Outcome } else { Wait::QueuedOutcome });
        if self.ask(kind) == Asked::Ignored {
            self.answer(id, &self.failure("the server stops"));
        }
    }

    fn wait(&mut self, id: u64, wait: Wait) {
        if let Some(control) = &mut self.control {
            control.wait(id, wait);
        }
    }

    fn answer(&mut self, id: u64, reply: &Reply) {
        if let Some(control) = &mut self.control {
            control.reply(id, reply);
        }
    }

    pub(super) fn answer_all(&mut self, wait: Wait, reply: &Reply) {
        if let Some(control) = &mut self.control {
            control.reply_all(wait, reply);
        }
    }

    /// An attempt to restart has ended: those who wait for it are told, and what was asked for
    /// meanwhile begins.
    pub(super) fn settle(&mut self, outcome: &Reply) {
        self.answer_all(Wait::Outcome, outcome);
        if let Some(kind) = self.restart.next_queued() {
            if let Some(control) = &mut self.control {
                control.advance_queue();
            }
            self.ask(kind);
        } else if !self.restart.is_busy() {
            self.answer_all(Wait::QueuedOutcome, outcome);
        }
    }

    /// The generation that serves: a caretaker's is an older one.
    pub(super) fn serving(&self) -> u32 {
        let older = self.children.iter().filter(|(_, child)| child.generation != self.number);
        let older = older.filter(|(_, child)| !child.draining).map(|(_, child)| child.generation);
        older.max().filter(|_| self.is_caretaker()).unwrap_or(self.number)
    }

    pub(super) fn success(&self, text: &str) -> Reply {
        Reply { ok: true, ..self.failure(text) }
    }

    pub(super) fn failure(&self, text: &str) -> Reply {
        Reply {
            ok: false,
            text: text.to_owned(),
            pid: Pid::this().as_raw(),
            generation: self.serving(),
            mpm: self.generations.mpm(self.serving()).to_owned(),
            degraded: self.is_caretaker(),
            status: None,
        }
    }

    fn status(&self) -> Status {
        let child = |child: &super::super::children::Child| {
            let report = self.generations.report(child.generation, child.slot);
            let view = self.generations.view(child.generation, child.slot);
            ChildStatus {
                requests: view.as_ref().map_or(0, ChildView::requests),
                waits_for: view.filter(|_| child.draining).iter().flat_map(held).collect(),
                pid: child.pid.as_raw(),
                generation: child.generation,
                mpm: self.generations.mpm(child.generation).to_owned(),
                slot: child.slot,
                state: child.state().to_owned(),
                idle: report.idle,
                busy: report.busy,
                connections: report.connections,
            }
        };
        Status {
            state: self.restart.name().to_owned(),
            reason: self.reason.clone(),
            listeners: self.open_listeners().map(|l| l.address().to_string()).collect(),
            children: self.children.iter().map(|(_, c)| child(c)).collect(),
        }
    }
}

/// Edge-triggered for both directions: a client is read and written to until that would block.
pub(super) fn client_event(id: u64) -> EpollEvent {
    let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
    EpollEvent::new(flags, id)
}

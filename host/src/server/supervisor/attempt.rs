//! An attempt at a new generation, from the request to its end: good, refused, or failed.

use super::ending::later;
use super::*;

impl Supervisor {
    pub(super) fn ask(&mut self, kind: Kind) -> Asked {
        let asked = self.restart.ask(kind);
        match asked {
            Asked::Try => self.begin_trial(),
            Asked::Queued => {
                log_line!(INFO, "GB0324", "a restart is under way; another one follows it");
            }
            Asked::Ignored => {}
        }
        asked
    }

    pub(super) fn begin_trial(&mut self) {
        self.service.reloading("trying the configuration");
        match self.start_trial() {
            Ok(trial) => self.trial = Some(trial),
            Err(error) => self.refuse(&format!("the trial cannot be started: {error}")),
        }
    }

    pub(super) fn trial_ended(&mut self, trial: Trial, exit: Exit) {
        match trial.verdict(exit) {
            Ok(warnings) => {
                if let Some(kind) = self.restart.passed() {
                    reach(Point::Passed);
                    if !warnings.is_empty() {
                        log_line!(WARN, "GB0325", "the new configuration: {warnings}");
                    }
                    self.happened.push_back(Happening::Restart(kind));
                }
            }
            Err(reason) => self.refuse(&reason),
        }
    }

    /// A restart is refused; everything is as before.
    pub(in crate::server) fn refuse(&mut self, reason: &str) {
        self.restart.refused();
        self.facts.restarts_refused += 1;
        self.generations.tell(&self.facts);
        let reply = self.failure(reason);
        let goes_on = reply.goes_on();
        log_line!(ERROR, "GB0326", "restart refused, {goes_on}: {reason}");
        // Where, and what; not the source line.
        let brief = reason.lines().take(2).collect::<Vec<_>>().join(" ");
        self.service.ready(&format!("restart refused, {goes_on}: {brief}"));
        self.settle(&reply);
    }

    /// The first child of this generation can serve: older ones finish.
    pub(super) fn ready(&mut self) {
        self.restart.ready();
        self.ready_by_ns = NEVER;
        if let Some(on_ready) = self.on_ready.take() {
            on_ready();
        }
        let now = clock::now_ns();
        let deadline = |wait: Option<std::time::Duration>| wait.map_or(NEVER, |w| later(now, w));
        let (order, deadline) = match self.kind {
            Kind::Graceful => {
                let deadline = deadline(self.patience.restart);
                (Order::Drain(deadline), deadline)
            }
            Kind::Restart => self.leave_order(),
        };
        let number = self.number;
        if number > 1 {
            match self.kind {
                Kind::Graceful => self.facts.restarts_graceful += 1,
                Kind::Restart => self.facts.restarts_hard += 1,
            }
            self.generations.tell(&self.facts);
            reach(Point::Ready);
        }
        // Also those that have been draining since a restart before it, if this one is not graceful.
        let is_graceful = self.kind == Kind::Graceful;
        let older = self.children.iter_mut().filter(|child| child.generation != number);
        for child in older.filter(|child| !(is_graceful && child.draining)) {
            child.order(order, deadline);
        }
        if number > 1 {
            reach(Point::Draining);
        }
        self.spare.clear();
        self.former = (None, None);
        self.reason.clear();
        self.service
            .ready(&format!("generation {number} serves ({})", self.generations.mpm(number)));
        self.settle(&self.success(""));
    }

    /// No child of this generation will serve. Where an older one's children go on, nothing is lost.
    pub(in crate::server) fn fail(&mut self, reason: &str) {
        self.ready_by_ns = NEVER;
        self.restart.failed();
        self.facts.restarts_failed += 1;
        self.generations.tell(&self.facts);
        self.reason = reason.to_owned();
    }

    /// This generation is given up: its children are killed, an older one's go on. `false`: there are
    /// none.
    pub(in crate::server) fn take_care(&mut self) -> bool {
        let number = self.number;
        self.children.iter_mut().filter(|c| c.generation == number).for_each(|child| child.kill());
        // What lies elsewhere in the new configuration is given up with it.
        if let Some(pid_file) = self.former.0.take() {
            self.pid_file = Some(pid_file);
        }
        if let Some(mut control) = self.former.1.take() {
            if let Some(given_up) = &mut self.control {
                control.take_clients(given_up);
            }
            // As it was before this generation began.
            let _ = self.watch(control.listener().as_fd(), CONTROL);
            self.control = Some(control);
        }
        self.on_ready = None;
        self.close_new_listeners();
        if !self.has_old_children() {
            return false;
        }
        let reason = &self.reason;
        log_line!(
            ALERT,
            "GB0323",
            "restart failed: {reason}; degraded: the children of the last good generation go on \
             serving, none is replaced until a restart succeeds"
        );
        self.service.ready(&format!("degraded: {reason}"));
        self.settle(&self.failure(reason));
        true
    }

    /// Whether children of an older generation take connections.
    pub(in crate::server) fn has_old_children(&self) -> bool {
        self.children.iter().any(|(_, child)| child.generation != self.number && !child.draining)
    }
}

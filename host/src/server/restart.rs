//! Where the server stands between two generations.
//!
//! ```text
//!           ask                passed                exec
//!  Serving ─────▶ Trying ─────────────▶ Leaving ─ ─ ─ ─ ─ ▶ Starting ──ready──▶ Serving
//!     ▲             │                     │                    │
//!     └── refused ──┘◀──── refused ───────┘                    │ failed
//!                   ▼                                          ▼
//!  Caretaker ◀──────┘ (where the attempt began)            Caretaker ──ask──▶ Trying …
//! ```
//!
//! In *Caretaker* the children of an older generation go on serving and none is replaced, because the
//! last attempt at a new one ended after it had replaced this process's image. A request that comes
//! while an attempt is under way is kept until it has ended, once.

use serde::{Deserialize, Serialize};

/// What becomes of the old children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// They finish what they hold.
    #[default]
    Graceful,
    /// They are stopped within StopTimeout.
    Restart,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Base {
    /// This generation's children serve.
    Serving,
    /// None of them was ready yet.
    Starting,
    /// They never were.
    Caretaker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// A trial of the new configuration runs.
    Trying(Kind),
    /// It passed; the next image takes over.
    Leaving(Kind),
}

/// The state.
#[derive(Clone, Debug)]
pub(super) struct Restart {
    base: Base,
    attempt: Option<Attempt>,
    queued: Option<Kind>,
    stopping: bool,
}

/// What to do about a request to restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Begin a trial now.
    Try,
    /// Wait: an attempt is under way. It will be dealt with afterwards.
    Queued,
    /// Nothing: the server is stopping.
    Ignored,
}

impl Restart {
    /// A generation that begins, with what was asked for meanwhile.
    pub(super) fn starting(queued: Option<Kind>) -> Self {
        Self { base: Base::Starting, attempt: None, queued, stopping: false }
    }

    /// A request to restart.
    pub(super) fn ask(&mut self, kind: Kind) -> Asked {
        if self.stopping {
            return Asked::Ignored;
        }
        if self.is_busy() {
            self.queued = self.queued.max(Some(kind));
            return Asked::Queued;
        }
        self.attempt = Some(Attempt::Trying(kind));
        Asked::Try
    }

    /// The trial passed. `None`: there was none.
    pub(super) fn passed(&mut self) -> Option<Kind> {
        let Some(Attempt::Trying(kind)) = self.attempt else { return None };
        self.attempt = Some(Attempt::Leaving(kind));
        Some(kind)
    }

    /// The attempt has failed and everything is as before it.
    pub(super) fn refused(&mut self) {
        self.attempt = None;
    }

    /// A child of this generation is ready.
    pub(super) fn ready(&mut self) {
        self.base = Base::Serving;
    }

    /// No child of this generation will be.
    pub(super) fn failed(&mut self) {
        self.base = Base::Caretaker;
    }

    /// The server stops: no attempt begins or goes on.
    pub(super) fn stop(&mut self) {
        *self = Self { attempt: None, queued: None, stopping: true, base: self.base.clone() };
    }

    /// The request that waits, if it need not wait any longer.
    pub(super) fn next_queued(&mut self) -> Option<Kind> {
        if self.is_busy() {
            return None;
        }
        self.queued.take()
    }

    /// Whether a request would have to wait.
    pub(super) fn is_busy(&self) -> bool {
        self.base == Base::Starting || self.attempt.is_some()
    }

    /// What the next image has to know of it.
    pub(super) fn queued(&self) -> Option<Kind> {
        self.queued
    }

    /// Whether this generation has not been ready yet.
    pub(super) fn is_starting(&self) -> bool {
        self.base == Base::Starting
    }

    /// Whether older children go on without being replaced.
    pub(super) fn is_caretaker(&self) -> bool {
        self.base == Base::Caretaker
    }

    /// Whether the server stops.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Whether somebody waits until no child of any generation is left.
    pub(super) fn waits_for_exits(&self) -> bool {
        self.stopping || self.is_caretaker()
    }

    /// The restart that the next image is to make.
    pub(super) fn leaving(&self) -> Option<Kind> {
        match self.attempt {
            Some(Attempt::Leaving(kind)) => Some(kind),
            Some(Attempt::Trying(_)) | None => None,
        }
    }

    /// For people and programs that ask.
    pub(super) fn name(&self) -> &'static str {
        if self.stopping {
            return "stopping";
        }
        match (self.attempt, &self.base) {
            (_, Base::Starting) => "starting",
            (None, Base::Serving) => "serving",
            (Some(_), Base::Serving) => "restarting",
            (_, Base::Caretaker) => "degraded",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serving() -> Restart {
        let mut restart = Restart::starting(None);
        restart.ready();
        restart
    }

    #[test]
    fn a_good_restart() {
        let mut restart = serving();
        assert_eq!(restart.ask(Kind::Graceful), Asked::Try);
        assert_eq!(restart.passed(), Some(Kind::Graceful));
        assert_eq!(restart.leaving(), Some(Kind::Graceful));
    }

    #[test]
    fn a_refused_one_leaves_everything_as_it_was() {
        let mut restart = serving();
        restart.ask(Kind::Restart);
        restart.refused();
        assert_eq!((restart.name(), restart.passed()), ("serving", None));
        assert_eq!(restart.ask(Kind::Graceful), Asked::Try);
    }

    #[test]
    fn requests_meanwhile_are_kept_once_and_the_harder_counts() {
        let mut restart = serving();
        restart.ask(Kind::Graceful);
        for kind in [Kind::Graceful, Kind::Restart, Kind::Graceful] {
            assert_eq!(restart.ask(kind), Asked::Queued);
        }
        assert_eq!(restart.next_queued(), None, "not yet");
        restart.refused();
        assert_eq!(restart.next_queued(), Some(Kind::Restart));
        assert_eq!(restart.next_queued(), None, "once");
    }

    #[test]
    fn a_generation_that_begins_is_not_interrupted() {
        let mut restart = Restart::starting(Some(Kind::Graceful));
        assert_eq!(restart.ask(Kind::Graceful), Asked::Queued);
        assert_eq!(restart.next_queued(), None);
        restart.ready();
        assert_eq!(restart.next_queued(), Some(Kind::Graceful));
    }

    #[test]
    fn a_caretaker_can_be_relieved() {
        let mut restart = Restart::starting(None);
        restart.failed();
        assert_eq!(restart.name(), "degraded");
        assert_eq!(restart.ask(Kind::Graceful), Asked::Try);
        restart.refused();
        assert_eq!(restart.name(), "degraded");
    }

    #[test]
    fn a_stop_ends_all_that() {
        let mut restart = serving();
        restart.ask(Kind::Graceful);
        restart.ask(Kind::Graceful);
        restart.stop();
        assert_eq!((restart.passed(), restart.next_queued()), (None, None));
        assert_eq!(restart.ask(Kind::Graceful), Asked::Ignored);
    }
}

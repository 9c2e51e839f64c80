//! What is said when no more children may be started: when it begins, while it lasts, how long it
//! was; never once only, never every second.

use super::{Limits, Words};

const SECOND_NS: u64 = 1_000_000_000;

/// Between two episodes that are told of one by one. Those in between are counted.
const APART_NS: u64 = 60 * SECOND_NS;
/// Between two lines while it lasts.
const AGAIN_NS: u64 = 600 * SECOND_NS;
/// For so long it must be over before it is.
const CALM_NS: u64 = SECOND_NS;

/// How things stand with the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Enough threads are idle, or more can be started.
    Well,
    /// Fewer are idle than there shall be, and no more can be started.
    Near,
    /// None is idle, and no more can be started.
    Reached,
    /// More could be started if children which finish what they hold did not take all slots.
    Full { draining: u32 },
}

/// Something to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// Every thread of every child is busy.
    Reached {
        /// For how long so far.
        lasted_ns: u64,
        /// How often before, since it was last said.
        before: u32,
    },
    /// That is over.
    Over {
        /// How long it was.
        lasted_ns: u64,
    },
    /// Fewer threads are idle than MinSpareThreads says, and no more can be started.
    Near,
    /// All slots are taken.
    Full {
        /// By so many children that finish what they hold.
        draining: u32,
    },
    /// Many children are started at a time.
    Busy {
        /// So many.
        spawning: u32,
        /// Idle threads.
        idle: u32,
        /// Children there are.
        active: u32,
        /// Children that finish what they hold.
        draining: u32,
    },
}

impl Say {
    /// Writes it.
    pub(super) fn log(self, limits: &Limits, words: &Words) {
        let workers = u64::from(limits.max) * u64::from(limits.threads);
        let Words { min_spare, to_increase, reached, near, busy, full } = words;
        let seconds = |ns: u64| format!("{}.{} s", ns / SECOND_NS, ns % SECOND_NS / 100_000_000);
        match self {
            Self::Reached { lasted_ns: 0, before: 0 } => log::error!(
                "{reached}: server reached MaxRequestWorkers setting of {workers}, consider raising \
                 the MaxRequestWorkers setting"
            ),
            Self::Reached { lasted_ns: 0, before } => log::error!(
                "{reached}: server reached MaxRequestWorkers setting of {workers}, consider raising \
                 the MaxRequestWorkers setting; it did so {before} times since this was last said"
            ),
            Self::Reached { lasted_ns, .. } => log::error!(
                "{reached}: server has been at the MaxRequestWorkers setting of {workers} for {}, \
                 consider raising the MaxRequestWorkers setting",
                seconds(lasted_ns)
            ),
            Self::Over { lasted_ns } => log::warn!(
                "GB0501: server was at the MaxRequestWorkers setting of {workers} for {}",
                seconds(lasted_ns)
            ),
            Self::Near => log::warn!(
                "{near}: server is within {min_spare} of MaxRequestWorkers ({} of {workers}), \
                 consider raising the MaxRequestWorkers setting",
                limits.min_spare
            ),
            Self::Full { draining } => log::error!(
                "{full}: not at MaxRequestWorkers, but all {} slots are taken, {draining} of them by \
                 children that finish what they hold",
                limits.slots()
            ),
            Self::Busy { spawning, idle, active, draining } => log::info!(
                "{busy}: server seems busy, (you may need to increase {to_increase}), spawning \
                 {spawning} children, there are around {idle} idle threads, {active} active children, \
                 and {draining} children that are shutting down"
            ),
        }
    }
}

/// What has been said, and when.
#[derive(Debug, Default)]
pub(super) struct LimitWatch {
    /// When the limit was reached, if it is.
    since_ns: Option<u64>,
    /// Since when it is not any more.
    calm_ns: Option<u64>,
    /// Whether the beginning of this episode was told.
    is_told: bool,
    said_ns: Option<u64>,
    /// Episodes that were not told.
    untold: u32,
    near_ns: Option<u64>,
    full_ns: Option<u64>,
}

impl LimitWatch {
    /// What to say now; or when to look again.
    pub(super) fn look(&mut self, now_ns: u64, level: Level) -> Result<Say, u64> {
        if level == Level::Reached {
            return self.reached(now_ns);
        }
        if let Some(since) = self.since_ns {
            let calm = *self.calm_ns.get_or_insert(now_ns);
            if now_ns < calm + CALM_NS {
                return Err(calm + CALM_NS);
            }
            (self.since_ns, self.calm_ns) = (None, None);
            if self.is_told {
                return Ok(Say::Over { lasted_ns: calm - since });
            }
        }
        let is_due = |last: &mut Option<u64>| {
            let due = last.is_none_or(|last| now_ns >= last + AGAIN_NS);
            if due {
                *last = Some(now_ns);
            }
            due
        };
        match level {
            Level::Near if is_due(&mut self.near_ns) => Ok(Say::Near),
            Level::Full { draining } if is_due(&mut self.full_ns) => Ok(Say::Full { draining }),
            _ => Err(mpm_abi::NEVER),
        }
    }

    fn reached(&mut self, now_ns: u64) -> Result<Say, u64> {
        self.calm_ns = None;
        let Some(since) = self.since_ns else {
            self.since_ns = Some(now_ns);
            self.is_told = self.said_ns.is_none_or(|said| now_ns >= said + APART_NS);
            if !self.is_told {
                self.untold += 1;
                return Err(self.again_ns(now_ns));
            }
            self.said_ns = Some(now_ns);
            return Ok(Say::Reached { lasted_ns: 0, before: std::mem::take(&mut self.untold) });
        };
        let again = self.again_ns(since);
        if now_ns < again {
            return Err(again);
        }
        (self.is_told, self.said_ns) = (true, Some(now_ns));
        Ok(Say::Reached { lasted_ns: now_ns - since, before: 0 })
    }

    fn again_ns(&self, since_ns: u64) -> u64 {
        self.said_ns.unwrap_or(since_ns).max(since_ns) + AGAIN_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_episode_is_told_with_its_length() {
        let mut watch = LimitWatch::default();
        let start = 5 * SECOND_NS;
        assert_eq!(watch.look(start, Level::Reached), Ok(Say::Reached { lasted_ns: 0, before: 0 }));
        assert_eq!(watch.look(start + 1, Level::Reached), Err(start + AGAIN_NS));
        let end = start + 3 * SECOND_NS;
        assert_eq!(watch.look(end, Level::Well), Err(end + CALM_NS));
        let over = Say::Over { lasted_ns: 3 * SECOND_NS };
        assert_eq!(watch.look(end + CALM_NS, Level::Well), Ok(over));
        assert_eq!(watch.look(end + CALM_NS, Level::Well), Err(mpm_abi::NEVER));
    }

    #[test]
    fn a_flapping_load_is_told_once_a_minute() {
        let mut watch = LimitWatch::default();
        let mut said = Vec::new();
        for second in 0..130 {
            let level = if second % 5 < 2 { Level::Reached } else { Level::Well };
            for part in 0..10 {
                let now = second * SECOND_NS + part * SECOND_NS / 10;
                while let Ok(say) = watch.look(now, level) {
                    said.push(say);
                }
            }
        }
        let begun: Vec<_> = said.iter().filter(|say| matches!(say, Say::Reached { .. })).collect();
        let first = Say::Reached { lasted_ns: 0, before: 0 };
        let next = Say::Reached { lasted_ns: 0, before: 11 };
        assert_eq!(begun, [&first, &next, &next]);
    }

    #[test]
    fn what_lasts_is_told_again() {
        let mut watch = LimitWatch::default();
        assert!(watch.look(0, Level::Reached).is_ok());
        let again = Say::Reached { lasted_ns: AGAIN_NS, before: 0 };
        assert_eq!(watch.look(AGAIN_NS, Level::Reached), Ok(again));
        assert_eq!(watch.look(AGAIN_NS, Level::Reached), Err(2 * AGAIN_NS));
    }

    #[test]
    fn near_is_told_every_ten_minutes() {
        let mut watch = LimitWatch::default();
        assert_eq!(watch.look(0, Level::Near), Ok(Say::Near));
        assert_eq!(watch.look(1, Level::Near), Err(mpm_abi::NEVER));
        assert_eq!(watch.look(AGAIN_NS, Level::Near), Ok(Say::Near));
    }
}

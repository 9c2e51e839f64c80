//! Opening the logs anew, for those who have moved the old files away. Children cannot open them,
//! having given up the privileges for it: they are sent the descriptors.

use std::path::Path;

use super::*;
use crate::log;

/// How long children may take until they write to the new files.
const REOPEN_WAIT_NS: u64 = 5_000_000_000;

/// How often children that have not confirmed are told again to look: a signal that comes just before a
/// thread waits in `recv` does not end that wait.
const NUDGE_EVERY_NS: u64 = 50_000_000;

/// A reopening that children have not all confirmed.
#[derive(Debug)]
pub(super) struct Reopening {
    /// When they are not waited for any longer (monotonic ns).
    until_ns: u64,
    /// When they are told again.
    pub(super) next_ns: u64,
    /// What went wrong, a line each.
    failures: Vec<String>,
}

impl Supervisor {
    pub(super) fn reopen(&mut self) {
        log_line!(NOTICE, "GB0329", "opening the logs anew");
        let mut failures = Vec::new();
        let own = self.logs.paths().map(Path::to_owned).collect::<Vec<_>>();
        let older = self.generations.numbers().into_iter().filter(|number| *number != self.number);
        let older = older
            .map(|number| (number, self.generations.logs(number).map(Path::to_owned).collect()));
        let all: Vec<(u32, Vec<PathBuf>)> = older.chain([(self.number, own)]).collect();
        for (number, paths) in all {
            for (log, path) in paths.iter().enumerate() {
                if let Err(error) = self.reopen_one(number, log, path) {
                    let path = path.display();
                    let text = format!("{path} cannot be opened, the old file is kept: {error}");
                    log_line!(ERROR, "GB0330", "{text}");
                    failures.push(text);
                }
            }
        }
        for child in self.children.iter_mut() {
            let told = child.channel.as_ref().map(ParentEnd::reopened);
            child.reopening = matches!(told, Some(Ok(())));
        }
        let now_ns = clock::now_ns();
        let until_ns = now_ns.saturating_add(REOPEN_WAIT_NS);
        self.reopening = Some(Reopening { until_ns, next_ns: now_ns, failures });
        self.go_on_reopening(now_ns);
        self.reopened();
    }

    /// Wakes threads that wait in `recv`, which look at the channel then; waits no longer when it is
    /// time.
    pub(super) fn go_on_reopening(&mut self, now_ns: u64) {
        let Some(reopening) = self.reopening.as_mut().filter(|r| r.next_ns <= now_ns) else {
            return;
        };
        if reopening.until_ns <= now_ns {
            return self.end_reopening();
        }
        reopening.next_ns = now_ns.saturating_add(NUDGE_EVERY_NS);
        self.children.iter().filter(|(_, child)| child.reopening).for_each(|(_, c)| c.nudge());
    }

    fn reopen_one(&self, generation: u32, log: usize, path: &Path) -> io::Result<()> {
        let file = log::open(path)?;
        if generation == self.number {
            self.logs.replace(log, file.as_fd())?;
        }
        for (_, child) in self.children.iter().filter(|(_, c)| c.generation == generation) {
            if let Some(channel) = &child.channel {
                // A child whose channel is full keeps the old file; it is waited for in vain.
                let _ = channel.reopen(log, file.as_fd());
            }
        }
        Ok(())
    }

    /// A child writes to the new files, or is gone.
    pub(super) fn reopened(&mut self) {
        if self.reopening.is_some() && !self.children.iter().any(|(_, child)| child.reopening) {
            self.end_reopening();
        }
    }

    pub(super) fn end_reopening(&mut self) {
        let Some(Reopening { mut failures, .. }) = self.reopening.take() else { return };
        let late: Vec<String> = (self.children.iter())
            .filter(|(_, child)| child.reopening)
            .map(|(_, child)| child.pid.to_string())
            .collect();
        self.children.iter_mut().for_each(|child| child.reopening = false);
        if !late.is_empty() {
            let late = late.join(", ");
            failures.push(format!("these children still write to the old files: {late}"));
        }
        let reply = match failures.is_empty() {
            true => self.success(""),
            false => self.failure(&failures.join("\n")),
        };
        self.answer_all(Wait::Reopened, &reply);
    }
}

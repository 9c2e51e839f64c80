//! A trial: the next image, started beside this one, reads the configuration, loads the modules and
//! prepares the MPM, and ends. Only if that works does this process's image change.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::children::Exit;
use super::handover::{HandOver, Purpose};
use crate::sys::clock;
use crate::sys::image::{Image, NOT_STARTED};

/// Longest trial.
const TRIAL_MAX_NS: u64 = 30_000_000_000;

/// Most of what a trial printed that is passed on (bytes).
const TEXT_MAX: u64 = 64 * 1024;

/// A trial that runs.
#[derive(Debug)]
pub(super) struct Trial {
    pid: Pid,
    /// What it prints.
    output: File,
    /// When it is given up.
    pub(super) until_ns: u64,
}

impl Trial {
    /// Starts one.
    ///
    /// # Errors
    /// No process or memory can be had.
    pub(super) fn start(
        image: &Image,
        given: HandOver,
        listeners: &[BorrowedFd<'_>],
    ) -> io::Result<Self> {
        let memory = HandOver { purpose: Purpose::Trial, ..given }.write()?;
        let output = File::from(memfd_create(c"gearbox-trial", MFdFlags::MFD_CLOEXEC)?);
        let mut inherited = listeners.to_vec();
        inherited.push(memory.as_fd());
        let (name, number) = memory.variable();
        let pid = image.spawn((name, &number), output.as_fd(), &inherited)?;
        let until_ns = clock::now_ns().saturating_add(TRIAL_MAX_NS);
        Ok(Self { pid, output, until_ns })
    }

    /// Whether this process is the trial.
    pub(super) fn is(&self, pid: Pid) -> bool {
        self.pid == pid
    }

    /// Ends it because it takes too long; the reason for refusing.
    pub(super) fn give_up(self) -> String {
        self.kill();
        let wait = TRIAL_MAX_NS / 1_000_000_000;
        let why = format!("the trial of the new configuration took longer than {wait} s");
        let text = self.text();
        with_text(why, &text)
    }

    /// Ends it. Whoever it was is collected when it has ended.
    pub(super) fn kill(&self) {
        // It has not been waited for, so the number is still its own.
        let _ = kill(self.pid, Signal::SIGKILL);
    }

    fn text(mut self) -> String {
        let mut bytes = Vec::new();
        let read =
            self.output.rewind().and_then(|()| self.output.take(TEXT_MAX).read_to_end(&mut bytes));
        match read {
            Ok(_) => String::from_utf8_lossy(&bytes).trim_end().to_owned(),
            Err(error) => format!("(what it printed cannot be read: {error})"),
        }
    }

    /// What it printed, when it has ended: warnings if it passed, else the reason.
    pub(super) fn verdict(self, exit: Exit) -> Result<String, String> {
        let text = self.text();
        let why = match exit {
            Exit::Code(0) => return Ok(text),
            // It has said why.
            Exit::Code(1 | NOT_STARTED) if !text.is_empty() => return Err(text),
            Exit::Code(code) => {
                format!("the trial of the new configuration exited with code {code}")
            }
            Exit::Signal(number) => {
                let name = Signal::try_from(number).map_or("unknown", Signal::as_str);
                format!("the trial of the new configuration was ended by signal {name} ({number})")
            }
        };
        Err(with_text(why, &text))
    }
}

fn with_text(why: String, text: &str) -> String {
    if text.is_empty() { why } else { format!("{why}\n{text}") }
}

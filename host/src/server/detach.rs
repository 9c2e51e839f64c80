//! Leaving the terminal, as httpd does: the command comes back when the server serves.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use crate::sys::process;

/// The server's side: how the launching process learns of the outcome.
#[derive(Debug)]
pub(super) struct Launcher {
    pipe: Option<std::fs::File>,
}

/// Which process this is after [`detach`].
#[derive(Debug)]
pub(super) enum Side {
    /// The server.
    Server(Launcher),
    /// The launching process; what it exits with.
    Launching(i32),
}

/// What the server writes when its first child is ready.
const READY: u8 = b'+';

/// Forks. The launching process waits until the server is ready (exit status 0) or gone (1).
///
/// # Errors
/// No process or pipe can be made.
pub(super) fn detach() -> io::Result<Side> {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    if process::fork()?.is_some() {
        drop(write);
        let mut answer = [0];
        let ready = std::fs::File::from(read).read(&mut answer)? == 1 && answer == [READY];
        return Ok(Side::Launching(if ready { 0 } else { 1 }));
    }
    drop(read);
    nix::unistd::setsid()?;
    // Not to hold on to whatever is mounted where the command was given.
    nix::unistd::chdir("/")?;
    Ok(Side::Server(Launcher { pipe: Some(write.into()) }))
}

impl Launcher {
    /// For a server that stays in the foreground: nobody waits.
    pub(super) fn none() -> Self {
        Self { pipe: None }
    }

    /// The first child is ready: lets the launching process go and gives up the terminal. Lines that
    /// go to standard error land in `log` from now on.
    pub(super) fn ready(&mut self, log: OwnedFd) {
        let Some(mut pipe) = self.pipe.take() else { return };
        // A launching process that was killed does not matter.
        let _ = pipe.write_all(&[READY]);
        if let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") {
            let _ = nix::unistd::dup2_stdin(&null);
            let _ = nix::unistd::dup2_stdout(&null);
        }
        let _ = nix::unistd::dup2_stderr(&log);
    }
}

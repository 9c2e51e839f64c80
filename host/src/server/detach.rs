//! Leaving the terminal, as httpd does: the command comes back when the server serves.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;

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

/// Forks. The launching process waits until the server is ready (exit status 0) or gone (1). The
/// server gives up the terminal, before it has children that would keep it open: what goes to
/// standard error lands in `log`.
///
/// # Errors
/// No process or pipe can be made.
pub(super) fn detach(log: BorrowedFd<'_>) -> io::Result<Side> {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    if let Some(server) = process::fork()? {
        drop(write);
        let mut answer = [0];
        if std::fs::File::from(read).read_exact(&mut answer).is_ok() && answer == [READY] {
            return Ok(Side::Launching(0));
        }
        // Until it is gone it has the addresses, and the next start may follow at once.
        let _ = nix::sys::wait::waitpid(server, None);
        let sentence = "GB0318: gearbox: the server did not come up; its error log says why";
        let _ = writeln!(io::stderr(), "{sentence}");
        return Ok(Side::Launching(1));
    }
    drop(read);
    nix::unistd::setsid()?;
    // Not to hold on to whatever is mounted where the command was given.
    nix::unistd::chdir("/")?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(log)?;
    Ok(Side::Server(Launcher { pipe: Some(write.into()) }))
}

impl Launcher {
    /// For a server that stays in the foreground: nobody waits.
    pub(super) fn none() -> Self {
        Self { pipe: None }
    }

    /// The first child is ready: lets the launching process go.
    pub(super) fn ready(self) {
        if let Some(mut pipe) = self.pipe {
            // A launching process that was killed does not matter.
            let _ = pipe.write_all(&[READY]);
        }
    }
}

//! The files behind the logs of this process, so that they can be opened anew under the same
//! descriptors when the old ones were moved away.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::sys::files;

/// Opens (and makes) a log for appending.
///
/// # Errors
/// What `open` answers.
pub fn open(path: &Path) -> io::Result<OwnedFd> {
    let mut options = std::fs::OpenOptions::new();
    // A FIFO without a reader is an error, not a wait. Writing may wait.
    let file = options.append(true).create(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let flags = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL)?);
    fcntl(&file, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    Ok(file.into())
}

/// Every log of a generation, numbered; the same in the parent and in its children.
#[derive(Debug, Default)]
pub struct LogFiles {
    logs: Vec<(PathBuf, Vec<RawFd>)>,
}

impl LogFiles {
    /// Adds a log and the descriptors that lead to it. They must stay open as long as the process.
    pub fn add(&mut self, path: PathBuf, descriptors: &[BorrowedFd<'_>]) {
        self.logs.push((path, descriptors.iter().map(AsRawFd::as_raw_fd).collect()));
    }

    /// Where the logs lie, in the order of their numbers.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.logs.iter().map(|(path, _)| path.as_path())
    }

    /// From now on the log with this number is written to `file`. A line is never in both: each is
    /// one `write`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn replace(&self, log: usize, file: BorrowedFd<'_>) -> io::Result<()> {
        let (_, descriptors) = self.logs.get(log).ok_or(io::ErrorKind::NotFound)?;
        descriptors.iter().try_for_each(|number| files::replace(*number, file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn moved_away_and_opened_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("log"), dir.path().join("log.1"));
        let file = open(&path).unwrap();
        let mut logs = LogFiles::default();
        logs.add(path.clone(), &[file.as_fd()]);
        nix::unistd::write(&file, b"one\n").unwrap();
        std::fs::rename(&path, &moved).unwrap();
        nix::unistd::write(&file, b"two\n").unwrap();
        logs.replace(0, open(&path).unwrap().as_fd()).unwrap();
        nix::unistd::write(&file, b"three\n").unwrap();
        assert_eq!(std::fs::read(&moved).unwrap(), b"one\ntwo\n");
        assert_eq!(std::fs::read(&path).unwrap(), b"three\n");
        assert!(logs.replace(1, file.as_fd()).is_err());
    }
}

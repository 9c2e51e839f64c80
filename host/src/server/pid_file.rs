//! The PID file. It is locked by the parent for as long as that lives: the lock, not the number,
//! says that a server is running.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

/// The PID file of this server; removed when it is dropped.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
    /// Not dropped by itself: that would unlock the file, also from a child.
    file: ManuallyDrop<Flock<File>>,
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum PidFileError {
    /// Another server holds it; what it has written there.
    Running(String),
    /// It cannot be opened or locked.
    Io(io::Error),
}

impl PidFile {
    /// Opens and locks the file.
    ///
    /// # Errors
    /// See [`PidFileError`].
    pub(super) fn lock(path: &Path) -> Result<Self, PidFileError> {
        loop {
            let file = open(path).map_err(PidFileError::Io)?;
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                // A server that has just stopped removed it after it was opened here: nobody would
                // find what is written there.
                Ok(file) if !is_at(&file, path) => {}
                Ok(file) => {
                    return Ok(Self { path: path.to_owned(), file: ManuallyDrop::new(file) });
                }
                Err((mut file, nix::Error::EWOULDBLOCK)) => {
                    let mut pid = String::new();
                    let _ = file.read_to_string(&mut pid);
                    return Err(PidFileError::Running(pid.trim().to_owned()));
                }
                Err((_, error)) => return Err(PidFileError::Io(error.into())),
            }
        }
    }

    /// Writes this process's id.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn write(&mut self) -> io::Result<()> {
        self.file.rewind()?;
        self.file.set_len(0)?;
        writeln!(self.file, "{}", std::process::id())
    }

    /// In a child: closes the copy of the descriptor. The lock stays the parent's.
    pub(super) fn leave_to_parent(self) {
        let kept = ManuallyDrop::new(self);
        let _ = nix::unistd::close(kept.file.as_raw_fd());
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Whatever the umask: who can write a number there has somebody else's process stopped.
    let mut open = OpenOptions::new();
    open.read(true).write(true).create(true).truncate(false).mode(0o644).open(path)
}

/// Whether `path` leads to this very file.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Removed while it is still locked: nobody finds it without a server behind it. The lock
        // goes with the process.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_removed_or_replaced_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        let file = open(&path).unwrap();
        assert!(is_at(&file, &path));
        std::fs::remove_file(&path).unwrap();
        assert!(!is_at(&file, &path));
        let other = open(&path).unwrap();
        assert!(!is_at(&file, &path) && is_at(&other, &path));
    }

    #[test]
    fn one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        let mut first = PidFile::lock(&path).unwrap();
        first.write().unwrap();
        let second = PidFile::lock(&path).unwrap_err();
        let own = std::process::id().to_string();
        assert!(matches!(second, PidFileError::Running(pid) if pid == own));
    }
}

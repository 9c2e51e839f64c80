//! The PID file. It is locked by the parent for as long as that lives: the lock, not the number,
//! says that a server is running.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;
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
        let mut open = OpenOptions::new();
        let file = open.read(true).write(true).create(true).truncate(false).open(path);
        match Flock::lock(file.map_err(PidFileError::Io)?, FlockArg::LockExclusiveNonblock) {
            Ok(file) => Ok(Self { path: path.to_owned(), file: ManuallyDrop::new(file) }),
            Err((mut file, nix::Error::EWOULDBLOCK)) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                Err(PidFileError::Running(pid.trim().to_owned()))
            }
            Err((_, error)) => Err(PidFileError::Io(error.into())),
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

impl Drop for PidFile {
    fn drop(&mut self) {
        // Removed while it is still locked: nobody finds it without a server behind it. The lock
        // goes with the process.
        let _ = std::fs::remove_file(&self.path);
    }
}

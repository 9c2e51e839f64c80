//! The PID file. It is locked by the parent for as long as that lives: the lock, not the number,
//! says that a server is running.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use crate::sys::files;

/// The PID file of this server; removed when it is dropped.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
    /// Not dropped by itself: that would unlock the file, also from a child.
    file: ManuallyDrop<Flock<File>>,
    /// The process that removes it.
    owner: u32,
}

impl AsRawFd for PidFile {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// Who holds a PID file.
#[derive(Debug)]
pub(super) enum Holder {
    /// A server that runs, with this number.
    Server(i32),
    /// A server that runs; its number cannot be read.
    Unknown,
    /// Nobody. What is written there, if there is a file and it is not empty.
    Nobody(Option<String>),
}

/// Who holds the PID file at `path`: the lock decides, not the number.
///
/// # Errors
/// It cannot be read.
pub(super) fn holder(path: &Path) -> io::Result<Holder> {
    // Whatever lies there: opening it must not wait for anybody.
    let open = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let mut file = match open {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Holder::Nobody(None)),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    // Nothing else than a number is expected there: of a large file the beginning is enough.
    (&mut file).take(32).read_to_string(&mut text)?;
    let text = text.trim();
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        // Unlocked again when dropped.
        Ok(_) => Ok(Holder::Nobody(Some(text.to_owned()).filter(|text| !text.is_empty()))),
        Err((_, nix::Error::EWOULDBLOCK)) => {
            let pid = text.parse().ok().filter(|pid| *pid > 0);
            Ok(pid.map_or(Holder::Unknown, Holder::Server))
        }
        Err((_, error)) => Err(error.into()),
    }
}

/// Whether a process has the PID file open, as the server has that it belongs to. A lock alone can be
/// anybody's who may read the file.
///
/// # Errors
/// That process cannot be looked at.
pub(super) fn is_open_in(path: &Path, pid: i32) -> io::Result<bool> {
    let wanted = std::fs::metadata(path)?;
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        // A descriptor that was closed meanwhile is not the one.
        let Ok(found) = std::fs::metadata(entry?.path()) else { continue };
        if (found.dev(), found.ino()) == (wanted.dev(), wanted.ino()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// As [`holder`], for a file that is to be written: it can be.
///
/// # Errors
/// It cannot be read, written or made.
pub(super) fn look(path: &Path) -> io::Result<Holder> {
    let holder = holder(path)?;
    match holder {
        Holder::Nobody(None) if !path.exists() => files::may_add_to(path.parent())?,
        _ => drop(OpenOptions::new().write(true).open(path)?),
    }
    Ok(holder)
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
                    return Ok(Self::of(path, file));
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

    /// The file of an earlier image of this process, locked and written.
    ///
    /// # Errors
    /// It is not locked.
    pub(super) fn adopt(path: &Path, file: OwnedFd) -> io::Result<Self> {
        // The lock belongs to the open file: this says yes if it is ours already.
        match Flock::lock(File::from(file), FlockArg::LockExclusiveNonblock) {
            Ok(file) => Ok(Self::of(path, file)),
            Err((_, error)) => Err(error.into()),
        }
    }

    fn of(path: &Path, file: Flock<File>) -> Self {
        let owner = std::process::id();
        Self { path: path.to_owned(), file: ManuallyDrop::new(file), owner }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Empties the file, for where it cannot be removed: the account that serves may not be allowed
    /// to. An empty one is as good as none.
    pub(super) fn give_up(&mut self) {
        let _ = self.file.set_len(0);
    }

    /// After a fork: the file is this process's, which goes on as the server.
    pub(super) fn own(&mut self) {
        self.owner = std::process::id();
    }

    /// After a fork: the file is the other process's.
    pub(super) fn disown(&mut self) {
        self.owner = 0;
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
        let number = self.file.as_raw_fd();
        if std::process::id() == self.owner && is_at(&self.file, &self.path) {
            // Removed while it is still locked: nobody finds it without a server behind it. The lock
            // goes with the last descriptor.
            let _ = std::fs::remove_file(&self.path);
        }
        // In a child this closes the copy; the lock stays the parent's.
        let _ = nix::unistd::close(number);
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
        assert!(matches!(holder(&path).unwrap(), Holder::Server(pid) if pid.to_string() == own));
        drop(first);
        assert!(!path.exists());
        assert!(matches!(holder(&path).unwrap(), Holder::Nobody(None)));
    }

    #[test]
    fn a_number_without_a_lock_means_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        std::fs::write(&path, "1\n").unwrap();
        assert!(matches!(holder(&path).unwrap(), Holder::Nobody(Some(text)) if text == "1"));
        std::fs::write(&path, "").unwrap();
        assert!(matches!(holder(&path).unwrap(), Holder::Nobody(None)), "given up");
        assert!(holder(dir.path()).is_err(), "a directory");
    }
}

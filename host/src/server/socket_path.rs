//! Unix sockets by path, also by paths that do not fit into a `struct sockaddr_un` (107 bytes): the
//! directory is opened, and the name looked up through `/proc/self/fd`.

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::sys::files;

/// Whether a socket can be bound there: nothing lies there, or one that nobody listens on.
///
/// # Errors
/// One line without the path.
pub(super) fn look(path: &Path) -> Result<(), String> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.to_string()),
        Err(_) => {}
        Ok(found) if !found.file_type().is_socket() => {
            return Err(
                "there is something else than a socket; remove it, or let ControlSocket name \
                        another path"
                    .to_owned(),
            );
        }
        Ok(_) if is_heard(path) => {
            return Err(
                "another program listens there; let ControlSocket name another path".to_owned()
            );
        }
        Ok(_) => {}
    }
    files::may_add_to(path.parent()).map_err(|error| error.to_string())
}

/// Binds a non-blocking listener, mode 0600. A socket that nobody listens on is replaced.
///
/// # Errors
/// One line without the path.
pub(super) fn bind(path: &Path) -> Result<UnixListener, String> {
    look(path)?;
    // Nobody may connect before the mode is right: it is bound in a directory nobody can enter, and
    // moved out of there.
    let bound = || -> io::Result<UnixListener> {
        let private = private_directory(path)?;
        let inside = private.0.join("s");
        let listener = short(&inside, |inside| UnixListener::bind(inside))?;
        std::fs::set_permissions(&inside, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        std::fs::rename(&inside, path)?;
        Ok(listener)
    };
    bound().map_err(|error| error.to_string())
}

/// Whether somebody listens there. Does not wait for a place in the queue.
fn is_heard(path: &Path) -> bool {
    let tried = short(path, |path| {
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
        socket.connect(&SockAddr::unix(path)?)
    });
    match tried {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

/// Connects.
///
/// # Errors
/// What the system answers.
pub(super) fn connect(path: &Path) -> io::Result<UnixStream> {
    short(path, |path| UnixStream::connect(path))
}

/// Removed when dropped.
struct Private(PathBuf);

impl Drop for Private {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.0.join("s"));
        let _ = std::fs::remove_dir(&self.0);
    }
}

fn private_directory(path: &Path) -> io::Result<Private> {
    use std::os::unix::fs::DirBuilderExt;
    let name = format!(".gearbox.{}", std::process::id());
    let dir = path.with_file_name(name);
    // Of a process with the same number that was killed at this point.
    let _ = std::fs::remove_file(dir.join("s"));
    let _ = std::fs::remove_dir(&dir);
    DirBuilder::new().mode(0o700).create(&dir)?;
    Ok(Private(dir))
}

/// Calls `f` with a path that leads to the same and is short.
fn short<T>(path: &Path, f: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let directory =
        File::options().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(parent)?;
    let through = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
    f(&through.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(150));
        std::fs::create_dir(&deep).unwrap();
        let path = deep.join("control");
        let _listener = bind(&path).unwrap();
        connect(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(&deep).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn what_lies_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control");
        std::fs::write(&path, "precious").unwrap();
        assert!(bind(&path).unwrap_err().contains("something else than a socket"));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        std::fs::remove_file(&path).unwrap();
        let listener = bind(&path).unwrap();
        assert!(bind(&path).unwrap_err().contains("another program listens"));
        drop(listener);
        bind(&path).unwrap();
    }
}

//! Program images: another one in this process (`exec`), or beside it (`fork` and `exec`), and the
//! descriptors it is given.

use std::collections::HashSet;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid};

use super::process;

/// A program and how to call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Absolute path.
    pub program: PathBuf,
    /// Arguments, with the program's name as the first.
    pub arguments: Vec<OsString>,
}

/// Exit code of a process that could not become the image it was made for (as a shell's).
pub const NOT_STARTED: i32 = 127;

impl Image {
    /// The image of this process, by the path it was called with, so that what lies there the next
    /// time is what is started: a newer binary, or what a link leads to by then.
    ///
    /// # Errors
    /// It cannot be found any more.
    pub fn of_this_process() -> io::Result<Self> {
        let arguments: Vec<OsString> = std::env::args_os().collect();
        let called = arguments.first().and_then(|name| find(name));
        let program = match called {
            Some(program) => program,
            None => std::env::current_exe()?,
        };
        Ok(Self { program, arguments })
    }

    /// Replaces this process's image; comes back only on failure.
    pub fn exec(&self, variable: (&str, &str)) -> io::Error {
        match self.prepare(variable) {
            Err(error) => error,
            Ok((program, arguments, environment)) => {
                match nix::unistd::execve(&program, &arguments, &environment) {
                    Err(error) => error.into(),
                    Ok(never) => match never {},
                }
            }
        }
    }

    /// Starts the image in a process of its own, which dies with this one. It gets `output` as
    /// standard output and error, and the `inherited` descriptors under their own numbers.
    ///
    /// # Errors
    /// No process can be made.
    pub fn spawn(
        &self,
        variable: (&str, &str),
        output: BorrowedFd<'_>,
        inherited: &[BorrowedFd<'_>],
    ) -> io::Result<Pid> {
        let (program, arguments, environment) = self.prepare(variable)?;
        let parent = getpid();
        if let Some(pid) = process::fork()? {
            return Ok(pid);
        }
        let started = || -> io::Result<()> {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            if getppid() != parent {
                return Err(io::ErrorKind::NotFound.into());
            }
            nix::unistd::dup2_stdout(output)?;
            nix::unistd::dup2_stderr(output)?;
            for fd in inherited {
                close_on_exec(*fd, false)?;
            }
            nix::unistd::execve(&program, &arguments, &environment)?;
            Ok(())
        };
        if let Err(error) = started() {
            let text = format!("cannot start {}: {error}\n", self.program.display());
            let _ = nix::unistd::write(output, text.as_bytes());
        }
        process::exit_now(NOT_STARTED)
    }

    fn prepare(&self, variable: (&str, &str)) -> io::Result<Prepared> {
        let c_string = |bytes: Vec<u8>| CString::new(bytes).map_err(io::Error::other);
        let program = c_string(self.program.as_os_str().as_bytes().to_owned())?;
        let arguments = self.arguments.iter().map(|a| c_string(a.as_bytes().to_owned()));
        let (name, value) = variable;
        let others = std::env::vars_os().filter(|(other, _)| other != name);
        let all = others.chain([(name.into(), value.into())]);
        let environment = all.map(|(name, value)| {
            let mut pair = name.into_vec();
            pair.push(b'=');
            pair.extend(value.as_bytes());
            c_string(pair)
        });
        Ok((program, arguments.collect::<Result<_, _>>()?, environment.collect::<Result<_, _>>()?))
    }
}

/// Program, arguments and environment, as `execve` wants them.
type Prepared = (CString, Vec<CString>, Vec<CString>);

/// The file a command's name leads to, absolute; links in it are kept.
fn find(name: &OsStr) -> Option<PathBuf> {
    let is_path = name.as_bytes().contains(&b'/');
    let found = if is_path {
        std::path::absolute(name).ok()
    } else {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
    };
    found.filter(|file| is_this_program(file))
}

/// A caller may have given any name: it has to lead to the binary that runs.
fn is_this_program(file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| std::fs::metadata(path).ok().map(|m| (m.dev(), m.ino()));
    identity(file).is_some_and(|found| identity(Path::new("/proc/self/exe")) == Some(found))
}

/// Descriptors that the next image in this process inherits. Closed by an `exec` again once this is
/// dropped.
#[derive(Debug)]
pub struct Inherited<'a>(Vec<BorrowedFd<'a>>);

impl<'a> Inherited<'a> {
    /// Marks them.
    ///
    /// # Errors
    /// What the system answers; nothing stays marked then.
    pub fn new(fds: Vec<BorrowedFd<'a>>) -> io::Result<Self> {
        let marked = Self(fds);
        for fd in &marked.0 {
            close_on_exec(*fd, false)?;
        }
        Ok(marked)
    }
}

impl Drop for Inherited<'_> {
    fn drop(&mut self) {
        for fd in &self.0 {
            // Only fails for a number that is no descriptor.
            let _ = close_on_exec(*fd, true);
        }
    }
}

fn close_on_exec(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let flags = if on { FdFlag::FD_CLOEXEC } else { FdFlag::empty() };
    fcntl(fd, FcntlArg::F_SETFD(flags))?;
    Ok(())
}

/// Takes over the descriptors that an image was given by number, each once.
#[derive(Debug, Default)]
pub struct Adoption {
    taken: HashSet<RawFd>,
}

impl Adoption {
    /// The descriptor with this number, from now on closed by `exec` and when dropped.
    ///
    /// # Errors
    /// No such descriptor is open, it is one of the standard ones, or it was taken before.
    pub fn take(&mut self, number: RawFd) -> io::Result<OwnedFd> {
        let nobodys = number > 2 && self.taken.insert(number);
        if !nobodys
            || nix::unistd::lseek(raw(number)?, 0, nix::unistd::Whence::SeekCur)
                .is_err_and(|error| error == nix::Error::EBADF)
        {
            let text = format!("descriptor {number} was not handed over");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        close_on_exec(raw(number)?, true)?;
        // SAFETY: it is open, above the standard ones, given to this image for it to own, and taken
        // once.
        Ok(unsafe { OwnedFd::from_raw_fd(number) })
    }
}

/// A number as a descriptor for one call, which answers EBADF if it is none.
fn raw(number: RawFd) -> io::Result<BorrowedFd<'static>> {
    if number < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: only passed to calls that answer EBADF for a number that is not open; not kept.
    Ok(unsafe { BorrowedFd::borrow_raw(number) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::{AsFd, AsRawFd, IntoRawFd};

    fn pipe() -> (OwnedFd, OwnedFd) {
        nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap()
    }

    fn flags(fd: BorrowedFd<'_>) -> FdFlag {
        FdFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFD).unwrap())
    }

    #[test]
    fn inherited_only_as_long_as_marked() {
        let (read, write) = pipe();
        let marked = Inherited::new(vec![read.as_fd()]).unwrap();
        assert!(flags(read.as_fd()).is_empty());
        assert_eq!(flags(write.as_fd()), FdFlag::FD_CLOEXEC);
        drop(marked);
        assert_eq!(flags(read.as_fd()), FdFlag::FD_CLOEXEC);
    }

    #[test]
    fn a_descriptor_is_taken_once() {
        let (read, _write) = pipe();
        let number = read.into_raw_fd();
        let mut adoption = Adoption::default();
        let taken = adoption.take(number).unwrap();
        assert_eq!(taken.as_raw_fd(), number);
        assert!(adoption.take(number).is_err());
        drop(taken);
        assert!(Adoption::default().take(number).is_err(), "it is closed");
        assert!(Adoption::default().take(2).is_err());
        assert!(Adoption::default().take(-1).is_err());
    }

    #[test]
    fn finds_this_program() {
        let image = Image::of_this_process().unwrap();
        assert!(image.program.is_absolute() && image.program.is_file());
    }
}

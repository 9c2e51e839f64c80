//! Files of a site: opened below a directory, checked for freshness, read without waiting.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::OnceLock;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::Mode;
use nix::unistd::AccessFlags;

/// `RESOLVE_CACHED` of `openat2(2)` (Linux 5.12): fail with EAGAIN rather than wait for a disk.
const RESOLVE_CACHED: ResolveFlag = ResolveFlag::from_bits_retain(0x20);

/// How to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Symbolic links may be followed.
    pub follow_symlinks: bool,
    /// The thread may wait for a disk.
    pub may_block: bool,
}

impl Lookup {
    fn resolve(self) -> ResolveFlag {
        let mut flags = ResolveFlag::RESOLVE_NO_MAGICLINKS;
        flags.set(ResolveFlag::RESOLVE_NO_SYMLINKS, !self.follow_symlinks);
        flags.set(RESOLVE_CACHED, !self.may_block);
        flags
    }
}

/// Whether an error of a lookup that may not block means "ask again where blocking is allowed":
/// not in the cache (EAGAIN), or a kernel that cannot tell (EINVAL).
pub fn would_block(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINVAL))
}

/// Opens a directory for lookups below it. Symbolic links on the way are followed: it is the
/// administrator's path.
///
/// # Errors
/// What `openat2` answers; see [`would_block`].
pub fn open_root(path: &CStr, may_block: bool) -> io::Result<OwnedFd> {
    let lookup = Lookup { follow_symlinks: true, may_block };
    open(nix::fcntl::AT_FDCWD, path, OFlag::O_PATH | OFlag::O_DIRECTORY, lookup)
}

/// Opens `path` (relative, without `..`) below `root` for reading. Never waits for the other end of
/// a pipe.
///
/// # Errors
/// What `openat2` answers; see [`would_block`].
pub fn open_below(root: BorrowedFd<'_>, path: &CStr, lookup: Lookup) -> io::Result<OwnedFd> {
    open(root, path, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY, lookup)
}

fn open(dir: BorrowedFd<'_>, path: &CStr, flags: OFlag, lookup: Lookup) -> io::Result<OwnedFd> {
    let flags = flags | OFlag::O_CLOEXEC;
    if has_openat2() {
        return Ok(openat2(dir, path, OpenHow::new().flags(flags).resolve(lookup.resolve()))?);
    }
    if !lookup.may_block {
        // Nothing else can look without perhaps waiting.
        return Err(io::Error::from_raw_os_error(libc::EAGAIN));
    }
    if lookup.follow_symlinks {
        return Ok(openat(dir, path, flags, Mode::empty())?);
    }
    open_stepwise(dir, path, flags)
}

/// Whether the system has `openat2` (Linux 5.6), and no sandbox or emulator takes it away.
fn has_openat2() -> bool {
    static WORKS: OnceLock<bool> = OnceLock::new();
    *WORKS.get_or_init(|| {
        let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC);
        openat2(nix::fcntl::AT_FDCWD, c"/", how).is_ok()
    })
}

/// `RESOLVE_NO_SYMLINKS` by hand: a directory at a time, none of them through a link.
fn open_stepwise(root: BorrowedFd<'_>, path: &CStr, flags: OFlag) -> io::Result<OwnedFd> {
    let mut names = path.to_bytes().split(|&b| b == b'/').filter(|name| !name.is_empty());
    let mut name = names.next().unwrap_or(b".");
    let mut dir: Option<OwnedFd> = None;
    for next in names {
        let step = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let inner = openat(below(root, dir.as_ref()), name, step, Mode::empty());
        // A link is no directory to O_NOFOLLOW; say what it is.
        dir = Some(inner.map_err(|error| link_or(error, below(root, dir.as_ref()), name))?);
        name = next;
    }
    let directory =
        if path.to_bytes().ends_with(b"/") { OFlag::O_DIRECTORY } else { OFlag::empty() };
    Ok(openat(
        below(root, dir.as_ref()),
        name,
        flags | directory | OFlag::O_NOFOLLOW,
        Mode::empty(),
    )?)
}

fn below<'a>(root: BorrowedFd<'a>, dir: Option<&'a OwnedFd>) -> BorrowedFd<'a> {
    dir.map_or(root, AsFd::as_fd)
}

/// ELOOP for a symbolic link, as `openat2` answers, instead of ENOTDIR.
fn link_or(error: nix::Error, dir: BorrowedFd<'_>, name: &[u8]) -> nix::Error {
    let is_link = error == nix::Error::ENOTDIR && nix::fcntl::readlinkat(dir, name).is_ok();
    if is_link { nix::Error::ELOOP } else { error }
}

/// Kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A device, pipe or socket.
    Other,
}

/// Which file it is and which state of it: equal stamps, equal contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Device.
    pub device: (u32, u32),
    /// Inode.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// Last change of the contents: seconds since 1970 and nanoseconds.
    pub modified: (i64, u32),
    /// Last change of contents or attributes.
    pub changed: (i64, u32),
    /// Kind.
    pub kind: Kind,
}

impl Stamp {
    /// Whether the contents are the same: attributes (links, owner) may have changed.
    pub fn same_contents(&self, other: &Self) -> bool {
        self.size == other.size && self.modified == other.modified
    }
}

/// The stamp of whatever `path` leads to now.
///
/// # Errors
/// What `statx` answers.
pub fn stamp_of_path(path: &CStr) -> io::Result<Stamp> {
    statx(libc::AT_FDCWD, path, 0)
}

/// The stamp of an open file.
///
/// # Errors
/// What `statx` answers.
pub fn stamp_of_file(file: BorrowedFd<'_>) -> io::Result<Stamp> {
    statx(file.as_raw_fd(), c"", libc::AT_EMPTY_PATH)
}

fn statx(dir: libc::c_int, path: &CStr, flags: libc::c_int) -> io::Result<Stamp> {
    let mask = libc::STATX_TYPE
        | libc::STATX_INO
        | libc::STATX_SIZE
        | libc::STATX_MTIME
        | libc::STATX_CTIME;
    let mut out = std::mem::MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: `path` is NUL-terminated and `out` has room for a statx.
    let result = unsafe { libc::statx(dir, path.as_ptr(), flags, mask, out.as_mut_ptr()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeroed before, filled in by the kernel; every bit pattern is a valid statx.
    let out = unsafe { out.assume_init() };
    Ok(Stamp {
        device: (out.stx_dev_major, out.stx_dev_minor),
        inode: out.stx_ino,
        size: out.stx_size,
        modified: (out.stx_mtime.tv_sec, out.stx_mtime.tv_nsec),
        changed: (out.stx_ctime.tv_sec, out.stx_ctime.tv_nsec),
        kind: match u32::from(out.stx_mode) & libc::S_IFMT {
            libc::S_IFREG => Kind::File,
            libc::S_IFDIR => Kind::Directory,
            _ => Kind::Other,
        },
    })
}

/// Reads at an offset; 0 = end of file.
///
/// # Errors
/// What `preadv2` answers; see [`would_block`].
pub fn read_at(
    file: BorrowedFd<'_>,
    buf: &mut [u8],
    offset: u64,
    may_block: bool,
) -> io::Result<usize> {
    let offset = i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    let flags = if may_block { 0 } else { libc::RWF_NOWAIT };
    let slice = libc::iovec { iov_base: buf.as_mut_ptr().cast(), iov_len: buf.len() };
    loop {
        // SAFETY: one slice, with room for `iov_len` bytes.
        let n = unsafe { libc::preadv2(file.as_raw_fd(), &raw const slice, 1, offset, flags) };
        if let Ok(n) = usize::try_from(n) {
            return Ok(n);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            // A file system that cannot read without waiting.
            Some(libc::EOPNOTSUPP) if !may_block => {
                return Err(io::Error::from_raw_os_error(libc::EAGAIN));
            }
            _ => return Err(error),
        }
    }
}

/// From now on the descriptor with this number leads to `file`, in one step: there is no moment at
/// which it leads nowhere. `number` belongs to somebody who keeps it open as long as the process.
///
/// # Errors
/// What the system answers.
pub fn replace(number: RawFd, file: BorrowedFd<'_>) -> io::Result<()> {
    if file.as_raw_fd() == number {
        return Ok(());
    }
    // Standard error stays open for what is executed.
    let flags = if number > 2 { libc::O_CLOEXEC } else { 0 };
    // SAFETY: takes no pointers. The number stays its owner's; only what it leads to changes.
    let result = unsafe { libc::dup3(file.as_raw_fd(), number, flags) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether this process may make files in a directory; `None` is the working directory.
///
/// # Errors
/// It may not, or there is no such directory.
pub fn may_add_to(directory: Option<&Path>) -> io::Result<()> {
    let directory = directory.filter(|path| !path.as_os_str().is_empty());
    let wanted = AccessFlags::W_OK | AccessFlags::X_OK;
    Ok(nix::unistd::access(directory.unwrap_or(Path::new(".")), wanted)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Both ways of opening without following links give the same answers.
    #[test]
    fn stepwise_is_like_openat2() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("d")).unwrap();
        std::fs::write(dir.path().join("d/f"), "x").unwrap();
        symlink("d", dir.path().join("dl")).unwrap();
        symlink("f", dir.path().join("d/fl")).unwrap();
        symlink("nowhere", dir.path().join("broken")).unwrap();
        let root = std::fs::File::open(dir.path()).unwrap();
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
        for (path, wanted) in [
            (c".", None),
            (c"d", None),
            (c"d/", None),
            (c"d/f", None),
            (c"d//f", None),
            (c"d/fl", Some(libc::ELOOP)),
            (c"dl", Some(libc::ELOOP)),
            (c"dl/f", Some(libc::ELOOP)),
            (c"broken", Some(libc::ELOOP)),
            (c"none", Some(libc::ENOENT)),
            (c"none/f", Some(libc::ENOENT)),
            (c"d/f/", Some(libc::ENOTDIR)),
            (c"d/f/x", Some(libc::ENOTDIR)),
        ] {
            let ours = open_stepwise(root.as_fd(), path, flags);
            let ours = ours.err().and_then(|error| error.raw_os_error());
            assert_eq!(ours, wanted, "{path:?}");
            if has_openat2() {
                let theirs = openat2(root.as_fd(), path, how).err().map(|error| error as i32);
                assert_eq!(theirs, wanted, "{path:?}");
            }
        }
    }
}

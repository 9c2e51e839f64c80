//! The file as the system sees it: there, regular, and not everybody's to change.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

use super::refusal::FileFault;

/// Largest file read, in bytes. A debug build of a Rust plug-in has some tens of MiB; the limit is
/// there so that a mistaken path (a core dump, a disk image) does not fill the memory.
pub(super) const FILE_MAX: u64 = 256 << 20;

/// Edits up to which a name counts as a slip of another.
const SLIP_MAX: usize = 3;

const WORLD_WRITABLE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// A module's file, open and read.
#[derive(Debug)]
pub(super) struct ModuleFile {
    /// All of it.
    pub(super) bytes: Vec<u8>,
    /// Which file it is.
    pub(super) identity: Identity,
    /// What is odd about it.
    pub(super) warnings: Vec<String>,
    /// Keeps the inode, and with it its number, from being used for another file.
    _open: File,
}

/// What tells one file, and one content of it, from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) device: u64,
    pub(super) inode: u64,
    len: u64,
    modified: (i64, i64),
}

impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl ModuleFile {
    /// Opens and reads the file that is to hold `symbol`.
    pub(super) fn open(path: &Path, symbol: &str) -> Result<Self, FileFault> {
        if !path.is_absolute() {
            return Err(FileFault::Relative);
        }
        if path.as_os_str().as_encoded_bytes().contains(&b'$') {
            return Err(FileFault::Dollar);
        }
        // Without O_NONBLOCK, opening a FIFO waits for a writer.
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)
            .map_err(|error| FileFault::of_open(error, path, symbol))?;
        let metadata = file.metadata().map_err(FileFault::Unreadable)?;
        check_kind(&metadata)?;
        check_trust(&metadata, path)?;

        let len = metadata.len();
        let mut bytes = Vec::new();
        (&mut file).take(FILE_MAX).read_to_end(&mut bytes).map_err(FileFault::Unreadable)?;
        if usize::try_from(len) != Ok(bytes.len()) {
            return Err(FileFault::Changed);
        }
        Ok(Self {
            bytes,
            identity: Identity::from(&metadata),
            warnings: owner_warning(&metadata, path).into_iter().collect(),
            _open: file,
        })
    }

    /// Checks that `path` still leads to this file, with the content that was read.
    pub(super) fn check_in_place(&self, path: &Path) -> Result<(), FileFault> {
        let metadata = fs::metadata(path).map_err(|_| FileFault::Changed)?;
        if Identity::from(&metadata) == self.identity { Ok(()) } else { Err(FileFault::Changed) }
    }
}

fn check_kind(metadata: &Metadata) -> Result<(), FileFault> {
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Err(FileFault::Directory);
    }
    if !kind.is_file() {
        return Err(FileFault::Special(if kind.is_fifo() {
            "a FIFO"
        } else if kind.is_socket() {
            "a socket"
        } else {
            "a device"
        }));
    }
    match metadata.len() {
        0 => Err(FileFault::Empty),
        len if len > FILE_MAX => Err(FileFault::TooLarge(len)),
        _ => Ok(()),
    }
}

/// Refuses what any user of the machine could replace: code of the server would be theirs.
///
/// A link is only as good as the directory it stands in, so both that directory and the one of the
/// file itself count.
fn check_trust(metadata: &Metadata, path: &Path) -> Result<(), FileFault> {
    if metadata.mode() & WORLD_WRITABLE != 0 {
        return Err(FileFault::WorldWritable(metadata.mode()));
    }
    let real = fs::canonicalize(path).map_err(FileFault::Unreadable)?;
    for directory in [path.parent(), real.parent()].into_iter().flatten() {
        let mode = fs::metadata(directory).map_err(FileFault::Unreadable)?.mode();
        if mode & WORLD_WRITABLE != 0 && mode & STICKY == 0 {
            return Err(FileFault::WorldWritableDirectory {
                directory: directory.to_owned(),
                mode,
            });
        }
    }
    Ok(())
}

fn owner_warning(metadata: &Metadata, path: &Path) -> Option<String> {
    let owner = Uid::from_raw(metadata.uid());
    let starter = Uid::effective();
    (!owner.is_root() && owner != starter).then(|| {
        let path = path.display();
        format!(
            "{path} belongs to uid {owner}, who is neither root nor the user who starts the server \
             (uid {starter}) and can change what it runs"
        )
    })
}

impl FileFault {
    fn of_open(error: io::Error, path: &Path, symbol: &str) -> Self {
        let directory = path.parent().unwrap_or(path);
        match error.kind() {
            io::ErrorKind::NotFound if !directory.exists() => {
                Self::MissingDirectory(directory.to_owned())
            }
            io::ErrorKind::NotFound => Self::missing(directory, path, symbol),
            // A socket cannot be opened at all.
            _ => match fs::metadata(path).map(|metadata| check_kind(&metadata)) {
                Ok(Err(fault @ Self::Special(_))) => fault,
                _ => Self::Unreadable(error),
            },
        }
    }

    fn missing(directory: &Path, path: &Path, symbol: &str) -> Self {
        let beside = modules_in(directory);
        let meant = meant(&beside, path, symbol);
        Self::Missing { beside, meant }
    }
}

/// The fault of a file that is at none of `paths`.
pub(super) fn nowhere(symbol: &str, paths: &[PathBuf]) -> FileFault {
    let directories: Vec<PathBuf> =
        paths.iter().filter_map(|path| path.parent().map(Path::to_owned)).collect();
    let mut held: Vec<String> = directories.iter().flat_map(|dir| modules_in(dir)).collect();
    held.sort_unstable();
    held.dedup();
    let meant = paths.first().and_then(|path| meant(&held, path, symbol));
    FileFault::Nowhere { directories, held, meant }
}

/// File names of the MPMs in a directory.
fn modules_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter(|name| name.starts_with("mod_mpm_") && name.ends_with(".so")).collect();
    names.sort_unstable();
    names
}

/// Which of the files there are may have been meant by `path`.
fn meant(there: &[String], path: &Path, symbol: &str) -> Option<String> {
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    let usual = format!("mod_{}.so", symbol.strip_suffix("_module").unwrap_or(symbol));
    let near = there.iter().map(|name| (edits(name, &wanted), name));
    let near = near.filter(|(edits, name)| *edits <= SLIP_MAX || **name == usual);
    near.min().map(|(_, name)| name.clone())
}

/// Letters to insert, delete or replace to make one name of the other.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for (to, above) in b.chars().zip(row.windows(2)) {
            let &[diagonal, above] = above else { break };
            left = (diagonal + usize::from(from != to)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

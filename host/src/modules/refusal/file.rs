//! A file that cannot be read, or should not be trusted.

use std::path::PathBuf;
use std::{fmt, io};

use crate::modules::file::FILE_MAX;

/// Modules named when the file is missing.
const LISTED_MAX: usize = 12;

/// The file cannot be read, or should not be trusted.
#[derive(Debug)]
pub enum FileFault {
    /// The path is relative to something.
    Relative,
    /// The path holds a `$`.
    Dollar,
    /// There is no such file.
    Missing {
        /// Modules in its directory.
        beside: Vec<String>,
        /// The one that may have been meant.
        meant: Option<String>,
    },
    /// There is no such file wherever a relative path may begin.
    Nowhere {
        /// Where it was looked for.
        directories: Vec<PathBuf>,
        /// Modules in these.
        held: Vec<String>,
        /// The one that may have been meant.
        meant: Option<String>,
    },
    /// There is not even such a directory.
    MissingDirectory(PathBuf),
    /// It is a directory.
    Directory,
    /// It is something else than a file or directory.
    Special(&'static str),
    /// The system does not let the server read it.
    Unreadable(io::Error),
    /// It has no bytes.
    Empty,
    /// It has too many bytes.
    TooLarge(u64),
    /// Everybody can change it; its mode.
    WorldWritable(u32),
    /// Everybody can replace it.
    WorldWritableDirectory {
        /// The directory everybody can write to.
        directory: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It was changed or replaced meanwhile.
    Changed,
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relative => f.write_str("the path is not absolute"),
            Self::Dollar => {
                f.write_str("the path holds a $, for which the system's loader puts in other text")
            }
            Self::Missing { beside, meant } => {
                write!(f, "there is no such file{}", DidYouMean(meant))?;
                write!(f, "; its directory holds {}", Held(beside))
            }
            Self::Nowhere { directories, held, meant } => {
                let places: Vec<_> = directories.iter().map(|d| d.display().to_string()).collect();
                let places = places.join(" nor in ");
                write!(f, "there is no such file{}, neither in {places}", DidYouMean(meant))?;
                write!(f, "; these hold {}", Held(held))
            }
            Self::MissingDirectory(directory) => {
                write!(f, "there is no directory {}", directory.display())
            }
            Self::Directory => f.write_str("it is a directory"),
            Self::Special(kind) => write!(f, "it is {kind}, not a file"),
            Self::Unreadable(error) => write!(f, "it cannot be read: {error}"),
            Self::Empty => f.write_str("the file is empty"),
            Self::TooLarge(len) => {
                let mib = 1 << 20;
                let (found, max) = (len.div_ceil(mib), FILE_MAX / mib);
                write!(f, "the file has {found} MiB, a module may have {max} MiB")
            }
            Self::WorldWritable(mode) => write!(
                f,
                "any user can change the file (mode {:04o}); take that right away with chmod o-w",
                mode & 0o7777
            ),
            Self::WorldWritableDirectory { directory, mode } => write!(
                f,
                "any user can replace the file, because {} is world-writable (mode {:04o}); take \
                 that right away with chmod o-w",
                directory.display(),
                mode & 0o7777
            ),
            Self::Changed => {
                f.write_str("the file was changed or replaced while it was loaded; try again")
            }
        }
    }
}

/// ` (did you mean …?)`, or nothing.
struct DidYouMean<'a>(&'a Option<String>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(meant) => write!(f, " (did you mean {meant}?)"),
            None => Ok(()),
        }
    }
}

/// The modules in a directory, some of them if they are many.
struct Held<'a>(&'a [String]);

impl fmt::Display for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.get(..LISTED_MAX).unwrap_or(self.0).join(", ");
        match self.0.len() {
            0 => f.write_str("no mod_mpm_*.so"),
            n if n > LISTED_MAX => write!(f, "{shown} and {} more", n - LISTED_MAX),
            _ => f.write_str(&shown),
        }
    }
}

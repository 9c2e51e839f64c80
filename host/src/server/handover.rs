//! What one image of the parent leaves to the next: JSON in sealed memory, and open descriptors.
//!
//! Written before an `exec` and for a trial, which is only given the addresses' descriptors. The reader may be
//! an older or newer version: keys it does not know are ignored, keys it misses have a default, and
//! [`HandOver::readable_by`] says from which version on that is enough.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::{Deserialize, Serialize};

use super::control::Identity;
use super::restart::Kind;
use crate::status::Facts;
use crate::sys::image::Adoption;

/// Version of the hand-over this image writes, and the highest it knows all keys of.
pub(super) const VERSION: u32 = 1;
/// Lowest version of a reader that understands what this image writes.
const READABLE_BY: u32 = 1;
/// Lowest version of a writer that this image understands.
const OLDEST: u32 = 1;

/// The environment variable with the number of the descriptor.
pub(super) const VARIABLE: &str = "GEARBOX_HANDOVER";

/// What kind of start the next image makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Purpose {
    /// Try the configuration, change nothing, end.
    #[default]
    Trial,
    /// Go on as this server.
    Successor,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct HandOver {
    pub(super) version: u32,
    pub(super) readable_by: u32,
    pub(super) purpose: Purpose,
    /// The parent's process id: a hand-over is for that process, or for its trial.
    pub(super) parent: i32,
    /// Path of the binary.
    pub(super) program: PathBuf,
    /// ServerRoot to begin with: relative options were meant for another working directory.
    pub(super) server_root: PathBuf,
    /// The configuration file.
    pub(super) config: PathBuf,
    /// Number of the generation that hands over; the next is one more.
    pub(super) generation: u32,
    /// The restart being made.
    pub(super) kind: Kind,
    /// A restart asked for meanwhile.
    pub(super) queued: Option<Kind>,
    pub(super) listeners: Vec<ListenerEntry>,
    pub(super) children: Vec<ChildEntry>,
    pub(super) generations: Vec<GenerationEntry>,
    pub(super) error_log: Option<RawFd>,
    pub(super) pid_file: Option<FileEntry>,
    pub(super) control: Option<FileEntry>,
    /// What the status page is told.
    pub(super) facts: Facts,
    /// Device and number of the socket's file.
    pub(super) control_file: Option<Identity>,
    /// Control connections that wait for the outcome, and whether it is that of the queued restart.
    pub(super) clients: Vec<(RawFd, bool)>,
    /// Control connections that have not asked for anything yet.
    pub(super) quiet: Vec<RawFd>,
}

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ListenerEntry {
    pub(super) fd: RawFd,
    /// As configured; port 0 was the kernel's choice.
    pub(super) wanted: SocketAddr,
}

/// A child that goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ChildEntry {
    pub(super) pid: i32,
    pub(super) generation: u32,
    pub(super) slot: u32,
    /// Its control channel, for orders and for notices; absent if it closed its end.
    pub(super) channel: Option<(RawFd, RawFd)>,
    pub(super) ready: bool,
    pub(super) draining: bool,
    pub(super) stopped_accepting: bool,
    /// When it is killed (monotonic ns); absent = never.
    pub(super) kill_ns: Option<u64>,
}

/// A generation that still has children.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct GenerationEntry {
    pub(super) number: u32,
    pub(super) mpm: String,
    pub(super) slots: u32,
    pub(super) threads: u32,
    /// Its scoreboard.
    pub(super) board: Option<RawFd>,
    /// How that is laid out.
    pub(super) layout: u32,
    /// The logs its children write, in the order the children know.
    pub(super) logs: Vec<PathBuf>,
    /// Whether the first of them is the error log.
    pub(super) has_error_log: bool,
}

/// A file that is held open, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileEntry {
    pub(super) fd: RawFd,
    pub(super) path: PathBuf,
}

/// A hand-over that was read: what it says, and the right to take the descriptors in it.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) given: HandOver,
    pub(super) adoption: Adoption,
}

impl HandOver {
    /// Writes it, with this image's version, where the next image reads it from.
    ///
    /// # Errors
    /// Out of descriptors or memory; a path that is not UTF-8.
    pub(super) fn write(mut self) -> io::Result<Memory> {
        (self.version, self.readable_by) = (VERSION, READABLE_BY);
        let json = serde_json::to_vec(&self)?;
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let mut file = File::from(memfd_create(MEMORY_NAME, flags)?);
        file.write_all(&json)?;
        file.rewind()?;
        fcntl(&file, FcntlArg::F_ADD_SEALS(SEALS | SealFlag::F_SEAL_SEAL))?;
        Ok(Memory(file.into()))
    }

    /// Reads what JSON says, if this version understands it.
    fn parse(json: &[u8]) -> Result<Self, String> {
        /// The part that every version has.
        #[derive(Deserialize)]
        struct Versions {
            version: u32,
            readable_by: u32,
        }
        let broken = |error: serde_json::Error| format!("it cannot be read: {error}");
        let Versions { version, readable_by } = serde_json::from_slice(json).map_err(broken)?;
        if readable_by > VERSION {
            return Err(format!(
                "it is of version {version}, which version {readable_by} and later understand, and \
                 this binary's is {VERSION}: the binary is too old, stop and start the server"
            ));
        }
        if version < OLDEST {
            return Err(format!(
                "it is of version {version}, and this binary understands {OLDEST} and later: the \
                 server that runs is too old, stop and start it"
            ));
        }
        serde_json::from_slice(json).map_err(broken)
    }
}

/// Whether it is memory that nobody can change any more, as [`HandOver::write`] leaves it. Reading
/// anything else could also mean to wait.
fn is_sealed(file: &OwnedFd) -> bool {
    let seals = fcntl(file, FcntlArg::F_GET_SEALS).map(SealFlag::from_bits_retain);
    seals.is_ok_and(|seals| seals.contains(SEALS))
}

/// Nothing in it changes once it is written.
const SEALS: SealFlag =
    SealFlag::F_SEAL_SHRINK.union(SealFlag::F_SEAL_GROW).union(SealFlag::F_SEAL_WRITE);

const MEMORY_NAME: &std::ffi::CStr = c"gearbox-handover";

/// A hand-over on its way.
#[derive(Debug)]
pub(super) struct Memory(OwnedFd);

impl Memory {
    /// The environment variable that leads to it.
    pub(super) fn variable(&self) -> (&'static str, String) {
        (VARIABLE, self.0.as_raw_fd().to_string())
    }
}

impl AsFd for Memory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether this image was given something.
pub(super) fn is_given() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Reads what this image was given; `None` if nobody handed anything over.
///
/// # Errors
/// One line for the administrator.
pub(super) fn receive() -> Result<Option<Received>, String> {
    let Some(value) = std::env::var_os(VARIABLE) else { return Ok(None) };
    let wrong = |text: String| format!("GB0320: gearbox: hand-over to this process: {text}");
    let number: Option<RawFd> = value.to_str().and_then(|value| value.parse().ok());
    let mut adoption = Adoption::default();
    let file = number.ok_or_else(|| format!("{VARIABLE} is not a descriptor")).and_then(|n| {
        adoption
            .take(n)
            .map_err(|error| format!("{error} ({VARIABLE} is only set by gearbox itself)"))
    });
    let mut json = Vec::new();
    let read = file.and_then(|file| {
        if !is_sealed(&file) {
            let number = number.unwrap_or_default();
            return Err(format!(
                "descriptor {number} is not one ({VARIABLE} is only set by gearbox itself)"
            ));
        }
        File::from(file).read_to_end(&mut json).map_err(|error| error.to_string())
    });
    read.map_err(wrong)?;
    let given = HandOver::parse(&json).map_err(wrong)?;
    let expected = match given.purpose {
        Purpose::Successor => nix::unistd::getpid(),
        Purpose::Trial => nix::unistd::getppid(),
    };
    if given.parent != expected.as_raw() {
        return Err(wrong("it is for another process".to_owned()));
    }
    Ok(Some(Received { given, adoption }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> HandOver {
        HandOver {
            version: VERSION,
            readable_by: READABLE_BY,
            purpose: Purpose::Successor,
            parent: 7,
            generation: 3,
            kind: Kind::Restart,
            queued: Some(Kind::Graceful),
            listeners: vec![ListenerEntry { fd: 9, wanted: "[::1]:0".parse().unwrap() }],
            children: vec![ChildEntry { pid: 8, channel: Some((5, 6)), ..ChildEntry::default() }],
            generations: vec![GenerationEntry { number: 3, ..GenerationEntry::default() }],
            pid_file: Some(FileEntry { fd: 4, path: "/run/gearbox.pid".into() }),
            ..HandOver::default()
        }
    }

    fn edited(edit: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) -> Vec<u8> {
        let mut value = serde_json::to_value(sample()).unwrap();
        edit(value.as_object_mut().unwrap());
        serde_json::to_vec(&value).unwrap()
    }

    #[test]
    fn comes_back_as_written() {
        let memory = sample().write().unwrap();
        let mut json = Vec::new();
        File::from(memory.0).read_to_end(&mut json).unwrap();
        assert_eq!(HandOver::parse(&json), Ok(sample()));
    }

    #[test]
    fn a_newer_version_with_more_keys() {
        let json = edited(|keys| {
            keys.insert("version".to_owned(), (VERSION + 1).into());
            keys.insert("of_tomorrow".to_owned(), true.into());
            let children = keys.get_mut("children").unwrap().as_array_mut().unwrap();
            children[0].as_object_mut().unwrap().insert("mood".to_owned(), "good".into());
        });
        let read = HandOver::parse(&json).unwrap();
        assert_eq!(read, HandOver { version: VERSION + 1, ..sample() });
    }

    #[test]
    fn a_writer_that_had_fewer_keys() {
        let json = edited(|keys| {
            for key in ["queued", "generations", "clients", "control"] {
                keys.remove(key);
            }
        });
        let read = HandOver::parse(&json).unwrap();
        assert_eq!(read, HandOver { queued: None, generations: Vec::new(), ..sample() });
    }

    #[test]
    fn versions_too_far_apart() {
        let newer = edited(|keys| {
            keys.insert("version".to_owned(), (VERSION + 1).into());
            keys.insert("readable_by".to_owned(), (VERSION + 1).into());
        });
        assert!(HandOver::parse(&newer).unwrap_err().contains("the binary is too old"));
        let older = edited(|keys| {
            keys.insert("version".to_owned(), (OLDEST - 1).into());
            keys.insert("readable_by".to_owned(), 0.into());
        });
        assert!(HandOver::parse(&older).unwrap_err().contains("is too old, stop and start it"));
        assert!(HandOver::parse(b"{}").unwrap_err().contains("cannot be read"));
        assert!(HandOver::parse(b"\x7fELF").unwrap_err().contains("cannot be read"));
    }
}

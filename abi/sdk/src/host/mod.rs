//! The host, as what may be called in which phase: [`Host`] anywhere, [`Parent`] in `run`,
//! [`Child`] in a child, [`Connection`] on the thread that has it.

mod child;
mod connection;
mod parent;
mod thread;

use std::ffi::c_char;
use std::os::fd::RawFd;

use mpm_abi::{E_UNSUPPORTED, EVENT_NONE, Event, HostApi, NEVER, OK, Str};

use crate::error::Error;

pub use child::{Accepted, Child, ChildEvent, Listener, Readiness};
pub use connection::{Connection, Poll, Status};
pub use parent::{ChildState, Exit, Parent, ParentEvent};
pub use thread::Thread;

/// The host as one instance sees it. Any thread may use it.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    pub(crate) raw: *mut mpm_abi::Host,
    /// A full-size copy of the host's table: entries it does not have are `None`.
    pub(crate) api: &'static HostApi,
}

// SAFETY: the contract lets any thread pass the host pointer back; the table is constant.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

/// Calls an entry of the host's table with the host first; `None` if the host lacks it.
macro_rules! call {
    ($host:expr, $entry:ident $(, $arg:expr)*) => {{
        let host = $host;
        host.api.$entry.map(|entry| {
            // SAFETY: the entry belongs to `host.raw`, which lives as long as the process; the
            // caller stands in the phase and on the thread its type stands for.
            unsafe { entry(host.raw $(, $arg)*) }
        })
    }};
}

impl Host {
    /// Takes what `create` was given.
    ///
    /// # Safety
    /// `raw` and `api` are the arguments of `create`; `api` begins with its size in bytes.
    pub(crate) unsafe fn new(raw: *mut mpm_abi::Host, api: *const HostApi) -> Self {
        // SAFETY: every host's table begins with its size.
        let size = unsafe { api.cast::<u32>().read() } as usize;
        let mut copy = Box::new(std::mem::MaybeUninit::<HostApi>::zeroed());
        let len = size.min(size_of::<HostApi>());
        // SAFETY: `len` bytes are readable in the host's table and writable in the copy.
        unsafe { std::ptr::copy_nonoverlapping(api.cast::<u8>(), copy.as_mut_ptr().cast(), len) };
        // SAFETY: all-zero bytes are a valid table (numbers and absent functions), and the host's
        // bytes are one.
        let copy = unsafe { copy.assume_init() };
        Self { raw, api: Box::leak(copy) }
    }

    /// Capabilities of the host (`CAP_…`).
    pub fn caps(&self) -> u64 {
        self.api.caps[0]
    }

    /// Writes a line to the error log at a level of the contract (`LOG_…`).
    pub fn log(&self, level: u32, text: &str) {
        let _ = call!(self, log, level, text.as_ptr().cast::<c_char>(), text.len());
    }

    /// Writes a line at level notice, which the `log` crate does not have.
    pub fn notice(&self, text: &str) {
        self.log(mpm_abi::host::LOG_NOTICE, text);
    }

    /// Whether a line at this level would be written.
    pub fn log_enabled(&self, level: u32) -> bool {
        call!(self, log_enabled, level) == Some(1)
    }

    /// Monotonic nanoseconds.
    pub fn now(&self) -> u64 {
        call!(self, now).unwrap_or(0)
    }

    /// A number of the server's configuration (`CONFIG_…`; times in nanoseconds); `None` for a key
    /// that the host does not know. From `config_check` on.
    pub fn config_int(&self, key: u32) -> Option<i64> {
        let text = Str { ptr: std::ptr::null(), len: 0 };
        let mut out = mpm_abi::ConfigValue {
            struct_size: size_of::<mpm_abi::ConfigValue>() as u32,
            kind: mpm_abi::VALUE_TEXT,
            value: 0,
            text,
        };
        let status = call!(self, config_get, key, &raw mut out)?;
        (status == OK && out.kind == mpm_abi::VALUE_INT).then_some(out.value)
    }

    /// The listening sockets; from `prepare` on.
    pub fn listeners(&self) -> Vec<Listener> {
        let count = call!(self, listener_count).unwrap_or(0);
        (0..count).filter_map(|index| self.listener(index)).collect()
    }

    fn listener(&self, index: u32) -> Option<Listener> {
        let mut out = mpm_abi::Listener {
            struct_size: size_of::<mpm_abi::Listener>() as u32,
            bucket: 0,
            fd: -1,
            addr_len: 0,
            protocol_len: 0,
            protocol: [0; 16],
            addr: [0; mpm_abi::ADDR_LEN],
        };
        let status = call!(self, listener_get, index, &raw mut out)?;
        let fd = RawFd::try_from(out.fd).ok()?;
        (status == OK).then_some(Listener { index, fd })
    }

    pub(crate) fn status(&self, what: &str, status: Option<i32>) -> Result<(), Error> {
        match status.unwrap_or(E_UNSUPPORTED) {
            OK => Ok(()),
            status => Err(Error::from_status(what, status)),
        }
    }
}

use call;

fn empty_event() -> Event {
    Event {
        struct_size: size_of::<Event>() as u32,
        kind: EVENT_NONE,
        slot: 0,
        generation: 0,
        pid: 0,
        status: 0,
        reason: 0,
        deadline_ns: NEVER,
    }
}

/// Text of the contract as a `str`; bytes that are not UTF-8 become U+FFFD.
///
/// # Safety
/// `text` points to `len` readable bytes, or `len` is 0.
pub(crate) unsafe fn text(text: Str) -> String {
    if text.ptr.is_null() || text.len == 0 {
        return String::new();
    }
    // SAFETY: the caller's promise.
    let bytes = unsafe { std::slice::from_raw_parts(text.ptr.cast::<u8>(), text.len) };
    String::from_utf8_lossy(bytes).into_owned()
}

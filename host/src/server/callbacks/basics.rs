//! Logging, time, memory, configuration values.

use std::ffi::{c_char, c_void};
use std::time::Duration;

use mpm_abi::host::{LOG_HOST_MISBEHAVES, LOG_MPM_MISBEHAVES};
use mpm_abi::{ConfigValue, E_PANIC, E_STATE, E_UNSUPPORTED, Host, Str};

use super::guard;
use super::memory::{answer, text};
use crate::log::{self, Level};
use crate::server::context::Context;
use crate::sys::clock;

pub(super) unsafe extern "C" fn log_message(
    host: *mut Host,
    level: u32,
    msg: *const c_char,
    len: usize,
) {
    let body = |context: &Context| {
        // SAFETY: the MPM's message.
        let message = unsafe { text(msg, len) };
        let name = context.mpm_name.get().map_or("mpm", String::as_str);
        let (level, code) = match level {
            LOG_HOST_MISBEHAVES => (Level::ERROR, "GB0306"),
            LOG_MPM_MISBEHAVES => (Level::ERROR, "GB0307"),
            level => (Level::from_number(level), ""),
        };
        log::emit(level, name, code, format_args!("{message}"));
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, (), body) };
}

pub(super) unsafe extern "C" fn log_enabled(host: *mut Host, level: u32) -> i32 {
    let body = |context: &Context| {
        let name = context.mpm_name.get().map_or("mpm", String::as_str);
        i32::from(log::enabled(Level::from_number(level), name))
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, 0, body) }
}

pub(super) unsafe extern "C" fn log_raw(_: *mut Host, msg: *const c_char, len: usize) {
    if !msg.is_null() {
        // SAFETY: the MPM's message.
        log::raw(unsafe { std::slice::from_raw_parts(msg.cast(), len) });
    }
}

pub(super) unsafe extern "C" fn now(_: *mut Host) -> u64 {
    clock::now_ns()
}

pub(super) unsafe extern "C" fn alloc(_: *mut Host, size: usize) -> *mut c_void {
    // SAFETY: any size may be asked for.
    unsafe { libc::malloc(size) }
}

pub(super) unsafe extern "C" fn realloc(
    _: *mut Host,
    ptr: *mut c_void,
    size: usize,
) -> *mut c_void {
    // SAFETY: the MPM passes back what `alloc` or `realloc` gave it.
    unsafe { libc::realloc(ptr, size) }
}

pub(super) unsafe extern "C" fn free(_: *mut Host, ptr: *mut c_void) {
    // SAFETY: the MPM passes back what `alloc` or `realloc` gave it, once.
    unsafe { libc::free(ptr) };
}

/// There are no extensions in this version.
pub(super) unsafe extern "C" fn get_extension(_: *mut Host, _: *const c_char) -> *const c_void {
    std::ptr::null()
}

pub(super) unsafe extern "C" fn config_get(
    host: *mut Host,
    key: u32,
    out: *mut ConfigValue,
) -> i32 {
    let body = |context: &'static Context| {
        let Some(values) = context.values.get() else { return E_STATE };
        let text = |path: &'static std::path::Path| {
            let bytes = path.as_os_str().as_encoded_bytes();
            (mpm_abi::VALUE_TEXT, 0, Str { ptr: bytes.as_ptr().cast(), len: bytes.len() })
        };
        let none = Str { ptr: std::ptr::null(), len: 0 };
        let int = |n: u128| (mpm_abi::VALUE_INT, i64::try_from(n).unwrap_or(i64::MAX), none);
        let limit = |time: Option<Duration>| int(time.map_or(0, |time| time.as_nanos()));
        let (kind, value, text) = match key {
            mpm_abi::CONFIG_SERVER_ROOT => text(&values.server_root),
            mpm_abi::CONFIG_PID_FILE => {
                values.pid_file.as_deref().map_or((mpm_abi::VALUE_TEXT, 0, none), text)
            }
            mpm_abi::CONFIG_TIMEOUT => int(values.timeout.as_nanos()),
            mpm_abi::CONFIG_KEEP_ALIVE_TIMEOUT => int(values.keep_alive_timeout.as_nanos()),
            mpm_abi::CONFIG_ONE_PROCESS => int(u128::from(values.one_process)),
            mpm_abi::CONFIG_GRACEFUL_RESTART_TIMEOUT => limit(values.patience.restart),
            mpm_abi::CONFIG_GRACEFUL_SHUTDOWN_TIMEOUT => limit(values.patience.shutdown),
            mpm_abi::CONFIG_MAX_CONNECTIONS_PER_CHILD => match values.connections_per_child {
                u64::MAX => int(0),
                n => int(n.into()),
            },
            mpm_abi::CONFIG_THREAD_STACK_SIZE => int(values.thread_stack_size.into()),
            mpm_abi::CONFIG_LISTEN_BACKLOG => int(values.listen_backlog.unsigned_abs().into()),
            _ => return E_UNSUPPORTED,
        };
        // SAFETY: the MPM's out-struct.
        unsafe { answer(out, ConfigValue { struct_size: 0, kind, value, text }) }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

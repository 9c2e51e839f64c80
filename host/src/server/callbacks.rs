//! What the MPM calls: the host's function table.
//!
//! Every function is a guard around a safe method: pointers are checked and copied, panics end here,
//! an answer is written only as far as the caller's `struct_size` reaches.

use std::ffi::{c_char, c_void};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use mpm_abi::host::{LOG_HOST_MISBEHAVES, LOG_MPM_MISBEHAVES};
use mpm_abi::version::{
    ABI_MAJOR, ABI_MINOR, CAP_ACCEPT, CAP_CHILDREN, CAP_DRAINS_TO_EAGAIN, CAP_DRIVE_BLOCKING,
    CAP_THREADS,
};
use mpm_abi::{
    ACCEPT_BLOCKING, Accepted, CHILD_ACCEPTING, CHILD_DRAINING, CHILD_EXISTS, CHILD_READY,
    ChildInfo, ConfigValue, Conn as RawConn, ConnInfo, E_AGAIN, E_INVAL, E_PANIC, E_STATE, E_SYS,
    E_UNSUPPORTED, Event, Fd, Host, HostApi, Listener as RawListener, NEVER, OK, PollOut, Str,
    ThreadFn,
};

use super::channel::Notice;
use super::child::Told;
use super::context::Context;
use super::listeners::{self, Incoming};
use super::scoreboard::Report;
use super::supervisor::{Exit, Happening, SpawnError};
use crate::conn::{Conn, Events, New, Phase, Status};
use crate::log::{self, Level};
use crate::log_line;
use crate::sys::socket::Mode;
use crate::sys::{clock, process, signals, socket};

/// What this host can do. Entries of other capabilities are NULL.
pub(super) const CAPS: u64 =
    CAP_DRAINS_TO_EAGAIN | CAP_ACCEPT | CAP_DRIVE_BLOCKING | CAP_CHILDREN | CAP_THREADS;

/// The table every MPM is given.
pub(super) static API: HostApi = HostApi {
    struct_size: size_of::<HostApi>() as u32,
    abi_major: ABI_MAJOR,
    abi_minor: ABI_MINOR,
    caps: [CAPS, 0],
    log: Some(log_message),
    log_enabled: Some(log_enabled),
    log_raw: Some(log_raw),
    now: Some(now),
    alloc: Some(alloc),
    realloc: Some(realloc),
    free: Some(free),
    get_extension: Some(get_extension),
    config_get: Some(config_get),
    listener_count: Some(listener_count),
    listener_get: Some(listener_get),
    accept: Some(accept),
    accept_lock: None,
    accept_unlock: None,
    spawn_child: Some(spawn_child),
    child_drain: Some(child_drain),
    child_stop: Some(child_stop),
    child_get: Some(child_get),
    child_report: Some(child_report),
    child_ready: Some(child_ready),
    child_stopping: Some(child_stopping),
    reap: Some(reap),
    control_fd: Some(control_fd),
    control_next: Some(control_next),
    slot_set: None,
    slot_counters: None,
    slot_thread_id: None,
    thread_spawn: Some(thread_spawn),
    thread_join: Some(thread_join),
    thread_attach: Some(thread_attach),
    thread_detach: Some(thread_detach),
    conn_create: Some(conn_create),
    conn_poll: Some(conn_poll),
    conn_notify_stop: Some(conn_notify_stop),
    conn_destroy: Some(conn_destroy),
    drive_blocking: Some(drive_blocking),
    task_poll: None,
    task_destroy: None,
    requests_left: None,
    retained_get: None,
    retained_put: None,
    assert_thread: None,
};

/// The pointer an MPM is given, for a context that is never freed.
pub(super) fn handle(context: &'static Context) -> *mut Host {
    std::ptr::from_ref(context).cast_mut().cast()
}

/// Runs `body` with the context behind a handle; a panic becomes `panicked`.
///
/// # Safety
/// `host` was made by [`handle`], or is NULL.
unsafe fn guard<T>(host: *mut Host, panicked: T, body: impl FnOnce(&'static Context) -> T) -> T {
    // SAFETY: the caller's promise; a context lives as long as the process.
    let Some(context) = (unsafe { host.cast::<Context>().cast_const().as_ref() }) else {
        return panicked;
    };
    match catch_unwind(AssertUnwindSafe(|| body(context))) {
        Ok(answer) => answer,
        Err(_) => {
            log_line!(CRIT, "GB0305", "panic in the host, called by the MPM; see standard error");
            panicked
        }
    }
}

/// The size an out-struct of the MPM's begins with; `None` if there is none that could be written.
///
/// # Safety
/// `out` is NULL or begins with its size in bytes.
unsafe fn room<T>(out: *const T) -> Option<usize> {
    if out.is_null() || !out.is_aligned() {
        return None;
    }
    // SAFETY: not null; every struct that crosses begins with its size.
    let size = unsafe { out.cast::<u32>().read() } as usize;
    (size >= size_of::<u32>()).then_some(size)
}

/// Writes `value`, of which only `struct_size` bytes have room in the caller's `out`.
///
/// # Safety
/// `out` is NULL or begins with its size in bytes, all of which are writable.
unsafe fn answer<T: Copy>(out: *mut T, value: T) -> i32 {
    // SAFETY: the caller's promise.
    let Some(size) = (unsafe { room(out) }) else { return E_INVAL };
    let len = size.min(size_of::<T>());
    let (header, value) = (size_of::<u32>(), std::ptr::from_ref(&value).cast::<u8>());
    let from = value.wrapping_add(header);
    let to = out.cast::<u8>().wrapping_add(header);
    // SAFETY: both sides have `len` bytes; the size itself stays the caller's.
    unsafe { std::ptr::copy_nonoverlapping(from, to, len - header) };
    OK
}

/// Copies an in-struct of the MPM's: what it is too short for is zero, what it has beyond must be.
///
/// # Safety
/// `from` is NULL or begins with its size in bytes, all of which are readable; all-zero bytes are a
/// valid `T`.
unsafe fn copied<T: Copy>(from: *const T) -> Option<T> {
    /// Longer than any struct that crosses will ever be.
    const LEN_MAX: usize = 4096;
    // SAFETY: the caller's promise.
    let size = unsafe { room(from) }.filter(|size| *size <= LEN_MAX)?;
    // SAFETY: `size` bytes are readable.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), size) };
    if bytes.iter().skip(size_of::<T>()).any(|byte| *byte != 0) {
        return None;
    }
    let mut copy = std::mem::MaybeUninit::<T>::zeroed();
    let len = size.min(size_of::<T>());
    // SAFETY: both sides have `len` bytes.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy.as_mut_ptr().cast::<u8>(), len) };
    // SAFETY: zero, then copied into; the caller promises that this is a valid `T`.
    Some(unsafe { copy.assume_init() })
}

/// The bytes of a pointer and a length, as text.
///
/// # Safety
/// `len` bytes are readable at `text`, or `len` is 0.
unsafe fn text<'a>(text: *const c_char, len: usize) -> std::borrow::Cow<'a, str> {
    if text.is_null() || len == 0 {
        return "".into();
    }
    // SAFETY: the caller's promise.
    String::from_utf8_lossy(unsafe { std::slice::from_raw_parts(text.cast(), len) })
}

unsafe extern "C" fn log_message(host: *mut Host, level: u32, msg: *const c_char, len: usize) {
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

unsafe extern "C" fn log_enabled(host: *mut Host, level: u32) -> i32 {
    let body = |context: &Context| {
        let name = context.mpm_name.get().map_or("mpm", String::as_str);
        i32::from(log::enabled(Level::from_number(level), name))
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, 0, body) }
}

unsafe extern "C" fn log_raw(_: *mut Host, msg: *const c_char, len: usize) {
    if !msg.is_null() {
        // SAFETY: the MPM's message.
        log::raw(unsafe { std::slice::from_raw_parts(msg.cast(), len) });
    }
}

unsafe extern "C" fn now(_: *mut Host) -> u64 {
    clock::now_ns()
}

unsafe extern "C" fn alloc(_: *mut Host, size: usize) -> *mut c_void {
    // SAFETY: any size may be asked for.
    unsafe { libc::malloc(size) }
}

unsafe extern "C" fn realloc(_: *mut Host, ptr: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the MPM passes back what `alloc` or `realloc` gave it.
    unsafe { libc::realloc(ptr, size) }
}

unsafe extern "C" fn free(_: *mut Host, ptr: *mut c_void) {
    // SAFETY: the MPM passes back what `alloc` or `realloc` gave it, once.
    unsafe { libc::free(ptr) };
}

/// There are no extensions in this version.
unsafe extern "C" fn get_extension(_: *mut Host, _: *const c_char) -> *const c_void {
    std::ptr::null()
}

unsafe extern "C" fn config_get(host: *mut Host, key: u32, out: *mut ConfigValue) -> i32 {
    let body = |context: &'static Context| {
        let Some(values) = context.values.get() else { return E_STATE };
        let text = |path: &'static std::path::Path| {
            let bytes = path.as_os_str().as_encoded_bytes();
            (mpm_abi::VALUE_TEXT, 0, Str { ptr: bytes.as_ptr().cast(), len: bytes.len() })
        };
        let none = Str { ptr: std::ptr::null(), len: 0 };
        let int = |n: u128| (mpm_abi::VALUE_INT, i64::try_from(n).unwrap_or(i64::MAX), none);
        let (kind, value, text) = match key {
            mpm_abi::CONFIG_SERVER_ROOT => text(&values.server_root),
            mpm_abi::CONFIG_PID_FILE => {
                values.pid_file.as_deref().map_or((mpm_abi::VALUE_TEXT, 0, none), text)
            }
            mpm_abi::CONFIG_TIMEOUT => int(values.timeout.as_nanos()),
            mpm_abi::CONFIG_KEEP_ALIVE_TIMEOUT => int(values.keep_alive_timeout.as_nanos()),
            mpm_abi::CONFIG_ONE_PROCESS => int(u128::from(values.one_process)),
            _ => return E_UNSUPPORTED,
        };
        // SAFETY: the MPM's out-struct.
        unsafe { answer(out, ConfigValue { struct_size: 0, kind, value, text }) }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

fn listeners(context: &'static Context) -> &'static [listeners::Listener] {
    context.listeners.get().map_or(&[], Vec::as_slice)
}

unsafe extern "C" fn listener_count(host: *mut Host) -> u32 {
    let body = |context| u32::try_from(listeners(context).len()).unwrap_or(u32::MAX);
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, 0, body) }
}

unsafe extern "C" fn listener_get(host: *mut Host, index: u32, out: *mut RawListener) -> i32 {
    let body = |context| {
        let Some(listener) = listeners(context).get(index as usize) else { return E_INVAL };
        let mut value = RawListener {
            struct_size: 0,
            bucket: 0,
            fd: listener.fd().as_raw_fd() as Fd,
            addr_len: 0,
            protocol_len: 0,
            protocol: [0; 16],
            addr: [0; mpm_abi::ADDR_LEN],
        };
        for (to, from) in value.protocol.iter_mut().zip(listeners::PROTOCOL.bytes()) {
            *to = from as c_char;
            value.protocol_len += 1;
        }
        value.addr_len = listener.write_sockaddr(&mut value.addr);
        // SAFETY: the MPM's out-struct.
        unsafe { answer(out, value) }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

unsafe extern "C" fn accept(host: *mut Host, listener: u32, flags: u32, out: *mut Accepted) -> i32 {
    let body = |context| {
        let Some(listener) = listeners(context).get(listener as usize) else { return E_INVAL };
        // Before a connection is taken that could not be handed over.
        let needed = std::mem::offset_of!(Accepted, accepted_ns);
        // SAFETY: the MPM's out-struct.
        if unsafe { room(out) }.is_none_or(|size| size < needed) {
            return E_INVAL;
        }
        let mode = if flags & ACCEPT_BLOCKING != 0 { Mode::Blocking } else { Mode::NonBlocking };
        let mut value = Accepted {
            struct_size: 0,
            addr_len: 0,
            fd: -1,
            accepted_ns: 0,
            retry_ns: 0,
            addr: [0; mpm_abi::ADDR_LEN],
        };
        let (fd, status) = match listener.accept(mode, &mut value.addr) {
            Incoming::Connection(fd, len) => {
                value.addr_len = u32::try_from(len).unwrap_or(0);
                value.accepted_ns = clock::now_ns();
                (Some(fd), OK)
            }
            Incoming::Nothing => (None, E_AGAIN),
            Incoming::Exhausted { retry_ns } => {
                value.retry_ns = retry_ns;
                (None, E_AGAIN)
            }
            Incoming::Broken => (None, E_SYS),
        };
        value.fd = fd.as_ref().map_or(-1, |fd| fd.as_raw_fd() as Fd);
        // SAFETY: the MPM's out-struct, which has been looked at.
        unsafe { answer(out, value) };
        // The MPM's now.
        let _ = fd.map(IntoRawFd::into_raw_fd);
        status
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

/// Makes a child in `slot`; its process id. In the child itself it does not come back. The error is a
/// status.
pub(super) fn spawn(context: &'static Context, slot: u32) -> Result<i64, i32> {
    let birth = match context.with_supervisor(|supervisor| supervisor.spawn(slot)) {
        None | Some(Err(SpawnError::Taken)) => return Err(E_STATE),
        Some(Err(SpawnError::NoSuchSlot)) => return Err(E_INVAL),
        Some(Err(SpawnError::System(error))) => {
            log_line!(ERROR, "AH00159", "fork: Unable to fork new process: {error}");
            let threads = error.kind() == std::io::ErrorKind::InvalidInput;
            return Err(if threads { E_STATE } else { E_SYS });
        }
        Some(Ok(Ok(child))) => return Ok(i64::from(child.as_raw())),
        Some(Ok(Err(birth))) => birth,
    };
    // This is the child, which never goes back into the parent's `run` above it on the stack. What the
    // parent waits with is not the child's to keep open.
    drop(context.take_supervisor());
    let code = context.body.get().map_or(mpm_abi::CHILD_INIT, |body| {
        catch_unwind(AssertUnwindSafe(|| body(birth))).unwrap_or(mpm_abi::CHILD_SICK)
    });
    process::exit_now(code)
}

unsafe extern "C" fn spawn_child(host: *mut Host, slot: u32, _flags: u32, pid: *mut i64) -> i32 {
    let body = |context: &'static Context| match spawn(context, slot) {
        Err(status) => status,
        Ok(child) => {
            if !pid.is_null() {
                // SAFETY: the MPM's place for the process id.
                unsafe { pid.write(child) };
            }
            OK
        }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

/// A change to the child in a slot.
///
/// # Safety
/// As [`guard`].
unsafe fn change_child(
    host: *mut Host,
    slot: u32,
    change: impl FnOnce(&mut super::supervisor::Supervisor) -> bool,
) -> i32 {
    let body = |context: &'static Context| {
        let changed = context.with_supervisor(|supervisor| {
            if slot >= supervisor.slots() { Err(E_INVAL) } else { Ok(change(supervisor)) }
        });
        match changed {
            Some(Ok(true)) => OK,
            Some(Err(status)) => status,
            None | Some(Ok(false)) => E_STATE,
        }
    };
    // SAFETY: the caller's promise.
    unsafe { guard(host, E_PANIC, body) }
}

unsafe extern "C" fn child_drain(host: *mut Host, slot: u32, deadline_ns: u64) -> i32 {
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { change_child(host, slot, |supervisor| supervisor.drain(slot, deadline_ns)) }
}

unsafe extern "C" fn child_stop(host: *mut Host, slot: u32) -> i32 {
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { change_child(host, slot, |supervisor| supervisor.stop(slot)) }
}

unsafe extern "C" fn child_get(host: *mut Host, slot: u32, out: *mut ChildInfo) -> i32 {
    let body = |context: &'static Context| {
        let known = context.with_supervisor(|supervisor| {
            (slot < supervisor.slots()).then(|| supervisor.state(slot))
        });
        let Some(known) = known else { return E_STATE };
        let Some(state) = known else { return E_INVAL };
        let mut value = ChildInfo {
            struct_size: 0,
            flags: 0,
            pid: 0,
            generation: GENERATION,
            idle: 0,
            busy: 0,
            connections: 0,
        };
        if let Some(state) = state {
            let flag = |on, bit| if on { bit } else { 0 };
            value.flags = CHILD_EXISTS
                | flag(state.ready, CHILD_READY)
                | flag(state.draining, CHILD_DRAINING)
                | flag(state.report.accepting, CHILD_ACCEPTING);
            value.pid = i64::from(state.pid.as_raw());
            value.idle = state.report.idle;
            value.busy = state.report.busy;
            value.connections = state.report.connections;
        }
        // SAFETY: the MPM's out-struct.
        unsafe { answer(out, value) }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

/// The first generation; restarts, which begin further ones, are not there yet.
const GENERATION: u32 = 1;

unsafe extern "C" fn child_report(
    host: *mut Host,
    idle: u32,
    busy: u32,
    connections: u32,
    flags: u32,
) {
    let body = |context: &Context| {
        if let Some(child) = context.child.get() {
            let accepting = flags & CHILD_ACCEPTING != 0;
            child.report(Report { idle, busy, connections, accepting });
        }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, (), body) };
}

/// Tells the parent something.
///
/// # Safety
/// As [`guard`].
unsafe fn notify(host: *mut Host, notice: Notice) {
    let body = |context: &Context| {
        if let Some(child) = context.child.get() {
            child.notify(notice);
        }
    };
    // SAFETY: the caller's promise.
    unsafe { guard(host, (), body) };
}

unsafe extern "C" fn child_ready(host: *mut Host) {
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { notify(host, Notice::Ready) };
}

unsafe extern "C" fn child_stopping(host: *mut Host) {
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { notify(host, Notice::Stopping) };
}

fn empty_event(kind: u32) -> Event {
    Event {
        struct_size: 0,
        kind,
        slot: 0,
        generation: GENERATION,
        pid: 0,
        status: 0,
        reason: mpm_abi::EXIT_CODE,
        deadline_ns: NEVER,
    }
}

unsafe extern "C" fn reap(host: *mut Host, timeout_ns: u64, event: *mut Event) -> i32 {
    let body = |context: &'static Context| {
        let deadline = clock::now_ns().saturating_add(timeout_ns);
        let Some(next) = context.with_supervisor(|supervisor| supervisor.next(deadline)) else {
            return E_STATE;
        };
        let Ok(happening) = next else { return E_SYS };
        let (kind, child) = match happening {
            Happening::Nothing => (mpm_abi::EVENT_NONE, None),
            Happening::Started { slot, pid } => (mpm_abi::EVENT_CHILD_STARTED, Some((slot, pid))),
            Happening::Ready { slot, pid } => (mpm_abi::EVENT_CHILD_READY, Some((slot, pid))),
            Happening::Exited { slot, pid, .. } => (mpm_abi::EVENT_CHILD_EXITED, Some((slot, pid))),
            Happening::Load { slot, pid } => (mpm_abi::EVENT_LOAD, Some((slot, pid))),
            Happening::Stop => (mpm_abi::EVENT_STOP, None),
        };
        let mut value = empty_event(kind);
        if let Some((slot, pid)) = child {
            value.slot = slot;
            value.pid = i64::from(pid.as_raw());
        }
        if let Happening::Exited { exit, .. } = happening {
            (value.reason, value.status) = match exit {
                Exit::Code(code) => (mpm_abi::EXIT_CODE, code),
                Exit::Signal(number) => (mpm_abi::EXIT_SIGNAL, number),
            };
        }
        // SAFETY: the MPM's out-struct.
        unsafe { answer(event, value) }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

unsafe extern "C" fn control_fd(host: *mut Host) -> Fd {
    let body = |context: &Context| {
        context.child.get().map_or(-1, |child| child.control().as_fd().as_raw_fd() as Fd)
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, -1, body) }
}

unsafe extern "C" fn control_next(host: *mut Host, event: *mut Event) -> i32 {
    let body = |context: &Context| {
        let Some(child) = context.child.get() else { return E_STATE };
        let value = match child.told() {
            Told::Nothing => return E_AGAIN,
            Told::Stop => empty_event(mpm_abi::EVENT_STOP),
            Told::Drain(deadline_ns) => {
                Event { deadline_ns, ..empty_event(mpm_abi::EVENT_CHILD_DRAIN) }
            }
        };
        // SAFETY: the MPM's out-struct.
        unsafe { answer(event, value) }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

/// An argument on its way to the thread it is for.
struct Argument(*mut c_void);

// SAFETY: the contract says that the argument of a thread's body goes to that thread.
unsafe impl Send for Argument {}

impl Argument {
    /// The argument. A method, so that a closure captures all of `self`, which is `Send`.
    fn get(self) -> *mut c_void {
        self.0
    }
}

unsafe extern "C" fn thread_spawn(
    host: *mut Host,
    name: *const c_char,
    name_len: usize,
    stack: u64,
    body: ThreadFn,
    arg: *mut c_void,
    handle: *mut u64,
) -> i32 {
    let spawn = |_: &Context| {
        let Some(function) = body.0 else { return E_INVAL };
        if handle.is_null() {
            return E_INVAL;
        }
        // SAFETY: the MPM's name.
        let name = unsafe { text(name, name_len) }.into_owned();
        // std sets up the guard page and the signal stack; a NUL would make it panic.
        let mut builder = std::thread::Builder::new().name(name.replace('\0', ""));
        if let Some(stack) = usize::try_from(stack).ok().filter(|stack| *stack > 0) {
            builder = builder.stack_size(stack);
        }
        let arg = Argument(arg);
        let spawned = builder.spawn(move || {
            // Signals are the main thread's; if this fails one is handled here, which is no harm.
            let _ = signals::block_all();
            let arg = arg.get();
            // SAFETY: the MPM's function and its argument, as it asked.
            unsafe { function(arg) };
        });
        let Ok(thread) = spawned else { return E_SYS };
        let thread = Box::into_raw(Box::new(thread)) as u64;
        // SAFETY: the MPM's place for the handle, checked for null.
        unsafe { handle.write(thread) };
        OK
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, spawn) }
}

unsafe extern "C" fn thread_join(host: *mut Host, handle: u64) -> i32 {
    let body = |_: &Context| {
        let thread = handle as *mut JoinHandle<()>;
        if thread.is_null() || !thread.is_aligned() {
            return E_INVAL;
        }
        // SAFETY: the MPM passes back what `thread_spawn` gave it, once.
        let thread = unsafe { Box::from_raw(thread) };
        if thread.join().is_ok() { OK } else { E_PANIC }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

unsafe extern "C" fn thread_attach(host: *mut Host, name: *const c_char, name_len: usize) -> i32 {
    let body = |_: &Context| {
        // SAFETY: the MPM's name.
        let name = unsafe { text(name, name_len) };
        process::name_thread(&name);
        if signals::block_all().is_ok() { OK } else { E_SYS }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

/// Nothing is kept per thread, so there is nothing to undo.
unsafe extern "C" fn thread_detach(_: *mut Host) {}

unsafe extern "C" fn conn_create(
    host: *mut Host,
    info: *const ConnInfo,
    conn: *mut *mut RawConn,
) -> i32 {
    let body = |context: &'static Context| {
        let Some(env) = context.env.get() else { return E_STATE };
        // SAFETY: the MPM's in-struct; numbers and pointers may be zero.
        let Some(info) = (unsafe { copied(info) }) else { return E_INVAL };
        if conn.is_null() {
            return E_INVAL;
        }
        let Ok(raw_fd) = i32::try_from(info.fd) else { return E_INVAL };
        if raw_fd < 0 {
            return E_INVAL;
        }
        let peer = if info.peer.is_null() {
            None
        } else {
            let len = (info.peer_len as usize).min(mpm_abi::ADDR_LEN);
            // SAFETY: the MPM says that so many bytes are there.
            socket::addr_from_bytes(unsafe { std::slice::from_raw_parts(info.peer, len) })
        };
        // SAFETY: the MPM gives the descriptor away; on failure it is given back below.
        let fd = unsafe { OwnedFd::from_raw_fd(raw_fd) };
        let new = New { token: info.token, accepted_ns: info.accepted_ns, peer };
        match Conn::new(Arc::clone(env), fd, new) {
            Ok(made) => {
                let made = Box::into_raw(Box::new(made));
                // SAFETY: the MPM's place for the pointer, checked for null.
                unsafe { conn.write(made.cast()) };
                OK
            }
            Err((_, fd)) => {
                let _ = fd.into_raw_fd();
                E_SYS
            }
        }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

/// The connection behind a pointer.
///
/// # Safety
/// `conn` was made by `conn_create`, is not destroyed, and no other thread uses it.
unsafe fn conn_mut<'a>(conn: *mut RawConn) -> Option<&'a mut Conn> {
    // SAFETY: the caller's promise.
    unsafe { conn.cast::<Conn>().as_mut() }
}

unsafe extern "C" fn conn_poll(
    host: *mut Host,
    conn: *mut RawConn,
    events: u32,
    now_ns: u64,
    out: *mut PollOut,
) -> i32 {
    let body = |_: &Context| {
        // SAFETY: one poll at a time is the MPM's duty.
        let Some(conn) = (unsafe { conn_mut(conn) }) else { return E_INVAL };
        let outcome = conn.poll(Events { bits: events }, now_ns);
        let flag = |on, bit| if on { bit } else { 0 };
        let value = PollOut {
            struct_size: 0,
            status: match outcome.status {
                Status::Pending => mpm_abi::PENDING,
                Status::Yield => mpm_abi::YIELD,
                Status::NeedsBlocking => mpm_abi::NEEDS_BLOCKING,
                Status::Done => mpm_abi::DONE,
            },
            interest: flag(outcome.read, mpm_abi::READ) | flag(outcome.write, mpm_abi::WRITE),
            phase: match outcome.phase {
                Phase::Idle => mpm_abi::PHASE_IDLE_KEEPALIVE,
                Phase::Reading => mpm_abi::PHASE_READING,
                Phase::Processing => mpm_abi::PHASE_PROCESSING,
                Phase::Writing => mpm_abi::PHASE_WRITING,
                Phase::Linger => mpm_abi::PHASE_LINGER,
            },
            deadline_ns: outcome.deadline_ns,
            aux: std::ptr::null(),
            naux: 0,
            want_budget: 0,
        };
        // SAFETY: the MPM's out-struct.
        unsafe { answer(out, value) }
    };
    // A panic answers E_PANIC, which ends the connection.
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

unsafe extern "C" fn conn_notify_stop(host: *mut Host, conn: *mut RawConn) {
    let body = |_: &Context| {
        // SAFETY: any thread may do this while the connection exists; it only sets an atomic flag
        // through a pointer to that flag.
        if let Some(conn) = unsafe { conn.cast::<Conn>().cast_const().as_ref() } {
            conn.notify_stop();
        }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, (), body) };
}

unsafe extern "C" fn conn_destroy(host: *mut Host, conn: *mut RawConn) {
    let body = |_: &Context| {
        if !conn.is_null() {
            // SAFETY: the MPM passes back what `conn_create` gave it, once.
            drop(unsafe { Box::from_raw(conn.cast::<Conn>()) });
        }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, (), body) };
}

unsafe extern "C" fn drive_blocking(host: *mut Host, conn: *mut RawConn, stop_fd: Fd) -> i32 {
    let body = |_: &Context| {
        // SAFETY: the MPM uses it on this thread only until this returns.
        let Some(conn) = (unsafe { conn_mut(conn) }) else { return E_INVAL };
        let stop = i32::try_from(stop_fd).ok().filter(|fd| *fd >= 0);
        // SAFETY: the MPM keeps the descriptor open until this returns.
        let stop = stop.map(|fd| unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) });
        match conn.drive(stop) {
            Ok(()) => OK,
            Err(error) => {
                log_line!(ERROR, "GB0308", "cannot wait for a connection: {error}");
                E_SYS
            }
        }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

/// The table is what `mpm_abi.h` promises: no entry of an absent capability, none missing.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_entries_have_their_capability_bit_off() {
        use mpm_abi::version::*;
        for (present, bit) in [
            (API.accept.is_some(), CAP_ACCEPT),
            (API.drive_blocking.is_some(), CAP_DRIVE_BLOCKING),
            (API.spawn_child.is_some() && API.reap.is_some(), CAP_CHILDREN),
            (API.thread_spawn.is_some() && API.thread_join.is_some(), CAP_THREADS),
            (API.accept_lock.is_some() || API.accept_unlock.is_some(), CAP_ACCEPT_LOCK),
            (API.slot_set.is_some() || API.slot_counters.is_some(), CAP_SCOREBOARD),
            (API.task_poll.is_some() || API.task_destroy.is_some(), CAP_TASKS),
            (API.retained_get.is_some() || API.retained_put.is_some(), CAP_RETAINED),
            (API.requests_left.is_some(), CAP_REQUESTS_LEFT),
            (API.assert_thread.is_some(), CAP_ASSERT_THREAD),
        ] {
            assert_eq!(present, CAPS & bit != 0, "capability bit {bit:#x}");
        }
        assert_ne!(CAPS & CAP_DRAINS_TO_EAGAIN, 0);
    }

    #[test]
    fn an_answer_keeps_to_the_callers_size() {
        let value = PollOut {
            struct_size: 0,
            status: 7,
            interest: 7,
            phase: 7,
            deadline_ns: 7,
            aux: std::ptr::null(),
            naux: 7,
            want_budget: 7,
        };
        for size in [4, 8, 12, 16, 24, size_of::<PollOut>()] {
            let mut out = PollOut {
                struct_size: size as u32,
                status: 1,
                interest: 1,
                phase: 1,
                deadline_ns: 1,
                aux: std::ptr::null(),
                naux: 1,
                want_budget: 1,
            };
            // SAFETY: an out-struct with its size.
            assert_eq!(unsafe { answer(&raw mut out, value) }, OK);
            assert_eq!(out.struct_size, size as u32);
            assert_eq!(out.status, if size >= 8 { 7 } else { 1 });
            assert_eq!(out.deadline_ns, if size >= 24 { 7 } else { 1 });
            assert_eq!(out.naux, if size > 32 { 7 } else { 1 });
        }
        // SAFETY: NULL is refused.
        assert_eq!(unsafe { answer(std::ptr::null_mut(), value) }, E_INVAL);
    }

    #[test]
    fn a_copy_has_a_zero_tail_and_wants_one() {
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq)]
        struct Short {
            struct_size: u32,
            value: u32,
        }
        #[repr(C)]
        struct Long {
            struct_size: u32,
            value: u32,
            newer: u64,
        }
        let copy = |size, newer| {
            let long = Long { struct_size: size, value: 7, newer };
            // SAFETY: an in-struct with its size.
            unsafe { copied((&raw const long).cast::<Short>()) }
        };
        let short = |struct_size, value| Some(Short { struct_size, value });
        assert_eq!(copy(4, 1), short(4, 0));
        assert_eq!(copy(8, 1), short(8, 7));
        assert_eq!(copy(16, 0), short(16, 7));
        assert_eq!(copy(16, 1), None, "a tail this host does not know");
        assert_eq!(copy(3, 0), None);
        assert_eq!(copy(1 << 20, 0), None);
    }
}

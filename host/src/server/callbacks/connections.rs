//! Listeners and connections.

use std::ffi::c_char;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::Arc;

use mpm_abi::{
    ACCEPT_BLOCKING, Accepted, Conn as RawConn, ConnInfo, E_AGAIN, E_INVAL, E_PANIC, E_STATE,
    E_SYS, Fd, Host, Listener as RawListener, NEVER, OK, PollOut,
};

use super::guard;
use super::memory::{answer, copied, room};
use crate::conn::{Conn, Events, New, Phase, Status};
use crate::log_line;
use crate::server::child::ChildSide;
use crate::server::context::Context;
use crate::server::listeners::{self, Incoming};
use crate::sys::socket::Mode;
use crate::sys::{clock, socket};

fn listeners(context: &'static Context) -> &'static [listeners::Listener] {
    context.listeners.get().map_or(&[], |all| all.as_slice())
}

pub(super) unsafe extern "C" fn listener_count(host: *mut Host) -> u32 {
    let body = |context| u32::try_from(listeners(context).len()).unwrap_or(u32::MAX);
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, 0, body) }
}

pub(super) unsafe extern "C" fn listener_get(
    host: *mut Host,
    index: u32,
    out: *mut RawListener,
) -> i32 {
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

pub(super) unsafe extern "C" fn accept(
    host: *mut Host,
    listener: u32,
    flags: u32,
    out: *mut Accepted,
) -> i32 {
    let body = |context: &'static Context| {
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
        let child = context.child.get();
        if child.is_some_and(ChildSide::has_stopped_accepting) {
            return E_AGAIN;
        }
        let (fd, status) = match listener.accept(mode, &mut value.addr) {
            Incoming::Connection(fd, len) => {
                value.addr_len = u32::try_from(len).unwrap_or(0);
                value.accepted_ns = clock::now_ns();
                if let Some(child) = child {
                    child.count_connection();
                }
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

pub(super) unsafe extern "C" fn requests_left(host: *mut Host) -> u64 {
    let body = |context: &'static Context| {
        let most = context.values.get().map_or(u64::MAX, |values| values.connections_per_child);
        let taken = context.child.get().map_or(0, ChildSide::connections_taken);
        if most == u64::MAX { NEVER } else { most.saturating_sub(taken) }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, NEVER, body) }
}

pub(super) unsafe extern "C" fn conn_create(
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
        if let Some(child) = context.child.get() {
            child.bind_unbound(info.thread);
        }
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

pub(super) unsafe extern "C" fn conn_poll(
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
                _ if conn.is_asleep() => mpm_abi::PHASE_IDLE_KEEPALIVE,
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

pub(super) unsafe extern "C" fn conn_notify_stop(host: *mut Host, conn: *mut RawConn) {
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

pub(super) unsafe extern "C" fn conn_destroy(host: *mut Host, conn: *mut RawConn) {
    let body = |_: &Context| {
        if !conn.is_null() {
            // SAFETY: the MPM passes back what `conn_create` gave it, once.
            drop(unsafe { Box::from_raw(conn.cast::<Conn>()) });
        }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, (), body) };
}

pub(super) unsafe extern "C" fn drive_blocking(
    host: *mut Host,
    conn: *mut RawConn,
    stop_fd: Fd,
) -> i32 {
    let body = |_: &Context| {
        // SAFETY: the MPM uses it on this thread only until this returns.
        let Some(conn) = (unsafe { conn_mut(conn) }) else { return E_INVAL };
        let stop = i32::try_from(stop_fd).ok().filter(|fd| *fd >= 0);
        // SAFETY: the MPM keeps the descriptor open until this returns.
        let stop = stop.map(|fd| unsafe { BorrowedFd::borrow_raw(fd) });
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

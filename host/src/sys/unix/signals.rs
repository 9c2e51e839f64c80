//! Signals: events in the parent, two handlers in children.
//!
//! The parent blocks what it handles and reads it from a signalfd. A child learns over its control
//! channel what to do; SIGTERM, SIGUSR1, SIGUSR2 and SIGURG only reach what a channel cannot: a thread
//! that waits in `recv`, and the administrator's own `kill`.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What the parent is told by signal.
pub const PARENT_SIGNALS: [Signal; 7] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
    Signal::SIGCHLD,
];

/// Blocks the parent's signals, and no others, and makes a descriptor to read them from. Signals that came since an
/// earlier image of this process blocked them are read from it too.
///
/// # Errors
/// What the system answers.
pub fn take_over() -> io::Result<SignalFd> {
    let mut set: SigSet = PARENT_SIGNALS.into_iter().collect();
    if has_terminal() {
        // A resized terminal must not end the server, as it does with httpd. What is ignored must not
        // be blocked: it would be kept, and read.
        set.remove(Signal::SIGWINCH);
        ignore(Signal::SIGWINCH)?;
    }
    // Whatever this process inherited: an ignored SIGCHLD would have the kernel collect children, and
    // a blocked signal stay blocked in them.
    set_action(Signal::SIGCHLD, SigHandler::SigDfl)?;
    set.thread_set_mask()?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

/// Whether a terminal controls this process.
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

fn ignore(signal: Signal) -> io::Result<()> {
    set_action(signal, SigHandler::SigIgn)
}

fn set_action(signal: Signal, handler: SigHandler) -> io::Result<()> {
    // No SA_RESTART: a wait must come back so that its caller sees the flag.
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: the handlers below only use atomics and `shutdown`, which are async-signal-safe.
    unsafe { sigaction(signal, &action) }?;
    Ok(())
}

static STOPPING: AtomicBool = AtomicBool::new(false);
static DRAINING: AtomicBool = AtomicBool::new(false);
static LEAVING: AtomicBool = AtomicBool::new(false);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static CONTROL: AtomicI32 = AtomicI32::new(-1);

/// Whether this child was told to leave at once.
pub fn is_stopping() -> bool {
    STOPPING.load(Ordering::SeqCst)
}

/// Whether a signal came since the last time: the control channel is to be looked at.
pub fn take_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed) && INTERRUPTED.swap(false, Ordering::Relaxed)
}

/// Whether this child was told to finish what it holds.
pub fn is_draining() -> bool {
    DRAINING.load(Ordering::Relaxed)
}

/// What the SIGUSR1 handler notes, noted by other means.
pub fn set_draining() {
    DRAINING.store(true, Ordering::Relaxed);
}

/// Whether this child was told to finish the requests in progress and wait for no others.
pub fn is_leaving() -> bool {
    LEAVING.load(Ordering::SeqCst)
}

/// What the SIGUSR2 handler does, done by other means. Threads that wait for a request wait no
/// longer. Async-signal-safe.
pub fn leave() {
    set_draining();
    // Before the threads are woken: they look at it then.
    LEAVING.store(true, Ordering::SeqCst);
    shut_waiting(false);
}

/// Prepares a fresh child: handlers instead of the parent's signalfd. `control` is its end of the
/// control channel, which becomes readable (end of file) when SIGTERM arrives.
///
/// # Errors
/// What the system answers.
pub fn prepare_child(control: BorrowedFd<'_>) -> io::Result<()> {
    CONTROL.store(control.as_raw_fd(), Ordering::Relaxed);
    set_action(Signal::SIGTERM, SigHandler::Handler(on_stop))?;
    set_action(Signal::SIGUSR1, SigHandler::Handler(on_drain))?;
    set_action(Signal::SIGUSR2, SigHandler::Handler(on_leave))?;
    set_action(Signal::SIGURG, SigHandler::Handler(on_nudge))?;
    // From the terminal these reach the whole group; the parent decides what they mean.
    ignore(Signal::SIGINT)?;
    ignore(Signal::SIGHUP)?;
    ignore(Signal::SIGWINCH)?;
    set_action(Signal::SIGCHLD, SigHandler::SigDfl)?;
    let set: SigSet = PARENT_SIGNALS.into_iter().collect();
    set.thread_unblock()?;
    Ok(())
}

/// Prepares the one process of `-X`: like a child, but an interrupt from the terminal stops it.
///
/// # Errors
/// What the system answers.
pub fn prepare_alone(control: BorrowedFd<'_>) -> io::Result<()> {
    prepare_child(control)?;
    set_action(Signal::SIGINT, SigHandler::Handler(on_stop))
}

/// Ends a wait, so that the control channel is looked at.
extern "C" fn on_nudge(_: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

extern "C" fn on_drain(signal: libc::c_int) {
    set_draining();
    on_nudge(signal);
}

extern "C" fn on_leave(signal: libc::c_int) {
    leave();
    on_nudge(signal);
}

extern "C" fn on_stop(_: libc::c_int) {
    STOPPING.store(true, Ordering::SeqCst);
    shut_read(CONTROL.load(Ordering::Relaxed));
    shut_waiting(true);
}

fn shut_waiting(ends_first: bool) {
    for waiting in &WAITING {
        let entry = waiting.load(Ordering::SeqCst);
        // See `Wait::entry`.
        shut_read(if ends_first && entry < NOBODY { NOBODY - 1 - entry } else { entry });
    }
}

fn shut_read(fd: RawFd) {
    if fd >= 0 {
        // SAFETY: takes no pointers; an error means that there is nothing to wake.
        unsafe { libc::shutdown(fd, libc::SHUT_RD) };
    }
}

/// Blocks every signal in the calling thread: signals belong to the child's main thread.
///
/// # Errors
/// What the system answers.
pub fn block_all() -> io::Result<()> {
    Ok(nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), None)?)
}

/// Threads that can be woken from a wait in `recv`. More threads than that are ended with the
/// process.
const WAITING_MAX: usize = 4096;
static WAITING: [AtomicI32; WAITING_MAX] = [const { AtomicI32::new(NOBODY) }; WAITING_MAX];
/// No thread waits in this place.
const NOBODY: RawFd = -1;
static NEXT_PLACE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static PLACE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The first request of a connection: [`leave`] does not end the wait.
    FirstRequest,
    /// A further one.
    NextRequest,
}

impl Wait {
    /// A descriptor as it stands in the table: the negative numbers below [`NOBODY`] are those of first
    /// requests.
    fn entry(self, fd: RawFd) -> RawFd {
        match self {
            Self::FirstRequest => NOBODY - 1 - fd,
            Self::NextRequest => fd,
        }
    }
}

/// While it lives, SIGTERM and [`leave`] end the calling thread's wait on a socket (as if the peer had
/// sent FIN); so nothing of a request may have come. Look at [`is_stopping`] and [`is_leaving`] after
/// making it: the signal may have come before.
///
/// One side notes the order and then looks at the table, the other enters the table and then looks for
/// an order: all four in sequential consistency, or both could miss the other.
#[derive(Debug)]
pub struct Interruptible(usize);

impl Interruptible {
    /// Enters the socket the calling thread is going to wait for.
    pub fn new(fd: BorrowedFd<'_>, wait: Wait) -> Self {
        let place = PLACE.with(|cell| {
            let place = cell.get().unwrap_or_else(|| NEXT_PLACE.fetch_add(1, Ordering::Relaxed));
            cell.set(Some(place));
            place
        });
        if let Some(entry) = WAITING.get(place) {
            entry.store(wait.entry(fd.as_raw_fd()), Ordering::SeqCst);
        }
        Self(place)
    }
}

impl Drop for Interruptible {
    fn drop(&mut self) {
        if let Some(entry) = WAITING.get(self.0) {
            entry.store(NOBODY, Ordering::SeqCst);
        }
    }
}

//! Processes: fork, exit, privileges, the death of the parent.

use std::ffi::CString;
use std::io;

use nix::unistd::{ForkResult, Gid, Pid, Uid};

/// Makes a child; `None` in the child itself.
///
/// # Errors
/// `InvalidInput`: this process has more than one thread, so a fork could leave locks held in the
/// child for ever. Otherwise what `fork` answers.
pub fn fork() -> io::Result<Option<Pid>> {
    if thread_count()? != 1 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the process has threads"));
    }
    // SAFETY: one thread exists, so the child is a full copy: no lock is held by somebody who is
    // not there.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => Ok(None),
    }
}

fn thread_count() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// The calling thread's id, as the system has it.
pub fn thread_id() -> u32 {
    u32::try_from(nix::unistd::gettid().as_raw()).unwrap_or(0)
}

/// Ends the process without running exit handlers, which belong to the parent.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: takes no pointers and does not return.
    unsafe { libc::_exit(code) }
}

/// Account children run under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// User name, for the supplementary groups; `None` for a bare number.
    pub name: Option<CString>,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// Whether this process runs as root.
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

/// Gives root's privileges up for good. Nothing to do for another user.
///
/// # Errors
/// What the system answers; the process must not go on then.
pub fn drop_privileges(account: &Account) -> io::Result<()> {
    if !is_root() {
        return Ok(());
    }
    let gid = Gid::from_raw(account.gid);
    match &account.name {
        Some(name) => nix::unistd::initgroups(name, gid)?,
        None => nix::unistd::setgroups(&[gid])?,
    }
    nix::unistd::setgid(gid)?;
    nix::unistd::setuid(Uid::from_raw(account.uid))?;
    Ok(())
}

/// Has this process killed when its parent dies, even by SIGKILL. Call it after
/// [`drop_privileges`], which clears it.
///
/// # Errors
/// `NotFound`: the parent (`expected`) is gone already.
pub fn die_with_parent(expected: Pid) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    if nix::unistd::getppid() == expected { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Lets a crash leave a core in `directory`, also after [`drop_privileges`], which forbids that.
///
/// # Errors
/// This account may not enter it.
pub fn leave_cores_in(directory: &std::path::Path) -> io::Result<()> {
    std::env::set_current_dir(directory)?;
    Ok(nix::sys::prctl::set_dumpable(true)?)
}

/// How many bytes of free memory this process keeps at the end of its heap; 0 = all.
pub fn keep_free_memory(bytes: u64) {
    let bytes = if bytes == 0 { i32::MAX } else { i32::try_from(bytes).unwrap_or(i32::MAX) };
    // glibc's own; other systems decide themselves.
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointers.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, bytes);
    }
    #[cfg(not(target_env = "gnu"))]
    let _ = bytes;
}

/// Gives the calling thread a name (15 bytes of it are kept).
pub fn name_thread(name: &str) {
    let short: String = name.replace('\0', "").bytes().take(15).map(char::from).collect();
    if let Ok(short) = CString::new(short) {
        // A thread without a name works as well.
        let _ = nix::sys::prctl::set_name(&short);
    }
}

//! Numbers by which host and plug-in recognise each other.
//!
//! History of the contract: `CHANGES.md`. Every append raises [`ABI_MINOR`] and adds a line there.

/// First eight bytes of a descriptor: `89 'M' 'P' 'M' 0D 0A 1A 0A` on a little-endian machine.
///
/// The bytes differ when read in the wrong order, so the magic doubles as a byte-order check.
pub const MAGIC: u64 = 0x0A1A_0A0D_4D50_4D89;

/// Size in bytes of [`Descriptor`](crate::Descriptor); the same in every version of the contract.
pub const HEADER_SIZE: u32 = 128;

/// Major version: equal on both sides, or the plug-in is refused.
pub const ABI_MAJOR: u16 = 1;

/// Minor version: the host's must be at least the plug-in's `min_host_minor`.
pub const ABI_MINOR: u16 = 0;

/// Byte order of the machine a plug-in was compiled for: little-endian.
pub const ENDIAN_LITTLE: u8 = 1;

/// Byte order of the machine a plug-in was compiled for: big-endian.
pub const ENDIAN_BIG: u8 = 2;

/// Incompatible flag: compiled against a draft of the contract, which may change in place.
///
/// While the contract is a draft, host and plug-in must agree on this bit, on [`ABI_MAJOR`],
/// [`ABI_MINOR`] and on the layout fingerprint exactly.
pub const INCOMPAT_DRAFT: u64 = 1 << 0;

/// Incompatible flags this version of the contract knows. Any other bit refuses the plug-in.
pub const INCOMPAT_KNOWN: u64 = INCOMPAT_DRAFT;

/// Compatible flag: runs more than one process; `child_main` and `run` are given.
pub const FLAG_FORKS: u64 = 1 << 0;
/// Compatible flag: starts threads in its children.
pub const FLAG_THREADS: u64 = 1 << 1;
/// Compatible flag: event driven; polls many connections on one thread.
pub const FLAG_REACTOR: u64 = 1 << 2;
/// Compatible flag: every thread that polls a connection may block.
pub const FLAG_BLOCKING_ONLY: u64 = 1 << 3;
/// Compatible flag: relies on the parent having one thread.
pub const FLAG_SINGLE_THREADED_PARENT: u64 = 1 << 4;
/// Compatible flag: two instances may live in one process.
pub const FLAG_MULTI_INSTANCE: u64 = 1 << 5;
/// Compatible flag: children finish what they hold when drained.
pub const FLAG_GRACEFUL: u64 = 1 << 6;
/// Compatible flag: compiled with `panic=abort`; a panic ends the process.
pub const FLAG_PANIC_ABORTS: u64 = 1 << 7;
/// Compatible flag: waits for completions instead of readiness.
pub const FLAG_COMPLETION_IO: u64 = 1 << 8;
/// Compatible flag: runs on POSIX systems.
pub const FLAG_POSIX: u64 = 1 << 9;
/// Compatible flag: runs on Windows.
pub const FLAG_WINDOWS: u64 = 1 << 10;

/// Capability: a `PENDING` read or write was driven until it would block, so an edge-triggered
/// registration for both directions may be made once and kept.
pub const CAP_DRAINS_TO_EAGAIN: u64 = 1 << 0;
/// Capability: `accept`.
pub const CAP_ACCEPT: u64 = 1 << 1;
/// Capability: `drive_blocking`.
pub const CAP_DRIVE_BLOCKING: u64 = 1 << 2;
/// Capability: `spawn_child`, `child_drain`, `child_stop`, `child_get`, `child_report`, `reap`.
pub const CAP_CHILDREN: u64 = 1 << 3;
/// Capability: `thread_spawn`, `thread_join`, `thread_attach`, `thread_detach`.
pub const CAP_THREADS: u64 = 1 << 4;
/// Capability: `accept_lock`, `accept_unlock`.
pub const CAP_ACCEPT_LOCK: u64 = 1 << 5;
/// Capability: `slot_set`, `slot_counters`, `slot_thread_id`.
pub const CAP_SCOREBOARD: u64 = 1 << 6;
/// Capability: `task_poll`, `task_destroy`.
pub const CAP_TASKS: u64 = 1 << 7;
/// Capability: `retained_get`, `retained_put`.
pub const CAP_RETAINED: u64 = 1 << 8;
/// Capability: `requests_left`.
pub const CAP_REQUESTS_LEFT: u64 = 1 << 9;
/// Capability: `assert_thread`.
pub const CAP_ASSERT_THREAD: u64 = 1 << 10;

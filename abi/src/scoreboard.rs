//! States and counters a child reports for its threads (httpd's scoreboard letters).
//!
//! The host sets R, W, K, C and L while it polls a connection; the MPM sets `_`, S, G and I.

#[cfg(feature = "layout-check")]
use abi_stable::StableAbi;

/// `.`: open slot with no current process.
pub const STATE_DEAD: u32 = 0;
/// `S`: starting up.
pub const STATE_STARTING: u32 = 1;
/// `_`: waiting for a connection.
pub const STATE_READY: u32 = 2;
/// `R`: reading a request.
pub const STATE_BUSY_READ: u32 = 3;
/// `W`: sending a reply.
pub const STATE_BUSY_WRITE: u32 = 4;
/// `K`: keep-alive, waiting for the next request.
pub const STATE_BUSY_KEEPALIVE: u32 = 5;
/// `L`: logging.
pub const STATE_BUSY_LOG: u32 = 6;
/// `D`: looking up a name.
pub const STATE_BUSY_DNS: u32 = 7;
/// `C`: closing the connection.
pub const STATE_CLOSING: u32 = 8;
/// `G`: gracefully finishing.
pub const STATE_GRACEFUL: u32 = 9;
/// `I`: idle clean-up of a worker.
pub const STATE_IDLE_KILL: u32 = 10;

/// Counters of one process, for `slot_counters`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct Counters {
    /// Size of this struct as the caller knows it.
    pub struct_size: u32,
    /// Connections that wait for readiness in the middle of a request.
    pub wait_io: u32,
    /// Connections whose response is being written.
    pub writing: u32,
    /// Connections between requests.
    pub keep_alive: u32,
    /// Connections in lingering close.
    pub closing: u32,
    /// Connections that wait for `wake` only.
    pub suspended: u32,
}

//! The safe face of the gearbox MPM contract, for authors of MPMs in Rust.
//!
//! An MPM is a `cdylib` crate with one type that implements [`Mpm`] and one [`declare_mpm!`]:
//!
//! ```ignore
//! struct Single;
//!
//! impl mpm_sdk::Mpm for Single { /* create, config_check, prepare, child_main, wake, query */ }
//!
//! mpm_sdk::declare_mpm! {
//!     symbol: mpm_single_module,
//!     layout_symbol: mpm_single_module__layout,
//!     name: c"mpm_single",
//!     vendor: c"Example",
//!     mpm: Single,
//!     flags: mpm_sdk::abi::version::FLAG_POSIX,
//!     requires: 0,
//!     directives: &[],
//! }
//! ```
//!
//! What the crate adds to the contract (crate [`abi`]): ownership in types ([`Connection`] closes
//! itself), phases in types ([`Parent`] exists only in `run`, [`Child`] only in a child), a barrier
//! that turns panics into statuses, the `log` crate's macros in the server's error log, the timer
//! wheel, listeners that wake one thread, and the policy that keeps a pool of children.
#![deny(missing_docs)]

pub use mpm_abi as abi;

#[expect(unsafe_code, reason = "the functions the host calls: raw pointers in, safe calls out")]
pub mod barrier;
pub mod blocking;
pub mod declare;
mod error;
#[expect(unsafe_code, reason = "calls through the host's function table")]
mod host;
pub mod limits;
#[expect(unsafe_code, reason = "epoll, which std does not offer")]
mod listeners;
mod logger;
mod mpm;
pub mod pool;
#[expect(unsafe_code, reason = "eventfd and poll(2), which std does not offer")]
pub mod signal;
pub mod threaded;
pub mod wheel;

pub use error::Error;
pub use host::{Accepted, Child, Connection, Exit, Host, Listener, Parent, ParentEvent, Poll};
pub use host::{ChildEvent, ChildState, Readiness, Status, Thread};
pub use listeners::{ListenerWait, Ready, unwatch, watch_exclusive};
pub use mpm::{DirectiveCall, Mpm, Plan, Why};

//! The safe face of the gearbox MPM contract, for authors of MPMs in Rust.
//!
//! An MPM is a `cdylib` crate with one type that implements [`Mpm`] and one [`declare_mpm!`]:
//!
//! ```
//! use mpm_sdk::blocking::{Gauge, Place, Until, serve};
//! use mpm_sdk::pool::{self, Limits, WORDS};
//! use mpm_sdk::{Child, DirectiveCall, Error, Host, Mpm, Parent, Plan, Why, abi};
//!
//! /// Two processes, each with a connection at a time.
//! struct Pair;
//!
//! impl Mpm for Pair {
//!     fn create(_: Host) -> Result<Self, Error> {
//!         Ok(Self)
//!     }
//!     fn directive(&mut self, _: &DirectiveCall<'_>) -> Result<(), Error> {
//!         Ok(()) // it declares none
//!     }
//!     fn config_check(&mut self) -> Result<(), Error> {
//!         Ok(())
//!     }
//!     fn prepare(&mut self) -> Result<Plan, Error> {
//!         Ok(Limits::fixed(2).plan())
//!     }
//!     fn run(&self, parent: &mut Parent) -> Result<Why, Error> {
//!         pool::run(parent, Limits::fixed(2), &WORDS)
//!     }
//!     fn child_main(&self, child: Child, slot: u32) -> i32 {
//!         let gauge = Gauge::new(child, 1);
//!         child.ready();
//!         match serve(child, Place { slot, thread: 0 }, Until::Told, &gauge) {
//!             Ok(()) => abi::CHILD_OK,
//!             Err(_) => abi::CHILD_SICK,
//!         }
//!     }
//!     fn wake(&self, _: u64) {}
//!     fn query(&self, code: u32) -> Option<i64> {
//!         (code == abi::mpm::QUERY_MAX_DAEMONS).then_some(2)
//!     }
//! }
//!
//! mpm_sdk::declare_mpm! {
//!     symbol: mpm_pair_module,
//!     layout_symbol: mpm_pair_module__layout,
//!     name: c"mpm_pair",
//!     vendor: c"Example",
//!     mpm: Pair,
//!     flags: abi::version::FLAG_FORKS | abi::version::FLAG_POSIX,
//!     requires: abi::version::CAP_CHILDREN | abi::version::CAP_DRIVE_BLOCKING,
//!     directives: &[],
//! }
//! # fn main() {}
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
#[expect(unsafe_code, reason = "epoll and getrlimit, which std does not offer")]
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
pub use listeners::{ListenerWait, Ready, descriptor_limit, unwatch, watch_exclusive};
pub use mpm::{DirectiveCall, Mpm, Plan, Why};

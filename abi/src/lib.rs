//! The contract between the gearbox host and a multi-processing module (MPM).
//!
//! Everything here is `repr(C)` data and `extern "C"` function pointers. A plug-in exports one
//! `const` data symbol of type [`Descriptor`], named as in the `LoadModule` line
//! (`mpm_event_module`); the host reaches the plug-in through [`Ops`], the plug-in reaches the host
//! through [`HostApi`]. Neither side needs a symbol of the other at link time.
//!
//! A C author needs `include/mpm_abi.h` alone, which is generated from this crate; a Rust author
//! uses the crate `mpm-sdk`, the safe face of this one.
//!
//! # Conventions
//!
//! - **Status**: `i32`, `OK` is 0, errors are negative (`E_…`), positive values only where said.
//!   `errno` is never part of the contract.
//! - **Sizes**: every struct that crosses begins with `struct_size`. The writer fills in the size it
//!   knows; the reader uses `min(struct_size, own size)`. An unknown tail must be zero in data and is
//!   ignored in function tables. Out-structs: the caller sets `struct_size`, the callee writes at most
//!   that many bytes.
//! - **Tables** only grow at the end. An entry that is absent is NULL and its capability bit is off.
//! - **Strings**: static metadata is NUL-terminated; everything else is pointer and length, UTF-8.
//! - **Time**: monotonic nanoseconds, [`NEVER`](types::NEVER) = no deadline.
//! - **Ownership**: whoever allocates frees. Out-data goes into buffers of the caller.
//!
//! # Tags
//!
//! Every function says who may call it where:
//!
//! | Tag | Meaning |
//! |---|---|
//! | `P` | the parent process, which has one thread |
//! | `C` | the main thread of a child |
//! | `W` | a thread made by `thread_spawn` or registered by `thread_attach`; a child's main thread counts |
//! | `R` | a `W` thread that must not block: the callee makes no blocking system call |
//! | `B` | a `W` thread that may block |
//! | `any` | any thread of a process in which the instance lives, concurrently |
//! | `pre-fork` | only before the first child of this generation exists |
//! | `AS` | async-signal-safe; everything else must not be called from a signal handler |
//! | `!reent` | not from inside a call on the same object |
#![cfg_attr(not(feature = "layout-check"), no_std)]
#![deny(missing_docs)]

pub mod directive;
pub mod host;
pub mod layout;
#[cfg(feature = "layout-check")]
pub mod layout_check;
pub mod module;
pub mod mpm;
pub mod scoreboard;
pub mod types;
pub mod version;

pub use directive::{Directive, DirectiveCall};
pub use host::HostApi;
pub use module::Descriptor;
pub use mpm::Ops;
pub use types::*;

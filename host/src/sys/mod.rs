//! What the host needs of the operating system. A backend provides:
//!
//! - `clock`: monotonic time;
//! - `files`: opening below a directory, freshness of a file, reading without waiting;
//! - `file_window`: stretches of files as byte slices that are never read;
//! - `image`: another program in this process or beside it, descriptors handed over;
//! - `process`: fork, privileges, death of the parent, exit;
//! - `shared`: memory shared with children;
//! - `signals`: signals as events in the parent, handlers in children;
//! - `socket`: reading, writing, waiting, accepting;
//! - `usage`: processor time and load.
//!
//! All unsafe code of the host lies in the backend, in `modules` and in `server::callbacks`.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::*;

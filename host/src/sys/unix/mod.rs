//! The backend for Linux.

#[expect(unsafe_code, reason = "localtime_r, which nix does not offer")]
pub mod clock;
#[expect(unsafe_code, reason = "an address range that stands for stretches of files")]
pub mod file_window;
#[expect(unsafe_code, reason = "statx, which nix does not offer")]
pub mod files;
#[expect(unsafe_code, reason = "descriptors that another image left, by number")]
pub mod image;
#[expect(unsafe_code, reason = "fork and exit of children")]
pub mod process;
#[expect(unsafe_code, reason = "memory shared between processes")]
pub mod shared;
#[expect(unsafe_code, reason = "signal handlers")]
pub mod signals;
#[expect(unsafe_code, reason = "reads into memory that is not initialised yet")]
pub mod socket;
pub mod usage;

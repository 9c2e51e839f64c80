//! Points of a restart at which tests stop the process that reaches them.
//!
//! Only in builds with the feature `test-hooks`, and only at the point that the environment variable
//! `GEARBOX_TEST_STOP_AT` names: the process stops itself as if by SIGSTOP. In every other build
//! nothing is left of this.

/// A point in the course of a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    /// The trial has begun.
    Trial,
    /// It has passed.
    Passed,
    /// The image is about to be replaced.
    Exec,
    /// The next image has begun.
    Image,
    /// It has taken over what it was given.
    Inherited,
    /// Its generation is about to begin.
    Begin,
    /// The first child is ready; older ones do not know yet.
    Ready,
    /// They do.
    Draining,
}

/// This process is at `point`.
pub(super) fn reach(point: Point) {
    if cfg!(feature = "test-hooks") {
        let name = format!("{point:?}").to_ascii_lowercase();
        if std::env::var("GEARBOX_TEST_STOP_AT").is_ok_and(|at| at == name) {
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP);
        }
    }
}

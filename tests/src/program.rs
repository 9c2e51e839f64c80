//! The built programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The directory cargo built into: `target/release`.
fn profile_dir() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let deps = test.parent().and_then(Path::parent).expect("target/PROFILE/deps/TEST");
    deps.to_owned()
}

/// The server's binary.
///
/// # Panics
/// It is not built.
pub fn gearbox_binary() -> PathBuf {
    let path = profile_dir().join("gearbox");
    assert!(path.exists(), "{} is missing: run scripts/build first", path.display());
    path
}

/// The directory of the built MPMs.
///
/// # Panics
/// They are not built.
pub fn modules_dir() -> PathBuf {
    let dir = profile_dir().join("modules");
    assert!(dir.exists(), "{} is missing: run scripts/build first", dir.display());
    dir
}

/// What a program printed and how it ended.
#[derive(Debug)]
pub struct Output {
    /// Exit status; -1 if a signal ended it.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs a program to its end.
///
/// # Panics
/// It cannot be started.
pub fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Output {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs the server with arguments, to its end.
pub fn gearbox<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    run(Command::new(gearbox_binary()).args(arguments))
}

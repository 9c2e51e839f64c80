//! The built programs.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::mpm::repository;
use crate::wait::until;

/// The directory cargo built into: `target/release`.
pub(crate) fn profile_dir() -> PathBuf {
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

/// The server's binary with hooks, at which tests stop it in the course of a restart. Built once per
/// run, beside the other one, without optimisation.
///
/// # Panics
/// It cannot be built.
pub fn hooked_binary() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let target = profile_dir().parent().expect("target/PROFILE").join("hooks");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--locked", "-p", "gearbox", "--features", "test-hooks"]);
        let status = cargo.arg("--target-dir").arg(&target).current_dir(repository()).status();
        assert!(status.expect("cargo").success(), "the server with hooks cannot be built");
        target.join("debug/gearbox")
    };
    BUILT.get_or_init(build).clone()
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

/// Runs a program to its end. What it prints goes through files, so that a process it leaves behind
/// cannot keep this from coming back.
///
/// # Panics
/// It cannot be started, or does not end.
pub fn run(command: &mut Command) -> Output {
    let (stdout, stderr) = (capture(), capture());
    let child =
        command.stdin(Stdio::null()).stdout(writer(&stdout)).stderr(writer(&stderr)).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let status = until(&format!("{command:?} ends"), || child.try_wait().expect("our child"));
    Output { status: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
}

fn capture() -> File {
    tempfile::tempfile().expect("a file for the output")
}

fn writer(file: &File) -> File {
    file.try_clone().expect("a descriptor")
}

fn text(mut file: File) -> String {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("ours");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Runs the server with arguments, to its end.
pub fn gearbox<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    run(Command::new(gearbox_binary()).args(arguments))
}

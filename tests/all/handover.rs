//! `GEARBOX_HANDOVER` is only for the next image of a server. Set by anybody else it stops a start.

use std::fs::File;
use std::io::{Seek, Write};
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};

use gearbox_tests::{Conf, Mpm, free_port, run};
use nix::fcntl::{FcntlArg, FdFlag, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::Uid;

/// Starts with this value fail and say why; nothing is bound, nothing made.
#[track_caller]
fn fails(value: &str, reason: &str) {
    let port = free_port();
    let account = if Uid::effective().is_root() { "User nobody\nGroup nogroup\n" } else { "" };
    let conf = Conf::of(Mpm::Event, &format!("{account}Listen 127.0.0.1:{port}\nPidFile pid\n"));
    for mode in [&["-DFOREGROUND"][..], &["-X"], &[], &["-k", "start"], &["-k", "graceful"]] {
        let output = run(conf.command(mode).env("GEARBOX_HANDOVER", value));
        let wanted = format!("GB0320: gearbox: hand-over to this process: {reason}\n");
        assert_eq!((output.status, output.stderr.as_str()), (1, wanted.as_str()), "{mode:?}");
        TcpListener::bind(("127.0.0.1", port)).expect("nobody has bound it");
        assert_eq!(std::fs::read_dir(conf.root()).expect("ours").count(), 1, "{mode:?}");
    }
    // What starts no server does not look at it.
    let output = run(conf.command(&["-t"]).env("GEARBOX_HANDOVER", value));
    assert_eq!((output.status, output.stderr.as_str()), (0, "Syntax OK\n"));
    let output = run(conf.command(&["-k", "stop"]).env("GEARBOX_HANDOVER", value));
    assert_eq!((output.status, output.stderr.as_str()), (0, "gearbox (no pid file) not running\n"));
}

/// A descriptor that the next programs inherit.
fn inherited(fd: &impl AsRawFd) -> String {
    fd.as_raw_fd().to_string()
}

/// Memory with this JSON, sealed as a hand-over is.
fn memory(json: &str) -> File {
    let fd: OwnedFd = memfd_create(c"test", MFdFlags::MFD_ALLOW_SEALING).expect("memory");
    let mut file = File::from(fd);
    file.write_all(json.as_bytes()).and_then(|()| file.rewind()).expect("ours");
    let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).expect("ours");
    file
}

const ONLY_OURS: &str = "(GEARBOX_HANDOVER is only set by gearbox itself)";

#[test]
fn not_a_descriptor() {
    for value in ["", "x", "99999999999", "3.5"] {
        fails(value, "GEARBOX_HANDOVER is not a descriptor");
    }
    for value in ["-1", "0", "2", "987"] {
        fails(value, &format!("descriptor {value} was not handed over {ONLY_OURS}"));
    }
}

/// Nor is anything read from there, which for a pipe would mean to wait.
#[test]
fn somebody_elses_descriptor() {
    let file = tempfile::tempfile().expect("a file");
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).expect("ours");
    let (pipe, _write) = nix::unistd::pipe().expect("a pipe");
    for value in [inherited(&file), inherited(&pipe)] {
        fails(&value, &format!("descriptor {value} is not one {ONLY_OURS}"));
    }
}

/// The memory can be read once: a file is made for every start.
#[test]
fn what_is_no_hand_over_to_this_process() {
    for (json, reason) in [
        ("\u{7f}ELF", "it cannot be read: expected value at line 1 column 1"),
        ("{}", "it cannot be read: missing field `version` at line 1 column 2"),
        (
            r#"{"version":1,"readable_by":1,"purpose":"successor","parent":1}"#,
            "it is for another process",
        ),
        (r#"{"version":1,"readable_by":1,"parent":1}"#, "it is for another process"),
        (
            r#"{"version":9,"readable_by":9,"of_tomorrow":{}}"#,
            "it is of version 9, which version 9 and later understand, and this binary's is 1: the \
             binary is too old, stop and start the server",
        ),
        (
            r#"{"version":0,"readable_by":0}"#,
            "it is of version 0, and this binary understands 1 and later: the server that runs is too \
             old, stop and start it",
        ),
        (
            r#"{"version":1,"readable_by":1,"listeners":[{"fd":"x"}]}"#,
            "it cannot be read: invalid type: string \"x\", expected i32 at line 1 column 51",
        ),
    ] {
        let conf = Conf::of(Mpm::Event, "Listen 127.0.0.1:0\nPidFile pid");
        for mode in ["-DFOREGROUND", "-X"] {
            let memory = memory(json);
            let output = run(conf.command(&[mode]).env("GEARBOX_HANDOVER", inherited(&memory)));
            let wanted = format!("GB0320: gearbox: hand-over to this process: {reason}\n");
            assert_eq!((output.status, output.stderr.as_str()), (1, wanted.as_str()), "{json}");
            assert_eq!(std::fs::read_dir(conf.root()).expect("ours").count(), 1, "{json}");
        }
    }
}

//! `-k`: what it prints and how it ends, for a server that runs or does not, and for PID files that
//! are not what they should be.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command};

use gearbox_tests::{
    Conf, Detached, Mpm, Output, Setup, free_port, gearbox, gearbox_binary, process, run, until,
};
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::Uid;

every_mpm!(
    from_start_to_stop,
    starts_what_does_not_run,
    stop_and_start_again,
    stops_right_after_a_restart,
);

const ACTIONS: [&str; 6] = ["start", "stop", "restart", "graceful", "graceful-stop", "reopen"];

/// A program that has nothing to do with the server; ended when dropped.
struct Stranger(Child);

impl Stranger {
    fn new() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().expect("sleep"))
    }

    fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    fn is_unharmed(&mut self) {
        assert_eq!(self.0.try_wait().expect("our child"), None);
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `-k` for a server that detached itself.
fn ask(server: &Detached, action: &str) -> Output {
    let file = server.root().join("gearbox.conf").display().to_string();
    gearbox(["-f", &file, "-k", action])
}

#[track_caller]
fn says(output: &Output, status: i32, stderr: &str) {
    assert_eq!((output.status, output.stderr.as_str()), (status, stderr));
    assert_eq!(output.stdout, "");
}

#[track_caller]
fn is_gone(pid: i32) {
    until("the process is gone", || (!process::is_alive(pid)).then_some(()));
}

/// With an address of its own, which a second start cannot have.
fn from_start_to_stop(mpm: Mpm) {
    let listen = format!("Listen 127.0.0.1:{}", free_port());
    let server = Setup::new(mpm).line(&listen).argument("-k").argument("start").detach();
    says(server.output(), 0, "");
    let pid = server.pid().expect("a PID file");
    says(&ask(&server, "start"), 0, &format!("gearbox (pid {pid}) already running\n"));
    for action in ["reopen", "graceful", "restart", "graceful"] {
        says(&ask(&server, action), 0, "");
        assert_eq!(server.pid(), Some(pid));
    }
    says(&ask(&server, "start"), 0, &format!("gearbox (pid {pid}) already running\n"));
    says(&ask(&server, "graceful-stop"), 0, "");
    is_gone(pid);
    says(&ask(&server, "stop"), 0, "gearbox (no pid file) not running\n");
}

/// The action is among the arguments of every later image.
fn starts_what_does_not_run(mpm: Mpm) {
    for action in ["graceful", "restart"] {
        let server = Setup::new(mpm).argument("-k").argument(action).detach();
        says(server.output(), 0, "gearbox not running, trying to start\n");
        let pid = server.pid();
        for next in ["graceful", "restart", "graceful"] {
            says(&ask(&server, next), 0, "");
        }
        assert_eq!(server.pid(), pid);
        says(&ask(&server, "stop"), 0, "");
        is_gone(pid.expect("a PID file"));
    }
}

/// `stop` comes back when the server has given up everything: the next one can start at once.
fn stop_and_start_again(mpm: Mpm) {
    let listen = format!("Listen 127.0.0.1:{}", free_port());
    let server = Setup::new(mpm).line(&listen).detach();
    says(server.output(), 0, "");
    for _ in 0..10 {
        let pid = server.pid().expect("a PID file");
        says(&ask(&server, "stop"), 0, "");
        assert_eq!(server.pid(), None);
        says(&ask(&server, "start"), 0, "");
        is_gone(pid);
        assert!(server.pid().is_some_and(|new| new != pid));
    }
    says(&ask(&server, "stop"), 0, "");
}

#[test]
fn nothing_runs() {
    let mut stranger = Stranger::new();
    let pid = stranger.pid().to_string();
    for (text, shown) in [
        (None, "no pid file".to_owned()),
        (Some(format!("{pid}\n")), format!("pid {pid}?")),
        (Some("nonsense\n".to_owned()), "pid nonsense?".to_owned()),
        // Emptied, where it could not be removed.
        (Some(String::new()), "no pid file".to_owned()),
    ] {
        let conf = Conf::of(Mpm::Event, "PidFile pid");
        if let Some(text) = &text {
            conf.put("pid", text);
        }
        for (action, status) in [("stop", 0), ("graceful-stop", 0), ("reopen", 1)] {
            says(&conf.run(&["-k", action]), status, &format!("gearbox ({shown}) not running\n"));
        }
        stranger.is_unharmed();
    }
}

/// What was left by a server that was killed does not matter, whoever has the number now.
#[test]
fn starts_over_a_stale_pid_file() {
    let mut stranger = Stranger::new();
    for action in ["start", "graceful", "restart"] {
        for text in [format!("{}\n", stranger.pid()), "nonsense".to_owned()] {
            let (dir, file) = Setup::new(Mpm::Event).write();
            std::fs::write(dir.path().join("logs/gearbox.pid"), text).expect("ours");
            let file = file.display().to_string();
            let output = gearbox(["-f", &file, "-k", action]);
            let stopped = gearbox(["-f", &file, "-k", "stop"]);
            assert_eq!((output.status, stopped.status), (0, 0), "{output:?} {stopped:?}");
            assert_eq!(stopped.stderr, "");
            stranger.is_unharmed();
        }
    }
}

#[test]
fn a_pid_file_that_cannot_be_read() {
    let conf = Conf::of(Mpm::Event, "PidFile pid\nListen 127.0.0.1:0");
    std::fs::create_dir(conf.root().join("pid")).expect("ours");
    let fails = |reason: &str| {
        for action in ACTIONS.into_iter().filter(|action| *action != "start") {
            let wanted = format!(
                "AH00058: gearbox: Error retrieving pid file @ROOT@/pid: {reason}\n\
                 AH00059: gearbox: Remove it before continuing if it is corrupted.\n"
            );
            says(&conf.run(&["-k", action]), 1, &wanted);
        }
    };
    fails("Is a directory (os error 21)");
    std::fs::remove_dir(conf.root().join("pid")).expect("ours");
    std::fs::write(conf.root().join("pid"), b"\xff\xfe\n").expect("ours");
    fails("stream did not contain valid UTF-8");
    if !Uid::effective().is_root() {
        std::fs::set_permissions(conf.root().join("pid"), Permissions::from_mode(0o000))
            .expect("ours");
        fails("Permission denied (os error 13)");
        return;
    }
    // As somebody else, who may read everything but this.
    let all = |path: &str, mode| {
        let path = conf.root().join(path);
        std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
    };
    all("", 0o755);
    all("pid", 0o600);
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command
        .arg(gearbox_binary())
        .arg("-d")
        .arg(conf.root())
        .arg("-f")
        .arg(conf.file())
        .args(["-k", "stop"]);
    let output = run(&mut command);
    assert!(output.stderr.contains("pid: Permission denied (os error 13)\nAH00059"), "{output:?}");
    assert_eq!(output.status, 1);
}

/// A lock is anybody's who may read the file: it makes nobody the server.
#[test]
fn a_pid_file_that_somebody_else_has_locked() {
    let mut stranger = Stranger::new();
    let conf = Conf::of(Mpm::Event, "PidFile pid\nListen 127.0.0.1:0");
    let pid = stranger.pid();
    for (text, reason) in [
        ("nonsense", "a server runs, but its process id is not there".to_owned()),
        ("-1", "a server runs, but its process id is not there".to_owned()),
        (
            &pid.to_string(),
            format!(
                "it is locked, but not by process {pid}, which is named there; nothing was sent to that"
            ),
        ),
    ] {
        let path = conf.put("pid", text);
        let file = File::open(path).expect("ours");
        let _lock = Flock::lock(file, FlockArg::LockExclusive).expect("ours");
        for action in ACTIONS.into_iter().filter(|action| *action != "start") {
            let wanted =
                format!("AH00058: gearbox: Error retrieving pid file @ROOT@/pid: {reason}\n");
            says(&conf.run(&["-k", action]), 1, &wanted);
        }
        stranger.is_unharmed();
    }
}

/// It says less than it should, but where the server is.
#[test]
fn stops_with_a_broken_file() {
    for action in ["stop", "graceful-stop"] {
        let mut server = Setup::new(Mpm::Event).line("PidFile logs/own.pid").start();
        let good = server.configuration();
        server.configure(&format!("Nonsense On\n<Directory /x>\n</Location>\n{good}Listen x\n"));
        server.asks(action);
        assert_eq!(server.wait(), 0, "{action}");
    }
}

#[test]
fn without_the_file() {
    let server = Setup::new(Mpm::Event).file("a", "a").start();
    let file = server.root().join("gearbox.conf");
    std::fs::rename(&file, file.with_extension("away")).expect("ours");
    for action in ACTIONS {
        let output = server.ask(action);
        let wanted = "GB0101: Could not open configuration file @ROOT@/gearbox.conf: No such file or \
                      directory\n";
        assert!(output.stderr.starts_with(wanted), "{action}: {}", output.stderr);
        assert_eq!(output.status, 1, "{action}");
    }
    assert_eq!(server.connect().get("/a").body, b"a");
    std::fs::rename(file.with_extension("away"), &file).expect("ours");
    server.asks("graceful");
    assert_eq!(server.stop(), 0);
}

/// Children of the generation before may be the last to leave, and the parent must notice.
fn stops_right_after_a_restart(mpm: Mpm) {
    for _ in 0..20 {
        for action in ["stop", "graceful-stop"] {
            let mut server = Setup::new(mpm).start();
            server.asks("graceful");
            server.asks(action);
            assert_eq!(server.wait(), 0, "{action}");
        }
    }
}

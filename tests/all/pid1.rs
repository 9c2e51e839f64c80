//! As process 1, as in a container: what loses its parent becomes the server's child.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use gearbox_tests::{Client, Mpm, Setup, free_port, gearbox_binary, process, run, status, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

every_mpm!(strangers_are_reaped, it_restarts_and_stops, everything_goes_with_it);

/// A server that is process 1 of a namespace.
struct Container {
    dir: tempfile::TempDir,
    port: u16,
    unshare: Child,
    /// The server's number outside.
    pid: i32,
}

impl Container {
    /// `None`: only root can make one.
    fn start(mpm: Mpm) -> Option<Self> {
        if !Uid::effective().is_root() {
            eprintln!("skipped: only root can make a PID namespace");
            return None;
        }
        let port = free_port();
        let setup = Setup::new(mpm).line(&format!("Listen 127.0.0.1:{port}")).file("a", "a");
        let (dir, file) = setup.write();
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]).arg(gearbox_binary());
        command.arg("-f").arg(file).arg("-DFOREGROUND");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let unshare = command.spawn().expect("unshare is needed");
        let mut container = Self { dir, port, unshare, pid: 0 };
        until("it is ready", || {
            container.log().contains("resuming normal operations").then_some(())
        });
        let children = process::children(container.unshare.id() as i32);
        container.pid = *children.first().expect("the server");
        Some(container)
    }

    /// Runs a command inside.
    fn enter(&self, words: &[&str]) -> gearbox_tests::Output {
        let target = self.pid.to_string();
        run(Command::new("nsenter").args(["--target", &target, "--pid", "--mount"]).args(words))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("logs/error_log")).unwrap_or_default()
    }

    fn status(&self) -> status::Status {
        let socket: PathBuf = self.dir.path().join("logs/gearbox.sock");
        status::status(&socket).expect("an answer")
    }

    fn is_served(&self) {
        let address = ([127, 0, 0, 1], self.port).into();
        assert_eq!(Client::connect(address).get("/a").body, b"a");
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid), signal).expect("it is there");
    }

    fn ends(&mut self) -> Option<i32> {
        until("it ends", || self.unshare.try_wait().expect("our child")).code()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // What it was made for goes with it.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

fn strangers_are_reaped(mpm: Mpm) {
    let Some(container) = Container::start(mpm) else { return };
    let own = process::children(container.pid);
    for round in 0..2 {
        // Each leaves a process behind that ends a little later.
        let script = "for n in 1 2 3 4 5; do (sleep 0.$n; exit $n) & done";
        let output = container.enter(&["sh", "-c", script]);
        assert_eq!((output.status, output.stderr.as_str()), (0, ""));
        let strangers = until("they are its children", || {
            let all = process::children(container.pid);
            let strangers: Vec<i32> = all.into_iter().filter(|pid| !own.contains(pid)).collect();
            (!strangers.is_empty()).then_some(strangers)
        });
        until("no zombie stays", || {
            let there = |pid: &&i32| process::field(**pid, "State").is_some();
            strangers.iter().find(there).is_none().then_some(())
        });
        container.is_served();
        assert_eq!(container.status().state, "serving", "round {round}");
    }
    assert_eq!(process::children(container.pid), own, "nothing of its own was taken for one");
}

fn it_restarts_and_stops(mpm: Mpm) {
    let Some(mut container) = Container::start(mpm) else { return };
    let file = container.dir.path().join("gearbox.conf").display().to_string();
    let binary = gearbox_binary().display().to_string();
    let output = container.enter(&[&binary, "-f", &file, "-k", "graceful"]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    container.signal(Signal::SIGUSR1);
    until("it has restarted again", || {
        (container.log().matches("resuming normal operations").count() == 3).then_some(())
    });
    let status = container.status();
    assert_eq!((status.generation, status.pid), (3, 1), "as it sees itself");
    container.is_served();
    container.signal(Signal::SIGTERM);
    assert_eq!(container.ends(), Some(0));
}

fn everything_goes_with_it(mpm: Mpm) {
    let Some(mut container) = Container::start(mpm) else { return };
    let children = process::children(container.pid);
    assert!(!children.is_empty());
    container.signal(Signal::SIGKILL);
    container.ends();
    until("its children are gone", || {
        children.iter().all(|child| !process::is_alive(*child)).then_some(())
    });
}

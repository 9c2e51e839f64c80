//! The control socket: where it lies and whose it is, and clients that do not behave.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use gearbox_tests::status::{status, tell};
use gearbox_tests::{Client, Mpm, Server, Setup, WAIT_MAX, gearbox, process, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn server() -> Server {
    Setup::new(Mpm::Event).file("a", "a").start()
}

fn socket(server: &Server) -> PathBuf {
    server.root().join("logs/gearbox.sock")
}

fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).expect("the server listens");
    stream.set_read_timeout(Some(WAIT_MAX)).expect("a socket");
    stream
}

/// Everything that comes until the server closes.
fn rest(mut stream: UnixStream) -> String {
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text
}

/// It serves, and does what it is asked.
#[track_caller]
fn is_unharmed(server: &Server) {
    assert_eq!(server.connect().get("/a").body, b"a");
    let before = server.status();
    server.asks("graceful");
    let after = server.status();
    assert_eq!((after.generation, after.pid), (before.generation + 1, before.pid));
    assert_eq!(after.state, "serving");
}

#[test]
fn only_for_its_owner() {
    let mut server = server();
    let mode =
        std::fs::symlink_metadata(socket(&server)).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), 0);
    assert!(!socket(&server).exists());
}

/// Nothing is started, nothing of others is touched; detached or not, it is said where it is read.
#[test]
fn the_place_is_taken() {
    let listens = tempfile::tempdir().expect("a directory");
    let theirs = listens.path().join("theirs");
    let _listener = UnixListener::bind(&theirs).expect("ours");
    let at = theirs.display().to_string();
    for (path, reason) in [
        (
            "@ROOT@/htdocs/a",
            "there is something else than a socket; remove it, or let ControlSocket \
                             name another path",
        ),
        (at.as_str(), "another program listens there; let ControlSocket name another path"),
        ("@ROOT@/none/socket", "No such file or directory (os error 2)"),
    ] {
        let setup = Setup::new(Mpm::Event).file("a", "precious");
        let (dir, file) = setup.line(&format!("ControlSocket {path}")).write();
        for mode in ["-DFOREGROUND", "-DDETACHED"] {
            let output = gearbox(["-f", &file.display().to_string(), mode]);
            let root = dir.path().display().to_string();
            let wanted = format!("GB0321: gearbox: control socket {path}: {reason}\n");
            assert_eq!((output.status, output.stderr.replace(&root, "@ROOT@")), (1, wanted));
        }
        assert_eq!(std::fs::read(dir.path().join("htdocs/a")).expect("it is there"), b"precious");
        assert!(UnixStream::connect(&theirs).is_ok());
        assert!(!dir.path().join("logs/gearbox.pid").exists());
    }
}

/// A socket without anybody is what a killed server leaves.
#[test]
fn a_stale_socket() {
    let (dir, _) = Setup::new(Mpm::Event).write();
    let path = dir.path().join("stale");
    drop(UnixListener::bind(&path).expect("ours"));
    assert!(path.exists());
    let line = format!("ControlSocket {}", path.display());
    let server = Setup::new(Mpm::Event).line(&line).start();
    assert_eq!(status(&path).expect("the server answers").pid, i64::from(server.pid()));
    assert_eq!(server.stop(), 0);
    assert!(!path.exists());
}

/// Somebody else's socket where the server's was: nothing is asked of that, and it stays.
#[test]
fn a_socket_that_was_swapped() {
    let mut server = server();
    std::fs::remove_file(socket(&server)).expect("ours");
    let theirs = UnixListener::bind(socket(&server)).expect("ours");
    let pid = server.pid();
    for action in ["stop", "restart", "graceful", "graceful-stop", "reopen"] {
        let output = server.ask(action);
        let wanted = format!(
            "GB0336: gearbox: control socket @ROOT@/logs/gearbox.sock is not that of the server (pid \
             {pid}); nothing was asked of it\n"
        );
        assert_eq!((output.status, output.stderr), (1, wanted), "{action}");
        let (asked, _) = theirs.accept().expect("it was connected to");
        assert_eq!(rest(asked), "", "{action}");
    }
    assert_eq!(server.connect().get("/a").body, b"a");
    // Also by the images that follow.
    server.signal(Signal::SIGUSR1);
    let log = || server.error_log().matches("resuming normal operations").count();
    until("the next generation serves", || (log() == 2).then_some(()));
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), 0);
    assert!(socket(&server).exists(), "it is not the server's");
}

/// Signals do without it.
#[test]
fn a_socket_that_was_removed() {
    let mut server = server();
    std::fs::remove_file(socket(&server)).expect("ours");
    let pid = server.pid();
    for (action, signal, told) in [
        ("reopen", "SIGUSR2", "GB0329"),
        ("graceful", "SIGUSR1", "AH00493"),
        ("restart", "SIGHUP", "AH00494"),
        ("stop", "SIGTERM", "AH00491"),
    ] {
        let output = server.ask(action);
        let wanted = format!(
            "gearbox: control socket @ROOT@/logs/gearbox.sock: No such file or directory (os error 2); \
             sent {signal} to process {pid}, the error log tells what comes of it\n"
        );
        assert_eq!((output.status, output.stderr), (0, wanted), "{action}");
        until("the signal has come", || server.error_log().contains(told).then_some(()));
    }
    assert_eq!(server.wait(), 0);
}

/// Longer than the address of a socket may be.
#[test]
fn a_very_long_server_root() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).expect("ours");
    let deep = dir.path().join("d".repeat(200)).join("e".repeat(200));
    std::fs::create_dir_all(deep.join("logs")).expect("ours");
    let setup = Setup::new(Mpm::Event).file("a", "a");
    let server = setup.line(&format!("ServerRoot {}", deep.display())).line("ErrorLog logs/e");
    let (root, file) = server.line("DocumentRoot logs").write();
    let text = std::fs::read_to_string(&file).expect("ours");
    assert!(text.contains(&"d".repeat(200)));
    let file = file.display().to_string();
    for (action, status) in [("start", 0), ("graceful", 0), ("stop", 0)] {
        let output = gearbox(["-f", &file, "-k", action]);
        assert_eq!((output.status, output.stderr.as_str()), (status, ""), "{action}");
        assert_eq!(deep.join("logs/gearbox.sock").exists(), action != "stop");
    }
    drop(root);
}

/// With a restart the files move, and those who asked at the old place are answered.
#[test]
fn places_that_move() {
    let server = server();
    let (good, pid) = (server.configuration(), server.pid());
    server.configure(&format!("{good}PidFile logs/new.pid\n"));
    let answer = tell(&socket(&server), r#"{"command":"graceful"}"#).expect("an answer");
    assert!(answer.contains("\"ok\":true"), "{answer}");
    assert!(!socket(&server).exists() && !server.root().join("logs/gearbox.pid").exists());
    let text = std::fs::read_to_string(server.root().join("logs/new.pid")).expect("it is there");
    assert_eq!(text, format!("{pid}\n"));
    server.asks("graceful");
    let now = status(&server.root().join("logs/new.sock")).expect("the server answers");
    assert_eq!((now.generation, now.pid), (3, i64::from(pid)));
    server.asks("stop");
}

#[test]
fn nonsense() {
    let server = server();
    for line in ["", "nonsense", "{}", "[]", r#"{"command":"dance"}"#, r#"{"command":7}"#, "\u{0}"]
    {
        let answer = tell(&socket(&server), line).expect("an answer");
        assert!(answer.contains("\"ok\":false,\"text\":\"not a request: "), "{line}: {answer}");
    }
    // Without an end, in a line or behind a request.
    for begin in ["", "{\"command\":\"status\"}\n"] {
        let mut flood = connect(&socket(&server));
        flood.set_write_timeout(Some(WAIT_MAX)).expect("a socket");
        flood.write_all(begin.as_bytes()).expect("the server reads");
        until("it is cut off", || flood.write_all(&[b'x'; 4096]).is_err().then_some(()));
    }
    is_unharmed(&server);
}

#[test]
fn half_lines() {
    let server = server();
    let mut slow = connect(&socket(&server));
    slow.write_all(b"{\"comm").expect("the server reads");
    let quiet = connect(&socket(&server));
    let mut gone = connect(&socket(&server));
    gone.write_all(b"{\"command\":\"stop\"").expect("the server reads");
    drop(gone);
    assert_eq!(server.status().state, "serving");
    slow.write_all(b"and\":\"status\"}\n").expect("the server reads");
    assert!(rest(slow).contains("\"generation\":1"));
    // One that has not said anything yet is not forgotten by the next image.
    is_unharmed(&server);
    let mut quiet = quiet;
    quiet.write_all(b"{\"command\":\"status\"}\n").expect("the server reads");
    assert!(rest(quiet).contains("\"generation\":2"));
    // Everything said at once, and then nothing more: as `printf | nc` does.
    let mut brief = connect(&socket(&server));
    brief.write_all(b"{\"command\":\"graceful\"}\n").expect("the server reads");
    brief.shutdown(std::net::Shutdown::Write).expect("connected");
    let answer = rest(brief);
    assert!(answer.contains("\"ok\":true") && answer.contains("\"generation\":3"), "{answer}");
}

/// Those who wait for an answer are not pushed out by others.
#[test]
fn many_connections() {
    let server = server();
    let before = process::descriptors(server.pid()).len();
    // While the trial runs, and more than are kept at a time.
    let mut waiting = connect(&socket(&server));
    waiting.write_all(b"{\"command\":\"graceful\"}\n").expect("the server reads");
    let crowd: Vec<UnixStream> = (0..200).map(|_| connect(&socket(&server))).collect();
    let answer = rest(waiting);
    assert!(answer.contains("\"ok\":true"), "{answer}");
    is_unharmed(&server);
    drop(crowd);
    until("nothing of it is left", || {
        (process::descriptors(server.pid()).len() <= before).then_some(())
    });
    is_unharmed(&server);
}

/// The outcome is nobody's then, and the restart goes on.
#[test]
fn a_client_that_does_not_wait() {
    let server = server();
    for n in 1..=5 {
        let mut client = connect(&socket(&server));
        client.write_all(b"{\"command\":\"graceful\"}\n").expect("the server reads");
        drop(client);
        until("the next generation serves", || {
            let status = server.status();
            (status.generation == 1 + n && status.state == "serving").then_some(())
        });
    }
    // Also one that is killed.
    let file = server.root().join("gearbox.conf");
    let mut command = std::process::Command::new(gearbox_tests::gearbox_binary());
    let mut child = command.arg("-f").arg(file).args(["-k", "restart"]).spawn().expect("it starts");
    kill(Pid::from_raw(child.id() as i32), Signal::SIGKILL).expect("our child");
    child.wait().expect("our child");
    until("it serves", || (server.status().state == "serving").then_some(()));
    is_unharmed(&server);
    assert_eq!(Client::connect(server.address()).get("/a").body, b"a");
}

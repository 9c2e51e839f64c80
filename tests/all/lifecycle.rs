//! A server from its start to its stop: addresses, PID file, terminal, one process.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::mpsc;

use gearbox_tests::{Client, Conf, Mpm, Setup, WAIT_MAX, free_port, gearbox, process, until};
use nix::sys::signal::Signal;
use nix::unistd::Uid;

every_mpm!(
    several_addresses,
    detached_start,
    a_detached_server_lets_go_of_its_launcher,
    a_start_without_children_fails,
    one_process,
    one_process_can_only_be_stopped,
);

fn has_ipv6() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok()
}

fn several_addresses(mpm: Mpm) {
    let (one, both, split) = (free_port(), free_port(), free_port());
    let mut setup = Setup::new(mpm).file("a", "a");
    let mut lines = vec![format!("127.0.0.1:{one}"), format!("{both}"), format!("{split}")];
    if has_ipv6() {
        lines.extend([format!("[::1]:{one}"), format!("[::]:{split}")]);
    }
    for line in lines {
        setup = setup.line(&format!("Listen {line}"));
    }
    let server = setup.start();
    let families = if has_ipv6() { &["127.0.0.1", "::1"][..] } else { &["127.0.0.1"] };
    assert_eq!(server.addresses().len(), 3 * families.len(), "{:?}", server.addresses());
    for address in families {
        let address: IpAddr = address.parse().expect("an address");
        for port in [one, both, split] {
            let to = SocketAddr::new(address, port);
            let response = Client::connect(to).request("GET", "/a", "Connection: close\r\n");
            assert_eq!(response.body, b"a", "{to}");
        }
    }
}

/// The real port is in the log, the same one for both families.
#[test]
fn a_port_of_the_kernels_choice() {
    let server = Setup::new(Mpm::Event).line("Listen 0").file("a", "a").start();
    let ports: Vec<u16> = server.addresses().iter().map(SocketAddr::port).collect();
    assert_eq!(ports.len(), if has_ipv6() { 2 } else { 1 });
    assert!(ports[0] != 0 && ports.iter().all(|port| *port == ports[0]), "{ports:?}");
    assert_eq!(Client::connect(([127, 0, 0, 1], ports[0]).into()).get("/a").body, b"a");
}

#[test]
fn pid_file() {
    let setup = Setup::new(Mpm::Event).line("PidFile @ROOT@/logs/gearbox.pid");
    // Its mode is not the umask's.
    let server = setup.through(&["sh", "-c", "umask 0; exec \"$0\" \"$@\""]).start();
    let path = server.root().join("logs/gearbox.pid");
    let text = std::fs::read_to_string(&path).expect("a PID file");
    assert_eq!(text, format!("{}\n", server.pid()));
    let mode = std::fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    // A second start of the same server is no failure: it runs.
    let conf = server.root().join("gearbox.conf");
    for option in ["-DFOREGROUND", "-X", "-T"] {
        let output = gearbox([option.as_ref(), "-f".as_ref(), conf.as_os_str()]);
        let wanted = format!("gearbox (pid {}) already running\n", server.pid());
        assert_eq!((output.status, output.stderr), (0, wanted), "{option}");
    }
    assert_eq!(std::fs::read_to_string(&path).expect("untouched"), text);
    assert_eq!(server.stop(), 0);
    assert!(!path.exists());
}

/// What a server that was killed leaves behind says nothing: the lock does.
#[test]
fn an_old_pid_file() {
    for text in ["1\n", "", "nonsense", "4194304999999\n"] {
        let setup = Setup::new(Mpm::Event);
        let conf = Conf::text("");
        let path = conf.put("pid", text);
        let server = setup.line(&format!("PidFile {}", path.display())).start();
        let now = std::fs::read_to_string(&path).expect("there");
        assert_eq!(now, format!("{}\n", server.pid()), "{text:?}");
        server.stop();
        assert!(!path.exists());
    }
}

fn detached_start(mpm: Mpm) {
    let port = free_port();
    let setup = Setup::new(mpm).line(&format!("Listen 127.0.0.1:{port}")).file("a", "a");
    let server = setup.detach();
    let output = server.output();
    assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (0, "", ""));
    // At once: nothing is waited for.
    assert_eq!(Client::connect(([127, 0, 0, 1], port).into()).get("/a").body, b"a");
    let pid = server.pid().expect("a PID file");
    assert_eq!(process::session(pid), (pid, 0), "a session of its own without a terminal");
    assert!(server.error_log().contains("resuming normal operations"));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGTERM).expect("there");
    until("the server ends", || (!process::is_alive(pid)).then_some(()));
    assert!(server.pid().is_none(), "the PID file is gone");
}

/// `output=$(gearbox)` comes back, and a terminal can be closed.
fn a_detached_server_lets_go_of_its_launcher(mpm: Mpm) {
    let conf_port = format!("Listen 127.0.0.1:{}", free_port());
    let (dir, file) = Setup::new(mpm).line(&conf_port).write();
    let mut command = std::process::Command::new(gearbox_tests::gearbox_binary());
    command.arg("-f").arg(file).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let stdin = child.stdin.take().expect("piped");
    let status = child.wait().expect("our child");
    let pid = std::fs::read_to_string(dir.path().join("logs/gearbox.pid")).expect("it runs");
    let pid: i32 = pid.trim().parse().expect("a number");
    let _stopped = Stopped(pid);
    assert_eq!(status.code(), Some(0));
    let (mut stdout, mut stderr) = (child.stdout.expect("piped"), child.stderr.expect("piped"));
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || {
        let mut all = Vec::new();
        let read = stdout.read_to_end(&mut all).and_then(|_| stderr.read_to_end(&mut all));
        ended.send(read.map(|_| all)).expect("the test waits");
    });
    let all = end.recv_timeout(WAIT_MAX).expect("nobody holds the pipes any more").expect("read");
    assert_eq!(String::from_utf8_lossy(&all), "");
    // What is left of standard input has nobody to read it.
    drop(stdin);
    for process in process::children(pid).into_iter().chain([pid]) {
        for (descriptor, target) in process::descriptors(process) {
            let wanted = if descriptor == 2 { "error_log" } else { "/dev/null" };
            assert!(descriptor > 2 || target.ends_with(wanted), "{process}: {descriptor} {target}");
        }
        assert_eq!(process::session(process), (pid, 0));
    }
}

/// Stops a process when the test ends.
struct Stopped(i32);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.0), Signal::SIGKILL);
    }
}

/// Children that cannot become another user cannot serve: the launching process says so.
fn a_start_without_children_fails(mpm: Mpm) {
    if !Uid::effective().is_root() {
        eprintln!("skipped: only root's children change their user");
        return;
    }
    let port = free_port();
    let setup = Setup::new(mpm).line(&format!("Listen 127.0.0.1:{port}"));
    let setup = setup.through(&["setpriv", "--bounding-set", "-setuid,-setgid"]);
    let server = setup.detach();
    let output = server.output();
    assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{}", server.error_log());
    let wanted = "GB0318: gearbox: the server did not come up; its error log says why\n";
    assert_eq!(output.stderr, wanted);
    let log = server.error_log();
    assert!(log.contains("GB0304: child cannot be set up: giving up root's privileges: "), "{log}");
    assert!(log.contains("AH02818: MPM run failed, exiting"), "{log}");
    assert!(server.pid().is_none(), "no PID file");
    std::net::TcpListener::bind(("127.0.0.1", port)).expect("nobody has it");
}

/// A child that cannot serve, and says that no other could, ends a server that has served.
#[test]
fn a_fatal_child_ends_the_server() {
    let conf = Conf::text("");
    let told = conf.root().join("told");
    let condition = format!("access(\"{}\", F_OK) == 0", told.display());
    let module = crate::service::fatal_if(&conf, &condition);
    std::fs::set_permissions(conf.root(), PermissionsExt::from_mode(0o755)).expect("ours");
    let (dir, file) = Setup::new(Mpm::C99).write();
    let text = std::fs::read_to_string(&file).expect("ours");
    let loaded = Mpm::C99.file().display().to_string();
    std::fs::write(&file, text.replace(&loaded, &module.display().to_string())).expect("ours");
    let mut command = std::process::Command::new(gearbox_tests::gearbox_binary());
    command.arg("-f").arg(file).arg("-DFOREGROUND").stdin(Stdio::null()).stderr(Stdio::null());
    let mut server = command.spawn().expect("it starts");
    let pid = server.id() as i32;
    let _stopped = Stopped(pid);
    let log = || std::fs::read_to_string(dir.path().join("logs/error_log")).unwrap_or_default();
    until("it is ready", || log().contains("resuming normal operations").then_some(()));
    std::fs::write(told, "").expect("ours");
    let child = *process::children(pid).first().expect("a child");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child), Signal::SIGKILL)
        .expect("it is there");
    let status = until("the server ends", || server.try_wait().expect("our child"));
    assert_eq!(status.code(), Some(1), "{}", log());
    assert!(log().contains("returned a Fatal error... gearbox is exiting!"), "{}", log());
}

fn one_process(mpm: Mpm) {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let setup = Setup::new(mpm).argument("-X").file("a", "a");
        let mut server = setup.start();
        let mut idle = server.connect();
        assert_eq!(idle.get("/a").body, b"a");
        assert!(server.children().is_empty());
        if Uid::effective().is_root() {
            let uid = process::field(server.pid(), "Uid").expect("there");
            assert!(uid.starts_with("65534"), "{uid}");
        }
        server.signal(signal);
        assert_eq!(server.wait(), 0, "{signal}");
        assert!(idle.is_closed());
        assert_eq!(server.log("gearbox.pid"), "", "no number is left");
        let stop = server.ask("stop");
        assert_eq!((stop.status, stop.stderr.as_str()), (0, "gearbox (no pid file) not running\n"));
    }
}

/// There is nobody who could begin a generation.
fn one_process_can_only_be_stopped(mpm: Mpm) {
    let mut server = Setup::new(mpm).argument("-X").file("a", "a").start();
    let pid = server.pid();
    for action in ["graceful", "restart", "reopen", "graceful-stop"] {
        let output = server.ask(action);
        let wanted =
            format!("gearbox: the server (pid {pid}) runs with -X: it can only be stopped\n");
        assert_eq!((output.status, output.stderr), (1, wanted), "{action}");
        assert_eq!(server.connect().get("/a").body, b"a", "{action}");
    }
    assert_eq!(server.ask("stop").status, 0);
    assert_eq!(server.wait(), 0);
}

/// `-X`, `-DDEBUG` and `-DONE_PROCESS` are the same; `-DNO_DETACH` is `-DFOREGROUND`.
#[test]
fn other_names_of_the_modes() {
    for (define, children) in [("DEBUG", false), ("ONE_PROCESS", false), ("NO_DETACH", true)] {
        let port = free_port();
        let setup = Setup::new(Mpm::Event).line(&format!("Listen 127.0.0.1:{port}"));
        let (dir, file) = setup.file("a", "a").write();
        let mut command = std::process::Command::new(gearbox_tests::gearbox_binary());
        command.arg("-f").arg(file).args(["-D", define]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let pid = child.id() as i32;
        let _stopped = Stopped(pid);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        until("it serves", || std::net::TcpStream::connect(address).ok());
        assert_eq!(Client::connect(address).get("/a").body, b"a", "{define}");
        assert_eq!(!process::children(pid).is_empty(), children, "{define}");
        assert!(child.try_wait().expect("ours").is_none(), "{define}: stays in the foreground");
        let log = std::fs::read_to_string(dir.path().join("logs/error_log")).expect("a log");
        assert!(log.contains("GB0313: listening on "), "{log}");
    }
}

/// Until the error log is open, everything goes to standard error.
#[test]
fn in_the_foreground_without_an_error_log() {
    let (dir, file) = Setup::new(Mpm::Event).write();
    let text = std::fs::read_to_string(&file).expect("ours").replace("ErrorLog", "#ErrorLog");
    std::fs::write(&file, text).expect("ours");
    let stderr = dir.path().join("stderr");
    let mut command = std::process::Command::new(gearbox_tests::gearbox_binary());
    command.arg("-f").arg(&file).arg("-DFOREGROUND").stdin(Stdio::null());
    let mut child =
        command.stderr(File::create(&stderr).expect("ours")).spawn().expect("it starts");
    let stopped = Stopped(child.id() as i32);
    let read = || std::fs::read_to_string(&stderr).expect("ours");
    until("it is ready", || read().contains("resuming normal operations").then_some(()));
    assert!(read().contains("GB0313: listening on 127.0.0.1:"), "{}", read());
    drop(stopped);
    child.wait().expect("our child");
}

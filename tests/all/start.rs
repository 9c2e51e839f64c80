//! Which MPM is loaded, and what keeps a server from starting.

use std::net::TcpListener;
use std::process::Command;

use gearbox_tests::{Conf, Mpm, Setup, free_port, gearbox_binary, run};
use nix::unistd::Uid;

use crate::config_errors::error;

every_mpm!(no_listen);

/// A `Listen` line of a free port, and a check that nobody has bound it.
pub(crate) struct Port(u16);

impl Port {
    pub(crate) fn new() -> Self {
        Self(free_port())
    }

    pub(crate) fn line(&self) -> String {
        format!("Listen 127.0.0.1:{}\n", self.0)
    }

    #[track_caller]
    pub(crate) fn is_left_alone(&self) {
        TcpListener::bind(("127.0.0.1", self.0)).expect("nobody has bound it");
    }
}

/// `User` and `Group` where they are needed.
pub(crate) fn account() -> &'static str {
    if Uid::effective().is_root() { "User nobody\nGroup nogroup\n" } else { "" }
}

/// A start that must fail: exit status 1, this on standard error, nothing bound, nothing left.
#[track_caller]
pub(crate) fn fails(conf: &Conf, port: &Port, wanted: &str) {
    for mode in [&["-DFOREGROUND"][..], &["-X"], &[]] {
        let output = conf.run(mode);
        assert_eq!((output.status, output.stderr.as_str()), (1, wanted), "{mode:?}");
        assert_eq!(output.stdout, "", "{mode:?}");
        port.is_left_alone();
        assert!(!conf.root().join("logs/gearbox.pid").exists(), "{mode:?}");
    }
}

#[test]
fn without_an_mpm() {
    let port = Port::new();
    let conf = Conf::text(&format!("ServerName localhost\n{}{}", account(), port.line()));
    let wanted = "AH00534: gearbox: Configuration error: No MPM loaded.\n\
                  Add one of these lines to the configuration:\n";
    let built = "    LoadModule mpm_event_module modules/mod_mpm_event.so\n    \
                 LoadModule mpm_prefork_module modules/mod_mpm_prefork.so\n    \
                 LoadModule mpm_worker_module modules/mod_mpm_worker.so\n";
    fails(&conf, &port, &format!("{wanted}{built}"));
    // A modules directory of ServerRoot's own comes first, as it does for LoadModule.
    for name in ["mod_mpm_own.so", "mod_mpm_also.so", "mod_dir.so", "mod_mpm_own.so.bak"] {
        conf.put(&format!("modules/{name}"), "");
    }
    let own = "    LoadModule mpm_also_module modules/mod_mpm_also.so\n    \
               LoadModule mpm_own_module modules/mod_mpm_own.so\n";
    fails(&conf, &port, &format!("{wanted}{own}"));
}

#[test]
fn without_an_mpm_anywhere() {
    let conf = Conf::text("ServerName localhost\nListen 127.0.0.1:0\n");
    let alone = conf.root().join("bin/gearbox");
    std::fs::create_dir(conf.root().join("bin")).expect("ours");
    std::fs::copy(gearbox_binary(), &alone).expect("a copy of the binary");
    let mut command = Command::new(alone);
    let output = run(command.arg("-f").arg(conf.file()));
    let wanted = "AH00534: gearbox: Configuration error: No MPM loaded.\nThere is no mod_mpm_*.so in \
                  a modules directory either; scripts/build makes them.\n";
    assert_eq!((output.status, output.stderr.as_str()), (1, wanted));
}

/// Calls of `bind` and `listen` of a start that fails, as strace shows them.
fn bound(conf: &Conf) -> String {
    let trace = conf.root().join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=bind,listen", "-e", "signal=none", "-o"]);
    command.arg(&trace).arg(gearbox_binary()).arg("-d").arg(conf.root()).arg("-f").arg(conf.file());
    let output = run(command.arg("-DFOREGROUND"));
    assert_eq!(output.status, 1, "{}", output.stderr);
    std::fs::read_to_string(trace).expect("strace is needed")
}

/// Not even for a moment.
#[test]
fn nothing_is_bound_before_there_is_one_mpm() {
    let port = Port::new();
    let listen = format!("ServerName localhost\n{}{}", account(), port.line());
    let (event, worker) = (Mpm::Event.load_module(), Mpm::Worker.load_module());
    for load in ["", &format!("{event}{worker}"), "LoadModule mpm_event_module none.so\n"] {
        assert_eq!(bound(&Conf::text(&format!("{listen}{load}"))), "", "{load}");
    }
    // What strace shows of a start that gets further.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("bound");
    let trace = bound(&Conf::text(&format!("{listen}Listen {taken}\n{event}")));
    assert!(trace.contains(&format!("htons({})", port.0)), "{trace}");
}

/// One sentence says it, with both places; that the MPMs share names of directives is no news.
#[test]
fn two_mpms() {
    let port = Port::new();
    let (event, worker) = (Mpm::Event.load_module(), Mpm::Worker.load_module());
    let conf = Conf::text(&format!(
        "ServerName localhost\n{event}StartServers 2\n{}{}Include more.conf\n",
        account(),
        port.line()
    ));
    conf.put("more.conf", &format!("\n{worker}ThreadLimit 20\n"));
    let event_line = "    mpm_event_module on line 2 of @ROOT@/gearbox.conf\n";
    let wanted = format!(
        "AH00534: gearbox: Configuration error: More than one MPM loaded.\n{event_line}    \
         mpm_worker_module on line 2 of @ROOT@/more.conf\n"
    );
    fails(&conf, &port, &wanted);
    conf.put("more.conf", &format!("{worker}{}MaxRequestWorkers 20\n", Mpm::Prefork.load_module()));
    let wanted = format!(
        "AH00534: gearbox: Configuration error: More than one MPM loaded.\n{event_line}    \
         mpm_worker_module on line 1 of @ROOT@/more.conf\n    \
         mpm_prefork_module on line 2 of @ROOT@/more.conf\n"
    );
    fails(&conf, &port, &wanted);
}

#[test]
fn the_same_mpm_twice() {
    let load = Mpm::Event.load_module();
    let warning = format!(
        "AH01574: Warning on line 3 of @ROOT@/gearbox.conf:\n\
         module mpm_event_module is already loaded, skipping\n    3 | {load}      | ^^^^^^^^^^\n"
    );
    let conf = Conf::of(Mpm::Event, &load);
    assert_eq!(conf.check(), (0, format!("{warning}Syntax OK\n")));
    // Nothing is looked for a second time.
    let conf = Conf::of(Mpm::Event, "LoadModule mpm_event_module nowhere.so");
    let (status, stderr) = conf.check();
    assert!(status == 0 && stderr.contains("is already loaded, skipping\n"), "{stderr}");
    let server = Setup::new(Mpm::Event).line(&load).file("a", "a").start();
    assert_eq!(server.connect().get("/a").body, b"a");
}

fn no_listen(mpm: Mpm) {
    let conf = Conf::of(mpm, account());
    let code = match mpm {
        Mpm::Event | Mpm::C99 => "AH03272",
        Mpm::Worker => "AH03290",
        Mpm::Prefork => "AH03279",
    };
    let wanted = format!(
        "{code}: no listening sockets available, shutting down\nAH00015: Unable to open logs (there \
         is no Listen directive)\n"
    );
    fails(&conf, &Port::new(), &wanted);
}

fn cannot_bind(address: &str) -> String {
    format!("(98)Address already in use: AH00072: make_sock: could not bind to address {address}\n")
}

const NO_SOCKETS: &str =
    "AH03272: no listening sockets available, shutting down\nAH00015: Unable to open logs\n";

#[test]
fn ports_in_use() {
    let taken = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let [first, second] = taken.each_ref().map(|t| t.local_addr().expect("bound").to_string());
    let port = Port::new();
    let lines = format!("{}Listen {first}\n{}Listen {second}\n", account(), port.line());
    let wanted = format!("{}{}{NO_SOCKETS}", cannot_bind(&first), cannot_bind(&second));
    fails(&Conf::of(Mpm::Event, &lines), &port, &wanted);
}

#[test]
fn an_address_of_another_machine() {
    let port = Port::new();
    let lines = format!("{}{}Listen 192.0.2.1:80\n", account(), port.line());
    let wanted = format!(
        "(99)Cannot assign requested address: AH00072: make_sock: could not bind to address \
         192.0.2.1:80\n{NO_SOCKETS}"
    );
    fails(&Conf::of(Mpm::Event, &lines), &port, &wanted);
}

#[test]
fn the_same_listen_twice() {
    for (first, second) in [
        ("8080", "8080"),
        ("8080", "*:8080"),
        ("[::1]:8080", "[0:0:0:0:0:0:0:1]:8080 http"),
        ("127.0.0.1:8080 http", "127.0.0.1:8080"),
    ] {
        let conf = Conf::of(Mpm::Event, &format!("Listen {first}\nListen {second}"));
        let (status, stderr) = conf.check();
        let word = second.split(' ').next().expect("an address");
        let wanted = format!(
            "AH00526: Syntax error on line 4 of @ROOT@/gearbox.conf:\nCannot define multiple \
             Listeners on the same IP:port\n    4 | Listen {second}\n      |        {}\n",
            "^".repeat(word.len())
        );
        assert_eq!((status, stderr), (1, wanted));
    }
}

#[test]
fn root_must_become_somebody_else() {
    if !Uid::effective().is_root() {
        eprintln!("skipped: only root can be refused");
        return;
    }
    let port = Port::new();
    let conf = Conf::of(Mpm::Event, &port.line());
    let wanted = "AH00136: Server MUST relinquish startup privileges before accepting connections.  \
                  Please add a User directive (and Group), for example 'User www-data'.\n";
    fails(&conf, &port, wanted);
    for user in ["root", "#0"] {
        let conf = Conf::of(Mpm::Event, &format!("User {user}\n{}", port.line()));
        let wanted = "Error: gearbox does not serve pages as root. There are known race conditions \
                      and other risks that only matter to root. Set User to another account.\n";
        fails(&conf, &port, wanted);
    }
}

#[test]
fn accounts_that_do_not_exist() {
    let port = Port::new();
    for (line, sentence, caret) in [
        ("User nosuchuser", "AH00543: bad user name nosuchuser", "     ^^^^^^^^^^"),
        ("User #x", "AH00543: bad user name #x", "     ^^"),
        ("User #-1", "AH00543: bad user name #-1", "     ^^^"),
        ("Group nosuchgroup", "AH00544: bad group name nosuchgroup", "      ^^^^^^^^^^^"),
        ("Group #", "AH00544: bad group name #", "      ^"),
    ] {
        let conf =
            Conf::of(Mpm::Event, &format!("{line}\nUser nobody\nTimeout x\n{}", port.line()));
        let other = "Timeout must be a time such as 30, 500ms or 5min, between 1ms and 8760h";
        let wanted = error(3, sentence, line, caret) + &error(5, other, "Timeout x", "        ^");
        fails(&conf, &port, &wanted);
        assert_eq!(conf.check(), (1, wanted), "-t finds it too");
    }
}

/// What a start would fail at, `-t` tells as far as it can: all of it.
#[test]
fn what_a_start_would_fail_at() {
    let conf = Conf::of(Mpm::Event, "TypesConfig none");
    let mut wanted = String::new();
    if Uid::effective().is_root() {
        wanted += "AH00136: Server MUST relinquish startup privileges before accepting connections.  \
                   Please add a User directive (and Group), for example 'User www-data'.\n";
    }
    wanted += "AH03272: no listening sockets available, shutting down\nAH00015: Unable to open logs \
               (there is no Listen directive)\nAH01597: could not open mime types config file \
               @ROOT@/none: No such file or directory (os error 2)\n";
    let output = conf.run(&["-t"]);
    assert_eq!((output.status, output.stderr), (1, wanted));
    // Nobody else asks.
    assert_eq!(conf.run(&["-M"]).status, 0);
}

#[test]
fn logs_that_cannot_be_opened() {
    let port = Port::new();
    let base = format!("{}{}PidFile pid\n", account(), port.line());
    for (line, wanted) in [
        (
            "ErrorLog none/error_log",
            "(2)No such file or directory: AH00091: gearbox: could not open error log file \
             @ROOT@/none/error_log.\nAH00015: Unable to open logs\n",
        ),
        (
            "ErrorLog .",
            "(21)Is a directory: AH00091: gearbox: could not open error log file @ROOT@/..\n\
             AH00015: Unable to open logs\n",
        ),
        (
            "CustomLog none/access_log common",
            "(2)No such file or directory: AH00649: could not open transfer log file \
             @ROOT@/none/access_log.\nAH00015: Unable to open logs\n",
        ),
    ] {
        let conf = Conf::of(Mpm::Event, &format!("{base}{line}"));
        fails(&conf, &port, wanted);
        assert!(!conf.root().join("pid").exists(), "{line}");
    }
}

#[test]
fn a_pid_file_that_cannot_be_made() {
    let port = Port::new();
    for (path, reason) in [("none/pid", "No such file or directory"), (".", "Is a directory")] {
        let lines = format!("{}{}PidFile {path}\n", account(), port.line());
        let output = Conf::of(Mpm::Event, &lines).run(&["-DFOREGROUND"]);
        assert_eq!(output.status, 1);
        let wanted = format!("AH00099: gearbox: could not create @ROOT@/{path}: {reason}");
        assert!(output.stderr.starts_with(&wanted), "{}", output.stderr);
        port.is_left_alone();
    }
}

/// Odd, but no reason not to serve.
#[test]
fn warnings_of_a_start() {
    let server = Setup::new(Mpm::Event).line("DocumentRoot none").start();
    let wanted = format!(
        "AH00112: Warning: DocumentRoot [{}/none] does not exist\n",
        server.root().display()
    );
    assert_eq!(server.stderr(), wanted);
    assert_eq!(server.connect().get("/").status, 404);
    assert_eq!(server.stop(), 0);
    let unnamed = Conf::text(&Mpm::Event.load_module());
    let (status, stderr) = unnamed.check();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("Linux");
    let host = host.trim();
    let wanted = format!(
        "AH00558: gearbox: Could not reliably determine the server's fully qualified domain name, \
         using {host}. Set the 'ServerName' directive globally to suppress this message\nSyntax OK\n"
    );
    assert_eq!((status, stderr), (0, wanted));
}

//! A restart that cannot work is refused, and nothing changes for anybody.

use std::net::TcpListener;

use gearbox_tests::status::tell;
use gearbox_tests::{Module, Mpm, Server, UnderLoad, gearbox_binary};
use nix::fcntl::{Flock, FlockArg};

every_mpm!(
    a_broken_file,
    modules_of_no_use,
    addresses_and_files_that_cannot_be_had,
    not_exactly_one_mpm,
);

/// `-k graceful` and `-k restart` are refused for this reason; the same generation goes on.
#[track_caller]
fn refuses(under_load: &UnderLoad, reason: &str) {
    let server: &Server = under_load;
    let (before, log_before) = (server.status(), server.error_log());
    for action in ["graceful", "restart"] {
        let output = server.ask(action);
        let wanted = format!(
            "gearbox: restart refused, generation {} goes on:\n{reason}\n",
            before.generation
        );
        assert_eq!((output.status, output.stderr.as_str()), (1, wanted.as_str()), "{action}");
        assert_eq!(output.stdout, "", "{action}");
        let after = server.status();
        assert_eq!(after.state, "serving", "{action}");
        assert_eq!((after.pid, after.generation), (before.pid, before.generation), "{action}");
    }
    under_load.is_served();
    let (root, log) = (server.root().display().to_string(), server.error_log());
    let log = log.strip_prefix(&log_before).expect("it only grows").replace(&root, "@ROOT@");
    let line = reason.lines().next().expect("a reason");
    let told = format!("GB0326: restart refused, generation {} goes on: {line}", before.generation);
    assert_eq!(log.matches(&told).count(), 2, "{told}\n{log}");
}

/// With the right configuration it works again.
#[track_caller]
fn restarts(under_load: UnderLoad, configuration: &str) {
    let before = under_load.status();
    under_load.configure(configuration);
    under_load.asks("graceful");
    let after = under_load.status();
    assert_eq!((after.pid, after.generation), (before.pid, before.generation + 1));
    assert_eq!(after.state, "serving");
    under_load.is_served();
    assert_eq!(under_load.ends_clean().stop(), 0);
}

/// All errors are told, each with its place.
fn a_broken_file(mpm: Mpm) {
    let server = UnderLoad::start(mpm, |setup| setup);
    let good = server.configuration();
    server.configure(&format!("{good}Nonsense On\nDocumentRoot htdocs\nListen 1.2.3.4\n"));
    let line = good.lines().count() + 1;
    let command = "Invalid command 'Nonsense', perhaps misspelled or defined by a module not included \
                   in the server configuration";
    let error = |line: usize, sentence: &str, source: &str, caret: &str| {
        format!(
            "AH00526: Syntax error on line {line} of @ROOT@/gearbox.conf:\n{sentence}\n   {line} | \
             {source}\n      | {caret}"
        )
    };
    let errors = [
        error(line, command, "Nonsense On", "^^^^^^^^"),
        error(line + 2, "Port must be specified", "Listen 1.2.3.4", "       ^^^^^^^"),
    ];
    refuses(&server, &errors.join("\n"));
    restarts(server, &good);
}

fn modules_of_no_use(mpm: Mpm) {
    let server = UnderLoad::start(mpm, |setup| setup);
    let good = server.configuration();
    let is_load = |line: &str| line.starts_with("LoadModule ");
    let number = good.lines().position(is_load).expect("an MPM is loaded") + 1;
    let error = |line: &str, sentence: &str| {
        format!(
            "AH00526: Syntax error on line {number} of @ROOT@/gearbox.conf:\n{sentence}\n    \
             {number} | {line}      | ^^^^^^^^^^"
        )
    };
    let line = "LoadModule mpm_none_module modules/none.so\n";
    server.load(line);
    let sentence = format!(
        "cannot load mpm_none_module from modules/none.so: there is no such file, neither in \
         @ROOT@/modules nor in {} nor in /usr/lib/gearbox/modules; these hold mod_mpm_event.so, \
         mod_mpm_prefork.so, mod_mpm_worker.so",
        gearbox_binary().with_file_name("modules").display()
    );
    refuses(&server, &error(line, &sentence));

    let other = Module::compile("modules/good.c", "mpm_good_module", &["-DMAJOR=7"]);
    server.load(&other.load_module());
    let sentence = format!(
        "cannot load mpm_good_module from {}: it was compiled for ABI 7.0, this host needs 1.x",
        other.file().display()
    );
    refuses(&server, &error(&other.load_module(), &sentence));

    let sick = Module::sick("PREPARE");
    server.load(&sick.load_module());
    refuses(&server, "GB0314: gearbox: mpm_sick_module cannot be used: not feeling well");

    let crash = Module::sick("CRASH");
    server.load(&crash.load_module());
    refuses(&server, "the trial of the new configuration was ended by signal SIGABRT (6)");
    restarts(server, &good);
}

fn addresses_and_files_that_cannot_be_had(mpm: Mpm) {
    let server = UnderLoad::start(mpm, |setup| setup);
    let good = server.configuration();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound");
    server.configure(&format!("{good}Listen {address}\n"));
    let code = match mpm {
        Mpm::Event | Mpm::C99 => "AH03272",
        Mpm::Worker => "AH03290",
        Mpm::Prefork => "AH03279",
    };
    refuses(
        &server,
        &format!(
            "(98)Address already in use: AH00072: make_sock: could not bind to address {address}\n\
             {code}: no listening sockets available, shutting down\nAH00015: Unable to open logs"
        ),
    );
    server.configure(&format!("{good}ErrorLog none/error_log\n"));
    refuses(
        &server,
        "(2)No such file or directory: AH00091: gearbox: could not open error log file \
         @ROOT@/none/error_log.\nAH00015: Unable to open logs",
    );
    restarts(server, &good);
}

/// `-k` looks for the server where the file says: these are asked for at the socket itself.
#[test]
fn a_pid_file_or_control_socket_that_cannot_be_had() {
    let server = UnderLoad::start(Mpm::Event, |setup| setup);
    let good = server.configuration();
    let before = server.status();
    let socket = server.root().join("logs/gearbox.sock");
    let somebody = std::fs::File::create(server.root().join("locked.pid")).expect("ours");
    let _lock = Flock::lock(somebody, FlockArg::LockExclusive).expect("ours");
    for (lines, reason) in [
        (
            "PidFile none/gearbox.pid",
            "AH00099: gearbox: could not create @ROOT@/none/gearbox.pid: No such file or directory \
             (os error 2)",
        ),
        ("PidFile locked.pid", "gearbox: another server holds the PID file @ROOT@/locked.pid"),
        (
            "ControlSocket none/gearbox.sock",
            "GB0321: gearbox: control socket @ROOT@/none/gearbox.sock: No such file or directory (os \
             error 2)",
        ),
        (
            "ControlSocket htdocs/a",
            "GB0321: gearbox: control socket @ROOT@/htdocs/a: there is something else than a socket; \
             remove it, or let ControlSocket name another path",
        ),
    ] {
        server.configure(&format!("{good}{lines}\n"));
        for command in ["graceful", "restart"] {
            let request = format!("{{\"command\":\"{command}\"}}");
            let reply = tell(&socket, &request).expect("the server answers");
            let reply: serde_json::Value = serde_json::from_str(&reply).expect("JSON");
            let text = reply["text"].as_str().expect("a text");
            let root = server.root().display().to_string();
            assert_eq!(
                (&reply["ok"], text.replace(&root, "@ROOT@").as_str()),
                (&false.into(), reason)
            );
            let after = server.status();
            assert_eq!((after.generation, after.state.as_str()), (before.generation, "serving"));
        }
    }
    restarts(server, &good);
}

fn not_exactly_one_mpm(mpm: Mpm) {
    let server = UnderLoad::start(mpm, |setup| setup);
    let good = server.configuration();
    let is_load = |line: &&str| line.starts_with("LoadModule ");
    let number = good.lines().position(|line| is_load(&line)).expect("an MPM is loaded") + 1;
    let other = if mpm == Mpm::Event { Mpm::Worker } else { Mpm::Event };
    server.configure(&format!("{good}{}", other.load_module()));
    refuses(
        &server,
        &format!(
            "AH00534: gearbox: Configuration error: More than one MPM loaded.\n    mpm_{}_module on \
             line {number} of @ROOT@/gearbox.conf\n    mpm_{}_module on line {} of \
             @ROOT@/gearbox.conf",
            mpm.name(),
            other.name(),
            good.lines().count() + 1
        ),
    );
    let without: String =
        good.lines().filter(|line| !is_load(line)).map(|line| format!("{line}\n")).collect();
    server.configure(&without);
    let built = ["event", "prefork", "worker"]
        .map(|name| format!("\n    LoadModule mpm_{name}_module modules/mod_mpm_{name}.so"));
    refuses(
        &server,
        &format!(
            "AH00534: gearbox: Configuration error: No MPM loaded.\nAdd one of these lines to the \
             configuration:{}",
            built.concat()
        ),
    );
    restarts(server, &good);
}

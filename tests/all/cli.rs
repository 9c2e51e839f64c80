//! The command line: httpd's flags and exit statuses.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use gearbox_tests::{Conf, Mpm, gearbox, gearbox_binary, run};

use crate::reports::{MPMS, between};

/// `-t` looks and touches nothing: no log, no PID file, no socket.
#[test]
fn test_of_the_configuration() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    for mpm in MPMS {
        let lines = format!("Listen 127.0.0.1:{port}\nErrorLog error_log\nPidFile pid");
        let conf = Conf::of(mpm, &lines);
        assert_eq!(conf.check(), (0, "Syntax OK\n".to_owned()));
        let left: Vec<_> = std::fs::read_dir(conf.root()).expect("ours").collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}

#[test]
fn test_prints_notes_and_warnings() {
    let load = Mpm::Event.load_module();
    let conf = Conf::text(&format!("{load}LoadModule dir_module x.so\nDocumentRoot none\n"));
    let (status, stderr) = conf.check();
    assert_eq!(status, 0);
    for line in [
        "GB0103: Note on line 2 of @ROOT@/gearbox.conf:\n",
        "AH00558: gearbox: Could not reliably determine the server's fully qualified domain name, ",
        "AH00112: Warning: DocumentRoot [@ROOT@/none] does not exist\nSyntax OK\n",
    ] {
        assert!(stderr.contains(line), "{line} in\n{stderr}");
    }
}

#[test]
fn document_root_is_not_checked_with_the_option_for_that() {
    let conf = Conf::of(Mpm::Event, "DocumentRoot none");
    let more = ["-t", "-C", "Listen 127.0.0.1:0", "-C", "User nobody"];
    assert!(conf.run(&more).stderr.starts_with("AH00112: "));
    assert_eq!(conf.run(&[&more[..], &["-T"]].concat()).stderr, "Syntax OK\n");
}

/// One that is not there must not start a server instead.
#[test]
fn a_dump_that_is_not_there_is_refused() {
    let conf = Conf::of(Mpm::Event, "Listen 127.0.0.1:0");
    for define in ["DUMP_INCLUDES", "DUMP_CERTS", "DUMP_CA_CERTS"] {
        for arguments in [&["-D", define][..], &["-t", "-D", define]] {
            let output = conf.run(arguments);
            assert_eq!(output.status, 1, "{arguments:?}: {}", output.stderr);
            let wanted = format!("gearbox: -D {define} is not supported yet\n");
            assert_eq!(output.stderr, wanted);
        }
    }
}

#[test]
fn help() {
    let asked = gearbox(["--help"]);
    assert_eq!((asked.status, asked.stderr.as_str()), (0, ""));
    let httpds = gearbox(["-h"]);
    assert_eq!((httpds.status, httpds.stdout.as_str()), (1, ""));
    assert_eq!(httpds.stderr, asked.stdout);
    for option in "d f C c D k v V l L t T S M X h".split(' ') {
        let line = asked.stdout.lines().find(|line| line.trim().starts_with(&format!("-{option}")));
        let line = line.unwrap_or_else(|| panic!("-{option} in\n{}", asked.stdout));
        assert!(line.split_whitespace().count() > 2, "{line}");
    }
    assert!(asked.stdout.contains("Usage: gearbox [OPTIONS]"), "{}", asked.stdout);
}

#[test]
fn mistakes_are_named() {
    for (arguments, mistake) in [
        (&["-Z"][..], "'-Z'"),
        (&["--nonsense"], "'--nonsense'"),
        (&["-t", "file"], "'file'"),
        (&["-f"], "'-f <FILE>'"),
        (&["-D"], "'-D <NAME[=VALUE]>'"),
    ] {
        let output = gearbox(arguments);
        assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{arguments:?}");
        assert!(output.stderr.contains(mistake), "{arguments:?}: {}", output.stderr);
    }
}

/// Scripts put their own options before those they are given: as with httpd, the last one counts.
#[test]
fn options_may_be_repeated() {
    let conf = Conf::of(Mpm::Event, "Listen 127.0.0.1:0\nUser nobody");
    let file = conf.file().display().to_string();
    let output = run(&mut conf.command(&["-f", "none", "-d", "/", "-f", &file, "-t", "-t"]));
    assert_eq!((output.status, output.stderr.as_str()), (0, "Syntax OK\n"));
}

#[test]
fn a_signal_that_is_not_known() {
    let output = Conf::of(Mpm::Event, "Listen 127.0.0.1:0").run(&["-k", "gracefull"]);
    assert_eq!((output.status, output.stdout.as_str()), (1, ""));
    assert!(
        output.stderr.contains("invalid value 'gracefull' for '-k <ACTION>'"),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("graceful-stop"), "{}", output.stderr);
}

/// The file is looked for in ServerRoot, then where the command was given.
#[test]
fn a_relative_file() {
    let conf = Conf::of(Mpm::Event, "");
    conf.put("sub/only-there.conf", &Mpm::Prefork.load_module());
    conf.put("sub/gearbox.conf", "nonsense");
    let sub = conf.root().join("sub");
    let mpm = |file: &str| {
        let mut command = Command::new(gearbox_binary());
        command.args(["-V", "-f", file, "-d"]).arg(conf.root()).current_dir(&sub);
        let output = run(&mut command);
        assert_eq!(output.status, 0, "{file}: {}", output.stderr);
        between(&output.stdout, "Server MPM:", "  threaded").to_owned()
    };
    assert_eq!(mpm("gearbox.conf"), "Server MPM:     event\n");
    assert_eq!(mpm("sub/only-there.conf"), "Server MPM:     prefork\n");
    assert_eq!(mpm("only-there.conf"), "Server MPM:     prefork\n");
}

#[test]
fn server_root_may_be_relative_too() {
    let conf = Conf::of(Mpm::Event, "");
    let mut command = Command::new(gearbox_binary());
    let name = conf.root().file_name().expect("a name");
    command.arg("-d").arg(name).args(["-f", "gearbox.conf", "-S"]);
    command.current_dir(conf.root().parent().expect("not /"));
    let output = run(&mut command);
    assert_eq!(output.status, 0, "{}", output.stderr);
    assert!(output.stdout.contains(&format!("ServerRoot: \"{}\"", conf.root().display())));
}

#[test]
fn directives_before_and_after_the_file() {
    let conf = Conf::of(Mpm::Event, "ServerName from.file\nListen ${P}");
    let shown = |arguments: &[&str]| {
        let output = conf.run(arguments);
        assert_eq!(output.status, 0, "{}", output.stderr);
        between(&output.stdout, "VirtualHost", "ServerRoot").to_owned()
    };
    let port = ["-S", "-C", "Define P 81", "-C", "ServerName before"];
    let head = "VirtualHost configuration:\n*:81                   ";
    assert_eq!(shown(&port), format!("{head}from.file (main server)\n"));
    let after = [&port[..], &["-c", "ServerName after", "-c", "ServerName last"]].concat();
    assert_eq!(shown(&after), format!("{head}last (main server)\n"));
    let output = conf.run(&["-t", "-C", "Define P 81", "-c", "Listen 82", "-c", "Listne 83"]);
    let wanted = "AH00526: Syntax error on line 2 of -C/-c directives:\nInvalid command 'Listne', ";
    assert!(output.stderr.starts_with(wanted), "{}", output.stderr);
    assert_eq!(output.status, 1);
}

#[test]
fn defines() {
    let lines = "ServerName ${NAME}\n<IfDefine TLS>\nListen 443\n</IfDefine>\n<IfDefine !TLS>\n\
                 Listen 80\n</IfDefine>";
    let conf = Conf::of(Mpm::Event, lines);
    for (arguments, wanted) in [
        (&["-D", "NAME=a.b"][..], "*:80                   a.b (main server)\n"),
        (&["-DNAME=a.b", "-DTLS"], "*:443                  a.b (main server)\n"),
        (&["-D", "NAME=a=b", "-D", "TLS="], "*:443                  a=b (main server)\n"),
    ] {
        let output = conf.run(&[arguments, &["-S"]].concat());
        let shown = between(&output.stdout, "*:", "ServerRoot");
        assert_eq!(shown, wanted, "{arguments:?}: {}", output.stderr);
    }
    let undefined = conf.run(&["-t"]).stderr;
    let wanted = "AH00111: Warning on line 3 of @ROOT@/gearbox.conf:\nConfig variable ${NAME} is not \
                  defined\n";
    assert!(undefined.starts_with(wanted), "{undefined}");
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let conf = Conf::of(Mpm::Event, "");
    for arguments in [&["-v"][..], &["-V"], &["-l"], &["-L"], &["-M"], &["-S"], &["--help"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = conf.command(arguments);
        let status = command.stdin(Stdio::null()).stdout(writer).status().expect("it runs");
        assert_eq!(status.code(), Some(0), "{arguments:?}");
    }
    for arguments in [&["-h"][..], &["-Z"], &["-t", "-c", "nonsense"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = conf.command(arguments);
        let status = command.stdin(Stdio::null()).stderr(writer).status().expect("it runs");
        assert_eq!(status.code(), Some(1), "{arguments:?}");
    }
}

#[test]
fn a_full_disk_is_a_failure() {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux");
    let conf = Conf::of(Mpm::Event, "");
    let mut command = conf.command(&["-L"]);
    let output = command.stdin(Stdio::null()).stdout(full).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with("gearbox: cannot write: No space left on device"), "{stderr}");
}

/// Colour is for a terminal whose owner has not said NO_COLOR.
#[test]
fn colour() {
    let conf = Conf::of(Mpm::Event, "Listne 80");
    assert!(!conf.check().1.contains('\x1b'));
    let gearbox = format!("{} -t -f {}", gearbox_binary().display(), conf.file().display());
    let on_terminal = |no_color: bool| {
        let mut command = Command::new("script");
        command.args(["-qec", &gearbox, "/dev/null"]).env_remove("NO_COLOR");
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let output = run(&mut command);
        assert_eq!(output.status, 1, "{}", output.stderr);
        assert!(output.stdout.contains("Invalid command"), "{}", output.stdout);
        output.stdout.contains('\x1b')
    };
    assert!(on_terminal(false));
    assert!(!on_terminal(true));
}

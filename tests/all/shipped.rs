//! The shipped unit for systemd and rules for logrotate: they ask for what there is.

use std::process::Command;

use gearbox_tests::{Conf, Mpm, Source, gearbox_binary, run};

/// Where they expect the server, and its files.
const INSTALLED: &str = "/usr/sbin/gearbox -d /etc/gearbox -f gearbox.conf ";

/// The arguments in a shipped file, beyond those that say where the configuration is.
fn arguments(path: &str, before: &str) -> Vec<String> {
    let text = Source::read(path).text;
    let begins = format!("{before}{INSTALLED}");
    let line = text.lines().find_map(|line| line.trim().strip_prefix(&begins));
    let line = line.unwrap_or_else(|| panic!("{path} calls the server"));
    line.split(' ').map(str::to_owned).collect()
}

#[test]
fn the_unit_starts_the_server() {
    let mut arguments = arguments("conf/gearbox.service", "ExecStart=");
    assert_eq!(arguments, ["-D", "FOREGROUND"]);
    arguments.extend(["-t", "-C", "Listen 127.0.0.1:0", "-C", "User nobody"].map(str::to_owned));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = Conf::of(Mpm::Event, "").run(&arguments);
    assert_eq!((output.status, output.stderr.as_str()), (0, "Syntax OK\n"));
}

#[test]
fn systemd_understands_the_unit() {
    let dir = tempfile::tempdir().expect("a directory for the unit");
    let unit = dir.path().join("gearbox.service");
    let text = Source::read("conf/gearbox.service").text;
    let binary = gearbox_binary().display().to_string();
    std::fs::write(&unit, text.replace("/usr/sbin/gearbox", &binary)).expect("ours");
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no", "--recursive-errors=no"]).arg(&unit);
    let Ok(output) = command.output() else {
        eprintln!("skipped: systemd-analyze is not there");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    // What systemd 252 does not know yet, it says and fails.
    let is_new = |line: &str| line.contains("notify-reload") || line.contains("ReloadSignal");
    let about: Vec<&str> = said.lines().filter(|line| line.contains("gearbox.service")).collect();
    assert!(output.status.success() || about.iter().any(|line| is_new(line)), "{said}");
    assert!(about.iter().all(|line| is_new(line)), "{said}");
}

/// Without a server the action, a known one, fails.
#[test]
fn logrotate_has_the_logs_opened_anew() {
    let arguments = arguments("conf/gearbox.logrotate", "");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert_eq!(arguments, ["-k", "reopen"]);
    let output = run(&mut Conf::of(Mpm::Event, "").command(&arguments));
    let wanted = "gearbox (no pid file) not running\n";
    assert_eq!((output.status, output.stderr.as_str()), (1, wanted));
}

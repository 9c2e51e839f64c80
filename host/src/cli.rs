//! The command line: httpd's flags.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::server::{Action, Invocation, Show, Signal};

/// What a command line leads to.
#[derive(Debug)]
pub enum Parsed {
    /// Go on.
    Run(Box<Invocation>),
    /// Printed already; end with this status.
    Exit(i32),
}

/// Parses the command line. `-h` ends with 1 as httpd's, `--help` with 0, a mistake with 1.
pub fn parse(args: impl IntoIterator<Item = std::ffi::OsString>) -> Parsed {
    let matches = match command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => {
            // Help goes to standard output, mistakes to standard error.
            let _ = error.print();
            return Parsed::Exit(error.exit_code().min(1));
        }
    };
    if matches.get_flag("usage") {
        let mut command = command();
        let _ = write!(std::io::stderr(), "{}", command.render_help());
        return Parsed::Exit(1);
    }
    let mut defines = matches.get_many::<String>("define").into_iter().flatten();
    if let Some(dump) = defines.find(|name| is_unsupported_dump(name)) {
        let _ = writeln!(std::io::stderr(), "gearbox: -D {dump} is not supported yet");
        return Parsed::Exit(1);
    }
    Parsed::Run(Box::new(invocation(&matches)))
}

/// Asked for something to be shown, a server must not start instead.
fn is_unsupported_dump(define: &str) -> bool {
    let is_supported = DUMP_SETTINGS.contains(&define) || DUMP_MODULES.contains(&define);
    define.starts_with("DUMP_") && !is_supported
}

/// Defines that mean `-S`.
const DUMP_SETTINGS: [&str; 2] = ["DUMP_VHOSTS", "DUMP_RUN_CFG"];
/// Defines that mean `-M`.
const DUMP_MODULES: [&str; 1] = ["DUMP_MODULES"];

fn command() -> Command {
    let value = |id: &'static str, short, name: &'static str, help: &'static str| {
        let arg = Arg::new(id).short(short).value_name(name).help(help);
        // `gearbox status` finds the server by the same ones.
        arg.allow_hyphen_values(true).global(id != "signal")
    };
    let many = |arg: Arg| arg.action(ArgAction::Append);
    let flag = |id: &'static str, short, help: &'static str| {
        Arg::new(id).short(short).action(ArgAction::SetTrue).help(help)
    };
    Command::new("gearbox")
        .about("A web server whose process and thread model is a plug-in (MPM).")
        .disable_help_flag(true)
        .disable_version_flag(true)
        // As with getopt: of an option given again the last one counts.
        .args_override_self(true)
        .args([
            value("root", 'd', "DIR", "ServerRoot to begin with"),
            value("file", 'f', "FILE", "configuration file; relative to ServerRoot"),
            many(value("before", 'C', "DIRECTIVE", "read this directive before the file")),
            many(value("after", 'c', "DIRECTIVE", "read this directive after the file")),
            many(value(
                "define",
                'D',
                "NAME[=VALUE]",
                "define a name for <IfDefine> and ${NAME}; FOREGROUND: do not detach",
            )),
            value("signal", 'k', "ACTION", SIGNAL_HELP).value_parser(SIGNALS.map(|(name, _)| name)),
            flag("version", 'v', "show the version"),
            flag("version-long", 'V', "show the version, the MPM and compile settings"),
            flag("compiled-in", 'l', "list the modules compiled in"),
            flag("directives", 'L', "list the directives there are"),
            flag("test", 't', "check the configuration"),
            flag("skip-root", 'T', "start without checking that DocumentRoot exists"),
            flag("settings", 'S', "show the settings as they were understood"),
            flag("modules", 'M', "list the modules loaded"),
            flag("one", 'X', "serve with one process, in the foreground"),
            flag("usage", 'h', "show this help and end with status 1"),
            help(),
        ])
        .disable_help_subcommand(true)
        .subcommand(status())
}

fn help() -> Arg {
    Arg::new("help").long("help").action(ArgAction::HelpShort).help("show this help")
}

/// `gearbox status`.
fn status() -> Command {
    let seconds = |word: &str| match word.parse() {
        Ok(seconds) if (0.1..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a number of seconds from 0.1 to 86400"),
    };
    let long = |name: &'static str, help| Arg::new(name).long(name).help(help);
    Command::new("status")
        .about("Show how the server that runs is, even while all its workers are stuck")
        .after_help(
            "Exit status: 0 it serves, 1 it does not run or does not answer, 2 anything else: it \
             starts, stops, or is degraded.",
        )
        .disable_help_flag(true)
        .args_override_self(true)
        .args([
            long("json", "print one line of JSON instead of a table").action(ArgAction::SetTrue),
            long("watch", "go on showing it, every 2 seconds if nothing else is said")
                .value_name("SECONDS")
                .value_parser(seconds)
                .num_args(0..=1)
                .default_missing_value("2"),
            help(),
        ])
}

/// What `-k` is good for.
const SIGNAL_HELP: &str = "start: start a server unless one runs. \
    stop: end it, requests in progress have StopTimeout; comes back when it is gone. \
    graceful-stop: end it when everything is finished. \
    graceful: go on with the configuration as it is now, no request is lost; comes back when that \
    serves (0), or was refused (1). \
    restart: the same, but what is in progress has StopTimeout. \
    reopen: open the logs anew. \
    graceful and restart start a server that does not run";

/// What `-k` takes.
const SIGNALS: [(&str, Option<Signal>); 6] = [
    ("start", None),
    ("stop", Some(Signal::Stop)),
    ("restart", Some(Signal::Restart)),
    ("graceful", Some(Signal::Graceful)),
    ("graceful-stop", Some(Signal::GracefulStop)),
    ("reopen", Some(Signal::Reopen)),
];

fn invocation(matches: &ArgMatches) -> Invocation {
    let texts = |id: &str| -> Vec<String> {
        matches.get_many::<String>(id).into_iter().flatten().cloned().collect()
    };
    let all_defines = texts("define");
    let defined = |names: &[&str]| all_defines.iter().any(|name| names.contains(&name.as_str()));
    let flag = |id| matches.get_flag(id);
    let action = [
        (flag("version"), Action::Version),
        (flag("version-long"), Action::VersionLong),
        (flag("compiled-in"), Action::CompiledIn),
        (flag("directives"), Action::Directives),
        (flag("settings") || defined(&DUMP_SETTINGS), Action::Settings),
        (flag("modules") || defined(&DUMP_MODULES), Action::Modules),
        (flag("test"), Action::Test),
    ];
    let signal = matches.get_one::<String>("signal");
    let signal = SIGNALS.into_iter().find(|(name, _)| signal.is_some_and(|signal| signal == name));
    let serve = signal.and_then(|(_, signal)| signal).map_or(Action::Serve, Action::Ask);
    let action = action.into_iter().find(|(asked, _)| *asked).map_or(serve, |(_, a)| a);
    let action = matches.subcommand_matches("status").map_or(action, |status| {
        let watch = status.get_one("watch").copied();
        Action::Status(Show { json: status.get_flag("json"), watch })
    });
    let path = |id| matches.get_one::<String>(id).map(PathBuf::from);
    let (server_root, config) = places(path("root"), path("file"));
    Invocation {
        action,
        server_root,
        config,
        before: texts("before"),
        after: texts("after"),
        skip_document_root: flag("skip-root"),
        one_process: flag("one") || defined(&["DEBUG", "ONE_PROCESS"]),
        foreground: defined(&["FOREGROUND", "NO_DETACH"]),
        defines: all_defines,
        color: std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    }
}

/// Where an installed server finds its files.
const INSTALLED: &str = "/etc/gearbox";

/// ServerRoot to begin with, and the configuration file.
fn places(root: Option<PathBuf>, file: Option<PathBuf>) -> (PathBuf, PathBuf) {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let tree = checkout();
    let default_file = match &tree {
        Some(_) => "conf/gearbox.conf",
        None => "gearbox.conf",
    };
    let root = match root {
        Some(root) => here.join(root),
        None => tree.unwrap_or_else(|| PathBuf::from(INSTALLED)),
    };
    let file = match file {
        // As httpd: relative to ServerRoot. A file that is only there relative to the working
        // directory is what was meant.
        Some(file) if !root.join(&file).exists() && here.join(&file).exists() => here.join(file),
        Some(file) => root.join(file),
        None => root.join(default_file),
    };
    (root, file)
}

/// The checkout this binary was built in (`CHECKOUT/target/PROFILE/gearbox`), if it was.
fn checkout() -> Option<PathBuf> {
    let exe = std::env::current_exe().ok()?;
    let target = exe.parent()?.parent()?;
    let root = target.parent()?;
    let is_checkout =
        |root: &Path| root.join("conf/gearbox.conf").is_file() && root.join("Cargo.toml").is_file();
    is_checkout(root).then(|| root.to_owned())
}

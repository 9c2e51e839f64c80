//! What the command line options print of a configuration: -v, -V, -l, -M, -L, -S.

use gearbox_tests::{Conf, Mpm, gearbox};

every_mpm!(the_mpm_is_named, the_mpm_is_listed_last);

pub(crate) const MPMS: [Mpm; 4] = [Mpm::Event, Mpm::Worker, Mpm::Prefork, Mpm::C99];

/// The part of a text from a line that begins with `from` to before one that begins with `to`.
pub(crate) fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let start = text.find(&format!("\n{from}")).map_or(0, |at| at + 1);
    let end = text[start..].find(&format!("\n{to}")).map_or(text.len(), |at| start + at + 1);
    &text[start..end]
}

#[test]
fn version() {
    let output = gearbox(["-v"]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines[0], concat!("Server version: gearbox/", env!("CARGO_PKG_VERSION"), " (Unix)"));
    let built = lines[1].strip_prefix("Server built:   ").expect("the date");
    assert_eq!(built.split(' ').count(), 4, "month, day, year, time: {built}");
    assert_eq!(lines.len(), 2);
}

fn the_mpm_is_named(mpm: Mpm) {
    let output = Conf::of(mpm, "").run(&["-V"]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    let (threaded, forked) = match mpm {
        Mpm::Event | Mpm::Worker => ("yes (fixed thread count)", "yes (variable process count)"),
        Mpm::Prefork => ("no", "yes (variable process count)"),
        Mpm::C99 => ("no", "no"),
    };
    let wanted = format!(
        "Server MPM:     {}\n  threaded:     {threaded}\n    forked:     {forked}\n",
        mpm.name()
    );
    assert_eq!(between(&output.stdout, "Server MPM:", "Server compiled with"), wanted);
}

#[test]
fn version_long_in_httpds_order() {
    let stdout = Conf::of(Mpm::Event, "").run(&["-V"]).stdout;
    let heads = [
        "Server version: ",
        "Server built:   ",
        "Server's Module Magic Number: 1:0",
        "Architecture:   64-bit",
        "Server MPM:     event",
        "Server compiled with....",
        " -D HTTPD_ROOT=\"@ROOT@\"",
        " -D SERVER_CONFIG_FILE=\"@ROOT@/gearbox.conf\"",
        " -D DEFAULT_PIDLOG=\"logs/gearbox.pid\"",
    ];
    let mut rest = stdout.as_str();
    for head in heads {
        let at = rest.find(head).unwrap_or_else(|| panic!("{head:?} in its place in\n{stdout}"));
        rest = &rest[at + head.len()..];
    }
}

#[test]
fn version_long_of_a_broken_configuration() {
    let output = Conf::text("Listne 80\n").run(&["-V"]);
    assert_eq!(output.status, 1);
    assert_eq!(between(&output.stdout, "Server MPM:", "Server compiled"), "Server MPM:     \n");
    assert!(output.stdout.contains("\nServer compiled with....\n"), "{}", output.stdout);
    assert!(output.stderr.contains("Invalid command 'Listne'"), "{}", output.stderr);
    assert!(output.stderr.contains("AH00534: "), "{}", output.stderr);
}

const COMPILED_IN: &str = "Compiled in modules:\n  core.c\n  mod_so.c\n  http_core.c\n  mod_unixd.c\n  \
                           mod_authz_core.c\n  mod_log_config.c\n  mod_mime.c\n  mod_status.c\n  mod_dir.c\n";

/// What a configuration loads is not compiled in, and a broken one does not matter.
#[test]
fn compiled_in() {
    for conf in [Conf::of(Mpm::Event, ""), Conf::text("nonsense\n")] {
        let output = conf.run(&["-l"]);
        assert_eq!((output.status, output.stdout.as_str()), (0, COMPILED_IN));
        assert_eq!(output.stderr, "");
    }
}

fn the_mpm_is_listed_last(mpm: Mpm) {
    let output = Conf::of(mpm, "LoadModule dir_module modules/mod_dir.so").run(&["-M"]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    let mut lines = output.stdout.lines();
    assert_eq!(lines.next(), Some("Loaded Modules:"));
    assert_eq!(lines.next(), Some(" core_module (static)"));
    let shared = format!(" mpm_{}_module (shared)", mpm.name());
    assert_eq!(lines.next_back(), Some(shared.as_str()));
    assert!(lines.all(|line| line.starts_with(' ') && line.ends_with("_module (static)")));
}

/// A directive as `-L` shows it.
struct Listed {
    name: String,
    source: String,
    help: String,
    allowed: String,
    default: Option<String>,
}

fn listed(mpm: Mpm) -> Vec<Listed> {
    let output = Conf::of(mpm, "").run(&["-L"]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    let mut lines = output.stdout.lines().peekable();
    let mut all = Vec::new();
    while let Some(head) = lines.next() {
        let (name, source) = head.split_once(" (").expect("NAME (SOURCE)");
        let mut tail = std::iter::from_fn(|| lines.next_if(|line| line.starts_with('\t')));
        all.push(Listed {
            name: name.to_owned(),
            source: source.strip_suffix(')').expect("NAME (SOURCE)").to_owned(),
            help: tail.next().expect("a line of help").trim().to_owned(),
            allowed: tail.next().expect("where it is allowed").trim().to_owned(),
            default: tail.next().map(|line| {
                let default = line.strip_prefix("\tDefault: ");
                default.unwrap_or_else(|| panic!("not a default: {line}")).to_owned()
            }),
        });
        assert_eq!(tail.next(), None, "after {name}");
    }
    all
}

#[test]
fn every_directive_is_explained() {
    for mpm in MPMS {
        for Listed { name, source, help, allowed, .. } in listed(mpm) {
            assert!(source.ends_with(".c"), "{name}: {source}");
            assert!(!help.is_empty() && !help.starts_with("Allowed"), "{name}: {help}");
            let places = ["anywhere", "only outside <Directory> or <Location> sections"];
            let inside = "only inside <Directory> or <Location> sections";
            let place = allowed.strip_prefix("Allowed in *.conf ").expect(&name);
            assert!(places.contains(&place) || place == inside, "{name}: {place}");
        }
    }
}

#[test]
fn an_mpms_directives_are_listed_with_their_defaults() {
    for (mpm, name, default) in [
        (Mpm::Event, "StartServers", Some("3")),
        (Mpm::Event, "ThreadsPerChild", Some("25")),
        (Mpm::Event, "MaxClients", Some("400")),
        (Mpm::Worker, "ServerLimit", Some("16")),
        (Mpm::Worker, "ThreadLimit", Some("64")),
        (Mpm::Prefork, "StartServers", Some("5")),
        (Mpm::Prefork, "MaxRequestWorkers", Some("256")),
        (Mpm::Prefork, "ThreadsPerChild", None),
        (Mpm::C99, "StartServers", None),
    ] {
        let all = listed(mpm);
        let found = all.iter().find(|listed| listed.name == name);
        let what = format!("{name} of {}", mpm.name());
        let found = found.map(|listed| {
            assert_eq!(listed.source, format!("{}.c", mpm.name()), "{what}");
            listed.default.as_deref().expect(&what)
        });
        assert_eq!(found, default, "{what}");
    }
}

#[test]
fn no_directive_is_listed_twice() {
    for mpm in MPMS {
        let mut names: Vec<String> = listed(mpm).into_iter().map(|listed| listed.name).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "{names:?}");
    }
}

const SETTINGS: &str = "\
VirtualHost configuration:
*:80                   localhost (main server)
127.0.0.1:8080         localhost (main server)
[::1]:8080             localhost (main server)
ServerRoot: \"@ROOT@\"
Main DocumentRoot: \"@ROOT@/htdocs\"
Main ErrorLog: \"@ROOT@/logs/error_log\"
PidFile: \"@ROOT@/logs/gearbox.pid\"
Define: TLS
Define: SITE=/srv
MPM: event
  StartServers: 3
  MinSpareThreads: 75
  MaxSpareThreads: 250
  ServerLimit: 16
  ThreadLimit: 64
  ThreadsPerChild: 25
  MaxRequestWorkers: 400
  AsyncRequestWorkerFactor: 2
User: name=\"nobody\" id=65534";

#[test]
fn settings() {
    let lines = "Listen 80\nListen 127.0.0.1:8080\nListen [::1]:8080\nUser nobody\nGroup nogroup\n\
                 Define SITE /srv\nDocumentRoot htdocs\nErrorLog logs/error_log\n";
    let output = Conf::of(Mpm::Event, lines).run(&["-S", "-D", "TLS"]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    let used = if nix::unistd::Uid::effective().is_root() { "" } else { " not_used" };
    let wanted = format!("{SETTINGS}{used}\nGroup: name=\"nogroup\" id=65534{used}\n");
    assert_eq!(output.stdout, wanted);
}

#[test]
fn dumps_by_define() {
    let conf = Conf::of(Mpm::Event, "Listen 80");
    for (define, option) in [("DUMP_VHOSTS", "-S"), ("DUMP_RUN_CFG", "-S"), ("DUMP_MODULES", "-M")]
    {
        let output = conf.run(&["-D", define]);
        let without = |text: String| text.replace(&format!("Define: {define}\n"), "");
        assert_eq!(output.status, 0, "{}", output.stderr);
        assert_eq!(without(output.stdout), conf.run(&[option]).stdout, "{define}");
    }
}

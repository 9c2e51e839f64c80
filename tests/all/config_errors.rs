//! What is wrong in a configuration: all of it at once, each with its place, and what to do.

use gearbox_tests::{Conf, Mpm};

every_mpm!(other_mpms_directives, blocks_for_other_mpms);

/// An error on a line of the main file.
pub(crate) fn error(line: u32, sentence: &str, source: &str, caret: &str) -> String {
    error_in("gearbox.conf", line, sentence, source, caret)
}

fn error_in(file: &str, line: u32, sentence: &str, source: &str, caret: &str) -> String {
    format!(
        "AH00526: Syntax error on line {line} of @ROOT@/{file}:\n{sentence}\n{line:5} | \
         {source}\n      | {caret}\n"
    )
}

fn unknown(name: &str) -> String {
    format!(
        "Invalid command '{name}', perhaps misspelled or defined by a module not included in the \
         server configuration"
    )
}

/// Lines 3 and on of a configuration for event, and the errors they give.
#[track_caller]
fn fails(lines: &str, wanted: &str) {
    assert_eq!(Conf::of(Mpm::Event, lines).check(), (1, wanted.to_owned()), "{lines}");
}

const SIX: &str = "\
AH00526: Syntax error on line 3 of @ROOT@/gearbox.conf:
Invalid command 'Listne', perhaps misspelled or defined by a module not included in the server configuration
    3 | Listne 80
      | ^^^^^^ did you mean 'Listen'?
AH00526: Syntax error on line 4 of @ROOT@/gearbox.conf:
StartServers must be an integer
    4 |         StartServers  many
      |                       ^^^^
AH00526: Syntax error on line 1 of @ROOT@/more.conf:
KeepAlive must be On or Off
    1 | KeepAlive maybe
      |           ^^^^^
AH00526: Syntax error on line 2 of @ROOT@/more.conf:
Could not open configuration file @ROOT@/none.conf: No such file or directory
    2 | Include none.conf
      |         ^^^^^^^^^
AH00526: Syntax error on line 7 of @ROOT@/gearbox.conf:
Listen not allowed in <Directory> context
    7 |     Listen 90
      |     ^^^^^^
AH00526: Syntax error on line 10 of @ROOT@/gearbox.conf:
Timeout must be a time such as 30, 500ms or 5min, between 1ms and 8760h
   10 |   soon
      |   ^^^^
";

/// Every option that reads the configuration tells the same, and so does a start.
#[test]
fn six_at_once() {
    let lines = "Listne 80\n\tStartServers  many\nInclude more.conf\n<Directory /srv>\n    Listen 90\n\
                 </Directory>\nTimeout \\\n  soon";
    let conf = Conf::of(Mpm::Event, lines);
    conf.put("more.conf", "KeepAlive maybe\nInclude none.conf\n");
    assert_eq!(conf.check(), (1, SIX.to_owned()));
    for arguments in [&["-M"][..], &["-S"], &["-L"], &["-X"], &["-DFOREGROUND"], &[]] {
        let output = conf.run(arguments);
        assert_eq!((output.status, output.stderr.as_str()), (1, SIX), "{arguments:?}");
        if arguments == ["-L"] {
            // What there is helps to mend it.
            for name in ["Listen (mpm_common.c)\n", "StartServers (event.c)\n"] {
                assert!(output.stdout.contains(name), "{}", output.stdout);
            }
        } else {
            assert_eq!(output.stdout, "", "{arguments:?}");
        }
    }
}

#[test]
fn did_you_mean() {
    for (written, meant) in [
        ("Listne", Some("Listen")),
        ("DocumentRot", Some("DocumentRoot")),
        ("documentrot", Some("DocumentRoot")),
        ("StartServer", Some("StartServers")),
        ("TreadsPerChild", Some("ThreadsPerChild")),
        ("LoadModul", Some("LoadModule")),
        ("Nonsense", None),
        ("L", None),
    ] {
        let carets = "^".repeat(written.len());
        let hint = meant.map(|meant| format!(" did you mean '{meant}'?")).unwrap_or_default();
        let (source, caret) = (format!("{written} x"), format!("{carets}{hint}"));
        fails(&source, &error(3, &unknown(written), &source, &caret));
    }
    let sentence = unknown("<Directry");
    let caret = "^^^^^^^^^ did you mean '<Directory>'?";
    fails("<Directry />\n</Directry>", &error(3, &sentence, "<Directry />", caret));
}

/// A directive that only another MPM has says whose it is.
fn other_mpms_directives(mpm: Mpm) {
    let (own, others, whose) = match mpm {
        Mpm::Event | Mpm::Worker => ("ThreadLimit 70", "MinSpareServers 5", "mpm_prefork_module"),
        Mpm::Prefork => ("StartServers 2", "ThreadLimit 5", "mpm_event_module, mpm_worker_module"),
        Mpm::C99 => (
            "Listen 80",
            "ServerLimit 5",
            "mpm_event_module, mpm_worker_module, mpm_prefork_module",
        ),
    };
    assert_eq!(Conf::of(mpm, own).check(), (0, "Syntax OK\n".to_owned()));
    let name = others.split(' ').next().expect("a name");
    let caret = format!("{} defined by {whose}, not by what is loaded", "^".repeat(name.len()));
    let wanted = error(3, &unknown(name), others, &caret);
    assert_eq!(Conf::of(mpm, others).check(), (1, wanted));
}

/// Only what belongs to the MPM that is loaded counts, under either name of a module.
fn blocks_for_other_mpms(mpm: Mpm) {
    for (n, block) in [Mpm::Event, Mpm::Worker, Mpm::Prefork, Mpm::C99].into_iter().enumerate() {
        for name in [format!("mpm_{}_module", block.name()), format!("{}.c", block.name())] {
            let own = format!("<IfModule {name}>\nListen {n}\n</IfModule>\n");
            let not = format!("<IfModule !{name}>\nnonsense here\n</IfModule>\n");
            let (lines, wanted) = if block == mpm {
                (format!("{own}{not}"), "Syntax OK\n".to_owned())
            } else {
                let ignored = own.replace("Listen", "nonsense");
                let wanted = error(7, &unknown("nonsense"), "nonsense here", "^^^^^^^^");
                (format!("{ignored}{not}"), wanted)
            };
            let status = i32::from(block != mpm);
            assert_eq!(Conf::of(mpm, &lines).check(), (status, wanted), "{name}");
        }
    }
}

/// The shipped file of numbers holds a block for each MPM.
#[test]
fn the_shipped_numbers_suit_every_mpm() {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../conf/extra/mpm.conf");
    for mpm in crate::reports::MPMS {
        let conf = Conf::of(mpm, &format!("Include {shipped}"));
        assert_eq!(conf.check(), (0, "Syntax OK\n".to_owned()), "{}", mpm.name());
    }
}

#[test]
fn a_module_asked_for_too_early() {
    let load = Mpm::Event.load_module();
    let text = format!(
        "ServerName localhost\n<IfModule mpm_event_module>\nnonsense\n</IfModule>\n{load}<IfModule \
         mpm_event_module>\nStartServers 2\n</IfModule>\n"
    );
    let wanted = "GB0102: Warning on line 2 of @ROOT@/gearbox.conf:\n<IfModule mpm_event_module> \
                  counts mpm_event_module as not loaded, because its LoadModule comes later, on line \
                  5 of @ROOT@/gearbox.conf\n    2 | <IfModule mpm_event_module>\n      |           \
                  ^^^^^^^^^^^^^^^^ move the LoadModule line up\nSyntax OK\n";
    assert_eq!(Conf::text(&text).check(), (0, wanted.to_owned()));
}

/// Plain directives of an MPM may stand before its LoadModule, as in httpd.
#[test]
fn directives_before_load_module() {
    let text = format!("ServerName a\nStartServers 2\n{}", Mpm::Prefork.load_module());
    assert_eq!(Conf::text(&text).check(), (0, "Syntax OK\n".to_owned()));
}

/// What closes something in httpd is refused where it is not understood: ignored, it would be open.
#[test]
fn restrictions_are_never_ignored() {
    let only = "only 'Require all granted' and 'Require all denied' are supported yet";
    let none = ".htaccess files are not supported yet: only 'AllowOverride None' is";
    for (line, sentence) in [
        ("AllowOverride All", none),
        ("AllowOverride AuthConfig Limit", none),
        ("Require ip 10.0.0.0/8", only),
        ("Require not ip 10.0.0.1", only),
        ("Require host example.org", only),
        ("Require valid-user", only),
        ("Require user admin", only),
        ("Require method GET", only),
        ("Require expr true", only),
        ("Options SymLinksIfOwnerMatch", "Option SymLinksIfOwnerMatch is not supported yet"),
    ] {
        let (status, stderr) =
            Conf::of(Mpm::Event, &format!("<Location />\n{line}\n</Location>")).check();
        assert!(stderr.contains(&format!(":\n{sentence}\n    4 | {line}\n")), "{line}: {stderr}");
        assert_eq!((status, stderr.matches("AH00526").count()), (1, 1), "{line}");
    }
    for name in [
        "Order",
        "Allow",
        "Deny",
        "Satisfy",
        "AuthType",
        "AuthUserFile",
        "AuthName",
        "AccessFileName",
        "LimitRequestBody",
        "SSLRequireSSL",
        "SSLRequire",
        "SSLEngine",
        "RewriteRule",
        "TraceEnable",
        "AllowMethods",
        "RemoteIPHeader",
    ] {
        let line = format!("{name} x");
        let (status, stderr) =
            Conf::of(Mpm::Event, &format!("<Location />\n{line}\n</Location>")).check();
        let sentence = format!("\n{name} is not supported yet\n");
        assert!(stderr.contains(&sentence), "{line}: {stderr}");
        assert_eq!(status, 1);
    }
}

/// Directives and modules of httpd are no mistakes in typing.
#[test]
fn what_httpd_has() {
    for name in [
        "AddType",
        "ErrorDocument",
        "Alias",
        "ServerAdmin",
        "ServerTokens",
        "ServerSignature",
        "HostnameLookups",
        "UseCanonicalName",
        "EnableMMAP",
        "Mutex",
        "RewriteEngine",
        "SSLEngine",
    ] {
        let sentence = format!("{name} is not supported yet");
        fails(name, &error(3, &sentence, name, &"^".repeat(name.len())));
    }
    for name in ["ssl", "rewrite", "alias", "autoindex"] {
        let line = format!("LoadModule {name}_module modules/mod_{name}.so");
        let sentence = format!("{name}_module is httpd's module and not supported yet");
        fails(&line, &error(3, &sentence, &line, "^^^^^^^^^^"));
    }
}

/// What follows from a module that is not loaded is not told beside it.
#[test]
fn directives_of_a_module_that_was_refused() {
    let text = "ServerName a\nLoadModule mpm_evnt_module modules/mod_mpm_evnt.so\nStartServers \
                2\nThreadsPerChild 5\n";
    let (status, stderr) = Conf::text(text).check();
    assert_eq!((status, stderr.matches("AH00526").count()), (1, 1), "{stderr}");
    assert!(stderr.contains("there is no such file (did you mean mod_mpm_event.so?)"), "{stderr}");
    let text = text.replace("StartServers", "Mine");
    let (_, stderr) = Conf::text(&text).check();
    let hint = "^^^^ perhaps one of mpm_evnt_module, which could not be loaded\n";
    assert!(stderr.contains(hint), "{stderr}");
}

/// A module that logs nothing is a slip, unless httpd has it.
#[test]
fn modules_in_log_level() {
    let parts = "config, conn, handlers, http, log, modules, server, sys";
    for (mpm, name) in [(Mpm::Event, "mpm_event"), (Mpm::Prefork, "mpm_prefork")] {
        let line = "LogLevel warn http:info mpm_foo:debug";
        let sentence = format!("there is no module 'mpm_foo' that logs: there are {parts}, {name}");
        let wanted = error(3, &sentence, line, "                        ^^^^^^^^^^^^^");
        assert_eq!(Conf::of(mpm, line).check(), (1, wanted));
        let own = Conf::of(mpm, &format!("LogLevel {name}:debug {name}_module:info conn:info"));
        assert_eq!(own.check(), (0, "Syntax OK\n".to_owned()));
    }
    let line = "LogLevel info ssl:warn mpm_worker_module:debug";
    let note = |module: &str, caret: &str| {
        format!(
            "GB0107: Note on line 3 of @ROOT@/gearbox.conf:\nnothing is logged here under the name \
             {module}\n    3 | {line}\n      | {caret}\n"
        )
    };
    let wanted = note("ssl", "              ^^^^^^^^")
        + &note("mpm_worker", "                       ^^^^^^^^^^^^^^^^^^^^^^^");
    assert_eq!(Conf::of(Mpm::Event, line).check(), (0, format!("{wanted}Syntax OK\n")));
}

#[test]
fn sections_are_never_ignored() {
    for name in [
        "Limit",
        "LimitExcept",
        "Files",
        "FilesMatch",
        "VirtualHost",
        "DirectoryMatch",
        "LocationMatch",
        "If",
        "Proxy",
        "IfVersion",
        "IfFile",
    ] {
        let lines = format!("<{name} x>\nRequire all denied\nnonsense\n</{name}>");
        let sentence = format!("<{name}> sections are not supported yet");
        let mut caret = "^".repeat(name.len() + 1);
        if name.starts_with("Files") {
            caret += " names that begin with .ht are never served; a section that says so can go";
        }
        fails(&lines, &error(3, &sentence, &format!("<{name} x>"), &caret));
    }
    for name in ["RequireAll", "RequireAny", "RequireNone", "AuthnProviderAlias", "Macro"] {
        let lines = format!("<{name}>\n</{name}>");
        let caret = "^".repeat(name.len() + 1);
        fails(&lines, &error(3, &unknown(&format!("<{name}")), &format!("<{name}>"), &caret));
    }
    for (line, sentence) in [
        ("<Directory ~ \"^/srv\">", "regular expressions in <Directory> are not supported yet"),
        ("<Location \"/a*\">", "wildcards in <Location> are not supported yet"),
    ] {
        let name = line.split(' ').next().expect("<NAME").trim_start_matches('<');
        let (status, stderr) = Conf::of(Mpm::Event, &format!("{line}\n</{name}>")).check();
        assert!(stderr.contains(sentence), "{line}: {stderr}");
        assert_eq!(status, 1);
    }
}

#[test]
fn includes_in_a_circle() {
    let itself = "@ROOT@/gearbox.conf includes itself";
    let caret = "        ^^^^^^^^^^^^ @ROOT@/gearbox.conf:3 -> @ROOT@/gearbox.conf";
    fails("Include gearbox.conf", &error(3, itself, "Include gearbox.conf", caret));
    let conf = Conf::of(Mpm::Event, "Include a.conf");
    conf.put("a.conf", "\nInclude conf.d\n");
    conf.put("conf.d/b.conf", "Include a.conf\nIncludeOptional ../none.conf\n");
    let caret = "        ^^^^^^ @ROOT@/gearbox.conf:3 -> @ROOT@/a.conf:2 -> @ROOT@/conf.d/b.conf:1 -> \
                 @ROOT@/a.conf";
    let sentence = "@ROOT@/a.conf includes itself";
    let wanted = error_in("conf.d/b.conf", 1, sentence, "Include a.conf", caret);
    assert_eq!(conf.check(), (1, wanted));
    // Another name of the same file is the same file.
    std::os::unix::fs::symlink("gearbox.conf", conf.root().join("link.conf")).expect("ours");
    conf.put("a.conf", "Include link.conf\n");
    let caret = "        ^^^^^^^^^ @ROOT@/gearbox.conf:3 -> @ROOT@/a.conf:1 -> @ROOT@/link.conf";
    let sentence = "@ROOT@/link.conf includes itself";
    assert_eq!(conf.check(), (1, error_in("a.conf", 1, sentence, "Include link.conf", caret)));
}

#[test]
fn includes_of_nothing() {
    for (line, sentence, caret) in [
        (
            "Include none.conf",
            "Could not open configuration file @ROOT@/none.conf: No such file or directory",
            "        ^^^^^^^^^",
        ),
        (
            "Include conf.d/*.conf",
            "Could not open directory @ROOT@/conf.d: No such file or directory",
            "        ^^^^^^^^^^^^^",
        ),
        (
            "Include *.none",
            "No matches for the wildcard '*.none' in '@ROOT@', failing",
            "        ^^^^^^ use IncludeOptional if required",
        ),
    ] {
        fails(line, &error(3, sentence, line, caret));
        let optional = Conf::of(Mpm::Event, &line.replace("Include", "IncludeOptional"));
        assert_eq!(optional.check(), (0, "Syntax OK\n".to_owned()), "{line}");
    }
}

#[test]
fn a_main_file_that_is_not_there() {
    let conf = Conf::of(Mpm::Event, "");
    std::fs::remove_file(conf.file()).expect("ours");
    let (status, stderr) = conf.check();
    let wanted = "GB0101: Could not open configuration file @ROOT@/gearbox.conf: No such file or \
                  directory\n";
    // That no MPM is loaded follows from it.
    assert_eq!((status, stderr.as_str()), (1, wanted));
}

#[test]
fn sections_that_do_not_end() {
    let not_closed = error(3, "<Directory> was not closed.", "<Directory />", "^^^^^^^^^^");
    fails("<Directory />\nRequire all denied", &not_closed);
    let wanted = error(3, "<IfModule> was not closed.", "<IfModule none>", "^^^^^^^^^");
    fails("<IfModule none>\nnonsense", &wanted);
    let wanted =
        error(3, "</Location> without matching <Location> section", "</Location>", "^^^^^^^^^^^");
    fails("</Location>", &wanted);
    let crossed = "Expected </IfDefine> but saw </Directory>";
    let left = "</IfDefine> without matching <IfDefine> section";
    let wanted = error(5, crossed, "</Directory>", "^^^^^^^^^^^^")
        + &error(6, left, "</IfDefine>", "^^^^^^^^^^^");
    fails("<Directory />\n<IfDefine X>\n</Directory>\n</IfDefine>", &wanted);
    // A section ends in the file it began in.
    let conf = Conf::of(Mpm::Event, "Include open.conf\n</Directory>");
    conf.put("open.conf", "<Directory />\n");
    let wanted =
        error_in("open.conf", 1, "<Directory> was not closed.", "<Directory />", "^^^^^^^^^^")
            + &error(
                4,
                "</Directory> without matching <Directory> section",
                "</Directory>",
                "^^^^^^^^^^^^",
            );
    assert_eq!(conf.check(), (1, wanted));
}

#[test]
fn bytes_that_are_no_text() {
    for (bytes, line, source, caret) in [
        (&b"# \xff\n"[..], 1, "# \u{fffd}", "  ^"),
        (
            b"\n\tTimeout 1 # f\xfcnf\n",
            2,
            "        Timeout 1 # f\u{fffd}nf",
            "                     ^",
        ),
    ] {
        let conf = Conf::of(Mpm::Event, "Include more.conf");
        conf.put_bytes("more.conf", bytes);
        let (status, stderr) = conf.check();
        let wanted = error_in("more.conf", line, "this is not UTF-8", source, caret);
        assert!(status == 1 && stderr.contains(&wanted), "{wanted}\nin\n{stderr}");
    }
    let (status, stderr) = Conf::of(Mpm::Event, "Listen 8\x000").check();
    assert!(status == 1 && stderr.contains("Port must be specified\n    3 | Listen 8\u{fffd}0\n"));
}

/// Lines as other systems and editors end them.
#[test]
fn line_ends() {
    let conf = Conf::of(Mpm::Event, "Listen 80\r\nStartServers \\\r\n 2\r\nTimeout x\r");
    let (status, stderr) = conf.check();
    assert!(stderr.contains("\n    6 | Timeout x\n      |         ^\n"), "{stderr}");
    assert_eq!((status, stderr.matches("AH00526").count()), (1, 1));
}

#[test]
fn values_of_an_mpms_directives() {
    let integer = "StartServers must be an integer";
    let one = "StartServers takes one argument, processes started at first";
    for (line, sentence, caret) in [
        ("StartServers many", integer, "             ^^^^"),
        ("StartServers 0x10", integer, "             ^^^^"),
        ("StartServers 99999999999999999999", integer, "             ^^^^^^^^^^^^^^^^^^^^"),
        ("StartServers", one, "^^^^^^^^^^^^"),
        ("StartServers 1 2", one, "               ^"),
        ("StartServers 5 # five", one, "               ^"),
    ] {
        fails(line, &error(3, sentence, line, caret));
    }
    let inside = "StartServers not allowed in <Location> context";
    let wanted = error(4, inside, "StartServers 5", "^^^^^^^^^^^^");
    fails("<Location />\nStartServers 5\n</Location>", &wanted);
}

use std::path::Path;
use std::time::Duration;

use super::super::testing::{Files, ROWS, Seen, module_row, report, resolve_text, sentences};
use super::super::{Fault, Loaded, ModuleHost, read};
use super::*;

fn config(text: &str) -> Config {
    match resolve_text(text, &[ROWS]) {
        Ok(config) => config,
        Err(problems) => panic!("{problems}"),
    }
}

fn calls(settings: &Settings) -> Vec<String> {
    let seen: Seen = settings.of();
    let calls = seen.calls.into_iter();
    calls.map(|(name, value)| format!("{name} {value}")).collect()
}

const EVENT: &str = "LoadModule mpm_event_module x\n";

#[test]
fn values_reach_their_setters_in_order() {
    let config =
        config("keepalive off\nTimeout 2min\nListen 80 http\nDocumentRoot htdocs\nTimeout 3");
    let root = config.server_root.join("htdocs");
    assert_eq!(
        calls(&config.server),
        [
            "KeepAlive Flag(false)".to_owned(),
            format!("Timeout Duration({:?})", Duration::from_secs(120)),
            "Listen Words([\"80\", \"http\"])".to_owned(),
            format!("DocumentRoot Path({root:?})"),
            format!("Timeout Duration({:?})", Duration::from_secs(3)),
        ]
    );
    assert!(config.sections.is_empty() && config.warnings.is_empty());
}

#[test]
fn sections_have_settings_of_their_own() {
    let text = "Name outer\n\
                <Directory \"/srv//www/./x/../\">\nName inner\nRequire all  \"granted\"\n</Directory>\n\
                <location /a//b/>\nName other\n</location>\n<Directory />\n</Directory>";
    let config = config(text);
    let found: Vec<_> = config.sections.iter().map(|s| (s.kind, s.pattern.as_str())).collect();
    let expected = [
        (SectionKind::Directory, "/srv/www"),
        (SectionKind::Location, "/a//b/"),
        (SectionKind::Directory, "/"),
    ];
    assert_eq!(found, expected);
    assert_eq!(calls(&config.server), ["Name Word(\"outer\")"]);
    assert_eq!(
        calls(&config.sections[0].settings),
        ["Name Word(\"inner\")", "Require Raw(\"all  \\\"granted\\\"\")"]
    );
    assert_eq!(calls(&config.sections[1].settings), ["Name Word(\"other\")"]);
    assert_eq!(config.sections[0].place.line(), 2);
    let mut merged = config.server.clone();
    merged.merge(&config.sections[1].settings);
    assert_eq!(calls(&merged), ["Name Word(\"outer\")", "Name Word(\"other\")"]);
}

#[test]
fn what_else_a_configuration_knows() {
    let mut files = Files::new(&[("gearbox.conf", "Define a 1\nInclude b"), ("b", "")]);
    files.input.defines = vec!["X".into()];
    let config = resolve(&files.read(), &[ROWS]).unwrap();
    assert_eq!(config.defines, [("X", ""), ("a", "1")].map(|(a, b)| (a.into(), b.into())));
    assert_eq!(config.files, [files.root().join("gearbox.conf"), files.root().join("b")]);
    assert_eq!(config.server_root, files.root());
}

#[test]
fn contexts() {
    for (text, sentence) in [
        ("Require all granted", "Require not allowed here"),
        ("<Directory /x>\nlisten 80\n</Directory>", "Listen not allowed in <Directory> context"),
        ("<location /x>\nTimeout 1\n</location>", "Timeout not allowed in <Location> context"),
        (
            "LoadModule mpm_event_module x\n<Directory /x>\nThreadsPerChild 5\n</Directory>",
            "ThreadsPerChild not allowed in <Directory> context",
        ),
        (
            "<Location /x>\n<IfDefine !x>\n<directory /y>\nNonsense\n</directory>\n</IfDefine>\n\
             </Location>",
            "<Directory not allowed in <Location> context",
        ),
    ] {
        assert_eq!(sentences(text), [sentence], "{text}");
    }
    assert_eq!(
        report("<Directory /x>\n  Listen 80\n</Directory>"),
        "AH00526: Syntax error on line 2 of /etc/gearbox/gearbox.conf:\n\
         Listen not allowed in <Directory> context\n\
         \x20   2 |   Listen 80\n\
         \x20     |   ^^^^^^\n"
    );
}

#[test]
fn the_wrong_word_is_pointed_at() {
    assert_eq!(
        report("Listen 80 \\\n  'x'\n"),
        "AH00526: Syntax error on line 2 of /etc/gearbox/gearbox.conf:\n\
         Invalid address or port\n\
         \x20   2 |   'x'\n\
         \x20     |   ^^^\n"
    );
    assert_eq!(
        report("Define t 3x\nTimeout \"${t}\"\n"),
        "AH00526: Syntax error on line 2 of /etc/gearbox/gearbox.conf:\n\
         Timeout must be a time such as 30, 500ms or 5min, between 1s and 24h\n\
         \x20   2 | Timeout \"${t}\"\n\
         \x20     |         ^^^^^^\n"
    );
    assert_eq!(
        report("Listen\n"),
        "AH00526: Syntax error on line 1 of /etc/gearbox/gearbox.conf:\n\
         Listen requires at least one argument, A port number or a numeric IP address and a port \
         number\n\
         \x20   1 | Listen\n\
         \x20     | ^^^^^^\n"
    );
}

#[test]
fn all_problems_in_reading_order() {
    let files = Files::new(&[
        ("gearbox.conf", "KeepAlive maybe\nInclude b\nListne 1\nLoadModule a b\n</X>\nFactor 99"),
        ("b", "Timeout x\nName ${no}\n"),
    ]);
    let starts = [
        "KeepAlive must be On or Off",
        "Timeout must be a time",
        "Config variable ${no} is not defined",
        "Invalid command 'Listne'",
        "Cannot load b into server",
        "</X> without matching <X> section",
        "Factor must be a number between 1 and 10",
    ];
    let found = files.sentences();
    assert_eq!(found.len(), starts.len(), "{found:?}");
    for (sentence, start) in found.iter().zip(starts) {
        assert!(sentence.starts_with(start), "{sentence}");
    }
}

#[test]
fn an_open_quote_is_a_warning_where_words_are_meant() {
    let config = config("Name \"a b\n<Directory \"/x>\nRequire \"x y\n</Directory>");
    let found: Vec<_> = config.warnings.iter().map(|p| (p.code, p.place.line())).collect();
    assert_eq!(found, [("GB0104", 1), ("GB0104", 2)]);
    assert_eq!(calls(&config.server), ["Name Word(\"a b\")"]);
    assert_eq!(config.sections[0].pattern, "/x");
}

#[test]
fn module_calls() {
    let text = "QueueLength a 1\nThreadsPerChild 5\nQueueLength b 2 3\nMaxClients 7\n\
                ThreadsPerChild 6\nSpawnPolicy EAGER\nMaxRequestWorkers 8\n";
    let config = config(&format!("{text}{EVENT}"));
    let found = config.module_calls.iter();
    let found: Vec<_> = found
        .map(|call| (call.name.as_str(), call.id, call.words.join(" "), call.place.line()))
        .collect();
    let expected = [
        ("QueueLength", 4, "a 1", 1),
        ("QueueLength", 4, "b 2 3", 3),
        ("ThreadsPerChild", 1, "6", 5),
        ("SpawnPolicy", 3, "EAGER", 6),
        ("MaxRequestWorkers", 2, "8", 7),
    ];
    assert_eq!(found, expected.map(|(name, id, words, line)| (name, id, words.to_owned(), line)));
    let values: Vec<_> = config.module_calls.iter().map(|call| call.value.clone()).collect();
    assert_eq!(values[2..4], [Value::Int(6), Value::Enum(1)]);
    assert!(config.module_calls.iter().all(|call| call.module == "event.c"));
}

#[test]
fn module_values_are_checked() {
    let text = format!(
        "{EVENT}ThreadsPerChild many\nThreadsPerChild 0\nThreadsPerChild 5 6\nSpawnPolicy lazy\n\
         QueueLength a"
    );
    assert_eq!(
        sentences(&text),
        [
            "ThreadsPerChild must be an integer between 1 and 20000",
            "ThreadsPerChild must be an integer between 1 and 20000",
            "ThreadsPerChild takes one argument, Number of threads each child creates",
            "SpawnPolicy must be steady or eager",
            "QueueLength takes two or three arguments, a queue and its length",
        ]
    );
}

#[test]
fn old_names_are_worth_a_warning() {
    let config = config(&format!("{EVENT}MaxClients 5\nEventTestHook 1"));
    let found = config.warnings.iter().map(|p| (p.code, p.sentence.as_str()));
    let expected = [
        ("GB0106", "MaxClients is deprecated, use MaxRequestWorkers instead."),
        ("GB0106", "EventTestHook is deprecated."),
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected);
    assert_eq!(config.module_calls[0].id, 2);
}

#[test]
fn a_module_cannot_take_a_directive_of_the_server() {
    let found = sentences("LoadModule clash_module x\nListen 80");
    assert_eq!(found, ["clash_module defines Listen, which is a directive of core.c"]);
}

/// Each module it loads defines the same directive.
struct Twins;

impl ModuleHost for Twins {
    fn load(&mut self, _: &str, _: &str, _: &Path, _: &Place) -> Result<Loaded, String> {
        Ok(Loaded::Plugin(vec![module_row("Same", 1)]))
    }

    fn is_loaded(&self, _: &str) -> bool {
        false
    }
}

#[test]
fn nor_one_of_another_module() {
    let files = Files::new(&[("gearbox.conf", "LoadModule a x\nLoadModule b x")]);
    let problems = resolve(&read(&files.input, &mut Twins), &[]).unwrap_err();
    let problem = problems.iter().next().unwrap();
    assert_eq!(problem.sentence, "b defines Same, which is a directive of event.c");
    assert_eq!(problem.place.line(), 2);
}

#[test]
fn rows_of_the_language_cannot_be_replaced() {
    const OTHER: &[Row] = &[Row { name: "define", ..ROWS[0] }];
    assert!(resolve_text("Define x", &[OTHER]).is_ok());
}

/// A setter that does not fit its row is our mistake, and no reason to stop.
#[test]
fn a_row_and_its_setter_disagree() {
    fn set(_: &mut Settings, call: &Call<'_>) -> Result<(), Fault> {
        assert!(call.int::<i64>().is_err() && call.size::<u64>().is_err());
        assert!(call.duration().is_err() && call.float().is_err() && call.text().is_err());
        assert!(call.path().is_err() && call.choice().is_err());
        assert_eq!(call.path_of("x"), call.server_root.join("x"));
        assert_eq!(call.flag(), Ok(true));
        call.int::<u8>().map(drop)
    }
    const WRONG: &[Row] = &[Row { name: "Wrong", args: Args::Flag, set, ..ROWS[0] }];
    let problems = resolve_text("Wrong on", &[WRONG]).unwrap_err();
    let sentence = "Wrong is improperly configured internally (server bug)";
    assert_eq!(problems.iter().next().unwrap().sentence, sentence);
}

#[test]
fn numbers_that_do_not_fit_their_type() {
    fn set(_: &mut Settings, call: &Call<'_>) -> Result<(), Fault> {
        assert_eq!(call.int::<u16>(), Ok(300));
        call.int::<u8>().map(drop)
    }
    const NARROW: &[Row] =
        &[Row { name: "Narrow", args: Args::Int { min: 0, max: 300 }, set, ..ROWS[0] }];
    assert!(resolve_text("Narrow 300", &[NARROW]).is_err());
}

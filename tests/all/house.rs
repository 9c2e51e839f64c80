//! House rules: sizes, numbers of messages, leftovers, and what must not exist.

use std::collections::{BTreeMap, BTreeSet};

use gearbox_tests::{Source, without_comments};

/// Everything written in Rust.
const RUST: [&str; 4] = ["host", "abi", "plugins", "tests"];

/// Most lines of a file without its tests, and of a function.
const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 80;

#[test]
fn files_are_small() {
    let mut large = Vec::new();
    for source in Source::below(&RUST, ".rs") {
        let lines = source.without_tests().lines().count();
        if lines > FILE_LINES {
            large.push(format!("{} has {lines} lines", source.path));
        }
    }
    assert!(large.is_empty(), "above {FILE_LINES}: {large:?}");
}

/// Names and lengths of the functions in a text that rustfmt has formatted.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let Some((before, rest)) = line.split_once("fn ") else { continue };
        let words = ["pub", "const", "unsafe", "extern", "\"C\"", "async"];
        let is_word = |word: &str| words.contains(&word) || word.starts_with("pub(");
        if !before.split_whitespace().all(is_word) {
            continue;
        }
        // A body ends with a brace below the function's beginning, a declaration with a semicolon.
        let end = lines[start..].iter().position(|line| {
            indent == line.len() - line.trim_start().len() && line.ends_with(['}', ';'])
        });
        let name = rest.split(['(', '<']).next().unwrap_or(rest);
        found.push((name, end.map_or(1, |end| end + 1)));
    }
    found
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    let mut count = 0;
    for source in Source::below(&RUST, ".rs") {
        for (name, lines) in functions(&source.text) {
            count += 1;
            if lines > FUNCTION_LINES {
                long.push(format!("{} of {} has {lines} lines", name, source.path));
            }
        }
    }
    assert!(count > 1000, "only {count} functions were seen");
    assert!(long.is_empty(), "above {FUNCTION_LINES}: {long:?}");
}

#[test]
fn a_long_function_is_seen() {
    let text = "impl X {\n    pub(crate) fn short(&self) -> u8 {\n        1\n    }\n\n    fn long() {\n        \
                if a {\n        }\n\n        b();\n    }\n}\nfn one() {}\nfn declared(\n    a: u8,\n);\n";
    let wanted = [("short", 3), ("long", 6), ("one", 1), ("declared", 3)];
    assert_eq!(functions(text), wanted);
}

/// The numbers of messages in a text: `AH` and five digits, `GB` and four.
fn numbers(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (letters, digits) in [("AH", 5), ("GB", 4)] {
        for (at, _) in text.match_indices(letters) {
            let number = text[at + 2..].chars().take_while(char::is_ascii_digit).count();
            if number == digits {
                found.insert(text[at..at + 2 + digits].to_owned());
            }
        }
    }
    found
}

/// The decimal numbers that stand in a text right behind these words.
fn numbers_behind(text: &str, words: &str) -> Vec<u32> {
    let digits = text.match_indices(words).map(|(at, _)| {
        let rest = &text[at + words.len()..];
        rest.chars().take_while(char::is_ascii_digit).collect::<String>()
    });
    digits.filter_map(|digits| digits.parse().ok()).collect()
}

/// The numbers of event's and worker's sentences about numbers that do not fit: httpd counts them from
/// another one for each.
fn counted_numbers() -> BTreeSet<String> {
    let steps = numbers_behind(&Source::read("abi/sdk/src/threaded/check.rs").text, "first.plus(");
    assert!(!steps.is_empty(), "check.rs counts its numbers");
    let plugins = Source::below(&["plugins"], ".rs");
    let firsts = plugins.iter().flat_map(|it| numbers_behind(&it.text, "FIRST_CODE: u32 = "));
    let all = firsts.flat_map(|first| {
        [0].iter()
            .chain(&steps)
            .map(move |step| format!("AH{:05}", first + step))
            .collect::<Vec<_>>()
    });
    all.collect()
}

/// The numbers in the code, each with a file it stands in.
fn used_numbers() -> BTreeMap<String, String> {
    let sources = Source::below(&["host/src", "abi/sdk/src", "plugins"], ".rs");
    let mut used = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        let code = without_comments(source.without_tests());
        used.extend(numbers(&code).into_iter().map(|number| (number, source.path.clone())));
    }
    used.extend(counted_numbers().into_iter().map(|number| (number, "plugins".to_owned())));
    used
}

#[test]
fn every_number_of_a_message_is_explained() {
    let used = used_numbers();
    assert!(used.len() > 80, "only {} numbers were seen", used.len());
    let explained = Source::read("conf/MESSAGES.md").text;
    let rows = explained.lines().filter_map(|line| line.strip_prefix("| "));
    let mut listed = BTreeSet::new();
    for row in rows {
        for number in numbers(row.split('|').next().unwrap_or_default()) {
            assert!(listed.insert(number.clone()), "{number} is explained twice");
        }
    }
    let missing: Vec<_> = used.iter().filter(|(number, _)| !listed.contains(*number)).collect();
    assert!(missing.is_empty(), "not in conf/MESSAGES.md: {missing:?}");
    let unused: Vec<_> = listed.iter().filter(|number| !used.contains_key(*number)).collect();
    assert!(unused.is_empty(), "in conf/MESSAGES.md and nowhere else: {unused:?}");
}

#[test]
fn nothing_is_left_to_do_without_an_issue() {
    let mut sources = Source::below(&RUST, "");
    sources.extend(Source::below(&["scripts"], ""));
    sources.extend(Source::below(&["conf"], ".conf"));
    let mut found = Vec::new();
    for source in sources {
        for (number, line) in source.text.lines().enumerate() {
            // In two parts, or this line would be found.
            let marks = [concat!("TO", "DO"), concat!("FIX", "ME")];
            if marks.iter().any(|mark| line.contains(mark)) && numbers_behind(line, "#").is_empty()
            {
                found.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Files of the host, tests aside, whose code holds a word.
fn holders(word: &str) -> Vec<String> {
    let sources = Source::below(&["host/src"], ".rs");
    let code = sources.iter().filter(|source| !source.is_test());
    let with = code.filter(|source| without_comments(source.without_tests()).contains(word));
    with.map(|source| source.path["host/src/".len()..].to_owned()).collect()
}

/// What ARCHITECTURE.md says must not exist.
#[test]
fn what_must_not_exist() {
    let forks =
        ["server/detach.rs", "server/supervisor.rs", "sys/unix/image.rs", "sys/unix/process.rs"];
    assert_eq!(holders("::fork()"), forks, "processes are made here alone");
    let threads = ["server/callbacks/threads.rs"];
    assert_eq!(holders("thread::Builder"), threads, "threads are made for an MPM alone");
    assert_eq!(holders("execve("), ["sys/unix/image.rs"], "images are replaced here alone");
    assert_eq!(holders("thread::spawn"), [""; 0]);
    assert_eq!(holders(".ops()."), ["modules/mpm.rs"], "plug-in functions are called here alone");
    assert_eq!(holders("plugin.ops"), ["modules/mpm.rs"]);
}

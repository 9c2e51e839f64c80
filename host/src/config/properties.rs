//! Properties of both stages together.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::read::read;
use super::resolve::resolve;
use super::source::Source;
use super::testing::{Files, Modules, ROWS, outline};
use super::tree::Tree;

/// Pieces of configuration that meet each other in odd ways.
fn piece() -> impl Strategy<Value = String> {
    let fixed = [
        "Listen",
        "KeepAlive On",
        "Define x ",
        "UnDefine x",
        "<Directory /x",
        "</Directory>",
        "<IfDefine x>",
        "<IfDefine !x>",
        "</IfDefine>",
        "<IfModule",
        "</",
        "<",
        ">",
        "!",
        "${x}",
        "${",
        "}",
        "\"",
        "'",
        "\\",
        "\\\\",
        "\n",
        "\r\n",
        "\\\n",
        "\\\r\n",
        "#",
        " ",
        "\t",
        "~",
        "Include gearbox.conf",
        "Include *",
        "IncludeOptional no",
        "ServerRoot .",
        "ThreadsPerChild",
        "LoadModule mpm_event_module x",
        "LoadModule a b",
        "<Limit>",
        "Require ",
        "MaxClients 5",
        "Timeout 5",
        "Timeout 99h",
        "Näme",
        "\u{0}",
        "\u{1b}",
        "\u{a0}",
        "[",
        "]",
        "*",
    ];
    prop_oneof![
        9 => proptest::sample::select(fixed.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn text() -> impl Strategy<Value = String> {
    vec(piece(), 0..60).prop_map(|pieces| pieces.concat())
}

fn read_bytes(bytes: &[u8]) -> Tree {
    let files = Files::new(&[]);
    files.write("gearbox.conf", bytes);
    files.read()
}

/// Does everything that can be done with a configuration.
fn go_through(bytes: &[u8]) {
    let tree = read_bytes(bytes);
    for node in tree.nodes() {
        for word in node.words().iter().chain([node.name()]) {
            let line = word.place.source_line().unwrap();
            let end = word.place.column() - 1 + word.place.width();
            assert!(end <= line.chars().count());
        }
        assert!(node.parent.is_none_or(|parent| tree.nodes[parent].is_section));
    }
    match resolve(&tree, &[ROWS]) {
        Ok(config) => assert!(config.warnings.iter().all(|p| !p.render(true).is_empty())),
        Err(problems) => assert!(!problems.render(true).is_empty() && problems.has_errors()),
    }
}

/// Where a line may be broken, last first: anywhere but within what ends or continues a line.
fn places_to_split(text: &str, splits: &[Index]) -> Vec<usize> {
    let is_place = |&at: &usize| {
        let (before, after) = text.split_at(at);
        let is_end = after.starts_with('\n') || after.starts_with("\r\n");
        !(is_end && before.ends_with(['\\', '\r']))
    };
    let places = text.char_indices().map(|(at, _)| at);
    let places: Vec<usize> = places.chain([text.len()]).filter(is_place).collect();
    let mut chosen: Vec<usize> = splits.iter().map(|index| *index.get(&places)).collect();
    chosen.sort_unstable();
    chosen.into_iter().rev().collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn bytes_never_panic(bytes in vec(any::<u8>(), 0..400)) {
        go_through(&bytes);
    }

    #[test]
    fn pieces_never_panic(text in text()) {
        go_through(text.as_bytes());
    }

    #[test]
    fn options_never_panic(texts in vec(text(), 0..3), defines in vec(any::<String>(), 0..3)) {
        let mut files = Files::new(&[("gearbox.conf", "Name ${x}")]);
        files.input.before = texts.clone();
        files.input.after = texts;
        files.input.defines = defines;
        let tree = read(&files.input, &mut Modules::default());
        let _ = resolve(&tree, &[ROWS]);
    }

    /// What no problem is reported for has been understood, wherever its lines are broken.
    #[test]
    fn any_split_gives_the_same_tree(
        text in text(),
        splits in vec(any::<Index>(), 1..8),
    ) {
        let whole = read_bytes(text.as_bytes());
        let mut parted = text.clone();
        for at in places_to_split(&text, &splits) {
            parted.insert_str(at, if at % 2 == 0 { "\\\r\n" } else { "\\\n" });
        }
        let sentences = |tree: &Tree| {
            let sentences = tree.problems.iter().map(|problem| problem.sentence.clone());
            sentences.filter(|text| !text.contains('/')).collect::<Vec<_>>()
        };
        let parted = read_bytes(parted.as_bytes());
        prop_assert_eq!(outline(&whole), outline(&parted));
        prop_assert_eq!(sentences(&whole), sentences(&parted));
    }

    /// Every line of a source is found again, and they add up to the text.
    #[test]
    fn lines_add_up(text in text()) {
        let source = Source::new("f", text.clone());
        let lines = (1..).map_while(|number| source.line(number));
        let lines: String = lines
            .map(|(line, ended)| format!("{line}{}", if ended { "\n" } else { "" }))
            .collect();
        prop_assert_eq!(lines, text.replace("\r\n", "\n"));
    }
}

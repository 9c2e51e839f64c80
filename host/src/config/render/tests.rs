use std::sync::Arc;

use super::super::error::{BUILT_IN, NO_FILE, UNDEFINED_VARIABLE};
use super::super::source::{Place, Source};
use super::*;

/// A problem of `part` of line `number` of `text`.
fn problem_at(text: &str, number: u32, part: &str) -> Problem {
    let source = Arc::new(Source::new("/etc/gearbox/gearbox.conf", text));
    let start = source.line(number).unwrap().0.find(part).unwrap();
    let span = start..start + part.len();
    Problem::error(&Place::new(source, number, span, number), "Something is wrong")
}

#[test]
fn the_form_of_an_error() {
    let text = "\n".repeat(11) + "Listne 8080\n";
    let mut problem = problem_at(&text, 12, "Listne").with_hint("did you mean 'Listen'?");
    problem.sentence = "Invalid command 'Listne', perhaps misspelled".into();
    assert_eq!(
        problem.render(false),
        "AH00526: Syntax error on line 12 of /etc/gearbox/gearbox.conf:\n\
         Invalid command 'Listne', perhaps misspelled\n\
         \x20  12 | Listne 8080\n\
         \x20     | ^^^^^^ did you mean 'Listen'?\n"
    );
}

#[test]
fn without_hint() {
    let rendered = problem_at("  Listen x", 1, "x").render(false);
    assert!(rendered.ends_with("\n    1 |   Listen x\n      |          ^\n"), "{rendered}");
}

#[test]
fn in_colour() {
    let problem = problem_at("Listne 80", 1, "Listne").with_hint("hint");
    assert_eq!(
        problem.render(true),
        "\x1b[1;31mAH00526: Syntax error on line 1 of /etc/gearbox/gearbox.conf:\x1b[0m\n\
         Something is wrong\n\
         \x20   1 | Listne 80\n\
         \x20     | \x1b[1;31m^^^^^^ hint\x1b[0m\n"
    );
}

#[test]
fn warnings_and_notes() {
    let place = problem_at("Listne 80", 1, "80").place;
    let warning =
        Problem::warning(&place, UNDEFINED_VARIABLE, "Config variable ${X} is not defined");
    let first = "AH00111: Warning on line 1 of /etc/gearbox/gearbox.conf:\n\
                 Config variable ${X} is not defined\n    1 | ";
    assert!(warning.render(false).starts_with(first));
    let note = Problem::note(&place, BUILT_IN, "built in").render(false);
    assert!(note.starts_with("GB0103: Note on line 1 of /etc/gearbox/gearbox.conf:\n"));
}

#[test]
fn without_a_line() {
    let problem =
        Problem { code: NO_FILE, ..Problem::error(&Place::of_file("/x"), "Could not open it") };
    assert_eq!(problem.render(false), "GB0101: Could not open it\n");
    let problem = problem.with_hint("look");
    assert_eq!(problem.render(false), "GB0101: Could not open it\nhint: look\n");
}

#[test]
fn high_line_numbers() {
    let text = "\n".repeat(123_455) + "x";
    let rendered = problem_at(&text, 123_456, "x").render(false);
    assert!(rendered.ends_with("\n123456 | x\n       | ^\n"), "{rendered}");
}

#[test]
fn tabs_stay_aligned() {
    let rendered = problem_at("\tName\tvalue x", 1, "value").render(false);
    let expected = "    1 |         Name    value x\n      |                 ^^^^^\n";
    assert!(rendered.ends_with(expected), "{rendered}");
    let rendered = problem_at("Name \"a\tb\" c", 1, "\"a\tb\"").render(false);
    let expected = "    1 | Name \"a b\" c\n      |      ^^^^^\n";
    assert!(rendered.ends_with(expected), "{rendered}");
}

#[test]
fn columns_are_characters() {
    let rendered = problem_at("Näme ü x", 1, "x").render(false);
    assert!(rendered.ends_with("    1 | Näme ü x\n      |        ^\n"), "{rendered}");
}

#[test]
fn a_place_behind_the_line() {
    let source = Arc::new(Source::new("f", "Name"));
    let problem = Problem::error(&Place::new(source, 1, 4..4, 1), "More");
    assert!(problem.render(false).ends_with("    1 | Name\n      |     ^\n"));
}

#[test]
fn control_characters_do_not_get_through() {
    let mut problem = problem_at("a\x1b[31m b\u{9b}c", 1, "b").with_hint("\x07");
    problem.sentence = "Invalid command 'a\x1b[31m'".into();
    let rendered = problem.render(false);
    assert!(!rendered.contains(|c: char| c.is_control() && c != '\n'), "{rendered:?}");
    assert!(rendered.contains("    1 | a\u{fffd}[31m b\u{fffd}c\n      |        ^ \u{fffd}\n"));
}

/// The two last lines of a problem at `part` of a line.
fn excerpt_of(line: &str, part: &str) -> (String, String) {
    let rendered = problem_at(line, 1, part).render(false);
    let mut lines = rendered.lines().rev();
    let carets = lines.next().unwrap().to_owned();
    (lines.next().unwrap().to_owned(), carets)
}

/// What stands above the carets.
fn pointed_at(line: &str, carets: &str) -> String {
    let pairs = line.chars().zip(carets.chars());
    pairs.filter(|(_, caret)| *caret == '^').map(|(c, _)| c).collect()
}

#[test]
fn long_lines_are_cut_around_the_place() {
    let filler = "x".repeat(500);
    for (line, cut_left, cut_right) in [
        (format!("HERE {filler}"), false, true),
        (format!("{filler} HERE {filler}"), true, true),
        (format!("{filler} HERE"), true, false),
        (format!("{filler} HERE {}", "y".repeat(20)), true, false),
    ] {
        let (text, carets) = excerpt_of(&line, "HERE");
        assert_eq!(text.chars().count(), COLUMNS_MAX, "{text}");
        assert_eq!(pointed_at(&text, &carets), "HERE");
        assert_eq!(text.contains("| …"), cut_left, "{text}");
        assert_eq!(text.ends_with('…'), cut_right, "{text}");
    }
}

#[test]
fn lines_that_just_fit_are_not_cut() {
    let room = COLUMNS_MAX - "    1 | ".len();
    let (text, _) = excerpt_of(&"x".repeat(room), "x");
    assert!(!text.contains('…'));
    let (text, _) = excerpt_of(&"x".repeat(room + 1), "x");
    assert_eq!(text.chars().count(), COLUMNS_MAX);
    assert!(text.ends_with('…'));
}

#[test]
fn a_long_word_fills_what_is_there() {
    let word = "w".repeat(1000);
    let (text, carets) = excerpt_of(&format!("Name {word} end"), &word);
    assert_eq!(text.chars().count(), COLUMNS_MAX);
    assert_eq!(carets.chars().count(), COLUMNS_MAX);
}

#[test]
fn tabs_count_when_lines_are_cut() {
    let line = format!("{}HERE{}", "\t".repeat(100), "\t".repeat(100));
    let (text, carets) = excerpt_of(&line, "HERE");
    assert_eq!(text.chars().count(), COLUMNS_MAX);
    assert_eq!(pointed_at(&text, &carets), "HERE");
}

#[test]
fn long_sentences_are_cut() {
    let mut problem = problem_at("x", 1, "x");
    problem.sentence = "ä".repeat(SENTENCE_LEN_MAX);
    assert!(!problem.render(false).contains(CUT));
    problem.sentence += "!";
    let rendered = problem.render(false);
    assert!(rendered.contains("ää…\n") && !rendered.contains('!'));
}

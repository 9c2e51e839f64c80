use std::sync::Arc;

use super::super::line::Lines;
use super::super::source::Source;
use super::*;

fn line(text: &str) -> Line {
    let mut lines = Lines::new(Arc::new(Source::new("f", text)));
    lines.next_line(1).unwrap().unwrap()
}

/// The words behind the name, each with its column and width; and whether a quote stays open.
fn words(text: &str) -> (Vec<(String, usize, usize)>, bool) {
    let Statement::Directive { rest, .. } = statement(line(text)) else {
        panic!("{text} is no directive");
    };
    let Words { words, unclosed } = rest.words();
    let words = words.into_iter();
    let words = words.map(|word| (word.text, word.place.column(), word.place.width()));
    (words.collect(), unclosed.is_some())
}

fn texts(text: &str) -> Vec<String> {
    let (words, is_open) = words(text);
    assert!(!is_open, "{text}");
    words.into_iter().map(|(text, _, _)| text).collect()
}

fn open(text: &str) -> (String, Vec<String>, String) {
    let Statement::Open { name, rest, end } = statement(line(text)) else {
        panic!("{text} opens nothing");
    };
    let words = rest.words().words.into_iter().map(|word| word.text);
    (name.text, words.collect(), end_of(&end))
}

fn close(text: &str) -> (String, String) {
    let Statement::Close { name, end } = statement(line(text)) else {
        panic!("{text} closes nothing");
    };
    (name.text, end_of(&end))
}

fn end_of(end: &End) -> String {
    match end {
        End::Whole => "whole".into(),
        End::Missing => "missing".into(),
        End::Trailing(place) => format!("trailing at {}", place.column()),
    }
}

#[test]
fn words_at_blanks() {
    assert_eq!(texts("N a b"), ["a", "b"]);
    assert_eq!(texts(" \tN\t a \x0b b\x0c "), ["a", "b"]);
    assert!(texts("N").is_empty());
    assert!(texts("N  ").is_empty());
    assert_eq!(texts("N a\u{a0}b"), ["a\u{a0}b"]);
}

#[test]
fn quotes() {
    assert_eq!(texts(r#"N "a b" 'c d'"#), ["a b", "c d"]);
    assert_eq!(texts(r#"N "it's" 'a "b"'"#), ["it's", r#"a "b""#]);
    assert_eq!(texts(r#"N "" ''"#), ["", ""]);
    assert_eq!(texts(r#"N "a\"b" 'a\'b' "a\\""#), [r#"a"b"#, "a'b", r"a\"]);
    assert_eq!(texts(r#"N "a"b"#), ["a", "b"]);
}

#[test]
fn no_quotes() {
    assert_eq!(texts(r#"N a"b c'd"#), [r#"a"b"#, "c'd"]);
    assert_eq!(texts(r#"N a\"b "a\nb" "a\'b""#), [r#"a\"b"#, r"a\nb", r"a\'b"]);
    assert_eq!(texts(r"N a\\b C:\dir"), [r"a\b", r"C:\dir"]);
}

#[test]
fn open_quotes() {
    for (text, word) in
        [(r#"N "a b  "#, "a b"), (r#"N "a\""#, r#"a""#), ("N 'a\"", "a\""), ("N \"", "")]
    {
        let (words, is_open) = words(text);
        let texts: Vec<&str> = words.iter().map(|(text, _, _)| text.as_str()).collect();
        assert_eq!((texts.as_slice(), is_open), ([word].as_slice(), true), "{text}");
    }
}

#[test]
fn places_cover_quotes() {
    let (words, _) = words("Näme  \"ä b\" c\\\\d");
    assert_eq!(words, [("ä b".into(), 7, 5), ("c\\d".into(), 13, 4)]);
}

#[test]
fn comments() {
    for text in ["", " ", "#", " \t# x", "#a\\\nb"] {
        assert!(is_comment(&line(text)), "{text:?}");
    }
    for text in ["a", "a # b", "\"#\"", "${x}", "\\#"] {
        assert!(!is_comment(&line(text)), "{text:?}");
    }
    assert_eq!(texts("N a # b"), ["a", "#", "b"]);
    assert!(matches!(statement(line(" \t")), Statement::Blank));
}

#[test]
fn names() {
    let Statement::Directive { name, .. } = statement(line("  \"Name\" x")) else {
        panic!();
    };
    assert_eq!((name.text.as_str(), name.place.column()), ("Name", 3));
}

#[test]
fn raw() {
    let raw = |text| match statement(line(text)) {
        Statement::Directive { rest, .. } => rest.raw().map(|word| word.text),
        _ => None,
    };
    assert_eq!(raw("N  all  \"granted\"  ").as_deref(), Some("all  \"granted\""));
    assert_eq!(raw("N \"a b").as_deref(), Some("\"a b"));
    assert_eq!(raw("N  "), None);
}

#[test]
fn sections_opened() {
    let whole = |name: &str, words: &[&str]| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        (name.to_owned(), words, "whole".to_owned())
    };
    assert_eq!(open("<Directory /x>"), whole("Directory", &["/x"]));
    assert_eq!(open(" <Directory \"/x y\" > "), whole("Directory", &["/x y"]));
    assert_eq!(open("<Location /a>b>"), whole("Location", &["/a>b"]));
    assert_eq!(open("<If>"), whole("If", &[]));
    assert_eq!(open("<If >"), whole("If", &[]));
    assert_eq!(open("<>"), whole("", &[]));
}

#[test]
fn sections_badly_opened() {
    let missing = |name: &str, words: &[&str]| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        (name.to_owned(), words, "missing".to_owned())
    };
    assert_eq!(open("<Directory /x"), missing("Directory", &["/x"]));
    assert_eq!(open("<Directory"), missing("Directory", &[]));
    assert_eq!(open("<"), missing("", &[]));
    assert_eq!(open("<A x> # y").2, "trailing at 7");
    assert_eq!(open("<A> y").2, "trailing at 5");
    // The last bracket counts, even in what was meant as a comment.
    assert_eq!(open("<A x> # y -> z").1, ["x>", "#", "y", "-"]);
}

#[test]
fn sections_closed() {
    assert_eq!(close("</A>"), ("A".into(), "whole".into()));
    assert_eq!(close("</A> # x"), ("A".into(), "trailing at 6".into()));
    assert_eq!(close("</A"), ("A".into(), "missing".into()));
    assert_eq!(close("</A >"), ("A".into(), "missing".into()));
    assert_eq!(close("</>"), (String::new(), "whole".into()));
}

#[test]
fn negation() {
    let negated = |text| match statement(line(text)) {
        Statement::Open { rest, .. } => {
            let (rest, is_negated) = rest.strip_not();
            let words = rest.words().words.into_iter().map(|word| word.text);
            (words.collect::<Vec<_>>(), is_negated)
        }
        _ => panic!("{text}"),
    };
    assert_eq!(negated("<IfDefine !x>"), (vec!["x".to_owned()], true));
    assert_eq!(negated("<IfDefine ! \"x\">"), (vec!["x".to_owned()], true));
    assert_eq!(negated("<IfDefine \"!x\">"), (vec!["!x".to_owned()], false));
    assert_eq!(negated("<IfDefine x!>"), (vec!["x!".to_owned()], false));
    assert_eq!(negated("<IfDefine !>"), (vec![], true));
    assert_eq!(negated("<IfDefine>"), (vec![], false));
}

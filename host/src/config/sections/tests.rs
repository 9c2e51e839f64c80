use super::super::testing::{Files, ROWS, report, resolve_text, sentences, sentences_of_reading};

#[test]
fn section_paths() {
    for (head, sentence) in [
        ("Directory", "<Directory> directive requires additional arguments"),
        ("Location \"\"", "<Location> directive requires additional arguments"),
        ("Directory /a /b", "Multiple <Directory> arguments not (yet) supported."),
        ("Directory ~ \"^/x\"", "regular expressions in <Directory> are not supported yet"),
        ("Location ~ \"^/x\"", "regular expressions in <Location> are not supported yet"),
        ("Directory /home/*/x", "wildcards in <Directory> are not supported yet"),
        ("Location /[ab]", "wildcards in <Location> are not supported yet"),
        ("Directory x/y", "<Directory \"x/y\"> path is invalid."),
        ("Location x", "<Location \"x\"> path is invalid."),
    ] {
        let name = head.split(' ').next().unwrap();
        // The content of such a section is checked all the same.
        let text = format!("<{head}>\nName a\nNonsense\n</{name}>");
        let found = sentences(&text);
        assert_eq!((found.len(), found[0].as_str()), (2, sentence), "{head}");
    }
    let problems = resolve_text("<Directory /a /b>\n</Directory>", &[ROWS]).unwrap_err();
    assert_eq!(problems.iter().next().unwrap().place.column(), 15);
}

#[test]
fn sections_gone_wrong() {
    assert_eq!(sentences_of_reading("<S>\n<T>\nA"), ["<S> was not closed.", "<T> was not closed."]);
    assert_eq!(sentences_of_reading("</S>"), ["</S> without matching <S> section"]);
    assert_eq!(sentences_of_reading("<S>\n</T>\n</S>"), ["Expected </S> but saw </T>"]);
    assert_eq!(sentences_of_reading("<S>\n</S"), ["</S> directive missing closing '>'"]);
    // The forgotten end is reported once, where it is missed.
    assert_eq!(sentences_of_reading("<S>\n<T>\n</S>\nA"), ["Expected </T> but saw </S>"]);
}

#[test]
fn place_of_a_section_never_closed() {
    assert_eq!(
        report("\n  <Directory /x>\nDocumentRoot /y\n"),
        "AH00526: Syntax error on line 2 of /etc/gearbox/gearbox.conf:\n\
         <Directory> was not closed.\n\
         \x20   2 |   <Directory /x>\n\
         \x20     |   ^^^^^^^^^^\n"
    );
}

#[test]
fn deep_nesting() {
    let deep = |open: &str, close: &str, depth| {
        sentences_of_reading(
            &(format!("{open}\n").repeat(depth) + &format!("{close}\n").repeat(depth)),
        )
    };
    let too_deep = ["sections are nested deeper than 512"];
    assert_eq!(deep("<S>", "</S>", 512), [""; 0]);
    assert_eq!(deep("<S>", "</S>", 513), too_deep);
    assert_eq!(deep("<S>", "</S>", 10_000), too_deep);
    assert_eq!(deep("<IfDefine !x>", "</IfDefine>", 10_000), too_deep);
    assert_eq!(deep("<IfDefine x>", "</IfDefine>", 10_000), [""; 0]);
    assert_eq!(sentences_of_reading(&"<S>\n".repeat(10_000)).len(), 10_001);
    assert_eq!(sentences_of_reading(&"</S>\n".repeat(10_000)).len(), 10_000);
}

#[test]
fn sections_end_with_their_file() {
    let files = Files::new(&[
        ("gearbox.conf", "<Directory /x>\nInclude a.conf\nInclude b.conf\n</Directory>"),
        ("a.conf", "<Directory /y>"),
        ("b.conf", "</Directory>"),
    ]);
    let expected = [
        "<Directory not allowed in <Directory> context",
        "<Directory> was not closed.",
        "</Directory> without matching <Directory> section",
    ];
    let mut sentences = files.sentences();
    sentences[..2].sort();
    assert_eq!(sentences, expected);
}

#[test]
fn a_misspelled_end_is_reported_once() {
    assert_eq!(
        report("<Location /x>\n</Locaton>\nKeepAlive On\n"),
        "AH00526: Syntax error on line 2 of /etc/gearbox/gearbox.conf:\n\
         Expected </Location> but saw </Locaton>\n\
         \x20   2 | </Locaton>\n\
         \x20     | ^^^^^^^^^^ did you mean '</Location>'?\n"
    );
    // Unless it is the end of another one.
    let text = "<Files2>\n<Files1>\n</Files2>\nA";
    assert_eq!(sentences_of_reading(text), ["Expected </Files1> but saw </Files2>"]);
    let found = sentences_of_reading("<Location /x>\n</Other>\n</Location>");
    assert_eq!(found, ["Expected </Location> but saw </Other>"]);
}

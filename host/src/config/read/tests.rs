use super::super::testing::{Files, names, outline, sentences_of_reading as sentences};
use super::*;

#[test]
fn a_tree() {
    let text = "A 1\n<S x>\n B\n <T>\n  C\n </T>\n D\n</S>\nE";
    let tree = Files::new(&[("gearbox.conf", text)]).read();
    let parents: Vec<_> =
        outline(&tree).into_iter().map(|(name, _, parent)| (name, parent)).collect();
    let expected = [
        ("A", None),
        ("S", None),
        ("B", Some(1)),
        ("T", Some(1)),
        ("C", Some(3)),
        ("D", Some(1)),
        ("E", None),
    ];
    assert_eq!(parents, expected.map(|(name, parent)| (name.to_owned(), parent)));
}

#[test]
fn windows_line_ends() {
    assert_eq!(names("A 1 \\\r\n 2\r\n# x\r\n\r\n<S x>\r\nB\r\n</S>\r\n"), ["A 1 2", "S x", "B"]);
}

#[test]
fn a_comment_goes_on_over_a_backslash() {
    assert_eq!(names("# a \\\nB\nC # not a comment"), ["C # not a comment"]);
}

#[test]
fn variables_not_defined() {
    let expected = ["Config variable ${no} is not defined", "Config variable ${x} is not defined"];
    let text = "A ${no}\nB ${map:key}\nDefine x\nC ${x}\n#${y}\n<IfDefine no>\nD ${z}\n</IfDefine>";
    assert_eq!(sentences(text), expected);
    assert_eq!(names("A ${no?=default}"), ["A default"]);
    assert_eq!(names("A ${CARGO_PKG_NAME}"), ["A gearbox"]);
}

#[test]
fn options_define() {
    let mut files = Files::new(&[("gearbox.conf", "<IfDefine A>\nA ${B}\n</IfDefine>")]);
    files.input.defines = vec!["A".into(), "B=x=y".into()];
    assert_eq!(files.names(), ["A x=y"]);
    let defines = files.read().defines;
    assert_eq!(defines, [("A", ""), ("B", "x=y")].map(|(a, b)| (a.into(), b.into())));
}

#[test]
fn option_texts_stand_before_and_after() {
    let mut files = Files::new(&[("gearbox.conf", "B ${x}")]);
    files.input.before = vec!["Define x 1".into(), "<S>".into(), "A".into(), "</S>".into()];
    files.input.after = vec!["C".into()];
    assert_eq!(files.names(), ["S", "A", "B 1", "C"]);
    files.input.after = vec!["C".into(), "<T>".into()];
    let problem = files.read().problems.remove(0);
    assert_eq!(problem.sentence, "<T> was not closed.");
    assert_eq!(problem.place.to_string(), "line 2 of -C/-c directives");
}

#[test]
fn conditional_sections() {
    let text = "\
        <IfModule mpm_event_module>\nA\n</IfModule>\n\
        <IfModule !mpm_event_module>\nB\n</IfModule>\n\
        <IfModule mod_dir.c>\nC\n</IfModule>\n\
        <ifmodule ! \"nonsense\">\nD\n</IFMODULE>\n\
        <S>\n<IfDefine !x>\nE\n</IfDefine>\n</S>";
    let tree = Files::new(&[("gearbox.conf", text)]).read();
    let nodes = outline(&tree).into_iter();
    let nodes: Vec<_> = nodes.map(|(name, _, parent)| (name, parent)).collect();
    let expected = [("B", None), ("C", None), ("D", None), ("S", None), ("E", Some(3))];
    assert_eq!(nodes, expected.map(|(name, parent)| (name.to_owned(), parent)));
}

#[test]
fn skipped_content_is_balanced_and_nothing_else() {
    let text = "\
        <IfDefine no>\n\
        A ${undefined} \"open\nLoadModule x y\nInclude none\nDefine no\n\
        <IfDefine no>\n</IfDefine>\n<IfModule>\n</IfModule>\n<S x\n</S>\n\
        <T>\n</T> # x\n<U>\n</U\nB\n</IfDefine>\nC";
    assert_eq!(names(text), ["C"]);
    assert_eq!(
        sentences("<IfDefine no>\n<S>\n</T>\n</S>\n</IfDefine>"),
        ["Expected </S> but saw </T>"]
    );
    assert_eq!(
        sentences("<IfDefine no>\n<S>\n</IfDefine>\nA"),
        ["Expected </S> but saw </IfDefine>"]
    );
}

#[test]
fn conditions_gone_wrong() {
    let text = "\
        <IfModule>\nA\n</IfModule>\n<IfDefine !>\nB\n</IfDefine>\n\
        <IfDefine a b>\n</IfDefine>\n<IfDefine x\n</IfDefine>\n<IfDefine no> # x\n</IfDefine> # y";
    assert_eq!(
        sentences(text),
        [
            "<IfModule> directive requires additional arguments",
            "<IfDefine> directive requires additional arguments",
            "Multiple <IfDefine> arguments not (yet) supported.",
            "<IfDefine> directive missing closing '>'",
            "text behind '>' is ignored",
            "text behind '>' is ignored",
        ]
    );
}

#[test]
fn the_main_file_cannot_be_read() {
    let files = Files::new(&[]);
    assert_eq!(
        files.report(),
        "GB0101: Could not open configuration file /etc/gearbox/gearbox.conf: \
         No such file or directory\n"
    );
    fs::create_dir(files.root().join("gearbox.conf")).unwrap();
    assert!(files.report().ends_with("gearbox.conf: is a directory\n"), "{}", files.report());
}

#[test]
fn a_file_that_is_not_utf8() {
    let files = Files::new(&[]);
    files.write("gearbox.conf", b"KeepAlive On\n  Name 'a\xe9b \xff'\nListne 80\n");
    assert_eq!(
        files.report().lines().take(5).collect::<Vec<_>>(),
        [
            "AH00526: Syntax error on line 2 of /etc/gearbox/gearbox.conf:",
            "this is not UTF-8",
            "    2 |   Name 'a\u{fffd}b \u{fffd}'",
            "      |          ^",
            "AH00526: Syntax error on line 3 of /etc/gearbox/gearbox.conf:",
        ]
    );
}

#[test]
fn a_line_too_long() {
    let files = Files::new(&[]);
    files.write("gearbox.conf", format!("A\n{}\nB", "x".repeat(LINE_LEN_MAX + 1)));
    let tree = files.read();
    assert_eq!(tree.problems[0].sentence, "Line too long: more than 1048576 bytes");
    assert_eq!(tree.problems[0].place.line(), 2);
    assert_eq!(outline(&tree).len(), 2);
    assert!(files.report().lines().all(|line| line.len() < 200));
    // Variables made of variables stop where a line must end.
    let double = "Define x ${x}${x}\n".repeat(64);
    let found = sentences(&format!("Define x 0123456789\n{double}"));
    assert!(found.iter().all(|sentence| sentence.starts_with("Line too long")));
}

#[test]
fn the_last_of_a_name() {
    let text = "PidFile a\n<S>\nPidFile c\n</S>\npidfile \"b b\"\n<PidFile d>\n</PidFile>\n</Bad>";
    let tree = Files::new(&[("gearbox.conf", text)]).read();
    let words = tree.last("PidFile").unwrap();
    assert_eq!(words[0].text, "b b");
    assert_eq!(words[0].place.line(), 5);
    assert!(tree.last("Other").is_none());
}

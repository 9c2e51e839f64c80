use super::*;

fn lines(text: &str) -> Vec<Line> {
    let mut lines = Lines::new(Arc::new(Source::new("f", text)));
    let next = std::iter::from_fn(|| lines.next_line(7));
    next.map(|line| line.unwrap()).collect()
}

fn texts(text: &str) -> Vec<String> {
    lines(text).iter().map(|line| line.text().to_owned()).collect()
}

/// Line, column and width of a part of the text's first logical line.
fn place_of(text: &str, part: &str) -> (u32, usize, usize) {
    let line = lines(text).remove(0);
    span(&line, part)
}

fn span(line: &Line, part: &str) -> (u32, usize, usize) {
    let at = line.text().find(part).unwrap();
    let place = line.place(at..at + part.len());
    (place.line(), place.column(), place.width())
}

/// The first line with `a` = `1`, `long` = `x y`, `empty` = `` replaced; and what is undefined.
fn expanded(text: &str) -> (Line, Vec<(String, String)>) {
    let mut undefined = Vec::new();
    let line = lines(text).remove(0).expand(
        |name| match name {
            "a" => Some("1".into()),
            "long" => Some("x y".into()),
            "empty" => Some(String::new()),
            _ => None,
        },
        |name, place| undefined.push((name.to_owned(), format!("{place:?}"))),
    );
    (line.unwrap(), undefined)
}

#[test]
fn joined_lines() {
    assert_eq!(texts("a\\\nb\nc"), ["ab", "c"]);
    assert_eq!(texts("a\\\r\nb\r\nc"), ["ab", "c"]);
    assert_eq!(texts("a \\\n  b\\\n"), ["a   b"]);
    assert_eq!(texts("a\\\n\\\n\\\nb"), ["ab"]);
    assert_eq!(texts("a\\\\\nb"), ["a\\b"]);
}

#[test]
fn not_joined_lines() {
    assert_eq!(texts("a\\ \nb"), ["a\\ ", "b"]);
    assert_eq!(texts("a\\"), ["a\\"]);
    assert_eq!(texts("a\\\rb\nc"), ["a\\\rb", "c"]);
    assert_eq!(texts(""), [""]);
}

#[test]
fn places_in_joined_lines() {
    let text = "Listen \\\n  8080 \\\n\\\n x";
    assert_eq!(place_of(text, "Listen"), (1, 1, 6));
    assert_eq!(place_of(text, "8080"), (2, 3, 4));
    assert_eq!(place_of(text, "x"), (4, 2, 1));
}

#[test]
fn a_part_over_several_lines_is_shown_to_the_end_of_its_first() {
    assert_eq!(place_of("ab cd\\\nef gh", "cdef"), (1, 4, 2));
    assert_eq!(place_of("ab cd\\\nef gh", "ef"), (2, 1, 2));
}

#[test]
fn variables() {
    for (text, replaced) in [
        ("${a}", "1"),
        ("x${a}y${long}z", "x1yx yz"),
        ("${empty}", ""),
        ("${a}${empty}${a}", "11"),
        ("${no?=dflt}", "dflt"),
        ("${no?=}", ""),
        ("${a?=dflt}", "1"),
        ("${\\\na}", "1"),
        ("ü${a}ü", "ü1ü"),
    ] {
        let (line, undefined) = expanded(text);
        assert_eq!((line.text(), undefined.len()), (replaced, 0), "{text}");
    }
}

#[test]
fn no_variables() {
    for text in ["$a", "$", "${", "${a", "$ {a}", "%{a}", "{a}", "$$a}"] {
        let (line, undefined) = expanded(text);
        assert_eq!((line.text(), undefined.len()), (text, 0), "{text}");
    }
}

#[test]
fn undefined_variables_stay() {
    let (line, undefined) = expanded("a ${no} ${a} ${No:x}");
    assert_eq!(line.text(), "a ${no} 1 ${No:x}");
    let expected = [("no", "f:1:3"), ("No:x", "f:1:14")];
    assert_eq!(undefined, expected.map(|(a, b)| (a.into(), b.into())));
    let (line, undefined) = expanded("${x${a}}");
    assert_eq!(line.text(), "${x${a}}");
    assert_eq!(undefined[0].0, "x${a");
}

#[test]
fn a_value_is_not_looked_through() {
    let line = lines("${a}").remove(0);
    let line = line.expand(|_| Some("${a}".into()), |_, _| panic!());
    assert_eq!(line.unwrap().text(), "${a}");
}

#[test]
fn places_around_variables() {
    let (line, _) = expanded("N ${a}b${long} end");
    assert_eq!(line.text(), "N 1bx y end");
    assert_eq!(span(&line, "1b"), (1, 3, 5));
    assert_eq!(span(&line, "1bx"), (1, 3, 12));
    assert_eq!(span(&line, "b"), (1, 7, 1));
    assert_eq!(span(&line, "y"), (1, 8, 7));
    assert_eq!(span(&line, "end"), (1, 16, 3));
    let (line, _) = expanded("N ${a} \\\n ${a} end");
    assert_eq!(span(&line, "end"), (2, 7, 3));
}

#[test]
fn too_long() {
    let long = "x".repeat(LINE_LEN_MAX);
    let text = format!("{long}\n{long}x\na\\\n{long}\nb");
    let mut lines = Lines::new(Arc::new(Source::new("f", text)));
    let mut next = || lines.next_line(1).unwrap();
    assert!(next().is_ok());
    assert_eq!(format!("{:?}", next().unwrap_err()), "f:2:1");
    assert_eq!(format!("{:?}", next().unwrap_err()), "f:3:1");
    assert_eq!(next().unwrap().text(), "b");
    assert!(lines.next_line(1).is_none());
}

#[test]
fn too_long_through_variables() {
    let line = lines(&"${x}".repeat(1000)).remove(0);
    let result = line.expand(|_| Some("y".repeat(10_000)), |_, _| {});
    assert_eq!(format!("{:?}", result.unwrap_err()), "f:1:1");
    let line = lines(&format!("${{x}}{}", "y".repeat(LINE_LEN_MAX - 4))).remove(0);
    let expand = |value: &str| line.clone().expand(|_| Some(value.into()), |_, _| {});
    assert!(expand("1234").is_ok());
    assert!(expand("12345").is_err());
}

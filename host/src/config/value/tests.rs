use std::sync::Arc;

use super::super::lexer::{Statement, statement};
use super::super::line::Lines;
use super::super::source::Source;
use super::*;

/// Value of the arguments in `text`, or sentence, column and what is wrong there.
fn value<N, S>(args: &Args<N>, text: &str) -> Result<Value, (String, usize)>
where
    N: AsRef<[S]>,
    S: AsRef<str>,
{
    with_help(args, "", text)
}

fn with_help<N, S>(args: &Args<N>, help: &str, text: &str) -> Result<Value, (String, usize)>
where
    N: AsRef<[S]>,
    S: AsRef<str>,
{
    let source = Source::new("f", format!("X {text}"));
    let line = Lines::new(Arc::new(source)).next_line(1).unwrap().unwrap();
    let Statement::Directive { name, rest } = statement(line) else {
        panic!("{text}");
    };
    let subject = Subject { name: "X", help, server_root: Path::new("/etc/gearbox") };
    let mut problems = Vec::new();
    let value = evaluate(args, &subject, &name, &rest, &mut problems);
    value.map(|(value, _)| value).ok_or_else(|| {
        let problem = problems.pop().unwrap();
        (problem.sentence, problem.place.column())
    })
}

/// Checks that each text is refused with this sentence, at the first argument.
fn refused(args: Args, sentence: &str, texts: &[&str]) {
    for text in texts {
        assert_eq!(value(&args, text), Err((sentence.to_owned(), 3)), "{text}");
    }
}

const TIME: Args = Args::Duration { min: Duration::from_secs(1), max: Duration::from_secs(86_400) };
const SIZE: Args = Args::Size { min: 512, max: 3 << 20 };
const INT: Args = Args::Int { min: -5, max: 64 };
const FLOAT: Args = Args::Float { min: 0.5, max: 8.0 };

#[test]
fn flags() {
    for (text, on) in [("On", true), ("on", true), ("OFF", false), ("\"Off\"", false)] {
        assert_eq!(value(&Args::Flag::<&[&str]>, text), Ok(Value::Flag(on)), "{text}");
    }
    refused(Args::Flag, "X must be On or Off", &["yes", "1", "\"\""]);
    let fault = |column| Err(("X must be On or Off".to_owned(), column));
    assert_eq!(value(&Args::Flag::<&[&str]>, ""), fault(1));
    assert_eq!(value(&Args::Flag::<&[&str]>, "On On"), fault(6));
}

#[test]
fn integers() {
    for (text, number) in [("0", 0), ("64", 64), ("-5", -5), ("+7", 7), ("007", 7)] {
        assert_eq!(value(&INT, text), Ok(Value::Int(number)), "{text}");
    }
    let texts = ["65", "-6", "x", "1x", "0x1", "1.0", "1e1", "99999999999999999999", "-", "١"];
    refused(INT, "X must be an integer between -5 and 64", &texts);
}

#[test]
fn integers_with_fewer_bounds() {
    let int = |min, max| Args::Int { min, max };
    refused(int(1, i64::MAX), "X must be an integer of at least 1", &["0", "x"]);
    refused(int(i64::MIN, 9), "X must be an integer of at most 9", &["10", "x"]);
    refused(int(i64::MIN, i64::MAX), "X must be an integer", &["x", "9223372036854775808"]);
    let most = value(&int(i64::MIN, i64::MAX), "9223372036854775807");
    assert_eq!(most, Ok(Value::Int(i64::MAX)));
}

#[test]
fn sizes() {
    for (text, bytes) in [("512", 512), ("1K", 1024), ("1k", 1024), ("3m", 3 << 20), ("0512", 512)]
    {
        assert_eq!(value(&SIZE, text), Ok(Value::Size(bytes)), "{text}");
    }
    let sentence = "X must be a size such as 8192, 64K or 1M, between 512 and 3M";
    let texts = [
        "511",
        "4M",
        "1G",
        "K",
        "1KB",
        "-1",
        "+600",
        "1.5K",
        "1T",
        "99999999999999999999",
        "18446744073709551615K",
        "ü",
    ];
    refused(SIZE, sentence, &texts);
    let any = Args::Size { min: 0, max: u64::MAX };
    assert_eq!(value(&any, "2G"), Ok(Value::Size(2 << 30)));
    refused(any, "X must be a size such as 8192, 64K or 1M", &["17179869184G", "x"]);
}

#[test]
fn durations() {
    for (text, ms) in [
        ("30", 30_000),
        ("1000ms", 1000),
        ("1500MS", 1500),
        ("5s", 5000),
        ("5min", 300_000),
        ("24H", 86_400_000),
    ] {
        let time = Duration::from_millis(ms);
        assert_eq!(value(&TIME, text), Ok(Value::Duration(time)), "{text}");
    }
    let sentence = "X must be a time such as 30, 500ms or 5min, between 1s and 24h";
    let texts = [
        "0",
        "999ms",
        "25h",
        "x",
        "s",
        "5m",
        "5d",
        "1.5",
        "-1",
        "+1",
        "5mins",
        "1h30min",
        "18446744073709551615h",
    ];
    refused(TIME, sentence, &texts);
    let any = Args::Duration { min: Duration::ZERO, max: Duration::MAX };
    assert_eq!(value(&any, "0"), Ok(Value::Duration(Duration::ZERO)));
    refused(
        any,
        "X must be a time such as 30, 500ms or 5min",
        &["forever", "18446744073709551615h"],
    );
}

#[test]
fn fractions() {
    for (text, number) in [("0.5", 0.5), ("8", 8.0), ("+1.25", 1.25), (".5", 0.5), ("2.", 2.0)] {
        assert_eq!(value(&FLOAT, text), Ok(Value::Float(number)), "{text}");
    }
    let texts = ["0.49", "8.01", "-1", "x", ".", "1e0", "inf", "NaN", "nan", "1,5", "1..5"];
    refused(FLOAT, "X must be a number between 0.5 and 8", &texts);
    let any = Args::Float { min: f64::MIN, max: f64::MAX };
    refused(any, "X must be a number", &["inf", "-infinity", &"9".repeat(400)]);
}

#[test]
fn choices() {
    let choice: Args = Args::Enum(&["Full", "OS", "Minimal"]);
    assert_eq!(value(&choice, "os"), Ok(Value::Enum(1)));
    refused(choice, "X must be one of Full, OS or Minimal", &["Ful", "Full,"]);
    refused(Args::Enum(&["A", "B"]), "X must be A or B", &["c"]);
    refused(Args::Enum(&["A"]), "X must be A", &["c"]);
    let owned = Args::Enum(vec!["steady".to_owned(), "eager".to_owned()]);
    assert_eq!(value(&owned, "EAGER"), Ok(Value::Enum(1)));
}

#[test]
fn words_paths_and_raw() {
    assert_eq!(value(&Args::Word::<&[&str]>, "'a b'"), Ok(Value::Word("a b".into())));
    let path = |path: &str| Ok(Value::Path(path.into()));
    assert_eq!(value(&Args::Path::<&[&str]>, "conf/x"), path("/etc/gearbox/conf/x"));
    assert_eq!(value(&Args::Path::<&[&str]>, "/x"), path("/x"));
    let raw = |text: &str| Ok(Value::Raw(text.into()));
    assert_eq!(value(&Args::Raw::<&[&str]>, " a \"b "), raw("a \"b"));
    assert_eq!(value(&Args::Raw::<&[&str]>, ""), raw(""));
    let words =
        |words: &[&str]| Ok(Value::Words(words.iter().map(|word| (*word).into()).collect()));
    let some: Args = Args::Words { min: 1, max: 3 };
    assert_eq!(value(&some, "a 'b c'"), words(&["a", "b c"]));
    assert_eq!(value(&some, "a \"\""), words(&["a", ""]));
    assert_eq!(value(&Args::Words::<&[&str]> { min: 0, max: 0 }, ""), words(&[]));
}

#[test]
fn every_kind_of_one_argument_refuses_none_and_two() {
    let sentence = "X takes one argument, a help";
    for args in [INT, SIZE, TIME, FLOAT, Args::Word, Args::Path, Args::Enum(&["1"])] {
        let at = |column| Err((sentence.to_owned(), column));
        assert_eq!(with_help(&args, "a help", ""), at(1), "{args:?}");
        assert_eq!(with_help(&args, "a help", "1 2"), at(5), "{args:?}");
        assert_eq!(with_help(&args, "a help", "\"\""), at(3), "{args:?}");
    }
}

#[test]
fn numbers_of_words() {
    let many = usize::MAX;
    for (min, max, text, column, sentence) in [
        (0, 0, "a", 3, "X takes no arguments"),
        (1, 1, "", 1, "X takes one argument, help"),
        (1, 1, "a b", 5, "X takes one argument, help"),
        (2, 2, "a", 1, "X takes two arguments, help"),
        (2, 2, "a ''", 5, "X takes two arguments, help"),
        (3, 3, "a b", 1, "X takes three arguments, help"),
        (4, 4, "a", 1, "X takes 4 arguments, help"),
        (1, 2, "a b c", 7, "X takes 1-2 arguments, help"),
        (2, 3, "a", 1, "X takes two or three arguments, help"),
        (1, 3, "", 1, "X takes one, two or three arguments, help"),
        (2, 5, "a", 1, "X takes 2-5 arguments, help"),
        (0, 1, "a b", 5, "X takes at most one argument, help"),
        (1, many, "", 1, "X requires at least one argument, help"),
        (1, many, "''", 3, "X requires at least one argument, help"),
        (2, many, "a", 1, "X requires at least two arguments, help"),
        (5, many, "a", 1, "X requires at least 5 arguments, help"),
    ] {
        let args: Args = Args::Words { min, max };
        let help = if max == 0 { "" } else { "help" };
        let expected = Err((sentence.to_owned(), column));
        assert_eq!(with_help(&args, help, text), expected, "{min} {max} {text}");
    }
}

#[test]
fn the_widest_bounds_of_a_module_are_not_mentioned() {
    let most = i64::MAX.unsigned_abs();
    let size = Args::Size { min: 0, max: most };
    refused(size, "X must be a size such as 8192, 64K or 1M", &["x", "9223372036854775808"]);
    let time = Args::Duration { min: Duration::from_secs(1), max: Duration::from_nanos(most) };
    let sentence = "X must be a time such as 30, 500ms or 5min, of at least 1s";
    refused(time, sentence, &["x", "0", "9223372037"]);
    let number = Args::Float { min: 1.0, max: 9_223_372_036_854_775.807 };
    refused(number, "X must be a number of at least 1", &["x", "0.5"]);
}

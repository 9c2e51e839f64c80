use std::sync::Arc;

use super::super::source::Source;
use super::*;

#[test]
fn in_reading_order() {
    let source = Arc::new(Source::new("f", "a b\nc"));
    let at = |line, column, order, sentence: &str| {
        let place = Place::new(Arc::clone(&source), line, column..column + 1, order);
        Problem::error(&place, sentence)
    };
    let problems = Problems::new(vec![
        at(2, 0, 2, "third"),
        at(1, 2, 1, "second"),
        at(1, 0, 9, "last"),
        at(1, 0, 1, "first"),
        at(2, 0, 2, "third, too"),
    ]);
    let sentences: Vec<&str> = problems.iter().map(|p| p.sentence.as_str()).collect();
    assert_eq!(sentences, ["first", "second", "third", "third, too", "last"]);
    assert_eq!(format!("{problems}\n"), problems.render(false));
}

#[test]
fn severities() {
    assert!(Severity::Note < Severity::Warning && Severity::Warning < Severity::Error);
    let warning = Problem::warning(&Place::of_file("f"), DEPRECATED, "old");
    assert!(!Problems::default().has_errors());
    assert!(!Problems::new(vec![warning.clone()]).has_errors());
    assert!(Problems::new(vec![warning, Problem::error(&Place::of_file("f"), "bad")]).has_errors());
}

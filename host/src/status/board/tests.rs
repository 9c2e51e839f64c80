//! Tests of the scoreboard, sane and hostile.

use std::os::fd::AsFd;

use proptest::prelude::*;

use super::super::{About, Form, Line, Source};
use super::*;

#[test]
fn each_child_has_its_record() {
    let (board, fd) = Board::new(2, 25).unwrap();
    let report = Report { idle: 24, busy: 1, connections: 9, accepting: true };
    board.publish(1, report);
    assert_eq!(board.read(0), Report::default());
    assert_eq!(board.read(1), report);
    board.publish(7, report);
    assert_eq!(board.read(7), Report::default());
    assert!(board.worker(2, 0).is_none() && board.worker(0, 26).is_none());
    let again = Board::adopt(fd.as_fd(), 2, 25).unwrap();
    assert_eq!(again.read(1), report);
    assert!(Board::adopt(fd.as_fd(), 3, 25).is_err(), "another size");
}

#[test]
fn numbers_are_clamped() {
    let (board, _) = Board::new(1, 25).unwrap();
    let report = Report { idle: 99, busy: u32::MAX, connections: u32::MAX, accepting: true };
    board.publish(0, report);
    let wanted = Report { idle: 25, busy: 25, connections: CONNECTIONS_MAX, accepting: true };
    assert_eq!(board.read(0), wanted);
}

#[test]
fn what_a_child_served_is_left_when_it_goes() {
    let (board, _) = Board::new(1, 2).unwrap();
    board.arrive(0, 7);
    let line = Line::new(None, "h", "GET", "/", 1);
    for thread in 0..2 {
        let worker = board.worker(0, thread).unwrap();
        worker.begin(&line, 1_000, 1);
        worker.end(10, 2_000_000);
    }
    let sum = board.clear(0);
    assert_eq!((sum.requests, sum.bytes, sum.duration_us), (2, 20, 4_000));
    assert_eq!(board.clear(0), Tally::default(), "once");
    let worker = board.worker(0, 0).unwrap().read();
    assert_eq!((worker.tally.requests, worker.slot_requests), (0, 1));
}

/// A scoreboard that anything was written into, by another process.
fn scribbled(board: &Board, writes: &[(usize, u64)]) {
    let words = board.memory.words();
    for (at, value) in writes {
        words[at % words.len()].store(*value, Ordering::Relaxed);
    }
}

/// Numbers that are near what matters, and any others.
fn value() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), Just(u64::MAX), 0..64_u64, any::<u64>()]
}

proptest! {
    /// Whatever stands there: what is read is within bounds, and every page can be made of it.
    #[test]
    fn anything_may_stand_there(writes in proptest::collection::vec((any::<usize>(), value()), 0..400)) {
        let (board, _) = Board::new(3, 2).unwrap();
        scribbled(&board, &writes);
        for slot in 0..4 {
            let report = board.read(slot);
            prop_assert!(report.idle <= 2 && report.busy <= 2);
            prop_assert!(report.connections <= CONNECTIONS_MAX);
            prop_assert!(i32::try_from(board.pid(slot)).is_ok());
        }
        let facts = board.facts();
        prop_assert!(facts.finished.requests <= 1 << 52);
        let source = Source::new(std::sync::Arc::new(board), Vec::new(), About::default());
        for query in ["", "auto", "json", "prometheus", "notable", "refresh=3"] {
            let (_, text) = source.page(&Form::parse(query), "host", None);
            prop_assert!(text.is_ascii(), "{text}");
        }
        let mut sum = Tally::default();
        for slot in 0..3 {
            sum.add(&source.board().clear(slot));
        }
        prop_assert!(sum.requests <= 1 << 52 && sum.bytes <= 1 << 52);
    }
}

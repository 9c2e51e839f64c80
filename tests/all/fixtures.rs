//! The MPM in C is what README says it is: a whole one, short, against the header alone.

use std::process::Command;

use gearbox_tests::{Source, repository, run};

const C_MPM: &str = "tests/fixtures/mpm_c99.c";

/// Most lines of it.
const LINES: usize = 200;

#[test]
fn the_c_mpm_is_short_and_stands_alone() {
    let source = Source::read(C_MPM).text;
    let lines = source.lines().count();
    assert!(lines <= LINES, "{lines} lines, {LINES} are the most");
    let own: Vec<&str> =
        source.lines().filter(|line| line.starts_with("#include") && !line.contains('<')).collect();
    assert_eq!(own, ["#include \"mpm_abi.h\""]);
}

/// So that lines are lines.
#[test]
fn the_c_mpm_is_formatted() {
    let mut command = Command::new("clang-format");
    command.args(["--dry-run", "-Werror", "--style=file"]).arg(repository().join(C_MPM));
    let output = run(&mut command);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "run clang-format -i {C_MPM}");
}

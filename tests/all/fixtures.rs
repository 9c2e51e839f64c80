//! The MPM in C is what README says it is: a whole one, short, against the header alone.

use std::process::Command;

use gearbox_tests::{Conf, Source, repository, run};

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

/// Who reads it can make it.
#[test]
fn the_command_at_its_top_makes_it() {
    let source = Source::read(C_MPM).text;
    let line = source.lines().find_map(|line| line.strip_prefix(" *     cc ")).expect("a command");
    let dir = tempfile::tempdir().expect("a directory for the module");
    let made = dir.path().join("mod_mpm_c99.so");
    let words = line.split(' ').map(|word| match word {
        "mod_mpm_c99.so" => made.display().to_string(),
        word => word.to_owned(),
    });
    let output = run(Command::new("cc").args(words).current_dir(repository()));
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{line}");
    let load = format!("LoadModule mpm_c99_module {}\nServerName a\n", made.display());
    assert_eq!(Conf::text(&load).check(), (0, "Syntax OK\n".to_owned()));
}

/// So that lines are lines.
#[test]
fn the_c_mpm_is_formatted() {
    let mut command = Command::new("clang-format");
    command.args(["--dry-run", "-Werror", "--style=file"]).arg(repository().join(C_MPM));
    let output = run(&mut command);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "run clang-format -i {C_MPM}");
}

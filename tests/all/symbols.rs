//! What an MPM's file gives and takes: its descriptor, and nothing that is not the system's.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use gearbox_tests::{Mpm, run};

every_mpm!(exports_its_descriptor_alone, needs_the_systems_libraries_alone);

/// The libraries an MPM may use: the C library in its parts, the compiler's, and the dynamic loader,
/// whose name has the machine's in it.
const LIBRARIES: [&str; 4] = ["libc.so.", "libm.so.", "libgcc_s.so.", "ld-linux"];

fn tool(program: &str, arguments: &[&str], file: &Path) -> String {
    let output = run(Command::new(program).args(arguments).arg(file));
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{program} {}", file.display());
    output.stdout
}

/// Letter and name, with its version behind `@`, of the symbols that `nm -D` shows.
fn symbols(file: &Path, which: &str) -> Vec<(char, String)> {
    let text = tool("nm", &["-D", which], file);
    let lines = text.lines().map(|line| {
        let mut words = line.split_whitespace().rev();
        let name = words.next().expect("a name").replace("@@", "@");
        let letter = words.next().and_then(|word| word.chars().next()).expect("a letter");
        (letter, name)
    });
    lines.collect()
}

fn exports_its_descriptor_alone(mpm: Mpm) {
    let descriptor = format!("mpm_{}_module", mpm.name());
    let layout = format!("{descriptor}__layout");
    // In C there is no layout record.
    let wanted = if mpm == Mpm::C99 { vec![descriptor] } else { vec![descriptor, layout] };
    let found = symbols(&mpm.file(), "--defined-only");
    let is_data = |letter: char| letter == 'D' || letter == 'R';
    assert!(found.iter().all(|(letter, _)| is_data(*letter)), "{found:?}");
    let mut names: Vec<String> = found.into_iter().map(|(_, name)| name).collect();
    names.sort();
    assert_eq!(names, wanted);
}

/// Every library, and every symbol by its name and version, is looked up where the loader finds it.
fn needs_the_systems_libraries_alone(mpm: Mpm) {
    let file = mpm.file();
    let libraries = tool("ldd", &[], &file);
    assert!(!libraries.contains("not found"), "{libraries}");
    // `NAME => PATH (ADDRESS)`; the loader itself is a path alone, and the kernel's has none.
    let paths =
        libraries.lines().flat_map(str::split_whitespace).filter(|word| word.starts_with('/'));
    let mut given = BTreeSet::new();
    for path in paths.map(Path::new) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a library");
        let known = LIBRARIES.iter().any(|library| name.starts_with(library));
        assert!(known, "{name} is none of {LIBRARIES:?}");
        given.extend(symbols(path, "--defined-only").into_iter().map(|(_, name)| name));
    }
    let needed = symbols(&file, "--undefined-only");
    let strong: Vec<&String> = needed.iter().filter(|it| it.0 == 'U').map(|it| &it.1).collect();
    assert!(strong.len() > 3, "nm shows what is needed: {needed:?}");
    let missing: Vec<_> = strong.into_iter().filter(|name| !given.contains(*name)).collect();
    assert!(missing.is_empty(), "in none of the system's libraries: {missing:?}");
}

//! The committed C header equals what this crate generates, compiles as strict C99 and C++, and sees
//! the same sizes and offsets.
//!
//! `scripts/header` (or `MPM_ABI_BLESS=1`) writes the header instead of comparing it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says what went wrong by panicking"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use mpm_abi::layout::{LAYOUT_ID, LAYOUTS};

fn crate_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn header_path() -> PathBuf {
    crate_dir().join("include/mpm_abi.h")
}

fn generate() -> String {
    let config = cbindgen::Config::from_file(crate_dir().join("cbindgen.toml")).unwrap();
    let mut body = Vec::new();
    cbindgen::Builder::new()
        .with_src(crate_dir().join("src/lib.rs"))
        .with_config(config)
        .generate()
        .expect("cbindgen understands the crate")
        .write(&mut body);
    let body = tidy_comments(&String::from_utf8(body).unwrap());
    let prologue = std::fs::read_to_string(crate_dir().join("include/prologue.h.in")).unwrap();
    let epilogue = std::fs::read_to_string(crate_dir().join("include/epilogue.h.in")).unwrap();
    epilogue_filled(&prologue, &body, &epilogue)
}

/// Rust documentation as a C reader likes it: short comments on one line, no links.
fn tidy_comments(body: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in body.lines() {
        let closes = line.trim() == "*/" && lines.len() >= 2;
        if closes && lines[lines.len() - 2].trim() == "/*" {
            let text = lines.pop().unwrap_or_default();
            let open = lines.pop().unwrap_or_default();
            let indent = &open[..open.len() - open.trim_start().len()];
            lines.push(format!("{indent}/* {} */", text.trim()));
        } else {
            lines.push(line.to_owned());
        }
    }
    let mut text = lines.join("\n") + "\n";
    while let Some(start) = text.find("[`") {
        let Some(end) = text[start..].find("`]").map(|n| start + n) else {
            break;
        };
        let after = &text[end + 2..];
        let target = if after.starts_with('(') { after.find(')').map_or(0, |n| n + 1) } else { 0 };
        let name = text[start + 2..end].to_owned();
        text.replace_range(start..end + 2 + target, &name);
    }
    text.replace('`', "")
}

fn epilogue_filled(prologue: &str, body: &str, epilogue: &str) -> String {
    let mut checks = String::new();
    let mut n = 0;
    let mut check = |condition: String| {
        writeln!(checks, "MPM_CHECK({condition}, {n});").unwrap();
        n += 1;
    };
    for layout in LAYOUTS {
        check(format!("sizeof({}) == {}", layout.name, layout.size));
        for field in layout.fields {
            check(format!("offsetof({}, {}) == {}", layout.name, field.name, field.offset));
        }
    }
    let id = format!("UINT64_C(0x{LAYOUT_ID:016x})");
    format!("{prologue}{body}{}", epilogue.replace("@CHECKS@", checks.trim_end()))
        .replace("@LAYOUT_ID@", &id)
}

#[test]
fn header_is_up_to_date() {
    let wanted = generate();
    if std::env::var_os("MPM_ABI_BLESS").is_some() {
        std::fs::write(header_path(), wanted).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(header_path()).unwrap_or_default();
    let line = committed.lines().zip(wanted.lines()).position(|(a, b)| a != b);
    assert!(
        committed == wanted,
        "include/mpm_abi.h differs from the crate (first at line {:?}); run scripts/header",
        line.map(|n| n + 1)
    );
}

/// Compiles `source` (with the header's directory in the path) and returns the binary.
fn compile(dir: &Path, compiler: &str, flags: &[&str], name: &str, source: &str) -> PathBuf {
    let file = dir.join(name);
    std::fs::write(&file, source).unwrap();
    let out = dir.join(format!("{name}.bin"));
    let run = Command::new(compiler)
        .args(flags)
        .arg("-I")
        .arg(crate_dir().join("include"))
        .arg("-o")
        .arg(&out)
        .arg(&file)
        .output()
        .unwrap_or_else(|e| panic!("{compiler} is needed (apt-get install gcc g++): {e}"));
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    out
}

const STRICT: &[&str] = &["-Wall", "-Wextra", "-pedantic", "-Werror"];

#[test]
fn header_is_strict_c_and_cpp() {
    let dir = tempfile::tempdir().unwrap();
    let twice = "#include \"mpm_abi.h\"\n#include \"mpm_abi.h\"\nint main(void) { return 0; }\n";
    for (compiler, standard, name) in [
        ("cc", "-std=c99", "h99.c"),
        ("cc", "-std=c11", "h11.c"),
        ("cc", "-std=c17", "h17.c"),
        ("c++", "-std=c++17", "h17.cc"),
    ] {
        let flags: Vec<&str> = STRICT.iter().copied().chain([standard]).collect();
        compile(dir.path(), compiler, &flags, name, twice);
    }
}

#[test]
fn c_sees_the_same_sizes_and_offsets() {
    let mut source = String::from(
        "#include <stdio.h>\n#include \"mpm_abi.h\"\nint main(void) {\n    \
         printf(\"%llx\\n\", (unsigned long long)MPM_LAYOUT_ID);\n",
    );
    let mut wanted = format!("{LAYOUT_ID:x}\n");
    for layout in LAYOUTS {
        let name = layout.name;
        writeln!(source, "    printf(\"{name} %zu\\n\", sizeof({name}));").unwrap();
        writeln!(wanted, "{name} {}", layout.size).unwrap();
        for field in layout.fields {
            let f = field.name;
            writeln!(
                source,
                "    printf(\"{name}.{f} %zu %zu\\n\", offsetof({name}, {f}), \
                 sizeof((({name} *)0)->{f}));"
            )
            .unwrap();
            writeln!(wanted, "{name}.{f} {} {}", field.offset, field.size).unwrap();
        }
    }
    source.push_str("    return 0;\n}\n");
    let dir = tempfile::tempdir().unwrap();
    let flags: Vec<&str> = STRICT.iter().copied().chain(["-std=c99"]).collect();
    let program = compile(dir.path(), "cc", &flags, "layout.c", &source);
    let seen = Command::new(program).output().unwrap();
    assert_eq!(String::from_utf8(seen.stdout).unwrap(), wanted);
}

#[test]
fn c_sees_the_same_constants() {
    // The generator copies the constants; this proves the derived ones by value.
    let dir = tempfile::tempdir().unwrap();
    let source = "#include <stdio.h>\n#include \"mpm_abi.h\"\nint main(void) {\n    \
        printf(\"%llx %u %u %u %d %llx %llu\\n\", (unsigned long long)MPM_MAGIC, \
        (unsigned)MPM_HEADER_SIZE, (unsigned)MPM_ABI_MAJOR, (unsigned)MPM_ABI_MINOR, \
        (int)MPM_E_FATAL, (unsigned long long)MPM_NEVER, \
        (unsigned long long)MPM_CAP_ASSERT_THREAD);\n    return 0;\n}\n";
    let flags: Vec<&str> = STRICT.iter().copied().chain(["-std=c99"]).collect();
    let program = compile(dir.path(), "cc", &flags, "constants.c", source);
    let seen = String::from_utf8(Command::new(program).output().unwrap().stdout).unwrap();
    use mpm_abi::version::{ABI_MAJOR, ABI_MINOR, CAP_ASSERT_THREAD, HEADER_SIZE, MAGIC};
    let wanted = format!(
        "{MAGIC:x} {HEADER_SIZE} {ABI_MAJOR} {ABI_MINOR} {} {:x} {CAP_ASSERT_THREAD}\n",
        mpm_abi::E_FATAL,
        mpm_abi::NEVER,
    );
    assert_eq!(seen, wanted);
}

#[test]
fn structs_have_no_hidden_padding() {
    for layout in LAYOUTS {
        let mut end = 0;
        for field in layout.fields {
            assert_eq!(field.offset, end, "gap before {}.{}", layout.name, field.name);
            end = field.offset + field.size;
        }
        assert_eq!(end, layout.size, "gap at the end of {}", layout.name);
    }
}

//! What may use what, as ARCHITECTURE.md has it: between the host's layers and between crates.

use std::collections::{BTreeMap, BTreeSet};

use gearbox_tests::{Source, without_comments};

/// Macros stand in the crate's root; these are the layers they are of.
const MACROS: [(&str, &str); 1] = [("log_line", "log")];

/// The host's layers, each with its place from the top.
struct Layers(BTreeMap<String, usize>);

impl Layers {
    /// From the line of ARCHITECTURE.md that says: `upper` → `lower`, `beside` → …
    fn read() -> Self {
        let text = Source::read("ARCHITECTURE.md").text;
        let line =
            text.lines().find(|line| line.starts_with("`cli` → ")).expect("the list of layers");
        let levels = line.trim_end_matches('.').split(" → ").enumerate();
        let layers = levels.flat_map(|(level, names)| {
            names.split(", ").map(move |name| (name.trim_matches('`').to_owned(), level))
        });
        Self(layers.collect())
    }

    /// Downwards, or within the layer.
    fn allows(&self, from: &str, to: &str) -> bool {
        let level = |name| self.0.get(name).unwrap_or_else(|| panic!("{name} is no layer"));
        from == to || level(from) < level(to)
    }

    /// The uses in a file of `host/src` that go up or sideways.
    fn forbidden(&self, path: &str, text: &str) -> Vec<String> {
        let Some(from) = layer_of(path) else { return Vec::new() };
        let used = uses(path, text);
        used.into_iter().filter(|to| !self.allows(from, to)).collect()
    }
}

/// The layer of a path in `host/src`; `None` for the crate's own two files.
fn layer_of(path: &str) -> Option<&str> {
    let first = path.split('/').next().unwrap_or(path);
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (name != "lib" && name != "main").then_some(name)
}

/// How many modules deep a file is: `a.rs` and `a/mod.rs` are one deep.
fn depth_of(path: &str) -> usize {
    path.split('/').count() - usize::from(path.ends_with("/mod.rs"))
}

/// The layers a file names, be it by `crate::` or by as many `super::` as lead there.
fn uses(path: &str, text: &str) -> BTreeSet<String> {
    let code = without_comments(text);
    let mut used = BTreeSet::new();
    let mut inline: Vec<usize> = Vec::new();
    let mut start = 0;
    for line in code.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        if line.trim_end().ends_with('{') && line.trim_start().split(' ').any(|word| word == "mod")
        {
            inline.push(indent);
        } else if line.trim_end().ends_with('}') && inline.last() == Some(&indent) {
            inline.pop();
        }
        let depth = depth_of(path) + inline.len();
        for root in ["crate::".to_owned(), "super::".repeat(depth)] {
            let paths = line.match_indices(&root).filter(|(at, _)| is_start(&line[..*at]));
            used.extend(paths.flat_map(|(at, _)| names(&code[start + at + root.len()..])));
        }
        start += line.len();
    }
    for (name, layer) in MACROS {
        if used.remove(name) {
            used.insert(layer.to_owned());
        }
    }
    used
}

/// Can a path begin after this?
fn is_start(before: &str) -> bool {
    !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
}

/// The first names of what follows: of one path, or of each in braces.
fn names(text: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim().chars().take_while(|&c| c.is_alphanumeric() || c == '_').collect()
    };
    let Some(group) = text.strip_prefix('{') else { return vec![name(text)] };
    let (mut found, mut open, mut from) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open > 0 => open -= 1,
            '}' | ',' if open == 0 => {
                found.push(name(&group[from..at]));
                from = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

#[test]
fn the_host_goes_only_downwards() {
    let layers = Layers::read();
    let mut seen = BTreeSet::new();
    let mut forbidden = Vec::new();
    for source in Source::below(&["host/src"], ".rs") {
        let path = source.path.strip_prefix("host/src/").expect("below it");
        seen.extend(layer_of(path).map(str::to_owned));
        let used = layers.forbidden(path, &source.text);
        forbidden.extend(used.into_iter().map(|to| format!("{} uses {to}", source.path)));
    }
    assert!(forbidden.is_empty(), "against ARCHITECTURE.md:\n{}", forbidden.join("\n"));
    let listed: BTreeSet<String> = layers.0.into_keys().collect();
    assert_eq!(listed, seen, "every layer is in the list of ARCHITECTURE.md");
}

/// The two halves of the contract meet in `server` alone: what calls the plug-in, and what it calls.
#[test]
fn mpm_and_callbacks_do_not_know_each_other() {
    let mpm = without_comments(&Source::read("host/src/modules/mpm.rs").text);
    assert!(!mpm.contains("callbacks"), "modules/mpm.rs uses callbacks");
    for source in Source::below(&["host/src/server/callbacks"], ".rs") {
        let used = uses(source.path.strip_prefix("host/src/").expect("below it"), &source.text);
        assert!(!used.contains("modules"), "{} uses modules", source.path);
        assert!(!without_comments(&source.text).contains("mpm::"), "{} uses mpm", source.path);
    }
}

/// What would go unnoticed if the test above saw nothing.
#[test]
fn a_forbidden_use_is_seen() {
    let layers = Layers::read();
    for (path, text, wanted) in [
        ("handlers/files.rs", "use crate::server::Thing;\n", &["server"][..]),
        ("handlers/files.rs", "use crate::sys::unix::{self, Fd};\nuse crate::task;\n", &[]),
        ("handlers/files.rs", "    let x = crate::conn::thing();\n", &["conn"]),
        (
            "conn/a/b.rs",
            "use crate::{\n    http::{self, Site},\n    modules::Mpm,\n};\n",
            &["modules"],
        ),
        ("modules/file.rs", "use crate::{conn, sys};\n", &["conn"]),
        ("http/mod.rs", "use super::server::Thing;\n", &["server"]),
        ("http/site.rs", "use super::server::Thing;\n", &[]),
        ("http/site.rs", "use super::super::{cli, sys};\n", &["cli"]),
        ("http/site.rs", "mod tests {\n    use super::super::server::X;\n}\n", &[]),
        ("http/site.rs", "mod tests {\n}\nuse super::super::server::X;\n", &["server"]),
        ("http/site.rs", "//! [`X`](crate::server::X)\n// use crate::cli;\n", &[]),
        ("config/row.rs", "    crate::log_line!(WARN, \"GB0000\", \"\");\n", &["log"]),
        ("sys/mod.rs", "pub(in crate::log) use other_crate::server::X;\n", &["log"]),
        ("main.rs", "use crate::sys::X;\n", &[]),
    ] {
        assert_eq!(layers.forbidden(path, text), wanted, "{path}: {text}");
    }
}

/// Crates of the workspace that each of them may depend on.
const CRATES: [(&str, &[&str]); 7] = [
    ("abi", &[]),
    ("abi/sdk", &["mpm-abi"]),
    ("host", &["mpm-abi"]),
    ("plugins/event", &["mpm-sdk"]),
    ("plugins/prefork", &["mpm-sdk"]),
    ("plugins/worker", &["mpm-sdk"]),
    ("tests", &[]),
];

/// What the sections of dependencies in a manifest name.
fn dependencies(manifest: &str) -> BTreeSet<&str> {
    let mut is_dependency = false;
    let mut found = BTreeSet::new();
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            is_dependency = section.trim_end_matches(']').ends_with("dependencies");
        } else if is_dependency && let Some((key, value)) = line.split_once('=') {
            assert!(!value.contains("package"), "a crate by another name: {line}");
            assert!(!value.contains("path"), "paths stand in the workspace's manifest: {line}");
            found.insert(key.trim().trim_end_matches(".workspace"));
        }
    }
    found
}

#[test]
fn crates_depend_on_what_is_below_them() {
    let root = Source::read("Cargo.toml").text;
    let members = root.lines().find_map(|line| line.strip_prefix("members = [")).expect("members");
    let members: BTreeSet<&str> = members.trim_end_matches(']').split(", ").collect();
    let listed: BTreeSet<String> = CRATES.iter().map(|(path, _)| format!("\"{path}\"")).collect();
    assert_eq!(members, listed.iter().map(String::as_str).collect(), "crates and this test's list");
    let manifests = CRATES.map(|(path, _)| Source::read(&format!("{path}/Cargo.toml")).text);
    let name = |manifest: &str| {
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = "));
        name.expect("a name").trim_matches('"').to_owned()
    };
    let own: BTreeSet<String> = manifests.iter().map(|manifest| name(manifest)).collect();
    for ((path, allowed), manifest) in CRATES.iter().zip(&manifests) {
        let used = dependencies(manifest);
        let used: Vec<&str> = used.into_iter().filter(|it| own.contains(*it)).collect();
        assert_eq!(used, *allowed, "what {path} depends on");
    }
    // The contract stands alone: nothing but abi_stable, where it is asked for.
    assert_eq!(
        dependencies(manifests[0].split("[dev-").next().expect("a text")),
        BTreeSet::from(["abi_stable"])
    );
}

#[test]
fn a_forbidden_dependency_is_seen() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\nlibc.workspace = true\n[features]\na = []\n\
                    [target.'cfg(unix)'.dev-dependencies]\ngearbox = { workspace = true }\n";
    assert_eq!(dependencies(manifest), BTreeSet::from(["gearbox", "libc"]));
}

//! For tests: configurations from text, a table of rows, and modules that are not there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::row::{Args, Contexts, ModuleRow, Row};
use super::{
    Call, Config, Fault, Input, Loaded, ModuleHost, Part, Place, Problems, Settings, Tree, read,
    resolve,
};

/// Reads and resolves a text with these rows, and with [`Modules`] to load.
pub(crate) fn resolve_text(text: &str, rows: &[&'static [Row]]) -> Result<Config, Problems> {
    resolve(&Files::new(&[("gearbox.conf", text)]).read(), rows)
}

/// What is printed for a text, [`ROWS`] being known; nothing for one without fault.
pub(crate) fn report(text: &str) -> String {
    Files::new(&[("gearbox.conf", text)]).report()
}

/// The sentences found in a text, [`ROWS`] being known.
pub(crate) fn sentences(text: &str) -> Vec<String> {
    Files::new(&[("gearbox.conf", text)]).sentences()
}

/// The sentences that reading alone finds in a text.
pub(crate) fn sentences_of_reading(text: &str) -> Vec<String> {
    let tree = Files::new(&[("gearbox.conf", text)]).read();
    let problems = tree.problems.into_iter();
    problems.map(|problem| problem.sentence).collect()
}

/// Directives and sections of a text that reading finds no fault with.
pub(crate) fn names(text: &str) -> Vec<String> {
    Files::new(&[("gearbox.conf", text)]).names()
}

/// A directory of configuration files; `gearbox.conf` is the main one.
pub(crate) struct Files {
    root: TempDir,
    pub(crate) input: Input,
}

impl Files {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        // Without links, so that it reads the same everywhere in messages.
        let server_root = root.path().canonicalize().unwrap();
        let input =
            Input { file: server_root.join("gearbox.conf"), server_root, ..Input::default() };
        let this = Self { root, input };
        for (name, text) in files {
            this.write(name, text);
        }
        this
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn root(&self) -> &Path {
        &self.input.server_root
    }

    pub(crate) fn read(&self) -> Tree {
        read(&self.input, &mut Modules::default())
    }

    /// All problems as printed, `/etc/gearbox` being the directory.
    pub(crate) fn report(&self) -> String {
        let printed = match resolve(&self.read(), &[ROWS]) {
            Ok(config) => config.warnings.iter().map(|p| p.render(false)).collect(),
            Err(problems) => problems.render(false),
        };
        printed.replace(self.root().to_str().unwrap(), "/etc/gearbox")
    }

    /// Directives and sections with their words; reading finds no fault.
    pub(crate) fn names(&self) -> Vec<String> {
        let tree = self.read();
        let problems: Vec<_> = tree.problems.iter().map(|p| &p.sentence).collect();
        assert!(problems.is_empty(), "{problems:?}");
        let nodes = outline(&tree).into_iter();
        let nodes = nodes.map(|(name, words, _)| [vec![name], words].concat());
        nodes.map(|words| words.join(" ")).collect()
    }

    /// Only the sentences of all problems.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let problems = match resolve(&self.read(), &[ROWS]) {
            Ok(config) => config.warnings,
            Err(problems) => problems.into_vec(),
        };
        let root = self.root().to_str().unwrap();
        let sentences = problems.into_iter().map(|problem| problem.sentence);
        sentences.map(|text| text.replace(root, "/etc/gearbox")).collect()
    }
}

/// Names, words, and parents by index: a tree without its places.
pub(crate) fn outline(tree: &Tree) -> Vec<(String, Vec<String>, Option<usize>)> {
    let nodes = tree.nodes.iter().map(|node| {
        let words = node.words().into_iter().map(|word| word.text);
        (node.name.text.clone(), words.collect(), node.parent)
    });
    nodes.collect()
}

/// Knows `mpm_event_module`, a built-in `dir_module` and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    is_event_loaded: bool,
    pub(crate) calls: Vec<(String, String, PathBuf, String)>,
}

impl ModuleHost for Modules {
    fn load(
        &mut self,
        symbol: &str,
        file: &str,
        server_root: &Path,
        place: &Place,
    ) -> Result<Loaded, String> {
        let root = server_root.to_owned();
        self.calls.push((symbol.into(), file.into(), root, format!("{place:?}")));
        match symbol {
            "mpm_event_module" if self.is_event_loaded => Ok(Loaded::Already),
            "mpm_event_module" => {
                self.is_event_loaded = true;
                Ok(Loaded::Plugin(mpm_rows()))
            }
            "clash_module" => Ok(Loaded::Plugin(vec![module_row("Listen", 1)])),
            "dir_module" => Ok(Loaded::BuiltIn),
            _ => Err(format!("Cannot load {file} into server: no such file")),
        }
    }

    fn is_loaded(&self, name: &str) -> bool {
        match name {
            "mpm_event_module" | "event.c" => self.is_event_loaded,
            "dir_module" | "mod_dir.c" => true,
            _ => false,
        }
    }
}

/// A row of `event.c` for one word of up to 20 000.
pub(crate) fn module_row(name: &str, id: u32) -> ModuleRow {
    ModuleRow {
        name: name.into(),
        module: "event.c".into(),
        help: String::new(),
        default: String::new(),
        args: Args::Int { min: 1, max: 20_000 },
        id,
        alias_of: None,
        repeatable: false,
        deprecated: false,
        hidden: false,
    }
}

/// What `mpm_event_module` adds.
pub(crate) fn mpm_rows() -> Vec<ModuleRow> {
    vec![
        ModuleRow {
            help: "Number of threads each child creates".into(),
            default: "25".into(),
            ..module_row("ThreadsPerChild", 1)
        },
        module_row("MaxRequestWorkers", 2),
        ModuleRow {
            alias_of: Some("MaxRequestWorkers".into()),
            deprecated: true,
            ..module_row("MaxClients", 2)
        },
        ModuleRow {
            args: Args::Enum(vec!["steady".into(), "eager".into()]),
            ..module_row("SpawnPolicy", 3)
        },
        ModuleRow {
            args: Args::Words { min: 2, max: 3 },
            help: "a queue and its length".into(),
            repeatable: true,
            ..module_row("QueueLength", 4)
        },
        ModuleRow { hidden: true, deprecated: true, ..module_row("EventTestHook", 5) },
    ]
}

/// Settings that [`ROWS`] fill.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// Each call: name, value, words.
    pub(crate) calls: Vec<(String, String)>,
}

impl Part for Seen {
    fn merge(&mut self, inner: &Self) {
        self.calls.extend_from_slice(&inner.calls);
    }
}

fn see(settings: &mut Settings, call: &Call<'_>) -> Result<(), Fault> {
    let value = format!("{:?}", call.value);
    let seen = &mut settings.of_mut::<Seen>().calls;
    seen.push((call.name.to_owned(), value));
    Ok(())
}

fn listen(settings: &mut Settings, call: &Call<'_>) -> Result<(), Fault> {
    if let Some(at) = call.words.iter().position(|word| word.text == "x") {
        return Err(Fault::from("Invalid address or port").at(at));
    }
    see(settings, call)
}

const fn row(name: &'static str, args: Args) -> Row {
    Row {
        name,
        module: "core.c",
        contexts: Contexts::SERVER,
        args,
        default: "",
        help: "",
        set: see,
    }
}

/// One row of each kind.
pub(crate) const ROWS: &[Row] = &[
    Row {
        help: "A port number or a numeric IP address and a port number",
        set: listen,
        ..row("Listen", Args::Words { min: 1, max: usize::MAX })
    },
    Row {
        default: "On",
        help: "Whether persistent connections should be On or Off",
        ..row("KeepAlive", Args::Flag)
    },
    row("ListenBacklog", Args::Int { min: 1, max: 65_535 }),
    row("LimitRequestBody", Args::Size { min: 0, max: 1 << 40 }),
    row(
        "Timeout",
        Args::Duration { min: Duration::from_secs(1), max: Duration::from_secs(86_400) },
    ),
    row("Factor", Args::Float { min: 1.0, max: 10.0 }),
    Row { contexts: Contexts::ANYWHERE, ..row("Name", Args::Word) },
    Row { contexts: Contexts::SERVER.or(Contexts::SECTION), ..row("DocumentRoot", Args::Path) },
    row("ServerTokens", Args::Enum(&["Full", "OS", "Minimal"])),
    Row {
        contexts: Contexts::SECTION,
        module: "mod_authz_core.c",
        help: "specifies authorization directives which one must pass",
        ..row("Require", Args::Raw)
    },
];

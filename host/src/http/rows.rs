//! Directives of a site: where it lies, what it is called, how its files are sent.

use std::path::PathBuf;

use crate::config::{Args, Call, Contexts, Fault, Part, Row, Settings};

/// Settings of the whole server.
#[derive(Clone, Debug, Default)]
pub struct SiteSettings {
    /// ServerName: name, and port if given.
    pub server_name: Option<(String, Option<u16>)>,
    /// DocumentRoot.
    pub document_root: Option<PathBuf>,
    /// TypesConfig.
    pub types_config: Option<PathBuf>,
}

impl Part for SiteSettings {
    fn merge(&mut self, inner: &Self) {
        merge(&mut self.server_name, &inner.server_name);
        merge(&mut self.document_root, &inner.document_root);
        merge(&mut self.types_config, &inner.types_config);
    }
}

fn merge<T: Clone>(outer: &mut Option<T>, inner: &Option<T>) {
    if inner.is_some() {
        outer.clone_from(inner);
    }
}

/// How directories are answered (mod_dir).
#[derive(Clone, Debug, Default)]
pub struct DirectorySettings {
    index: Option<Vec<String>>,
}

impl DirectorySettings {
    /// Names tried, in order.
    pub fn index(&self) -> Vec<String> {
        self.index.clone().unwrap_or_else(|| vec![DIRECTORY_INDEX.to_owned()])
    }
}

impl Part for DirectorySettings {
    fn merge(&mut self, inner: &Self) {
        merge(&mut self.index, &inner.index);
    }
}

/// How files are sent.
#[derive(Clone, Debug, Default)]
pub struct FileSettings {
    /// EnableSendfile.
    pub sendfile: Option<bool>,
}

impl Part for FileSettings {
    fn merge(&mut self, inner: &Self) {
        self.sendfile = inner.sendfile.or(self.sendfile);
    }
}

/// httpd's default.
const DIRECTORY_INDEX: &str = "index.html";

/// Directives of the core, mod_dir and mod_mime.
pub const ROWS: &[Row] = &[
    Row {
        name: "ServerName",
        module: "core.c",
        contexts: Contexts::SERVER,
        args: Args::Word,
        default: "",
        help: "the name, and optionally the port, the server is known by",
        set: server_name,
    },
    Row {
        name: "DocumentRoot",
        module: "core.c",
        contexts: Contexts::SERVER,
        args: Args::Path,
        default: "",
        help: "the directory whose files are served",
        set: |settings, call| {
            settings.of_mut::<SiteSettings>().document_root = Some(call.path()?.to_owned());
            Ok(())
        },
    },
    Row {
        name: "TypesConfig",
        module: "mod_mime.c",
        contexts: Contexts::SERVER,
        args: Args::Path,
        default: "the table shipped as conf/mime.types",
        help: "the file that says which file name extension has which type",
        set: |settings, call| {
            settings.of_mut::<SiteSettings>().types_config = Some(call.path()?.to_owned());
            Ok(())
        },
    },
    Row {
        name: "DirectoryIndex",
        module: "mod_dir.c",
        contexts: Contexts::ANYWHERE,
        args: Args::Words { min: 1, max: usize::MAX },
        default: DIRECTORY_INDEX,
        help: "the names tried, in order, when a directory is asked for",
        set: directory_index,
    },
    Row {
        name: "EnableSendfile",
        module: "core.c",
        contexts: Contexts::ANYWHERE,
        args: Args::Flag,
        default: "Off",
        help: "whether the kernel sends files of more than 64 KiB without copying them",
        set: |settings, call| {
            settings.of_mut::<FileSettings>().sendfile = Some(call.flag()?);
            Ok(())
        },
    },
];

fn server_name(settings: &mut Settings, call: &Call<'_>) -> Result<(), Fault> {
    let text = call.text()?;
    // httpd also takes a scheme here; the connection knows its own.
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !text.ends_with(']') => {
            let port: u16 = port
                .parse()
                .map_err(|_| Fault::new("Invalid port in ServerName: 1 to 65535").at(0))?;
            (name, Some(port))
        }
        _ => (text, None),
    };
    settings.of_mut::<SiteSettings>().server_name = Some((name.to_owned(), port));
    Ok(())
}

fn directory_index(settings: &mut Settings, call: &Call<'_>) -> Result<(), Fault> {
    if let Some(bad) = call.words.iter().position(|word| word.text.starts_with('/')) {
        let sentence = "DirectoryIndex takes names inside the directory; a path from the root is not supported yet";
        return Err(Fault::new(sentence).at(bad));
    }
    let names = call.words.iter().map(|word| word.text.clone());
    // Several directives add up; `disabled` alone turns the look-up off.
    let index = settings.of_mut::<DirectorySettings>().index.get_or_insert_default();
    match call.words {
        [only] if only.text.eq_ignore_ascii_case("disabled") => index.clear(),
        _ => index.extend(names),
    }
    Ok(())
}

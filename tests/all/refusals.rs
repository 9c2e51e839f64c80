//! `LoadModule` of what is no MPM for this host: one line that says where, what was found and what was
//! needed, exit status 1, and no code of the file runs that could be refused by a look into it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use gearbox_tests::{Conf, Mpm, compile_module, gearbox_binary, repository};

use crate::start::{Port, account, fails};

/// Where Debian has the modules of Apache httpd.
const APACHE: &str = "/usr/lib/apache2/modules";

/// Where Debian has the modules of nginx.
const NGINX: &str = "/usr/lib/nginx/modules";

/// Symbol of the modules compiled here.
const SYMBOL: &str = "mpm_good_module";

/// Their file, and where their constructor says that it ran.
const FILE: &str = "modules/mod_mpm_good.so";
const MARK: &str = "ran";

const THE_HOST: &str = "gearbox loads its own MPMs only";

/// A file that is refused.
struct Row {
    /// What it is.
    what: &'static str,
    /// Symbol and file of the `LoadModule` line.
    arguments: String,
    /// Puts it in place.
    make: Make,
    /// What is said about it.
    wanted: String,
}

type Make = Box<dyn Fn(&Conf)>;

fn row(what: &'static str, make: impl Fn(&Conf) + 'static, wanted: impl Into<String>) -> Row {
    let arguments = format!("{SYMBOL} {FILE}");
    Row { what, arguments, make: Box::new(make), wanted: wanted.into() }
}

impl Row {
    /// Another symbol or file in the `LoadModule` line.
    fn named(self, symbol: &str, file: impl AsRef<Path>) -> Self {
        Self { arguments: format!("{symbol} {}", file.as_ref().display()), ..self }
    }
}

/// Compiles one of the fixtures to `modules/mod_mpm_good.so`.
fn compile(conf: &Conf, source: &str, options: &[&str]) -> PathBuf {
    let path = conf.put_bytes(FILE, b"");
    let source = repository().join("tests/fixtures/modules").join(source);
    let mark = format!("-DMARK=\"{}\"", conf.root().join(MARK).display());
    let options = [&["-std=gnu99", "-w", "-fvisibility=default", &mark], options].concat();
    compile_module(&source, &path, &options);
    path
}

fn good(options: &'static [&'static str]) -> impl Fn(&Conf) {
    move |conf| drop(compile(conf, "good.c", options))
}

fn foreign(options: &'static [&'static str]) -> impl Fn(&Conf) {
    move |conf| drop(compile(conf, "foreign.c", options))
}

fn nothing(_: &Conf) {}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
}

/// Runs the row in every way a configuration is read. `true` if code of the file ran.
fn refused(row: &Row) -> bool {
    let port = Port::new();
    let load = format!("LoadModule {}", row.arguments);
    let conf = Conf::text(&format!("ServerName localhost\n{load}\n{}{}", account(), port.line()));
    (row.make)(&conf);
    let (symbol, file) = row.arguments.split_once(' ').expect("two words");
    let path = conf.root().join(file).display().to_string();
    let path = path.replace(&conf.root().display().to_string(), "@ROOT@");
    // One that is nowhere is named as it stands there.
    let path = if row.wanted.contains("neither in") { file.to_owned() } else { path };
    let reason = format!("cannot load {symbol} from {path}: {}", row.wanted);
    let wanted = format!(
        "AH00526: Syntax error on line 2 of @ROOT@/gearbox.conf:\n{reason}\n    2 | {load}\n      | {}\n",
        "^".repeat("LoadModule".len())
    );
    assert_eq!(conf.check(), (1, wanted.clone()), "{}", row.what);
    fails(&conf, &port, &wanted);
    conf.root().join(MARK).exists()
}

#[track_caller]
fn all_unrun(rows: &[Row]) {
    for row in rows {
        assert!(!refused(row), "{}: its code ran", row.what);
    }
}

#[test]
fn by_a_look_at_the_file() {
    let beside = gearbox_binary().with_file_name("modules").display().to_string();
    let rows = [
        row("a missing file", nothing, "there is no directory /none")
            .named(SYMBOL, "/none/mod_mpm_good.so"),
        row(
            "a missing file beside others",
            |conf| drop(conf.put("modules/mod_mpm_event.so", "x")),
            format!(
                "there is no such file (did you mean mod_mpm_event.so?), neither in @ROOT@/modules nor \
                 in {beside} nor in /usr/lib/gearbox/modules; these hold mod_mpm_event.so, \
                 mod_mpm_prefork.so, mod_mpm_worker.so"
            ),
        )
        .named("mpm_event_module", "modules/mod_mpm_evnt.so"),
        row(
            "a directory",
            |conf| fs::create_dir_all(conf.root().join(FILE)).expect("ours"),
            "it is a directory",
        ),
        row(
            "a text file",
            |conf| drop(conf.put(FILE, "LoadModule of a text\n")),
            "it is text (\"LoadModule of a text\"), not a shared object",
        ),
        row(
            "a world-writable file",
            |conf| set_mode(&compile(conf, "good.c", &[]), 0o666),
            "any user can change the file (mode 0666); take that right away with chmod o-w",
        ),
        row(
            "a file in a world-writable directory",
            |conf| {
                let path = compile(conf, "good.c", &[]);
                set_mode(path.parent().expect("a directory"), 0o777);
            },
            "any user can replace the file, because @ROOT@/modules is world-writable (mode 0777); \
             take that right away with chmod o-w",
        ),
    ];
    all_unrun(&rows);
}

/// A library of the system: the C library this test uses.
fn libc() -> String {
    let maps = fs::read_to_string("/proc/self/maps").expect("Linux");
    let mut paths = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
    paths.find(|path| path.ends_with("/libc.so.6")).expect("a dynamic program").to_owned()
}

#[test]
fn by_a_look_into_the_file() {
    let rebuild = "rebuild it with this host's mpm_abi.h or mpm-abi";
    let rows = [
        row("libc", nothing, "it is the library libc.so.6 and holds no MPM")
            .named("mpm_event_module", libc()),
        row("without the symbol", foreign(&[]), "it is a shared object that holds no MPM"),
        row(
            "wrong magic",
            good(&["-DMAGIC=0x1122334455667788"]),
            "the symbol is no descriptor of an MPM: it begins with 0x1122334455667788, not with the \
             magic 0x0a1a0a0d4d504d89",
        ),
        row(
            "another ABI major",
            good(&["-DMAJOR=2"]),
            "it was compiled for ABI 2.0, this host needs 1.x",
        ),
        row(
            "a newer min_host_minor",
            good(&["-DMIN_HOST_MINOR=7"]),
            "it needs host ABI 1.7, this host has 1.0; use a newer gearbox or an older build of the \
             module",
        ),
        row(
            "an unknown incompatible flag",
            good(&["-DINCOMPAT=0x101"]),
            "it sets bit 8 of flags_incompat, which this host does not know and must not ignore; a \
             newer gearbox may",
        ),
        row(
            "the draft flag missing",
            good(&["-DINCOMPAT=0"]),
            format!(
                "ABI 1.0 is still a draft, and it does not set the flag INCOMPAT_DRAFT; {rebuild}"
            ),
        ),
        row(
            "a symbol smaller than a descriptor",
            foreign(&["-DSMALL"]),
            "the symbol has 120 bytes, an mpm_descriptor has 128",
        ),
        row(
            "a function",
            foreign(&["-DFUNCTION"]),
            "the symbol is a function, not a constant of type mpm_descriptor",
        ),
        row(
            "another MPM's file",
            good(&["-DSYMBOL=mpm_other_module"]),
            "the file holds mpm_other_module instead; correct the symbol or the file in the \
             LoadModule line",
        ),
        row(
            "our prefork as event",
            nothing,
            "the file holds mpm_prefork_module instead; correct the symbol or the file in the \
             LoadModule line",
        )
        .named("mpm_event_module", Mpm::Prefork.file()),
    ];
    all_unrun(&rows);
}

#[test]
fn a_truncated_file() {
    const KEPT: usize = 5000;
    let whole = fs::read(compile(&Conf::text(""), "good.c", &[])).expect("ours");
    let wanted = format!(
        "the file is truncated: it has {KEPT} bytes, its headers speak of {}; install it again",
        whole.len()
    );
    let make = move |conf: &Conf| drop(conf.put_bytes(FILE, &whole[..KEPT]));
    assert!(!refused(&row("a truncated file", make, wanted)), "its code ran");
}

#[test]
fn modules_of_other_servers() {
    let httpd = format!("made for httpd's interface AP24 20120211; {THE_HOST}");
    let nginx = format!("it is a module of nginx; {THE_HOST}");
    let mut rows = vec![
        row("an MPM of Apache httpd", nothing, format!("it is a module of Apache httpd, {httpd}"))
            .named("mpm_event_module", format!("{APACHE}/mod_mpm_event.so")),
        row(
            "a module of Apache httpd by the name of an MPM",
            nothing,
            format!("it is a module of Apache httpd (alias_module), {httpd}"),
        )
        .named("mpm_event_module", format!("{APACHE}/mod_alias.so")),
        row("what nginx looks for", foreign(&["-DNGINX"]), nginx.clone()),
    ];
    // One of its own where it is installed; scripts/test-full says how.
    for entry in fs::read_dir(NGINX).into_iter().flatten().flatten() {
        let real = row("a module of nginx", nothing, nginx.clone());
        rows.push(real.named("mpm_event_module", entry.path()));
    }
    all_unrun(&rows);
}

/// What only memory tells, after the constructors ran.
#[test]
fn by_a_look_at_its_tables() {
    let rows = [
        row(
            "a truncated table",
            good(&["-DOPS_SIZE=88"]),
            "its mpm_ops has struct_size 88, the mandatory entries need 96",
        ),
        row(
            "a NULL mandatory entry",
            good(&["-DCHILD_MAIN=NULL"]),
            "its mpm_ops lacks child_main, which is mandatory",
        ),
        row(
            "a function outside the module",
            good(&["-DWAKE=(void (*)(mpm_inst *, uint64_t))16"]),
            "its mpm_ops has wake outside the module's code (0x10)",
        ),
    ];
    for row in rows {
        assert!(refused(&row), "{}: constructors leave a mark", row.what);
    }
}

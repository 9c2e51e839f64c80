//! Files that do not hold the descriptor asked for.

use std::path::Path;

use super::super::load as load_from;
use super::super::loader;
use super::super::refusal::LoadFault;
use super::{Modules, SYMBOL, offer, reason, refusal};

fn foreign(options: &[&str]) -> String {
    let modules = Modules::new();
    refusal(&modules.compile("foreign.c", "mod_mpm_good.so", options))
}

fn refusal_of(symbol: &str, path: &Path) -> String {
    reason(symbol, path, load_from(symbol, path, offer()))
}

#[test]
fn another_mpm() {
    let modules = Modules::new();
    let path = modules.good(&[]);
    let expected = "the file holds mpm_good_module instead; correct the symbol or the file in the \
                    LoadModule line";
    assert_eq!(refusal_of("mpm_event_module", &path), expected);
    assert_eq!(refusal_of("", &path), expected);
    assert_eq!(refusal_of("mpm_good_module\0", &path), expected);
    let path = modules.good(&["-DALSO=mpm_also_module"]);
    let line = refusal_of("mpm_event_module", &path);
    assert!(line.contains("mpm_good_module") && line.contains(" and "), "{line}");
    assert!(line.contains("mpm_also_module"), "{line}");
}

#[test]
fn modules_of_other_servers() {
    let httpd = "made for httpd's interface AP24 20120211; gearbox loads its own MPMs only";
    assert_eq!(foreign(&["-DHTTPD"]), format!("it is a module of Apache httpd, {httpd}"));
    let other = foreign(&["-DHTTPD", "-DSYMBOL=dir_module"]);
    assert_eq!(other, format!("it is a module of Apache httpd (dir_module), {httpd}"));
    let nginx = "it is a module of nginx; gearbox loads its own MPMs only";
    assert_eq!(foreign(&["-DNGINX"]), nginx);
}

#[test]
fn libraries() {
    assert_eq!(foreign(&[]), "it is a shared object that holds no MPM");
    let named = foreign(&["-Wl,-soname,libexample.so.1"]);
    assert_eq!(named, "it is the library libexample.so.1 and holds no MPM");
    // Nothing exported at all: the table of hashes is empty.
    let silent = foreign(&["-fvisibility=hidden", "-nostartfiles"]);
    assert_eq!(silent, "it is a shared object that holds no MPM");
}

/// `dlsym` would find it in the dependency.
#[test]
fn symbol_of_a_dependency() {
    let modules = Modules::new();
    let dependency = modules.compile("good.c", "libdependency.so", &[]);
    let options = ["-Wl,--no-as-needed", dependency.to_str().unwrap()];
    let path = modules.compile("foreign.c", "mod_mpm_good.so", &options);
    assert_eq!(refusal(&path), "it is a shared object that holds no MPM");
}

#[test]
fn symbol_that_is_no_descriptor() {
    let is = |what| format!("the symbol is {what}, not a constant of type mpm_descriptor");
    assert_eq!(foreign(&["-DFUNCTION"]), is("a function"));
    assert_eq!(foreign(&["-DTHREAD_LOCAL"]), is("a thread-local variable"));
    assert_eq!(foreign(&["-DLABEL"]), is("a label without a type"));
    let small = "the symbol has 120 bytes, an mpm_descriptor has 128";
    assert_eq!(foreign(&["-DSMALL"]), small);
    let zero = "the symbol has no value in the file; an mpm_descriptor is an initialised constant";
    assert_eq!(foreign(&["-DZERO"]), zero);
    assert_eq!(foreign(&["-DMISALIGNED"]), "the symbol's address is not a multiple of 8");
    let undefined = "the file refers to this symbol without defining it";
    assert_eq!(foreign(&["-DUNDEFINED"]), undefined);
}

#[test]
fn symbol_that_is_not_exported() {
    let modules = Modules::new();
    let hidden = "-DDESCRIPTOR_ATTRIBUTES=__attribute__((visibility(\"hidden\"))) const";
    let expected = "the file has this symbol but does not export it; declare it with MPM_EXPORT, in \
                    Rust with #[unsafe(no_mangle)]";
    assert_eq!(refusal(&modules.good(&[hidden])), expected);
}

#[cfg(target_env = "gnu")]
#[test]
fn unresolved_symbol() {
    let modules = Modules::new();
    let path = modules.good(&["-DCALLS_NOBODY", "-Wl,-z,lazy"]);
    let expected = "the system's loader says: undefined symbol: nobody_defines_this";
    assert_eq!(refusal(&path), expected);
}

#[cfg(target_env = "gnu")]
#[test]
fn missing_dependency() {
    let modules = Modules::new();
    let gone = modules.compile("foreign.c", "libgone.so", &["-Wl,-soname,libgone.so"]);
    let path = modules.good(&["-Wl,--no-as-needed", gone.to_str().unwrap()]);
    std::fs::remove_file(gone).unwrap();
    let expected = "the system's loader says: libgone.so: cannot open shared object file: No such \
                    file or directory";
    assert_eq!(refusal(&path), expected);
}

#[test]
fn symbol_in_another_place_than_the_file_says() {
    let modules = Modules::new();
    let path = modules.good(&[]);
    let fault = loader::load(&path, SYMBOL, 8).unwrap_err();
    assert_eq!(fault, LoadFault::Elsewhere(path.display().to_string()));
    let expected = format!("the symbol was found in {} instead", path.display());
    assert_eq!(fault.to_string(), expected);
}

#[test]
fn descriptor_that_changes() {
    let modules = Modules::new();
    let path = modules.good(&["-DCHANGES", "-DDESCRIPTOR_ATTRIBUTES=MPM_EXPORT"]);
    let expected = "the descriptor in memory is not the one in the file; it must be a constant, and \
                    the file must not change while it is loaded";
    assert_eq!(refusal(&path), expected);
}

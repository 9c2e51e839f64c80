//! Files that cannot be read, or should not be trusted.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::sys::stat::Mode;

use super::super::file::ModuleFile;
use super::super::refusal::FileFault;
use super::{Modules, SYMBOL, load, refusal};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn missing_file() {
    let modules = Modules::new();
    let path = modules.path("mod_mpm_evnt.so");
    let empty = "there is no such file; its directory holds no mod_mpm_*.so";
    assert_eq!(refusal(&path), empty);
    for name in ["mod_mpm_worker.so", "mod_mpm_event.so", "mod_dir.so", "mod_mpm_event.so.bak"] {
        modules.write(name, b"x");
    }
    let expected = "there is no such file (did you mean mod_mpm_event.so?); its directory holds \
                    mod_mpm_event.so, mod_mpm_worker.so";
    assert_eq!(refusal(&path), expected);
    let nothing_like_it = "there is no such file; its directory holds mod_mpm_event.so, \
                           mod_mpm_worker.so";
    assert_eq!(refusal(&modules.path("other.so")), nothing_like_it);
    modules.write("mod_mpm_good.so", b"x");
    let by_its_symbol = "there is no such file (did you mean mod_mpm_good.so?); its directory holds \
                         mod_mpm_event.so, mod_mpm_good.so, mod_mpm_worker.so";
    assert_eq!(refusal(&modules.path("other.so")), by_its_symbol);
}

#[test]
fn missing_file_among_many() {
    let modules = Modules::new();
    for n in 0..14 {
        modules.write(&format!("mod_mpm_{n:02}.so"), b"x");
    }
    let line = refusal(&modules.path("absent.so"));
    assert!(line.ends_with("mod_mpm_10.so, mod_mpm_11.so and 2 more"), "{line}");
}

#[test]
fn missing_directory() {
    let modules = Modules::new();
    let path = modules.path("modules/mod_mpm_good.so");
    let expected = format!("there is no directory {}", modules.path("modules").display());
    assert_eq!(refusal(&path), expected);
}

#[test]
fn other_kinds_of_files() {
    let modules = Modules::new();
    assert_eq!(refusal(modules.directory.path()), "it is a directory");
    assert_eq!(refusal(Path::new("/dev/null")), "it is a device, not a file");
    let fifo = modules.path("fifo");
    nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    assert_eq!(refusal(&fifo), "it is a FIFO, not a file");
    let socket = modules.path("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    assert_eq!(refusal(&socket), "it is a socket, not a file");
    assert_eq!(refusal(&modules.write("empty.so", b"")), "the file is empty");
    let large = modules.path("large.so");
    File::create(&large).unwrap().set_len((256 << 20) + 1).unwrap();
    assert_eq!(refusal(&large), "the file has 257 MiB, a module may have 256 MiB");
}

#[test]
fn unreadable() {
    let modules = Modules::new();
    let circle = modules.path("circle.so");
    symlink(&circle, &circle).unwrap();
    let expected = "it cannot be read: Too many levels of symbolic links (os error 40)";
    assert_eq!(refusal(&circle), expected);
    // Root may read everything, so the usual case is only formatted here.
    let denied = FileFault::Unreadable(io::Error::from_raw_os_error(libc::EACCES));
    assert_eq!(denied.to_string(), "it cannot be read: Permission denied (os error 13)");
}

#[test]
fn paths_the_loader_would_read_differently() {
    let relative = Path::new("mod_mpm_good.so");
    assert_eq!(refusal(relative), "the path is not absolute");
    let expected = "the path holds a $, for which the system's loader puts in other text";
    assert_eq!(refusal(Path::new("/tmp/$LIB/mod_mpm_good.so")), expected);
}

#[test]
fn world_writable_file() {
    let modules = Modules::new();
    let path = modules.good(&[]);
    set_mode(&path, 0o666);
    let expected = "any user can change the file (mode 0666); take that right away with chmod o-w";
    assert_eq!(refusal(&path), expected);
    set_mode(&path, 0o664);
    assert!(load(&path).is_ok());
}

#[test]
fn world_writable_directory() {
    let modules = Modules::new();
    let open = modules.path("open");
    fs::create_dir(&open).unwrap();
    let inside = open.join("mod_mpm_good.so");
    fs::copy(modules.good(&[]), &inside).unwrap();
    let link = modules.path("link.so");
    symlink(&inside, &link).unwrap();
    set_mode(&open, 0o777);
    let expected = format!(
        "any user can replace the file, because {} is world-writable (mode 0777); take that right \
         away with chmod o-w",
        fs::canonicalize(&open).unwrap().display()
    );
    assert_eq!(refusal(&inside), expected);
    assert_eq!(refusal(&link), expected);
    set_mode(&open, 0o1777);
    assert!(load(&inside).is_ok());
}

/// A link is as easy to replace as a file.
#[test]
fn link_in_a_world_writable_directory() {
    let modules = Modules::new();
    let open = modules.path("open");
    fs::create_dir(&open).unwrap();
    let link = open.join("mod_mpm_good.so");
    symlink(modules.good(&[]), &link).unwrap();
    set_mode(&open, 0o777);
    assert!(refusal(&link).starts_with("any user can replace the file"));
}

#[test]
fn replaced_meanwhile() {
    let modules = Modules::new();
    let path = modules.write("mod_mpm_good.so", b"first");
    let file = ModuleFile::open(&path, SYMBOL).unwrap();
    assert!(file.check_in_place(&path).is_ok());
    let other = modules.write("other.so", b"other");
    fs::rename(&other, &path).unwrap();
    let fault = file.check_in_place(&path).unwrap_err();
    let expected = "the file was changed or replaced while it was loaded; try again";
    assert_eq!(fault.to_string(), expected);
    fs::remove_file(&path).unwrap();
    assert!(matches!(file.check_in_place(&path), Err(FileFault::Changed)));
}

#[test]
fn overwritten_meanwhile() {
    let modules = Modules::new();
    let path = modules.write("mod_mpm_good.so", b"first");
    let file = ModuleFile::open(&path, SYMBOL).unwrap();
    fs::write(&path, b"longer").unwrap();
    assert!(matches!(file.check_in_place(&path), Err(FileFault::Changed)));
}

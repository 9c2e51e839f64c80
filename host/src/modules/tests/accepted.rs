//! Plug-ins that are loaded.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};

use mpm_abi::version::{CAP_ACCEPT, CAP_CHILDREN, FLAG_FORKS, FLAG_POSIX};
use nix::unistd::Uid;

use super::super::{ArgKind, HostOffer, PluginDirective};
use super::{Modules, SYMBOL, load};

#[test]
fn everything_of_a_good_plugin_is_copied() {
    let modules = Modules::new();
    let path = modules.good(&["-DBUILD_ID=\"abc\""]);
    let plugin = load(&path).unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(plugin.symbol, SYMBOL);
    assert_eq!(plugin.path, path);
    assert_eq!(plugin.name, "mpm_good");
    assert_eq!(plugin.vendor, "gearbox tests");
    assert_eq!(plugin.version, "1.2.3");
    assert_eq!(plugin.license, "Apache-2.0");
    assert_eq!(plugin.build_id, "abc");
    assert_eq!(plugin.abi, (1, 0));
    assert_eq!(plugin.flags, FLAG_FORKS | FLAG_POSIX);
    assert_eq!(plugin.required_caps, CAP_ACCEPT | CAP_CHILDREN);
    assert_eq!((plugin.device, plugin.inode), (metadata.dev(), metadata.ino()));
    assert!(plugin.warnings.is_empty(), "{:?}", plugin.warnings);
    let line = format!(
        "mpm_good 1.2.3 by gearbox tests, ABI 1.0, build abc, {} (inode {})",
        path.display(),
        metadata.ino()
    );
    assert_eq!(plugin.to_string(), line);

    let ops = plugin.ops;
    assert_eq!(ops.struct_size as usize, size_of_val(&ops));
    assert!(ops.create.is_some() && ops.run.is_some() && ops.query.is_some());
    assert!(ops.task_spawn.is_none() && ops.offload.is_none() && ops.status.is_none());
    assert!(ops.after_fork_child.is_some() && ops.get_extension.is_some());
}

#[test]
fn directives_are_copied_in_order() {
    let modules = Modules::new();
    let directives = load(&modules.good(&[])).unwrap().directives;
    let names: Vec<&str> = directives.iter().map(|it| it.name.as_str()).collect();
    let expected =
        ["GoodFlag", "GoodInt", "GoodTime", "GoodEnum", "GoodWords", "OldInt", "SpareOne"];
    assert_eq!(names, expected);
    let words = ["first", "Second", "third"].map(str::to_owned).to_vec();
    assert_eq!(directives[0].arg, ArgKind::Flag);
    assert_eq!(directives[1].arg, ArgKind::Int(1..=20000));
    assert_eq!(directives[2].arg, ArgKind::Duration(0..=i64::MAX));
    assert!(directives[2].repeatable);
    assert_eq!(directives[3].arg, ArgKind::Enum(words));
    assert_eq!(directives[4].arg, ArgKind::Argv(1..=4));
    assert!(directives[4].hidden);
    let alias = PluginDirective {
        name: "OldInt".to_owned(),
        help: "Use GoodInt.".to_owned(),
        default_text: None,
        alias_of: Some("goodint".to_owned()),
        arg: ArgKind::Int(1..=20000),
        repeatable: false,
        deprecated: true,
        hidden: false,
        id: 6,
    };
    assert_eq!(directives[5], alias);
}

/// A table of a newer contract is longer, one of an older contract shorter.
#[test]
fn tables_of_other_minor_versions() {
    let modules = Modules::new();
    let newer = load(&modules.good(&["-DOPS_SIZE=sizeof(newer_ops)"])).unwrap();
    assert!(newer.ops.get_extension.is_some());
    let modules = Modules::new();
    let older = load(&modules.good(&["-DOPS_SIZE=96"])).unwrap();
    assert!(older.ops.query.is_some());
    assert!(older.ops.after_fork_child.is_none() && older.ops.get_extension.is_none());
    let modules = Modules::new();
    let longer_rows = load(&modules.good(&["-DROW_TAIL=0", "-DSTRIDE=88"])).unwrap();
    assert_eq!(longer_rows.directives[6].name, "SpareOne");
}

/// What a linker or packager does to a file must not matter.
#[test]
fn any_way_of_linking() {
    let versions = "-Wl,--version-script=";
    let modules = Modules::new();
    let script = modules.write("versions", b"V1 { global: mpm_good_module; local: *; };");
    let versions = format!("{versions}{}", script.display());
    let variants: &[&[&str]] = &[
        &["-s"],
        &["-Wl,--hash-style=sysv"],
        &["-Wl,--hash-style=both", "-Wl,-z,now", "-Wl,-z,relro"],
        &["-Wl,-z,noseparate-code"],
        &["-Wl,-z,pack-relative-relocs"],
        &["-Wl,--build-id=none", "-nostartfiles"],
        &["-DDESCRIPTOR_ATTRIBUTES=MPM_EXPORT"],
        &[&versions],
    ];
    for options in variants {
        let modules = Modules::new();
        let loaded = load(&modules.good(options));
        assert!(loaded.is_ok(), "{options:?}: {}", loaded.unwrap_err());
    }
}

#[test]
fn without_a_section_table() {
    let modules = Modules::new();
    let mut bytes = fs::read(modules.good(&[])).unwrap();
    bytes[0x28..0x30].fill(0);
    bytes[0x3A..0x40].fill(0);
    assert!(load(&modules.write("mod_mpm_bare.so", &bytes)).is_ok());
}

#[test]
fn without_directives_or_forks() {
    let modules = Modules::new();
    let path = modules.good(&[
        "-DCOUNT=0",
        "-DDIRECTIVE=NULL",
        "-DDIRECTIVES=NULL",
        "-DFLAGS=0",
        "-DRUN=NULL",
    ]);
    let plugin = load(&path).unwrap();
    assert!(plugin.directives.is_empty());
    assert!(plugin.ops.directive.is_none() && plugin.ops.run.is_none());
}

#[test]
fn through_a_link_and_twice() {
    let modules = Modules::new();
    let path = modules.good(&[]);
    let link = modules.path("mod_mpm_link.so");
    symlink(&path, &link).unwrap();
    let first = load(&link).unwrap();
    let second = load(&path).unwrap();
    assert_eq!(first.path, link);
    assert_eq!(first.inode, second.inode);
}

#[test]
fn capabilities_and_minor_just_enough() {
    let modules = Modules::new();
    let path = modules.good(&[]);
    let offer = HostOffer::new(CAP_ACCEPT | CAP_CHILDREN);
    assert!(super::super::load(SYMBOL, &path, offer).is_ok());
}

/// Whatever stands under that name without abi_stable's header is none of the host's business.
#[test]
fn with_something_called_a_layout() {
    let modules = Modules::new();
    assert!(load(&modules.good(&["-DLAYOUT_RECORD=\"abi_stable\""])).is_ok());
}

#[test]
fn one_value_ranges_are_warned_of() {
    let modules = Modules::new();
    let row = "-DROW={\"Forgot\", \"\", 0, 0, 0, 0, 0, 0, MPM_ARG_INT, 0, 0, 0, 9}";
    let plugin = load(&modules.good(&[row])).unwrap();
    let expected = "mpm_good_module: directive Forgot takes no value but 0, its min and max";
    assert_eq!(plugin.warnings, [expected]);
}

#[test]
fn foreign_owners_are_warned_of() {
    if !Uid::effective().is_root() {
        return; // nobody else can give a file away
    }
    let modules = Modules::new();
    let path = modules.good(&[]);
    chown(&path, Some(12345), None).unwrap();
    let expected = format!(
        "{} belongs to uid 12345, who is neither root nor the user who starts the server (uid 0) \
         and can change what it runs",
        path.display()
    );
    assert_eq!(load(&path).unwrap().warnings, [expected]);
}

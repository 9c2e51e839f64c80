//! Plug-ins whose texts, functions or directives are broken.

use super::super::validate::TEXT_MAX;
use super::{Modules, check_variants, refusal};

#[test]
fn texts() {
    check_variants(&[
        (&["-DVENDOR=0"], "its descriptor's vendor is NULL"),
        (
            &["-DVERSION=(const char *)16"],
            "its descriptor's version points outside the module (0x10)",
        ),
        (
            &["-DLICENSE=(const char *)-1"],
            "its descriptor's license points outside the module (0xffffffffffffffff)",
        ),
        (&["-DVENDOR=\"\\xff\""], "its descriptor's vendor is not UTF-8"),
        (&["-DBUILD_ID=\"a\\nb\""], "its descriptor's build_id holds a control character"),
        (
            &["-DNAME=\"mpm_other\""],
            "its descriptor's name is \"mpm_other\", for this symbol it must be \"mpm_good\"",
        ),
    ]);
}

#[test]
fn text_without_an_end() {
    let fits = format!("-DVENDOR=\"{}\"", "x".repeat(TEXT_MAX));
    let long = format!("-DVENDOR=\"{}\"", "x".repeat(TEXT_MAX + 1));
    let modules = Modules::new();
    assert!(super::load(&modules.good(&[&fits])).is_ok());
    check_variants(&[(&[&long], "its descriptor's vendor does not end within 256 bytes")]);
}

#[test]
fn symbol_that_is_no_module_name() {
    let modules = Modules::new();
    let path = modules.good(&["-DSYMBOL=mpm_good"]);
    let result = super::super::load("mpm_good", &path, super::offer());
    let expected = "the name of a module's symbol must end in _module";
    assert_eq!(super::reason("mpm_good", &path, result), expected);
}

#[test]
fn function_table() {
    check_variants(&[
        (&["-DOPS=0"], "its descriptor's ops is NULL"),
        (
            &["-DOPS=(const mpm_ops *)4096"],
            "its descriptor's ops points outside the module (0x1000)",
        ),
        (&["-DOPS_SIZE=88"], "its mpm_ops has struct_size 88, the mandatory entries need 96"),
        (&["-DOPS_SIZE=0"], "its mpm_ops has struct_size 0, the mandatory entries need 96"),
        (
            &["-DOPS_SIZE=121"],
            "its mpm_ops has struct_size 121, which is no multiple of 8 up to 65536",
        ),
        (
            &["-DOPS_SIZE=65544"],
            "its mpm_ops has struct_size 65544, which is no multiple of 8 up to 65536",
        ),
        (&["-DOPS_RESERVED=3"], "its mpm_ops has 3 in the member reserved, which must be 0"),
    ]);
    let modules = Modules::new();
    let past_the_end = refusal(&modules.good(&["-DOPS_SIZE=65536"]));
    assert!(past_the_end.starts_with("its descriptor's ops points outside the module (0x"));
    let modules = Modules::new();
    let odd =
        "-DOPS=(const mpm_ops *)((const char *)&good_ops + offsetof(mpm_ops, task_spawn) + 4)";
    assert_eq!(
        refusal(&modules.good(&[odd])),
        "its mpm_ops has struct_size 0, the mandatory entries need 96"
    );
}

#[test]
fn mandatory_functions() {
    for entry in ["create", "destroy", "config_check", "prepare", "child_main", "wake", "query"] {
        let modules = Modules::new();
        let option = format!("-D{}=NULL", entry.to_uppercase());
        let expected = format!("its mpm_ops lacks {entry}, which is mandatory");
        assert_eq!(refusal(&modules.good(&[&option])), expected);
    }
    check_variants(&[
        (&["-DRUN=NULL"], "its mpm_ops lacks run, which is mandatory with FLAG_FORKS"),
        (
            &["-DDIRECTIVE=NULL"],
            "its mpm_ops lacks directive, which is mandatory for a module with directives",
        ),
    ]);
}

#[test]
fn functions_that_are_no_code() {
    check_variants(&[(
        &["-DWAKE=(void (*)(mpm_inst *, uint64_t))16"],
        "its mpm_ops has wake outside the module's code (0x10)",
    )]);
    let modules = Modules::new();
    let in_libc = refusal(&modules.good(&["-include", "stdlib.h", "-DWAKE=(void *)malloc"]));
    let expected = "its mpm_ops has wake outside the module's code (0x";
    assert!(in_libc.starts_with(expected), "{in_libc}");
    let modules = Modules::new();
    let own_data = refusal(&modules.good(&["-DDESTROY=(void *)\"text\""]));
    let expected = "its mpm_ops has destroy outside the module's code (0x";
    assert!(own_data.starts_with(expected), "{own_data}");
}

#[test]
fn directive_table() {
    check_variants(&[
        (&["-DCOUNT=1025"], "its descriptor has 1025 directives, the most is 1024"),
        (
            &["-DSTRIDE=72"],
            "its descriptor has directive_stride 72, which is no multiple of 8 from 80 to 4096",
        ),
        (
            &["-DSTRIDE=84"],
            "its descriptor has directive_stride 84, which is no multiple of 8 from 80 to 4096",
        ),
        (
            &["-DSTRIDE=0xffffffff"],
            "its descriptor has directive_stride 4294967295, which is no multiple of 8 from 80 to \
             4096",
        ),
        (&["-DDIRECTIVES=0"], "its descriptor's directives is NULL"),
        (
            &["-DDIRECTIVES=(const mpm_directive *)9"],
            "its descriptor's directives is not aligned (0x9)",
        ),
    ]);
    let modules = Modules::new();
    let past_the_end = refusal(&modules.good(&["-DCOUNT=1024", "-DSTRIDE=4096"]));
    let expected = "its descriptor's directives points outside the module (0x";
    assert!(past_the_end.starts_with(expected), "{past_the_end}");
}

fn row(members: &str) -> String {
    let modules = Modules::new();
    let line = refusal(&modules.good(&[&format!("-DROW={{{members}}}")]));
    line.strip_prefix("its directive ").expect(&line).to_owned()
}

/// Members of a row, and what is said about it.
const ROWS: &[(&str, &str)] = &[
    ("0, \"\", 0, 0, 0, 0, 9, 0, 1, 0, 0, 0, 9", "number 7 has name that is NULL"),
    (
        "(char *)8, \"\", 0, 0, 0, 0, 9, 0, 1, 0, 0, 0, 9",
        "number 7 has name that points outside the module (0x8)",
    ),
    (
        "\"9Lives\", \"\", 0, 0, 0, 0, 9, 0, 1, 0, 0, 0, 9",
        "number 7 is called \"9Lives\"; a name has up to 64 letters, digits and _, a letter first",
    ),
    (
        "\"a b\", \"\", 0, 0, 0, 0, 9, 0, 1, 0, 0, 0, 9",
        "number 7 is called \"a b\"; a name has up to 64 letters, digits and _, a letter first",
    ),
    ("\"Bad\", 0, 0, 0, 0, 0, 9, 0, 1, 0, 0, 0, 9", "Bad has help that is NULL"),
    (
        "\"Bad\", \"a\\nb\", 0, 0, 0, 0, 9, 0, 1, 0, 0, 0, 9",
        "Bad has help that holds a control character",
    ),
    (
        "\"Bad\", \"\", (char *)8, 0, 0, 0, 9, 0, 1, 0, 0, 0, 9",
        "Bad has default_text that points outside the module (0x8)",
    ),
    ("\"goodFLAG\", \"\", 0, 0, 0, 0, 9, 0, 1, 0, 0, 0, 9", "goodFLAG is declared twice"),
    (
        "\"Bad\", \"\", 0, 0, 0, 0, 9, 0, 9, 0, 0, 0, 9",
        "Bad has kind 9, which this host does not know",
    ),
    (
        "\"Bad\", \"\", 0, 0, 0, 0, 9, 0, 1, 0, 0, 0x21, 9",
        "Bad has flags 0x20, which this host does not know",
    ),
    ("\"Bad\", \"\", 0, 0, 0, 10, 9, 0, 1, 0, 0, 0, 9", "Bad has min 10 above max 9"),
    (
        "\"Bad\", \"\", 0, 0, 0, 0, 0, 0, MPM_ARG_ARGV, 3, 2, 0, 9",
        "Bad has min_args 3 above max_args 2",
    ),
    (
        "\"Bad\", \"\", 0, 0, good_words, 0, 0, 0, MPM_ARG_ENUM, 0, 0, 0, 9",
        "Bad has enum_count 0, which is not from 1 to 256",
    ),
    (
        "\"Bad\", \"\", 0, 0, 0, 0, 0, 2, MPM_ARG_ENUM, 0, 0, 0, 9",
        "Bad has enum_names that is NULL",
    ),
    (
        "\"Bad\", \"\", 0, 0, (const char *const *)24, 0, 0, 2, MPM_ARG_ENUM, 0, 0, 0, 9",
        "Bad has enum_names that points outside the module (0x18)",
    ),
    (
        "\"Bad\", \"\", 0, \"GoodInt\", 0, 0, 9, 0, 1, 0, 0, 0, 9",
        "Bad must have both alias_of and the flag DIRECTIVE_ALIAS, or neither",
    ),
    (
        "\"Bad\", \"\", 0, 0, 0, 0, 9, 0, 1, 0, 0, MPM_DIRECTIVE_ALIAS, 9",
        "Bad must have both alias_of and the flag DIRECTIVE_ALIAS, or neither",
    ),
    (
        "\"Bad\", \"\", 0, \"Listen\", 0, 0, 9, 0, 1, 0, 0, MPM_DIRECTIVE_ALIAS, 9",
        "Bad is another name of Listen, which is no directive of the module",
    ),
    (
        "\"Bad\", \"\", 0, \"OldInt\", 0, 0, 9, 0, 1, 0, 0, MPM_DIRECTIVE_ALIAS, 9",
        "Bad is another name of OldInt, which is no directive of the module",
    ),
];

#[test]
fn directives() {
    for (members, expected) in ROWS {
        assert_eq!(row(members), *expected, "{members}");
    }
}

#[test]
fn words_to_choose_from() {
    check_variants(&[
        (
            &["-DENUM_NAMES=((const char *const[]){\"a\", \"A\", 0})"],
            "its directive GoodEnum has \"A\" among enum_names, which is no word or there twice",
        ),
        (
            &["-DENUM_COUNT=2", "-DENUM_NAMES=((const char *const[]){\"a\", 0})"],
            "its directive GoodEnum has name among enum_names that is NULL",
        ),
        (
            &["-DENUM_COUNT=1", "-DENUM_NAMES=((const char *const[]){\"a b\"})"],
            "its directive GoodEnum has \"a b\" among enum_names, which is no word or there twice",
        ),
    ]);
}

/// Something a newer contract means, which this host must not overlook.
#[test]
fn row_of_a_newer_contract() {
    check_variants(&[(
        &["-DROW_TAIL=1", "-DSTRIDE=88"],
        "its directive GoodFlag has something set at offset 80, which this host does not know",
    )]);
}

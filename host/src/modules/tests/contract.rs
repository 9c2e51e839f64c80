//! Plug-ins that were made for another host. None of their code runs.

use std::path::Path;

use mpm_abi::layout::LAYOUT_ID;
use mpm_abi::version::{CAP_CHILDREN, CAP_TASKS};

use super::super::{HostOffer, load as load_from};
use super::{Modules, SYMBOL, load, reason};

/// Refused, and without running the constructor that would leave a mark.
fn refusal_unrun(option: &str, offer: HostOffer) -> String {
    let modules = Modules::new();
    let mark = modules.path("mark");
    let marks = format!("-DMARK=\"{}\"", mark.display());
    let path = modules.good(&[option, &marks]);
    let line = reason(SYMBOL, &path, load_from(SYMBOL, &path, offer));
    assert!(!mark.exists(), "{option}: the file ran");
    line
}

#[test]
fn the_mark_works() {
    let modules = Modules::new();
    let mark = modules.path("mark");
    let marks = format!("-DMARK=\"{}\"", mark.display());
    load(&modules.good(&[&marks])).unwrap();
    assert!(Path::new(&mark).exists());
}

#[test]
fn every_number() {
    let rebuild = "rebuild it with this host's mpm_abi.h or mpm-abi";
    let cases = [
        (
            "-DMAGIC=0x1122334455667788",
            "the symbol is no descriptor of an MPM: it begins with 0x1122334455667788, not with the \
             magic 0x0a1a0a0d4d504d89"
                .to_owned(),
        ),
        (
            "-DMAGIC=__builtin_bswap64(MPM_MAGIC)",
            "its descriptor is in the byte order of other machines".to_owned(),
        ),
        (
            "-DHEADER_SIZE=136",
            "its descriptor has header_size 136, this host needs 128".to_owned(),
        ),
        ("-DMAJOR=2", "it was compiled for ABI 2.0, this host needs 1.x".to_owned()),
        ("-DPTR_BITS=32", "its descriptor has ptr_bits 32, this host needs 64".to_owned()),
        ("-DENDIAN=2", "its descriptor has endian 2, this host needs 1".to_owned()),
        (
            "-DRESERVED=7",
            "its descriptor has reserved 7, this host needs 0".to_owned(),
        ),
        (
            "-DINCOMPAT=0x101",
            "it sets bit 8 of flags_incompat, which this host does not know and must not ignore; a \
             newer gearbox may"
                .to_owned(),
        ),
        (
            "-DMIN_HOST_MINOR=7",
            "it needs host ABI 1.7, this host has 1.0; use a newer gearbox or an older build of the \
             module"
                .to_owned(),
        ),
        (
            "-DINCOMPAT=0",
            format!(
                "ABI 1.0 is still a draft, and it does not set the flag INCOMPAT_DRAFT; {rebuild}"
            ),
        ),
        (
            "-DMINOR=2",
            format!(
                "it was compiled against the draft of ABI 1.2, this host has the draft of 1.0; \
                 {rebuild}"
            ),
        ),
        (
            "-DLAYOUT_ID=1",
            format!(
                "it was compiled against another draft of ABI 1.0 (layout 0x0000000000000001, this \
                 host has {LAYOUT_ID:#018x}); {rebuild}"
            ),
        ),
    ];
    for (option, expected) in cases {
        assert_eq!(refusal_unrun(option, super::offer()), expected, "{option}");
    }
}

#[test]
fn missing_capabilities() {
    let without = |caps: u64| HostOffer::new(!caps);
    let one = refusal_unrun("-UX", without(CAP_CHILDREN));
    assert_eq!(one, "it requires CAP_CHILDREN, which this host does not have");
    let option = "-DCAPS=(MPM_CAP_CHILDREN | MPM_CAP_TASKS | UINT64_C(1) << 40)";
    let several = refusal_unrun(option, without(CAP_TASKS | 1 << 40));
    let expected = "it requires CAP_TASKS and capability bit 40, which this host does not have";
    assert_eq!(several, expected);
}

#[test]
fn another_major_host() {
    let offer = HostOffer { abi_major: 3, ..super::offer() };
    let expected = "it was compiled for ABI 1.0, this host needs 3.x";
    assert_eq!(refusal_unrun("-UX", offer), expected);
}

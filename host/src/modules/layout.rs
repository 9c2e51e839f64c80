//! abi_stable's comparison of a Rust plug-in's types with the host's.
//!
//! It finds what sizes and fingerprints cannot: two types of one size exchanged, three pointers
//! deep. A plug-in without the record, in C for one, is not asked.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use abi_stable::StableAbi as _;
use abi_stable::abi_stability::abi_checking::{AbiInstabilityErrors, check_layout_compatibility};
use abi_stable::library::AbiHeader;
use abi_stable::type_layout::{TLFieldOrFunction, TypeLayout};
use mpm_abi::Descriptor;
use mpm_abi::layout_check::LayoutRecord;

use super::loader::Object;
use super::mapped::{Mapped, Plain};
use super::refusal::{PointerFault, Reason, TableFault, one_line};

/// Differences shown at most; one changed type may be used in many places.
const DIFFERENCES_MAX: usize = 8;

// SAFETY: a `repr(C)` struct of bytes and integers.
unsafe impl Plain for AbiHeader {}

/// Compares the record that the file has at the address `in_file`, if this host can read it.
pub(super) fn check(object: &Object, in_file: u64) -> Result<(), Reason> {
    check_record(&object.mapped, object.address(in_file))
}

fn check_record(mapped: &Mapped, record: usize) -> Result<(), Reason> {
    let header: AbiHeader = mapped.read(record).map_err(TableFault::Layout)?;
    if !header.is_valid() {
        log::debug!(
            "layout check skipped: the module has abi_stable {}.{}, this host {}.{}",
            header.abi_major,
            header.abi_minor,
            AbiHeader::VALUE.abi_major,
            AbiHeader::VALUE.abi_minor
        );
        return Ok(());
    }
    let pointer_at = record + std::mem::offset_of!(LayoutRecord, layout);
    let address: usize = mapped.read(pointer_at).map_err(TableFault::Layout)?;
    let layout = type_layout(mapped, address).map_err(TableFault::Layout)?;
    let compared = without_panic(|| check_layout_compatibility(Descriptor::LAYOUT, layout));
    compared.ok_or(TableFault::LayoutBroken)?.map_err(|differences| {
        // Both trees of types in full: hundreds of lines, for the module's author.
        log::debug!("layouts of a module and of the host: {differences}");
        Reason::Layout(explain(&differences))
    })
}

thread_local! {
    /// Panics of this thread are told in other words.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// abi_stable panics where a record contradicts itself; the host says so in its own words.
fn without_panic<T>(compare: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                before(panic);
            }
        }));
    });
    QUIET.set(true);
    let compared = panic::catch_unwind(AssertUnwindSafe(compare));
    QUIET.set(false);
    compared.ok()
}

/// Says what differs, a line for each difference: the way to it from the descriptor, member by
/// member, and abi_stable's words.
fn explain(differences: &AbiInstabilityErrors) -> String {
    let mut lines = Vec::new();
    for difference in &differences.errors {
        let way = difference.stack_trace.iter().filter_map(|step| match &step.expected {
            TLFieldOrFunction::Field(field) => Some(field.name()),
            TLFieldOrFunction::Function(_) => None,
        });
        let way: Vec<&str> = std::iter::once("mpm_descriptor").chain(way).collect();
        // What stands before the first of these words describes the types around the difference.
        for words in difference.to_string().split("\nError:").skip(1) {
            let words: Vec<&str> = words.split_whitespace().collect();
            lines.push(format!("  {}: {}", way.join("."), one_line(&words.join(" "))));
        }
    }
    lines.truncate(DIFFERENCES_MAX);
    lines.join("\n")
}

fn type_layout(mapped: &Mapped, address: usize) -> Result<&'static TypeLayout, PointerFault> {
    mapped.check_extent(address, size_of::<TypeLayout>(), align_of::<TypeLayout>())?;
    let layout = std::ptr::with_exposed_provenance::<TypeLayout>(address);
    // SAFETY: the memory is readable and stays so (*mapped*). That it holds a `TypeLayout` is the
    // word of a valid abi_stable header beside the pointer, which nothing but abi_stable's own
    // constant has; a plug-in that forges it could as well crash when it is called.
    Ok(unsafe { &*layout })
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use abi_stable::StableAbi;
    use mpm_abi::layout_check::{LAYOUT_SUFFIX, LayoutRecord};
    use mpm_abi::{Descriptor, Ops};

    use super::super::inspect;
    use super::super::loader::object_at;
    use super::*;

    static SAME: LayoutRecord = LayoutRecord::THIS;
    static OTHER_TYPE: LayoutRecord =
        LayoutRecord { header: AbiHeader::VALUE, layout: <Ops as StableAbi>::LAYOUT };

    /// What `LayoutRecord` is to the loader: a header and an address.
    #[repr(C)]
    struct Forged {
        header: AbiHeader,
        layout: usize,
    }

    fn check_here<T>(record: &T) -> Result<(), String> {
        let record = ptr::from_ref(record).expose_provenance();
        let this_program = object_at(ptr::from_ref(&SAME).addr()).unwrap();
        check_record(&this_program.mapped, record).map_err(|reason| reason.to_string())
    }

    #[test]
    fn the_same_types() {
        assert_eq!(check_here(&SAME), Ok(()));
    }

    #[test]
    fn a_panic_is_an_answer() {
        assert_eq!(without_panic(|| 1), Some(1));
        assert_eq!(without_panic(|| -> u8 { panic!("no layout") }), None);
        assert!(!QUIET.get());
        let expected = "its layout record (__layout) contradicts itself; build it again";
        assert_eq!(TableFault::LayoutBroken.to_string(), expected);
    }

    #[test]
    fn other_types() {
        let text = check_here(&OTHER_TYPE).unwrap_err();
        let (line, explanation) = text.split_once('\n').unwrap();
        let expected = "its types are laid out differently from this host's; rebuild it with this \
                        host's mpm-abi";
        assert_eq!(line, expected);
        assert!(explanation.contains("Descriptor") && explanation.contains("Ops"), "{text}");
    }

    #[test]
    fn records_of_another_abi_stable_are_skipped() {
        static OTHER_VERSION: Forged = Forged {
            header: {
                let mut header = AbiHeader::VALUE;
                header.abi_minor += 1;
                header
            },
            layout: 8,
        };
        assert_eq!(check_here(&OTHER_VERSION), Ok(()));
    }

    #[test]
    fn pointers_that_lead_elsewhere() {
        static NOWHERE: Forged = Forged { header: AbiHeader::VALUE, layout: 16 };
        let expected = "its layout record (__layout) points outside the module (0x10)";
        assert_eq!(check_here(&NOWHERE), Err(expected.to_owned()));
        let on_the_heap = Box::new(LayoutRecord::THIS);
        assert!(check_here(&*on_the_heap).is_err());
    }

    #[test]
    fn the_symbol_is_the_contracts() {
        assert_eq!(inspect::LAYOUT_SUFFIX, LAYOUT_SUFFIX);
        assert_eq!(size_of::<Descriptor>(), mpm_abi::version::HEADER_SIZE as usize);
    }
}

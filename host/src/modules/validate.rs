//! The descriptor in memory, its texts and its function table.
//!
//! Pointers are only as good as the plug-in's author; each is looked up in the object's segments
//! before anything is read through it.

use std::ffi::c_char;
use std::mem::offset_of;

use mpm_abi::module::Ptr;
use mpm_abi::version::FLAG_FORKS;
use mpm_abi::{Descriptor, Ops};

use super::contract::Numbers;
use super::inspect::Inspected;
use super::loader::Object;
use super::mapped::Mapped;
use super::refusal::{LoadFault, PointerFault, TableFault};

/// Longest text of a descriptor, and longest name in a directive, in bytes.
pub(super) const TEXT_MAX: usize = 256;

/// Largest function table, in bytes; far more than any minor version will have.
const OPS_MAX: u32 = 64 << 10;

/// Texts of the descriptor.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) vendor: String,
    pub(super) version: String,
    pub(super) license: String,
    pub(super) build_id: String,
}

/// When an entry of the function table must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needed {
    Always,
    WithForks,
    WithDirectives,
    Never,
}

/// An entry of the function table.
struct Entry {
    name: &'static str,
    at: usize,
    needed: Needed,
}

macro_rules! entries {
    ($($name:ident: $needed:ident),* $(,)?) => {
        &[$(Entry {
            name: stringify!($name),
            at: offset_of!(Ops, $name),
            needed: Needed::$needed,
        }),*]
    };
}

const ENTRIES: &[Entry] = entries! {
    create: Always,
    destroy: Always,
    directive: WithDirectives,
    config_check: Always,
    prepare: Always,
    run: WithForks,
    child_main: Always,
    wake: Always,
    task_spawn: Never,
    offload: Never,
    query: Always,
    status: Never,
    after_fork_child: Never,
    get_extension: Never,
};

/// Bytes up to the end of the last mandatory entry.
const OPS_MIN: usize = offset_of!(Ops, query) + size_of::<usize>();

/// Copies the descriptor, whose numbers must be those that were read from the file.
pub(super) fn descriptor(object: &Object, inspected: &Inspected) -> Result<Descriptor, LoadFault> {
    let address = object.address(inspected.descriptor_at);
    let descriptor: Result<Descriptor, PointerFault> = object.mapped.read(address);
    descriptor
        .ok()
        .filter(|descriptor| Numbers::from(descriptor) == inspected.numbers)
        .ok_or(LoadFault::Different)
}

/// Copies the texts; the name must be the symbol's.
pub(super) fn metadata(
    mapped: &Mapped,
    descriptor: &Descriptor,
    symbol: &str,
) -> Result<Metadata, TableFault> {
    let text = |field, pointer: Ptr<c_char>| {
        let text = mapped.read_text(pointer.ptr.addr(), TEXT_MAX);
        text.map_err(|fault| TableFault::Text(field, fault))
    };
    let metadata = Metadata {
        name: text("name", descriptor.name)?,
        vendor: text("vendor", descriptor.vendor)?,
        version: text("version", descriptor.version)?,
        license: text("license", descriptor.license)?,
        build_id: text("build_id", descriptor.build_id)?,
    };
    let needed = symbol.strip_suffix("_module");
    if needed != Some(metadata.name.as_str()) {
        return Err(TableFault::Name { found: metadata.name, needed: needed.map(str::to_owned) });
    }
    Ok(metadata)
}

/// Copies the function table, whose entries must be code of the plug-in.
///
/// What the plug-in's table has beyond this host's is ignored; what it lacks is absent.
pub(super) fn ops(mapped: &Mapped, descriptor: &Descriptor) -> Result<Ops, TableFault> {
    let address = descriptor.ops.ptr.addr();
    let size: [u8; 4] = mapped.read_start(address, 4).map_err(TableFault::Ops)?;
    let size = u32::from_ne_bytes(size);
    if size > OPS_MAX || !size.is_multiple_of(8) {
        return Err(TableFault::OpsSize(size));
    }
    let len = size as usize;
    if len < OPS_MIN {
        return Err(TableFault::OpsShort { found: size, needed: OPS_MIN });
    }
    mapped.check_extent(address, len, align_of::<Ops>()).map_err(TableFault::Ops)?;
    for entry in ENTRIES.iter().filter(|entry| entry.at < len) {
        let function: usize = mapped.read(address + entry.at).map_err(TableFault::Ops)?;
        check_entry(mapped, descriptor, entry, function)?;
    }
    let ops: Ops = mapped.read_start(address, len).map_err(TableFault::Ops)?;
    if ops.reserved != 0 {
        return Err(TableFault::OpsReserved(ops.reserved));
    }
    Ok(Ops { struct_size: size_of::<Ops>() as u32, ..ops })
}

fn check_entry(
    mapped: &Mapped,
    descriptor: &Descriptor,
    entry: &Entry,
    function: usize,
) -> Result<(), TableFault> {
    let name = entry.name;
    if function != 0 {
        return if mapped.is_code(function) {
            Ok(())
        } else {
            Err(TableFault::OpOutside { entry: name, address: function })
        };
    }
    let forks = descriptor.flags_compat & FLAG_FORKS != 0;
    match entry.needed {
        Needed::Always => Err(TableFault::OpMissing { entry: name, because: "is mandatory" }),
        Needed::WithForks if forks => {
            Err(TableFault::OpMissing { entry: name, because: "is mandatory with FLAG_FORKS" })
        }
        Needed::WithDirectives if descriptor.directive_count > 0 => Err(TableFault::OpMissing {
            entry: name,
            because: "is mandatory for a module with directives",
        }),
        Needed::WithForks | Needed::WithDirectives | Needed::Never => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use mpm_abi::layout::LAYOUTS;

    use super::*;

    /// A function added to the contract must be added here, or it would go unchecked.
    #[test]
    fn every_function_is_listed() {
        let table = LAYOUTS.iter().find(|layout| layout.name == "mpm_ops").unwrap();
        let functions = table.fields.iter().skip(2).map(|field| (field.name, field.offset));
        assert!(functions.eq(ENTRIES.iter().map(|entry| (entry.name, entry.at))));
        let mandatory = ENTRIES.iter().filter(|entry| entry.needed != Needed::Never);
        let end = mandatory.map(|entry| entry.at + size_of::<usize>()).max();
        assert_eq!(end, Some(OPS_MIN));
    }
}

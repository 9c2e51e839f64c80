//! The directives a plug-in declares: copied, and checked as far as a plug-in can be wrong alone.
//!
//! Whether a name clashes with a directive of the server is the configuration's to say.

use std::ffi::c_char;
use std::ops::RangeInclusive;

use mpm_abi::directive::{
    ARG_ARGV, ARG_DURATION, ARG_ENUM, ARG_FLAG, ARG_FLOAT, ARG_INT, ARG_RAW, ARG_SIZE, ARG_STRING,
    DIRECTIVE_ALIAS, DIRECTIVE_DEPRECATED, DIRECTIVE_HIDDEN, DIRECTIVE_REPEATABLE,
};
use mpm_abi::{Descriptor, Directive};

use super::mapped::Mapped;
use super::plugin::{ArgKind, PluginDirective};
use super::refusal::{DirectiveFault, RowFault};
use super::validate::TEXT_MAX;

/// Most directives of a plug-in. More than this is a number from the wrong place.
pub(super) const COUNT_MAX: u32 = 1024;

/// Longest element of the table, in bytes; far more than any minor version will have.
pub(super) const STRIDE_MAX: usize = 4096;

/// Bytes of an element that this host knows.
pub(super) const STRIDE_MIN: usize = size_of::<Directive>();

/// Longest help, in bytes.
const HELP_MAX: usize = 4096;

/// Longest name of a directive, in bytes.
const NAME_MAX: usize = 64;

/// Most words a directive chooses from.
pub(super) const ENUM_MAX: u32 = 256;

const FLAGS_KNOWN: u32 =
    DIRECTIVE_REPEATABLE | DIRECTIVE_DEPRECATED | DIRECTIVE_HIDDEN | DIRECTIVE_ALIAS;

/// Copies the directives.
pub(super) fn read(
    mapped: &Mapped,
    descriptor: &Descriptor,
) -> Result<Vec<PluginDirective>, DirectiveFault> {
    let count = descriptor.directive_count;
    if count == 0 {
        return Ok(Vec::new());
    }
    let stride = descriptor.directive_stride as usize;
    if count > COUNT_MAX {
        return Err(DirectiveFault::Count(count));
    }
    let aligned = stride.is_multiple_of(align_of::<Directive>());
    if !(STRIDE_MIN..=STRIDE_MAX).contains(&stride) || !aligned {
        return Err(DirectiveFault::Stride(stride));
    }
    let count = count as usize;
    let first = descriptor.directives.ptr.addr();
    mapped
        .check_extent(first, count * stride, align_of::<Directive>())
        .map_err(DirectiveFault::Array)?;

    let mut directives = Vec::with_capacity(count);
    for index in 0..count {
        let address = first + index * stride;
        let directive = read_row(mapped, address, stride)
            .and_then(|directive| check_unique(&directives, directive))
            .map_err(|fault| DirectiveFault::Row {
                which: row_name(mapped, address, index),
                fault,
            })?;
        directives.push(directive);
    }
    for directive in &directives {
        check_alias(&directives, directive)
            .map_err(|fault| DirectiveFault::Row { which: directive.name.clone(), fault })?;
    }
    Ok(directives)
}

/// What to call a broken row: its name if that can be read, else its place.
fn row_name(mapped: &Mapped, address: usize, index: usize) -> String {
    let row: Result<Directive, _> = mapped.read(address);
    row.ok()
        .and_then(|row| mapped.read_text(row.name.addr(), NAME_MAX).ok())
        .filter(|name| is_name(name))
        .unwrap_or_else(|| format!("number {}", index + 1))
}

fn read_row(mapped: &Mapped, address: usize, stride: usize) -> Result<PluginDirective, RowFault> {
    let row: Directive = mapped.read(address).map_err(RowFault::Row)?;
    for tail in (STRIDE_MIN..stride).step_by(size_of::<usize>()) {
        // A newer element may have more members; one that is set means something to its author.
        if mapped.read::<usize>(address + tail).map_err(RowFault::Row)? != 0 {
            return Err(RowFault::Tail(tail));
        }
    }
    let text = |field, pointer: *const c_char, max| {
        let text = mapped.read_text(pointer.addr(), max);
        text.map_err(|fault| RowFault::Text(field, fault))
    };
    let optional = |field, pointer: *const c_char| {
        if pointer.is_null() {
            return Ok(None);
        }
        text(field, pointer, TEXT_MAX).map(Some)
    };
    let name = text("name", row.name, TEXT_MAX)?;
    if !is_name(&name) {
        return Err(RowFault::Name(name));
    }
    if row.flags & !FLAGS_KNOWN != 0 {
        return Err(RowFault::Flags(row.flags & !FLAGS_KNOWN));
    }
    let alias_of = optional("alias_of", row.alias_of)?;
    if alias_of.is_some() != (row.flags & DIRECTIVE_ALIAS != 0) {
        return Err(RowFault::AliasFlag);
    }
    Ok(PluginDirective {
        name,
        help: text("help", row.help, HELP_MAX)?,
        default_text: optional("default_text", row.default_text)?,
        alias_of,
        arg: arg_kind(mapped, &row)?,
        repeatable: row.flags & DIRECTIVE_REPEATABLE != 0,
        deprecated: row.flags & DIRECTIVE_DEPRECATED != 0,
        hidden: row.flags & DIRECTIVE_HIDDEN != 0,
        id: row.id,
    })
}

/// A word that can stand first in a line of the configuration.
fn is_name(name: &str) -> bool {
    name.len() <= NAME_MAX
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn arg_kind(mapped: &Mapped, row: &Directive) -> Result<ArgKind, RowFault> {
    let range = || -> Result<RangeInclusive<i64>, RowFault> {
        if row.min > row.max {
            return Err(RowFault::Range(row.min, row.max));
        }
        Ok(row.min..=row.max)
    };
    match row.kind {
        ARG_FLAG => Ok(ArgKind::Flag),
        ARG_INT => Ok(ArgKind::Int(range()?)),
        ARG_SIZE => Ok(ArgKind::Size(range()?)),
        ARG_DURATION => Ok(ArgKind::Duration(range()?)),
        ARG_FLOAT => Ok(ArgKind::Float(range()?)),
        ARG_STRING => Ok(ArgKind::String),
        ARG_ENUM => Ok(ArgKind::Enum(enum_names(mapped, row)?)),
        ARG_ARGV if row.min_args > row.max_args => Err(RowFault::Args(row.min_args, row.max_args)),
        ARG_ARGV => Ok(ArgKind::Argv(row.min_args..=row.max_args)),
        ARG_RAW => Ok(ArgKind::Raw),
        unknown => Err(RowFault::Kind(unknown)),
    }
}

fn enum_names(mapped: &Mapped, row: &Directive) -> Result<Vec<String>, RowFault> {
    if row.enum_count == 0 || row.enum_count > ENUM_MAX {
        return Err(RowFault::EnumCount(row.enum_count));
    }
    let mut names: Vec<String> = Vec::new();
    let mut at = row.enum_names.addr();
    for _ in 0..row.enum_count {
        let pointer: usize =
            mapped.read(at).map_err(|fault| RowFault::Text("enum_names", fault))?;
        let name = mapped
            .read_text(pointer, TEXT_MAX)
            .map_err(|fault| RowFault::Text("name among enum_names", fault))?;
        let taken = names.iter().any(|other| other.eq_ignore_ascii_case(&name));
        if taken || name.is_empty() || name.contains(char::is_whitespace) {
            return Err(RowFault::EnumName(name));
        }
        names.push(name);
        at += size_of::<usize>();
    }
    Ok(names)
}

fn check_unique(
    earlier: &[PluginDirective],
    directive: PluginDirective,
) -> Result<PluginDirective, RowFault> {
    if find(earlier, &directive.name).is_some() {
        return Err(RowFault::Duplicate);
    }
    Ok(directive)
}

/// Another name must be one of a directive, not of another such name.
fn check_alias(all: &[PluginDirective], directive: &PluginDirective) -> Result<(), RowFault> {
    let Some(target) = &directive.alias_of else {
        return Ok(());
    };
    match find(all, target) {
        Some(found) if found.alias_of.is_none() => Ok(()),
        _ => Err(RowFault::AliasOf(target.clone())),
    }
}

fn find<'a>(directives: &'a [PluginDirective], name: &str) -> Option<&'a PluginDirective> {
    directives.iter().find(|directive| directive.name.eq_ignore_ascii_case(name))
}

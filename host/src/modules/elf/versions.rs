//! The versions of symbols: tables whose elements say where the next one is.

use object::NativeEndian;
use object::elf;
use object::pod::{Pod, from_bytes, slice_from_bytes};
use object::read::elf::{Dyn as _, Sym as _};

use super::{E, SharedObject, Sym};

type Verneed = elf::Verneed<NativeEndian>;
type Vernaux = elf::Vernaux<NativeEndian>;
type Verdef = elf::Verdef<NativeEndian>;
type Verdaux = elf::Verdaux<NativeEndian>;
type Versym = elf::Versym<NativeEndian>;

/// The bits of an index that are not the flag of a hidden symbol.
const INDEX: u16 = 0x7FFF;

/// Elements of a table, each with its place; `next` says how far the next one is, 0 = none.
fn chain<T: Pod>(data: &[u8], mut at: usize, next: impl Fn(&T) -> u32) -> Option<Vec<(usize, &T)>> {
    let mut elements = Vec::new();
    loop {
        let (element, _) = from_bytes::<T>(data.get(at..)?).ok()?;
        elements.push((at, element));
        match next(element) {
            0 => return Some(elements),
            next => at = at.checked_add(usize::try_from(next).ok()?)?,
        }
    }
}

impl SharedObject<'_> {
    /// Every element lies in the file, names libraries the file needs, and each symbol has a version
    /// that is there. `None` if not.
    pub(super) fn check_versions(&self, symbols: &[(&[u8], &Sym)]) -> Option<()> {
        let (needed, defined) = (self.needed_versions()?, self.defined_versions()?);
        let Some(table) = self.tag(elf::DT_VERSYM) else {
            return (needed.is_empty() && defined.is_empty()).then_some(());
        };
        if needed.is_empty() && defined.is_empty() {
            return None;
        }
        let (versions, _) =
            slice_from_bytes::<Versym>(self.mapped_from(table)?, symbols.len()).ok()?;
        let mut both = versions.iter().zip(symbols);
        let all_known = both.all(|(version, (_, symbol))| {
            let index = version.0.get(E).0 & INDEX;
            let known = if symbol.is_undefined(E) { &needed } else { &defined };
            index <= elf::VER_NDX_GLOBAL.0 || known.contains(&index)
        });
        all_known.then_some(())
    }

    /// The indices of the versions that other libraries are to have.
    fn needed_versions(&self) -> Option<Vec<u16>> {
        let Some(at) = self.tag(elf::DT_VERNEED) else { return Some(Vec::new()) };
        let (data, names) = (self.mapped_from(at)?, self.names()?);
        let libraries = self.dynamic.iter().filter(|entry| entry.tag(E) == elf::DT_NEEDED);
        let name = |entry: &super::Dyn| names.get(u32::try_from(entry.val(E)).ok()?).ok();
        let libraries: Vec<&[u8]> = libraries.filter_map(name).collect();
        let mut indices = Vec::new();
        for (at, needed) in chain::<Verneed>(data, 0, |it| it.vn_next.get(E))? {
            if !libraries.contains(&names.get(needed.vn_file.get(E)).ok()?) {
                return None;
            }
            let first = at.checked_add(usize::try_from(needed.vn_aux.get(E)).ok()?)?;
            for (_, version) in chain::<Vernaux>(data, first, |it| it.vna_next.get(E))? {
                names.get(version.vna_name.get(E)).ok()?;
                indices.push(version.vna_other.get(E).0 & INDEX);
            }
        }
        Some(indices)
    }

    /// The indices of the versions that this file has.
    fn defined_versions(&self) -> Option<Vec<u16>> {
        let Some(at) = self.tag(elf::DT_VERDEF) else { return Some(Vec::new()) };
        let (data, names) = (self.mapped_from(at)?, self.names()?);
        let mut indices = Vec::new();
        for (at, defined) in chain::<Verdef>(data, 0, |it| it.vd_next.get(E))? {
            let first = at.checked_add(usize::try_from(defined.vd_aux.get(E)).ok()?)?;
            let (name, _) = from_bytes::<Verdaux>(data.get(first..)?).ok()?;
            names.get(name.vda_name.get(E)).ok()?;
            indices.push(defined.vd_ndx.get(E).0 & INDEX);
        }
        Some(indices)
    }
}

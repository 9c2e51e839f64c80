//! The system's loader: maps a file, finds a symbol, and knows where things are.

use std::ffi::{CStr, c_int, c_void};
use std::path::Path;
use std::{ptr, slice};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

#[cfg(target_pointer_width = "32")]
use libc::Elf32_Phdr as ProgramHeader;
#[cfg(target_pointer_width = "64")]
use libc::Elf64_Phdr as ProgramHeader;

use super::mapped::{Mapped, Segment};
use super::refusal::{LoadFault, one_line};

/// An object the loader mapped.
#[derive(Debug)]
pub(super) struct Object {
    /// The memory that is its own.
    pub(super) mapped: Mapped,
    /// Name the loader knows it by.
    name: String,
    /// What to add to an address of the file.
    bias: usize,
}

impl Object {
    /// Where something of the file is in memory; 0, where nothing is, if it cannot be.
    pub(super) fn address(&self, in_file: u64) -> usize {
        let in_file = usize::try_from(in_file).ok();
        in_file.and_then(|in_file| self.bias.checked_add(in_file)).unwrap_or(0)
    }
}

/// Maps the file for good. `symbol` must then be found where the file has it, at the address
/// `in_file`, and not in a library that the file uses.
///
/// Every symbol is bound now, so that a missing one is found now and not when a child first calls
/// it; none is lent to other libraries.
pub(super) fn load(path: &Path, symbol: &str, in_file: u64) -> Result<Object, LoadFault> {
    let flags = RTLD_NOW | RTLD_LOCAL | libc::RTLD_NODELETE;
    // SAFETY: loading runs the file's constructors, which is what the administrator asks for with
    // `LoadModule`; the file was inspected, and nobody but its owner can have changed it.
    let library = unsafe { Library::open(Some(path), flags) };
    let library = library.map_err(|error| refused(&error, path))?;
    // SAFETY: only the symbol's address is taken, so its type cannot be wrong.
    let found = unsafe { library.get::<*const c_void>(symbol) };
    let found = found.map_err(|error| refused(&error, path));
    // Never closed; giving up the handle is all that is left to do with it.
    let _open_for_good = library.into_raw();
    let address = found?.into_raw().expose_provenance();

    let object = object_at(address).ok_or(LoadFault::Different)?;
    if object.address(in_file) != address {
        return Err(LoadFault::Elsewhere(object.name));
    }
    Ok(object)
}

/// The loader's words without the name of the file, which the refusal gives anyway.
fn refused(error: &libloading::Error, path: &Path) -> LoadFault {
    let text = match error {
        libloading::Error::DlOpen { source } | libloading::Error::DlSym { source } => {
            source.to_string()
        }
        other => other.to_string(),
    };
    let prefix = format!("{}: ", path.display());
    LoadFault::Refused(one_line(text.strip_prefix(&prefix).unwrap_or(&text)))
}

/// The object whose memory holds `address`.
pub(super) fn object_at(address: usize) -> Option<Object> {
    let mut search = Search { address, found: None };
    // SAFETY: `visit` takes what it is called with for what the system says it is, and the pointer
    // to `search`, which lives until the call returns, for a `Search`.
    unsafe { libc::dl_iterate_phdr(Some(visit), ptr::from_mut(&mut search).cast()) };
    search.found
}

struct Search {
    address: usize,
    found: Option<Object>,
}

/// # Safety
///
/// To be called by `dl_iterate_phdr` alone, with a pointer to a [`Search`].
unsafe extern "C" fn visit(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    search: *mut c_void,
) -> c_int {
    // SAFETY: `dl_iterate_phdr` passes a valid struct, at least as long as this one.
    let info = unsafe { &*info };
    // SAFETY: the pointer that `object_at` gave, and nobody else uses the `Search` meanwhile.
    let search = unsafe { &mut *search.cast::<Search>() };
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: the loader keeps this array of `dlpi_phnum` headers, and holds its lock meanwhile.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    let bias = info.dlpi_addr as usize;
    let segments: Vec<Segment> = headers.iter().filter_map(|it| segment(it, bias)).collect();
    if !segments.iter().any(|segment| segment.addresses.contains(&search.address)) {
        return 0;
    }
    let name = if info.dlpi_name.is_null() {
        c""
    } else {
        // SAFETY: the loader keeps this NUL-terminated name as long as the object.
        unsafe { CStr::from_ptr(info.dlpi_name) }
    };
    search.found = Some(Object {
        // SAFETY: the loader mapped these segments as these headers say. They stay, because plug-ins
        // are opened with RTLD_NODELETE and never closed, and nothing writes to them while they are
        // read, because the parent has one thread, which is here (*mapped*).
        mapped: unsafe { Mapped::new(segments) },
        name: one_line(&name.to_string_lossy()),
        bias,
    });
    1
}

fn segment(header: &ProgramHeader, bias: usize) -> Option<Segment> {
    let start = bias.checked_add(usize::try_from(header.p_vaddr).ok()?)?;
    let end = start.checked_add(usize::try_from(header.p_memsz).ok()?)?;
    (header.p_type == libc::PT_LOAD).then_some(Segment {
        addresses: start..end,
        readable: header.p_flags & libc::PF_R != 0,
        executable: header.p_flags & libc::PF_X != 0,
    })
}

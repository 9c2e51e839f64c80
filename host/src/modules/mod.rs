//! Plug-ins: inspected, loaded, checked, called.
//!
//! [`load`] leads a file through four gates; a file is turned away at the earliest that can tell:
//!
//! 1. `file`: a regular file that not everybody can change. Opened once and read once.
//! 2. `inspect`: a shared object for this machine that holds the MPM asked for, made for this host,
//!    and in which the system's loader will not lose its way. Answered from the bytes read: nothing of
//!    the file runs.
//! 3. `loader`: the system's loader maps it and runs its constructors.
//! 4. `validate`, `directives` and `layout`: everything the descriptor leads to lies in the object,
//!    is complete and makes sense. Nothing of the plug-in is called but abi_stable's own getters.
//!
//! Invariant: memory of a plug-in is read through [`mapped::Mapped`] only, which copies bytes out of
//! segments it knows to be mapped. No pointer that a plug-in wrote is followed in any other way.
//!
//! The file is loaded by its path, not through `/proc/self/fd`, because debuggers, `dladdr` and
//! `$ORIGIN` go by the name given to the loader. So that a file put in its place between check and
//! load is not taken for the one checked, the path must lead to the inspected file right before
//! the load (then nothing has run) and right after it, and the descriptor in memory must be the one
//! in the file. The inspected file stays open until then, which keeps its inode number its own.
//!
//! A library is never closed: its threads and thread-locals may outlive any reference to it.

pub mod builtin;
pub mod plugin;
pub mod refusal;

mod contract;
mod directives;
mod elf;
mod file;
mod ident;
mod inspect;
#[cfg(feature = "layout-check")]
#[expect(unsafe_code, reason = "hands abi_stable's own record back to abi_stable")]
mod layout;
#[expect(unsafe_code, reason = "dlopen, dlsym and dl_iterate_phdr")]
mod loader;
#[expect(unsafe_code, reason = "copies bytes out of a loaded object")]
mod mapped;
#[expect(unsafe_code, reason = "calls the plug-in's functions")]
pub mod mpm;
#[cfg(test)]
mod tests;
mod validate;

use std::path::{Path, PathBuf};

pub use contract::HostOffer;
pub use plugin::{ArgKind, Plugin, PluginDirective};
pub use refusal::{Reason, Refusal};

use file::ModuleFile;

/// Loads the MPM that `path` exports as `symbol`, for a host that offers `offer`.
///
/// `path` is absolute. To be called in the parent while it has one thread, before privileges are
/// dropped and before anything forks. The library stays in memory whatever the answer is.
///
/// # Errors
///
/// The first reason found not to use the file, as one line for the administrator.
pub fn load(symbol: &str, path: &Path, offer: HostOffer) -> Result<Plugin, Refusal> {
    pass_gates(symbol, path, offer).map_err(|reason| Refusal::new(symbol, path, reason))
}

/// The refusal of a relative path, `file`, that leads to nothing from wherever it may begin: `paths`
/// are all those that were tried.
pub fn nowhere(symbol: &str, file: &str, paths: &[PathBuf]) -> Refusal {
    Refusal::new(symbol, Path::new(file), file::nowhere(symbol, paths).into())
}

fn pass_gates(symbol: &str, path: &Path, offer: HostOffer) -> Result<Plugin, Reason> {
    let file = ModuleFile::open(path, symbol)?;
    let inspected = inspect::inspect(&file.bytes, symbol, offer)?;

    file.check_in_place(path)?;
    let object = loader::load(path, symbol, inspected.descriptor_at)?;
    file.check_in_place(path)?;

    let descriptor = validate::descriptor(&object, &inspected)?;
    let metadata = validate::metadata(&object.mapped, &descriptor, symbol)?;
    let ops = validate::ops(&object.mapped, &descriptor)?;
    let directives = directives::read(&object.mapped, &descriptor)?;
    #[cfg(feature = "layout-check")]
    if let Some(at) = inspected.layout_at {
        layout::check(&object, at)?;
    }

    let mut warnings = file.warnings;
    let odd = directives.iter().filter_map(PluginDirective::odd_range);
    warnings.extend(odd.map(|odd| format!("{symbol}: {odd}")));
    Ok(Plugin {
        symbol: symbol.to_owned(),
        path: path.to_owned(),
        name: metadata.name,
        vendor: metadata.vendor,
        version: metadata.version,
        license: metadata.license,
        build_id: metadata.build_id,
        abi: (descriptor.abi_major, descriptor.abi_minor),
        flags: descriptor.flags_compat,
        required_caps: descriptor.required_caps,
        ops,
        directives,
        device: file.identity.device,
        inode: file.identity.inode,
        warnings,
    })
}

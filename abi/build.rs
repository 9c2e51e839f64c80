//! Tells dependents where the C header is (`DEP_MPM_ABI_INCLUDE`); required by the `links` key.

use std::path::Path;

fn main() {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let include = Path::new(&root).join("include");
    println!("cargo::metadata=include={}", include.display());
    println!("cargo::rerun-if-changed=build.rs");
}

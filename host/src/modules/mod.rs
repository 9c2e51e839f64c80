//! Plug-ins: inspected, loaded, checked, called.

pub mod builtin;

//! Plug-ins: inspected, loaded, checked, called.

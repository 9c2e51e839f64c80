//! The gearbox binary.

fn main() {}

//! The `rotator` program: parses arguments, runs a command, returns its exit code.

fn main() {}

//! TODO
pub mod diagnostics;

//! The pages of documentation: what they name exists, what they show works, what is generated in them is current.

mod blocks;
mod commands;
mod fields;
mod links;
mod options;
mod pages;
mod permissions;
mod shell;
#[path = "../end_to_end/support.rs"]
#[allow(dead_code, reason = "the other tests use the rest of it")]
mod support;

//! `rotator` keeps the rotation of AWS Secrets Manager secrets in Git.
//!
//! `src/README.md` has the picture: the layers and what each may use, the way of a plan and an apply, the words, the decisions with
//! their reasons, and how to add a field, a command or an operation of the sandbox. `tests/layers.rs` keeps the layers apart.

pub mod apply;
pub mod aws;
pub mod begin;
pub mod cli;
pub mod config;
pub mod diagnostic;
pub mod env;
pub mod exit;
pub mod git;
pub mod import;
pub mod inspect;
pub mod model;
pub mod package;
pub mod permissions;
pub mod plan;
pub mod render;
pub mod requirements;
pub use rotator_sandbox as sandbox;
pub mod status;
pub mod tree;
pub mod trial;

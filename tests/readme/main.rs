//! The pages of documentation: what they name exists, what they show works, what is generated in them is current.

mod blocks;
mod commands;
mod fields;
mod links;
mod options;
mod pages;

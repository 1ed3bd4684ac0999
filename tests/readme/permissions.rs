//! The generated part of `examples/README.md`: which rights each phase may need.

use rotator::render::permissions::page;

use super::pages::repository;

const BEGIN: &str = "<!-- permissions: written by ROTATOR_REGENERATE=1 cargo test --test readme -->\n";
const END: &str = "<!-- end of permissions -->\n";

/// Without it, somebody would make a role by a table that lacks what the program has begun to call.
#[test]
fn the_tables_of_rights_are_the_programs_own() {
    let path = repository().join("examples/README.md");
    let text = std::fs::read_to_string(&path).expect("the page of examples");
    let (before, rest) = text.split_once(BEGIN).expect("the page marks where the tables begin");
    let (found, after) = rest.split_once(END).expect("the page marks where the tables end");
    let wanted = page();
    if std::env::var_os("ROTATOR_REGENERATE").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{wanted}{END}{after}")).expect("writable");
        return;
    }
    assert!(found == wanted, "the rights have changed: ROTATOR_REGENERATE=1 cargo test --test readme");
}

//! What hostile input is thrown at: one function a boundary, each of which panics where something untrusted got further than
//! it may.
//!
//! The same functions run under `cargo fuzz` (`tests/fuzz/run`), which searches for minutes or days, and in `cargo test`
//! (`tests/fuzz.rs`), which tries the kept corpus and a fixed number of seeded mutations.

mod code;
mod manifests;
mod names;
mod patterns;
mod plans;
mod protocols;
mod texts;
mod zips;

/// A boundary and what is thrown at it.
pub struct Target {
    /// As `cargo fuzz` and the corpus name it.
    pub name: &'static str,
    /// Runs it once.
    pub run: fn(&[u8]),
    /// Inputs that are worth changing, beside the corpus.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How many inputs a run of the tests makes.
    pub cases: usize,
}

/// All of them.
pub const ALL: &[Target] = &[
    Target { name: "front_end", run: manifests::front_end, seeds: manifests::examples, cases: 1500 },
    Target { name: "variables", run: manifests::variables, seeds: manifests::templates, cases: 1500 },
    Target { name: "fields", run: manifests::fields, seeds: names::seeds, cases: 1000 },
    Target { name: "policies", run: manifests::policies, seeds: manifests::rules, cases: 1500 },
    Target { name: "schedules", run: names::schedules, seeds: names::expressions, cases: 3000 },
    Target { name: "names", run: names::names, seeds: names::seeds, cases: 10_000 },
    Target { name: "patterns", run: patterns::patterns, seeds: patterns::seeds, cases: 300 },
    Target { name: "plan_files", run: plans::plan_files, seeds: plans::seeds, cases: 1500 },
    Target { name: "function_policies", run: plans::function_policies, seeds: plans::statements, cases: 5000 },
    Target { name: "zips", run: zips::bytes, seeds: zips::seeds, cases: 1000 },
    Target { name: "packages", run: zips::recipes, seeds: zips::recipe_seeds, cases: 500 },
    Target { name: "code", run: code::code, seeds: code::seeds, cases: 1000 },
    Target { name: "protocols", run: protocols::protocols, seeds: protocols::seeds, cases: 3000 },
    Target { name: "texts", run: texts::texts, seeds: texts::seeds, cases: 5000 },
];

/// A text out of bytes, whatever they are.
fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

/// Characters that steer a terminal, reorder what is read, or hide something; a line's end is none of them.
///
/// Written out again here, so that a character which the program forgets isn't forgotten by its judge too.
fn steers(c: char) -> bool {
    let invisible = [
        '\u{ad}',
        '\u{34f}',
        '\u{115f}',
        '\u{1160}',
        '\u{2800}',
        '\u{3164}',
        '\u{ffa0}',
        '\u{fe0f}',
        '\u{e0041}',
        '\u{e0100}',
        '\u{61c}',
        '\u{180e}',
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{200e}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202b}',
        '\u{202c}',
        '\u{202d}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2067}',
        '\u{2068}',
        '\u{2069}',
        '\u{feff}',
    ];
    (c.is_control() && c != '\n') || invisible.contains(&c)
}

/// Panics where a text for people would steer their terminal. The program's own colours may stand in it.
#[track_caller]
fn assert_tame(shown: &str) {
    let mut rest = shown;
    while let Some(at) = rest.find(steers) {
        let own = OWN_STYLES.iter().find(|style| rest[at..].starts_with(**style));
        let Some(own) = own else {
            panic!("{:?} steers the terminal in {shown:?}", &rest[at..rest.len().min(at + 20)])
        };
        rest = &rest[at + own.len()..];
    }
}

/// The escapes that the renderers' styles are made of; what a test plants is none of them.
const OWN_STYLES: [&str; 6] = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"];

//! Manifests as people write them, wrong in the ways that people are wrong: the exact text that they would see.
//!
//! Each folder of `tests/manifests` holds a `rotator.yaml` and `expected.txt`; `paths.txt` names other roots to load.
//! `ROTATOR_REGENERATE=1 cargo test --test config` writes `expected.txt` anew: read the difference before committing it.

use std::path::PathBuf;

use rotator::config;
use rotator::render::diagnostics;

const WIDTH: usize = 120;

fn said(paths: &[PathBuf]) -> String {
    let text = match config::load(paths) {
        Ok(loaded) if loaded.warnings.is_empty() => "no problem\n".to_owned(),
        Ok(loaded) => diagnostics::render(&loaded.warnings, false, WIDTH),
        Err(problems) => diagnostics::render(&problems.0, false, WIDTH),
    };
    format!("{}\n", text.trim_end())
}

/// Without it, a message could get worse, point elsewhere, or be lost, and nobody would see it in review.
#[test]
fn every_mistake_has_its_text() {
    let regenerate = std::env::var_os("ROTATOR_REGENERATE").is_some();
    let mut folders: Vec<PathBuf> = std::fs::read_dir("tests/manifests")
        .expect("the folder of cases")
        .map(|entry| entry.expect("a case").path())
        .collect();
    folders.sort();
    let mut different = Vec::new();
    for folder in &folders {
        let paths: Vec<PathBuf> = match std::fs::read_to_string(folder.join("paths.txt")) {
            Ok(lines) => lines.lines().map(|line| folder.join(line)).collect(),
            Err(_) => vec![folder.clone()],
        };
        let text = said(&paths);
        let file = folder.join("expected.txt");
        if regenerate {
            std::fs::write(&file, &text).expect("writable");
        } else if std::fs::read_to_string(&file).unwrap_or_default() != text {
            different.push(format!("--- {}\n{text}", folder.display()));
        }
    }
    assert!(folders.len() >= 45, "cases went missing");
    assert!(different.is_empty(), "{}", different.join("\n"));
}

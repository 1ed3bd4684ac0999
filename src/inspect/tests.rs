//! A gallery of functions with one fault each, and of right ones that look like them.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::model::{CodeCheck, CodeFinding};
use crate::package;

use super::{Environment, Facts, look};

mod imports;
mod machine;
mod python;
mod rotation;

/// The files of a folder of code.
type Files<'a> = &'a [(&'a str, &'a str)];

/// A function of AWS's template in some version of Python.
fn facts(runtime: Option<&str>) -> Facts {
    Facts {
        runtime: runtime.map(str::to_owned),
        place: "functions/f".to_owned(),
        is_folder: true,
        is_generic: true,
        environment: Environment::AtLeast(["SET".to_owned()].into()),
        ..Facts::default()
    }
}

/// What is found in a package of these files.
fn found(files: Files<'_>, facts: &Facts) -> Vec<CodeFinding> {
    found_of(files.iter().map(|(path, content)| (*path, content.as_bytes())), facts)
}

fn found_of<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>, facts: &Facts) -> Vec<CodeFinding> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        // What can't be executed says so by its name.
        let mode = if path.contains("plain") { 0o644 } else { 0o755 };
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(mode);
        zip.start_file(path.trim_start_matches("plain:"), options).expect("a file");
        zip.write_all(content).expect("its content");
    }
    let bytes = zip.finish().expect("an archive").into_inner();
    look(&bytes, &package::read_files(&bytes).expect("files"), facts)
}

/// One finding, told apart by what it says.
struct Told {
    check: CodeCheck,
    is_error: bool,
    /// The line; 0: none.
    line: u32,
    /// What its summary, its reason or its hints hold.
    words: &'static str,
}

/// That a folder of code has this one fault and no other.
#[track_caller]
fn one(files: Files<'_>, facts: &Facts, told: &Told) {
    let all = found(files, facts);
    let [only] = &all[..] else { panic!("one finding with {:?} of {files:?}, not {all:#?}", told.words) };
    let line = only.spot.as_ref().map_or(0, |spot| spot.line);
    assert_eq!((only.check, only.is_error, line), (told.check, told.is_error, told.line), "{only:#?}");
    let texts = format!("{}\n{}\n{}", only.summary, only.detail.clone().unwrap_or_default(), only.hints.join("\n"));
    assert!(texts.contains(told.words), "{:?} in {texts:?}", told.words);
}

/// That nothing is said of a folder of code.
#[track_caller]
fn right(files: Files<'_>, facts: &Facts) {
    assert_eq!(found(files, facts), [], "{files:?}");
}

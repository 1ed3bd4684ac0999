//! Zip files: deployment packages that were downloaded, checked in, or uploaded.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::path::Path;

use rotator::package;
use rotator::sandbox::runtime::package as unpacking;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// Bytes as a zip.
pub fn bytes(data: &[u8]) {
    let listed = package::read_files(data);
    let inspected = unpacking::inspect(data);
    if let Err(error) = &listed {
        assert!(!error.to_string().contains(char::is_control), "{error:?}");
    }
    let Ok(()) = inspected else { return };
    let unpacked = match unpacking::unpack(data) {
        Ok(unpacked) => unpacked,
        Err(error) => panic!("it was accepted, and can't be unpacked: {error}"),
    };
    let mut found = BTreeMap::new();
    walk(&unpacked.root(), &unpacked.root(), &mut found);
    // Nothing stands beside the package's own root.
    assert_eq!(std::fs::read_dir(unpacked.folder()).map(Iterator::count).ok(), Some(1));
    // Where both understand a package, they see the same files in it; links are files to one of them.
    if let Ok(listed) = listed
        && found.values().all(|what| *what != What::Link)
    {
        let names: Vec<&str> = listed.iter().map(|file| file.path.as_str()).collect();
        let files: Vec<&str> =
            found.iter().filter(|(_, what)| **what == What::File).map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, files);
    }
}

/// Bytes as the recipe of a zip whose names, kinds and sizes are hostile, and whose form is right.
pub fn recipes(data: &[u8]) {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for line in data.split(|byte| *byte == b'\n').take(40) {
        let Some((kind, rest)) = line.split_first() else { continue };
        let rest = String::from_utf8_lossy(rest);
        let (name, content) = rest.split_once('\t').unwrap_or((&rest, ""));
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        let deflated = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        // What the writer itself refuses is no test of the readers.
        let _ = match kind {
            b'd' => zip.add_directory(name, stored),
            b'l' => zip.add_symlink(name, content, stored),
            b'z' => zip.start_file(name, deflated).and_then(|()| Ok(zip.write_all(&vec![0; content.len() * 10_000])?)),
            b'x' => zip
                .start_file(name, stored.unix_permissions(0o7777))
                .and_then(|()| Ok(zip.write_all(content.as_bytes())?)),
            _ => zip.start_file(name, stored).and_then(|()| Ok(zip.write_all(content.as_bytes())?)),
        };
    }
    if let Ok(zip) = zip.finish() {
        bytes(&zip.into_inner());
    }
}

#[derive(PartialEq, Eq)]
enum What {
    File,
    Folder,
    Link,
}

fn walk(folder: &Path, root: &Path, found: &mut BTreeMap<String, What>) {
    for entry in std::fs::read_dir(folder).expect("our own folder").flatten() {
        let kind = entry.file_type().expect("it says what it is");
        let name = entry.path().strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
        if kind.is_symlink() {
            found.insert(name, What::Link);
        } else if kind.is_dir() {
            found.insert(name, What::Folder);
            walk(&entry.path(), root, found);
        } else {
            found.insert(name, What::File);
        }
    }
}

fn made(recipe: &str) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for line in recipe.lines() {
        let (name, content) = line.split_once('\t').unwrap_or((line, ""));
        let written =
            zip.start_file(name, SimpleFileOptions::default()).and_then(|()| Ok(zip.write_all(content.as_bytes())?));
        written.expect("a sound name");
    }
    zip.finish().expect("a zip").into_inner()
}

pub fn seeds() -> Vec<Vec<u8>> {
    vec![made("a.py\tx = 1"), made("lambda_function.py\tpass\nd/e.txt\thello"), made("")]
}

pub fn recipe_seeds() -> Vec<Vec<u8>> {
    [
        "flambda_function.py\tpass\nfd/e\thello",
        "ll\t/etc\nfl/passwd\tx",
        "f../evil\tx\nf/etc/evil\tx",
        "dd/\nfd/x\t1\nxbootstrap\t#!/bin/sh",
        "zbomb\t0123456789",
        "fa\tx\nfa/b\ty",
        "fa\tx\nf./a\ty",
        "fa\\b\tx\nf\u{1b}[2J\tx\nf\u{202e}\tx",
        "l.\t..\nf..\tx\nd..",
        "fC:\\x\tx\nf//x\tx\nfx//y\tx",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

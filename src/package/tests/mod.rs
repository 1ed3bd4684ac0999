use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;

use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

mod choice;
mod wheels;

fn tree(files: &[(&str, &str)]) -> TempDir {
    let tree = tempfile::tempdir().expect("a temporary folder");
    for (path, content) in files {
        let path = tree.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    tree
}

fn package(tree: &TempDir, source: &str) -> Result<Package, PackageError> {
    chosen(tree, source, &[], &[])
}

fn chosen(tree: &TempDir, source: &str, exclude: &[&str], include: &[&str]) -> Result<Package, PackageError> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let selection = Selection { exclude: owned(exclude), include: owned(include), requirements: None };
    let source = tree.path().join(source);
    let built = build(&source, tree.path(), &selection)?;
    if source.is_dir() {
        // What a manifest is checked by is what is packaged.
        assert_eq!(list(&source, tree.path(), &selection)?.files, paths(&built));
    }
    Ok(built)
}

fn paths(built: &Package) -> Vec<&str> {
    built.summary.files.iter().map(|file| file.path.as_str()).collect()
}

/// What was left out, as `kind name count`.
fn left_out(built: &Package) -> Vec<String> {
    built.summary.left_out.iter().map(|part| format!("{:?} {} {}", part.kind, part.name, part.count)).collect()
}

#[cfg(unix)]
fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

/// Without it, an update of the zip crate, or another machine, could make different bytes of the same files: every plan would
/// show every function's code as changed.
#[test]
#[cfg(unix)]
fn a_fixed_tree_has_fixed_bytes() {
    let tree = tree(&[
        ("f/lambda_function.py", "def lambda_handler(event, context):\n    return None\n"),
        ("f/lib/ä.py", "x = 1\n"),
        ("f/lib.py", ""),
        ("f/bootstrap", "#!/bin/sh\n"),
        ("f/__pycache__/lambda_function.cpython-312.pyc", "cache"),
        ("f/old.pyc", "cache"),
        ("f/.git/HEAD", "ref"),
        ("f/.DS_Store", "finder"),
        ("f/.env.example", "kept"),
    ]);
    chmod(&tree.path().join("f/bootstrap"), 0o700);
    chmod(&tree.path().join("f/lib.py"), 0o600);
    let built = package(&tree, "f").expect("a package");
    assert_eq!(paths(&built), [".env.example", "bootstrap", "lambda_function.py", "lib.py", "lib/ä.py"]);
    assert_eq!(built.summary.sha256, "r7UUt8ORVKvPthZxi8rcWXarRMkKgLfcG5UFJMG/WAI=");
    assert_eq!(built.summary.size, built.bytes.len() as u64);
    // What is read back is what was put in, so that live code compares with local code.
    assert_eq!(read_files(&built.bytes).expect("readable"), built.summary.files);
    assert!(built.summary.files[1].executable);
}

/// Without it, `code: handler.py` could produce a package whose handler Lambda doesn't find.
#[test]
fn a_single_file_stands_at_the_root_of_its_package() {
    let tree = tree(&[("functions/handler.py", "pass\n")]);
    let built = package(&tree, "functions/handler.py").expect("a package");
    assert_eq!(built.summary.files.len(), 1);
    assert_eq!(built.summary.files[0].path, "handler.py");
}

/// Without it, a zip that somebody else built (and signed, and measured) would reach Lambda with another hash.
#[test]
fn a_zip_is_taken_as_it_is() {
    let tree = tree(&[("f/a.py", "a")]);
    let inner = package(&tree, "f").expect("a package");
    let mut bytes = b"a self-extracting stub in front".to_vec();
    bytes.extend_from_slice(&inner.bytes);
    fs::write(tree.path().join("f.zip"), &bytes).expect("a file");
    let outer = package(&tree, "f.zip").expect("a package");
    assert_eq!(outer.bytes, bytes);
    assert_eq!(outer.summary.sha256, code_sha256(&bytes));
    assert_eq!(outer.summary.files, inner.summary.files);
}

/// Without it, a link in a checked-out branch could carry any file of the pipeline's machine into a function.
#[test]
#[cfg(unix)]
fn links_stay_inside_the_tree() {
    use std::os::unix::fs::symlink;
    let outside = tree(&[("secret", "private")]);
    let tree = tree(&[("f/a.py", "a"), ("shared/b.py", "b")]);
    symlink("../shared", tree.path().join("f/shared")).expect("a link");
    let built = package(&tree, "f").expect("a package");
    assert_eq!(built.summary.files[1].path, "shared/b.py");

    symlink(outside.path().join("secret"), tree.path().join("f/leak")).expect("a link");
    assert!(matches!(package(&tree, "f"), Err(PackageError::Outside { .. })));
    fs::remove_file(tree.path().join("f/leak")).expect("removed");

    symlink("..", tree.path().join("f/loop")).expect("a link");
    assert!(matches!(package(&tree, "f"), Err(PackageError::Cycle(_))));
    let all = Selection::default();
    assert!(matches!(build(outside.path(), tree.path(), &all), Err(PackageError::Outside { .. })));
}

/// Without it, a pipe would make the program wait for ever, and a socket would fail with words that explain nothing.
#[test]
#[cfg(unix)]
fn special_files_and_unreadable_names_are_refused() {
    let tree = tree(&[("f/a.py", "a")]);
    let socket = std::os::unix::net::UnixListener::bind(tree.path().join("f/socket")).expect("a socket");
    assert!(matches!(package(&tree, "f"), Err(PackageError::Special(_))));
    drop(socket);
    fs::remove_file(tree.path().join("f/socket")).expect("removed");
    fs::write(tree.path().join("f/a\nb.py"), "").expect("a file");
    assert!(matches!(package(&tree, "f"), Err(PackageError::Name(name)) if name == "a\\nb.py"));
}

/// Without it, an empty folder would be uploaded, and the function would fail at its first call.
#[test]
fn nothing_to_package_is_an_error() {
    let tree = tree(&[("f/__pycache__/a.pyc", "a")]);
    assert!(matches!(package(&tree, "f"), Err(PackageError::LeftOut(_))));
    fs::remove_dir_all(tree.path().join("f/__pycache__")).expect("removed");
    assert!(matches!(package(&tree, "f"), Err(PackageError::Empty(_))));
    let tree = self::tree(&[("f/a.py", "a")]);
    assert!(matches!(chosen(&tree, "f", &["*"], &[]), Err(PackageError::LeftOut(_))));
}

/// Without it, a function of 60 MB of text, which Lambda takes, would be refused; or one of 60 MB of noise sent in vain.
#[test]
fn large_packages_are_compressed_and_too_large_ones_refused() {
    let file = |content: Vec<u8>| walk::File { path: "data".into(), content, executable: false };
    let compression_of = |zip: Vec<u8>| {
        let mut archive = zip::ZipArchive::new(Cursor::new(zip)).expect("a zip");
        archive.by_index(0).expect("an entry").compression()
    };
    let text = [file(vec![b'a'; 4000])];
    assert_eq!(compression_of(write::zip(&text, 5000).expect("fits")), CompressionMethod::Stored);
    assert_eq!(compression_of(write::zip(&text, 4000).expect("fits")), CompressionMethod::Deflated);

    // A generator whose output doesn't compress.
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let noise = [file(noise.take(500).flatten().collect())];
    let error = write::zip(&noise, 4000).expect_err("too large");
    assert!(matches!(error, PackageError::TooLarge { .. }));
    assert!(error.hint().is_some_and(|hint| hint.contains("S3")));
}

fn foreign_zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in entries {
        zip.start_file(*name, options).expect("an entry");
        zip.write_all(content).expect("content");
    }
    zip.finish().expect("a zip").into_inner()
}

/// A zip of texts, as other tools make them.
pub(crate) fn zip_of(files: &[(&str, &str)]) -> Vec<u8> {
    foreign_zip(&files.iter().map(|(name, text)| (*name, text.as_bytes())).collect::<Vec<_>>())
}

/// Without it, a zip that lists its folders, as most tools write them, would never count as the same code as the files.
#[test]
fn folders_in_a_zip_are_no_files() {
    let plain = read_files(&foreign_zip(&[("lib/a.py", b"a")])).expect("readable");
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_directory("lib", SimpleFileOptions::default()).expect("a folder");
    zip.start_file("lib/a.py", SimpleFileOptions::default()).expect("an entry");
    zip.write_all(b"a").expect("content");
    let listed = zip.finish().expect("a zip").into_inner();
    assert_eq!(read_files(&listed).expect("readable"), plain);
}

/// Without it, a folder with more than Lambda takes would be read into memory as a whole, and refused only then, or by AWS.
#[test]
fn a_folder_is_left_at_the_first_file_too_many() {
    let large = tree(&[("f/a.py", "a")]);
    let sparse = fs::File::create(large.path().join("f/data.bin")).expect("a file");
    sparse.set_len(MAX_UNPACKED + 1).expect("a length");
    assert!(matches!(package(&large, "f"), Err(PackageError::TooLargeUnpacked)));
    let many = tree(&[("f/a.py", "a")]);
    for index in 0..MAX_FILES {
        fs::write(many.path().join(format!("f/{index}")), "").expect("a file");
    }
    assert!(matches!(package(&many, "f"), Err(PackageError::TooManyFiles)));
}

/// Without it, a zip downloaded from a function, which anyone with access could have put there, could exhaust this machine or
/// print control characters to a terminal.
#[test]
fn a_hostile_zip_is_refused() {
    assert!(matches!(read_files(b"PK not a zip"), Err(PackageError::Zip(_))));
    assert!(matches!(read_files(&foreign_zip(&[("a/../../b", b"x")])), Err(PackageError::Name(_))));
    assert!(matches!(read_files(&foreign_zip(&[("a\u{1b}[2J", b"x")])), Err(PackageError::Name(_))));
    let bomb = foreign_zip(&[("a", &[0; 600]), ("b", &[0; 600])]);
    assert!(matches!(read::files(&bomb, 1000), Err(PackageError::TooLargeUnpacked)));
    assert_eq!(read::files(&bomb, 1200).expect("fits").len(), 2);
    let names: Vec<String> = (0..=MAX_FILES).map(|n| n.to_string()).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    assert!(matches!(read_files(&foreign_zip(&many)), Err(PackageError::TooManyFiles)));
}

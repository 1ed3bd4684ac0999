//! Wheels beside code: laid out as installers do it, judged as a folder is, and refused where they are hostile.

use super::*;

fn wheel(files: &[(&str, &[u8])]) -> Wheel {
    Wheel { file: "a-1.0-py3-none-any.whl".to_owned(), bytes: foreign_zip(files).into() }
}

fn with(tree: &TempDir, wheels: &[Wheel], exclude: &[&str], include: &[&str]) -> Result<Package, PackageError> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let selection = Selection { exclude: owned(exclude), include: owned(include), requirements: None };
    build_with(&tree.path().join("f"), tree.path(), &selection, wheels)
}

const A: &[(&str, &[u8])] = &[
    ("a/__init__.py", b"x"),
    ("a/tests/test_a.py", b"x"),
    ("a/.env", b"KEY=x"),
    ("a-1.0.data/purelib/pure.py", b"x"),
    ("a-1.0.data/platlib/native.so", b"\x7fELF"),
    ("a-1.0.data/data/share/a.txt", b"x"),
    ("a-1.0.data/scripts/a-tool", b"#!python\n"),
    ("a-1.0.data/scripts/a-native", b"\x7fELF"),
    ("a-1.0.data/headers/a.h", b"x"),
    ("a-1.0.dist-info/METADATA", b"Name: a"),
    ("a-1.0.dist-info/RECORD", b"a/__init__.py,,\nbin/a-tool,,\n"),
];

/// Without it, requirements would make another package than an installer into the folder does: who moves from one to the other would
/// replace the code of all functions.
#[test]
fn wheels_make_the_package_that_an_installer_makes() {
    let own = ("f/lambda_function.py", "import a\n");
    let by_us = with(&tree(&[own]), &[wheel(A)], &[], &[]).expect("a package");
    let installed = tree(&[
        own,
        ("f/a/__init__.py", "x"),
        ("f/a/tests/test_a.py", "x"),
        ("f/a/.env", "KEY=x"),
        ("f/pure.py", "x"),
        ("f/native.so", "\u{7f}ELF"),
        ("f/share/a.txt", "x"),
        ("f/bin/a-tool", "#!/home/me/.venv/bin/python\n"),
        ("f/bin/a-native", "\u{7f}ELF"),
        ("f/a-1.0.dist-info/METADATA", "Name: a"),
        ("f/a-1.0.dist-info/RECORD", "a/__init__.py,,\nbin/a-tool,,\n"),
        ("f/a-1.0.dist-info/INSTALLER", "pip\n"),
    ]);
    #[cfg(unix)]
    chmod(&installed.path().join("f/bin/a-native"), 0o755);
    let by_installer = package(&installed, "f").expect("a package");
    assert_eq!(paths(&by_us), paths(&by_installer));
    assert_eq!(by_us.summary.sha256, by_installer.summary.sha256);
    let said = left_out(&by_us);
    for part in ["Credentials a/.env 1", "Installer a-1.0.dist-info/RECORD 1", "Installer bin/a-tool 1"] {
        assert!(said.contains(&part.to_owned()), "{part}: {said:?}");
    }
    // Patterns are about the whole package.
    let chosen =
        with(&tree(&[own]), &[wheel(A)], &["a/tests/", "share/"], &["a/.env", "share/a.txt"]).expect("a package");
    let named = paths(&chosen);
    assert!(
        named.contains(&"a/.env") && named.contains(&"share/a.txt") && !named.contains(&"a/tests/test_a.py"),
        "{named:?}"
    );
    assert_eq!(chosen.summary.credentials.len(), 1);
}

/// Without it, what two bring under one name would depend on who was packaged last.
#[test]
fn one_path_has_one_content() {
    let own = tree(&[("f/lambda_function.py", "x"), ("f/a/__init__.py", "own")]);
    let error = with(&own, &[wheel(A)], &[], &[]).expect_err("two contents");
    assert!(
        error.to_string().contains("`a/__init__.py` comes from the folder of code and from a-1.0-py3-none-any.whl"),
        "{error}"
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("`exclude`")));
    assert!(with(&own, &[wheel(A)], &["a/__init__.py"], &[]).is_ok());
    let same = tree(&[("f/lambda_function.py", "x"), ("f/a/__init__.py", "x")]);
    assert!(with(&same, &[wheel(A), wheel(&[("a/__init__.py", b"x")])], &[], &[]).is_ok(), "equal ones are one");
    let folder = with(&same, &[wheel(&[("lambda_function.py/b.py", b"x")])], &[], &[]);
    assert!(matches!(folder, Err(PackageError::Twice { .. })), "{folder:?}");
}

/// Without it, a wheel that was made up could write outside of the package, or fill this machine's memory.
#[test]
fn a_hostile_wheel_is_refused() {
    let own = tree(&[("f/lambda_function.py", "x")]);
    let refused =
        |files: &[(&str, &[u8])]| with(&own, &[wheel(files)], &[], &[]).expect_err("it is refused").to_string();
    assert!(refused(&[("../../etc/x", b"x")]).contains("a-1.0-py3-none-any.whl"));
    for path in ["a-1.0.data/data/../../x", "/etc/x", "a-1.0.data/purelib//x", "a\\b"] {
        assert!(refused(&[(path, b"x")]).contains("can't be packaged"), "{path}");
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("a.py", "/etc/passwd", SimpleFileOptions::default()).expect("a link");
    let link =
        Wheel { file: "l-1-py3-none-any.whl".to_owned(), bytes: zip.finish().expect("a zip").into_inner().into() };
    assert!(with(&own, &[link], &[], &[]).expect_err("a link").to_string().contains("it holds a link"));
    let broken = Wheel { file: "b-1-py3-none-any.whl".to_owned(), bytes: b"PK".to_vec().into() };
    assert!(with(&own, &[broken], &[], &[]).is_err());
    let large = vec![0; usize::try_from(MAX_UNPACKED / 2 + 1).expect("it fits")];
    let half = foreign_zip(&[("a", &large)]);
    let bomb = |file: &str| Wheel { file: file.to_owned(), bytes: half.clone().into() };
    let error = with(&own, &[bomb("one.whl"), bomb("two.whl")], &[], &[]).expect_err("too much together");
    assert!(error.to_string().contains("250 MB"), "{error}");
}

use std::collections::BTreeMap;

use super::index::Offered;
use super::*;

const HASH: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn on(minor: u8, machine: Machine) -> Platform {
    Platform { minor, machine }
}

fn all(text: &str) -> Vec<Pin> {
    read(text, None).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
}

/// Without it, what installers write (goes on over lines, says where each comes from, has markers and extras) would be refused.
#[test]
fn what_installers_make_is_read() {
    let text = format!(
        "#\n# This file was made by an installer:\n#    compile --generate-hashes\n#\n\
         Flask_SQL.Alchemy[Async,x]==3.0 \\\n    --hash=sha256:{HASH} \\\n    --hash=sha256:{OTHER}\n    # via -r requirements.in\n\n\
         tzdata==2024.1 ; sys_platform == 'win32' --hash=sha256:{HASH}  # Windows\n\
         colorama == 0.4.6 ; (platform_machine=='aarch64' and python_version<\"3.13\") --hash sha256:{HASH}\r\n"
    );
    let pins = all(&text);
    assert_eq!(
        pins.iter().map(|pin| (pin.name.as_str(), pin.line)).collect::<Vec<_>>(),
        [("flask-sql-alchemy", 5), ("tzdata", 10), ("colorama", 11)]
    );
    assert_eq!(
        (pins[0].extras.as_slice(), pins[0].hashes.as_slice()),
        (&["async".to_owned(), "x".to_owned()][..], &[HASH.to_owned(), OTHER.to_owned()][..])
    );
    let names = |platform| {
        let chosen = chosen(&pins, platform).expect("each marker is decided");
        chosen.iter().map(|pin| pin.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(on(12, Machine::X86)), ["flask-sql-alchemy"]);
    assert_eq!(names(on(12, Machine::Arm)), ["flask-sql-alchemy", "colorama"]);
    assert_eq!(names(on(13, Machine::Arm)), ["flask-sql-alchemy"]);
}

/// Without it, a line that isn't understood would be left out in silence, and its package be missing; or a repository choose the index.
#[test]
fn other_lines_are_errors_where_they_stand() {
    let hash = format!("--hash=sha256:{HASH}");
    for (line, says) in [
        ("-r other.txt", "can't bring another file"),
        ("-rother.txt", "can't bring another file"),
        ("--requirement=other.txt", "can't bring another file"),
        ("-c limits.txt", "can't bring another file"),
        ("-e .", "one machine"),
        ("--index-url https://user:secret@index.example/simple", "can't choose where packages come from"),
        ("--extra-index-url=https://index.example/simple", "can't choose where packages come from"),
        ("--require-hashes", "always so"),
        ("--pre", "none is understood"),
        (&hash, "lacks its `\\`"),
        ("https://user:secret@files.example/a-1-py3-none-any.whl", "is a place"),
        ("./a-1-py3-none-any.whl", "is a place"),
        ("git+https://host.example/a.git", "is a place"),
        (&format!("a @ https://user:secret@files.example/a.whl {hash}"), "comes from an address"),
        (&format!("a>=1 {hash}"), "leaves the version open"),
        (&format!("a==1.* {hash}"), "leaves the version open"),
        (&format!("a==1,<2 {hash}"), "leaves the version open"),
        (&format!("a===1 {hash}"), "leaves the version open"),
        (&format!("a {hash}"), "has no version"),
        (&format!("a==one {hash}"), "is no version"),
        ("a==1", "has no hash"),
        ("a==1 --hash=md5:abc", "only `sha256:…` is"),
        ("a==1 --hash=sha256:abc", "64 digits"),
        (&format!("a==1 {hash} --no-binary"), "only `--hash` can"),
        (&format!("a==1 ; python_versoin < '3' {hash}"), "`python_versoin` means nothing"),
        (&format!("a==1 ; python_version < 3 {hash}"), "means nothing"),
        (&format!("a[==1 {hash}"), "aren't closed"),
        ("/srv/packages/a", "is a place"),
        ("a 1.0", "left over"),
    ] {
        let text = format!("# first\nfine==1 --hash=sha256:{HASH}\n\n  {line}\n");
        let wrong = read(&text, Some(on(12, Machine::X86))).expect_err(line);
        assert_eq!((wrong.len(), wrong[0].line), (1, 4), "{line}: {wrong:?}");
        assert!(wrong[0].summary.contains(says), "{line}: {}", wrong[0].summary);
        assert!(!wrong[0].hints.is_empty() && !format!("{wrong:?}").contains("secret"), "{line}: {wrong:?}");
    }
    let many = "x\n".repeat(1_000);
    assert!(read(&many, None).expect_err("all are wrong").len() < 100);
    let deep = format!("a==1 ; {}python_version<'3' --hash=sha256:{HASH}", "(".repeat(100_000));
    assert!(read(&deep, None).expect_err("it nests too deeply")[0].summary.contains("nested"));
}

/// Without it, a marker could be taken for true or false that Lambda decides anew with each patch; or two versions be put over each other.
#[test]
fn markers_hold_for_lambda_and_not_for_this_machine() {
    let holds = |marker: &str, platform: Platform| {
        let pins = all(&format!("a==1 ; {marker} --hash=sha256:{HASH}"));
        chosen(&pins, platform).map(|chosen| !chosen.is_empty()).map_err(|wrong| wrong[0].summary.clone())
    };
    let here = on(12, Machine::X86);
    for (marker, expected) in [
        ("python_version >= '3.9'", true),
        ("python_version < '3.10'", false),
        ("'3.12' <= python_version", true),
        ("python_version in '3.11 3.12'", true),
        ("python_version not in '3.11, 3.12'", false),
        ("python_full_version < '3.11.0a6'", false),
        ("python_full_version >= '3.12'", true),
        ("python_full_version == '3.11.4'", false),
        ("sys_platform == 'linux' and os_name == 'posix'", true),
        ("sys_platform == 'darwin' or platform_system == 'Windows'", false),
        ("'linux' in sys_platform", true),
        ("platform_machine != 'x86_64'", false),
        ("platform_python_implementation == 'PyPy'", false),
        ("implementation_name == 'cpython'", true),
        ("extra == 'tests'", false),
        ("platform_release >= '5' and sys_platform == 'win32'", false),
        ("platform_release >= '5' or sys_platform == 'linux'", true),
    ] {
        assert_eq!(holds(marker, here), Ok(expected), "{marker}");
    }
    for open in ["python_full_version >= '3.12.4'", "python_full_version == '3.12.4'", "platform_release >= '5'"] {
        assert!(holds(open, here).is_err_and(|says| says.contains("changes by itself")), "{open}");
    }
    let two = all(&format!("a==1 --hash=sha256:{HASH}\na==2 ; python_version<'3.12' --hash=sha256:{HASH}"));
    assert_eq!(chosen(&two, here).expect("one holds").len(), 1);
    let both = chosen(&two, on(11, Machine::X86)).expect_err("both hold");
    assert!(both[0].summary.contains("2 here, 1 in line 1"), "{}", both[0].summary);
}

fn offered(files: &[&str]) -> Vec<Offered> {
    let url = |file: &&str| format!("https://files.example/{file}").parse().expect("an address");
    files.iter().map(|file| Offered { file: (*file).to_owned(), url: url(file), sha256: None }).collect()
}

/// Without it, a wheel would be taken that Lambda's C library is too old for, or the one that happens to fit this machine.
#[test]
fn the_wheel_is_chosen_for_lambda() {
    let pin = &all(&format!("psycopg2-binary==2.9.10 --hash=sha256:{HASH}"))[0];
    let named = |tags: &str| format!("psycopg2_binary-2.9.10-{tags}.whl");
    let take = |tags: &[&str], platform| {
        let files: Vec<String> = tags.iter().map(|tags| named(tags)).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        index::choose(pin, &offered(&files), platform).map(|taken| taken.file.clone())
    };
    let (old, new, arm) = (on(11, Machine::X86), on(12, Machine::X86), on(12, Machine::Arm));
    let many = [
        "cp311-cp311-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp312-cp312-manylinux_2_17_aarch64.manylinux2014_aarch64",
        "cp312-cp312-manylinux_2_35_x86_64",
        "cp312-cp312-manylinux_2_28_x86_64",
        "cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp312-cp312-musllinux_1_2_x86_64",
        "cp312-cp312-macosx_14_0_arm64",
        "cp312-cp312-win_amd64",
        "cp39-abi3-manylinux2014_x86_64",
        "py3-none-any",
    ];
    assert_eq!(take(&many, old), Ok(named("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64")));
    assert_eq!(take(&many, new), Ok(named("cp312-cp312-manylinux_2_28_x86_64")));
    assert_eq!(take(&many, arm), Ok(named("cp312-cp312-manylinux_2_17_aarch64.manylinux2014_aarch64")));
    assert_eq!(take(&many, on(13, Machine::X86)), Ok(named("cp39-abi3-manylinux2014_x86_64")));
    assert_eq!(take(&many, on(13, Machine::Arm)), Ok(named("py3-none-any")));
    assert_eq!(take(&["py2.py3-none-any", "py310-none-any"], old), Ok(named("py310-none-any")));
    assert_eq!(take(&["1-py3-none-any", "2-py3-none-any"], old), Ok(named("2-py3-none-any")), "the newest build");
    for none in [
        "cp313-cp313-manylinux2014_x86_64",
        "cp313-abi3-manylinux2014_x86_64",
        "py313-none-any",
        "cp312-cp312t-manylinux2014_x86_64",
    ] {
        assert!(take(&[none], new).is_err_and(|says| says.contains(none) && says.contains("2.34")), "{none}");
    }
    assert!(index::choose(pin, &offered(&["psycopg2_binary-2.9.9-py3-none-any.whl"]), new).is_err());
    assert!(index::choose(pin, &offered(&["other-2.9.10-py3-none-any.whl", "x.tar.gz", ".whl"]), new).is_err());
    let mut hashed = offered(&[&named("cp312-cp312-manylinux2014_x86_64"), &named("py3-none-any")]);
    hashed[0].sha256 = Some(OTHER.to_owned());
    hashed[1].sha256 = Some(HASH.to_owned());
    assert_eq!(index::choose(pin, &hashed, new).expect("one has the hash").file, named("py3-none-any"));
    hashed.truncate(1);
    assert!(index::choose(pin, &hashed, new).expect_err("none has").contains("none with a hash"));
}

/// Without it, an index of one's own, which speaks HTML alone, or has its files elsewhere, could not be read.
#[test]
fn both_forms_of_an_index_are_read() {
    let at = "https://index.example/simple/a/".parse().expect("an address");
    let html = format!(
        "<!DOCTYPE html><html><head><title>Links</title></head><body><abbr>x</abbr>\n\
         <a href=\"../../files/a-1-py3-none-any.whl#sha256={HASH}\" data-requires-python=\"&gt;=3.8\">a-1-py3-none-any.whl</a><br/>\n\
         <A class=x href='https://files.example/a%2Bb-1+local-py3-none-any.whl?x=1&amp;y=2'>\na</A>"
    );
    let found = index::read("text/html; charset=utf-8", html.as_bytes(), &at).expect("a page");
    assert_eq!(
        found.iter().map(|one| (one.file.as_str(), one.url.as_str(), one.sha256.as_deref())).collect::<Vec<_>>(),
        [
            ("a-1-py3-none-any.whl", "https://index.example/files/a-1-py3-none-any.whl", Some(HASH)),
            ("a+b-1+local-py3-none-any.whl", "https://files.example/a%2Bb-1+local-py3-none-any.whl?x=1&y=2", None),
        ]
    );
    let json = format!(
        r#"{{"meta": {{"api-version": "1.1"}}, "name": "a", "files": [
            {{"filename": "a-1-py3-none-any.whl", "url": "/f/a-1-py3-none-any.whl", "hashes": {{"sha256": "{HASH}"}}, "yanked": false}},
            {{"filename": "a-1.tar.gz", "url": "https://files.example/a-1.tar.gz", "hashes": {{}}}}]}}"#
    );
    let found = index::read("application/vnd.pypi.simple.v1+json", json.as_bytes(), &at).expect("a list");
    assert_eq!((found.len(), found[0].url.as_str()), (2, "https://index.example/f/a-1-py3-none-any.whl"));
    assert!(index::read("application/json", b"<html>", &at).is_err());
    assert_eq!(index::read("text/html", b"<a href=>x</a><a <a href", &at), Ok(Vec::new()));
    let page = |index: &str| index::page(&index.parse().expect("an address"), "a").map(String::from);
    assert_eq!(page("https://index.example/simple").as_deref(), Some("https://index.example/simple/a/"));
    assert_eq!(page("https://index.example/simple/?x#y").as_deref(), Some("https://index.example/simple/a/"));
}

/// Without it, a file that lacks what its packages need would be uploaded, and each rotation fail at an import.
#[test]
fn what_wheels_need_is_in_the_file() {
    let text: String = ["requests[socks]==2.32.3", "urllib3==1.26", "pysocks==1.7.1"]
        .map(|one| format!("{one} --hash=sha256:{HASH}\n"))
        .concat();
    let pins = all(&text);
    let missing = |requests: &str, platform| {
        let head = "Metadata-Version: 2.1\nName: requests\n";
        let said = BTreeMap::from([
            ("requests".to_owned(), format!("{head}{requests}\n\nRequires-Dist: described\n")),
            ("urllib3".to_owned(), "Requires-Python: >=3.6\n".to_owned()),
        ]);
        let chosen = chosen(&pins, platform).expect("all hold");
        metadata::missing(&chosen, &said, platform).into_iter().map(|one| one.summary).collect::<Vec<_>>()
    };
    let here = on(12, Machine::X86);
    let fine = "Requires-Dist: urllib3<3,>=1.21.1\nRequires-Dist: PySocks!=1.5.7,>=1.5.6; extra == \"socks\"\n\
                Requires-Dist: chardet<6 ; extra == 'use_chardet_on_py3'\nRequires-Dist: old ; python_version < '3'";
    assert_eq!(missing(fine, here), [""; 0]);
    assert_eq!(
        missing("Requires-Dist: certifi (>=2017.4.17)", here),
        ["`requests` 2.32.3 needs `certifi>=2017.4.17`, which isn't in the file"]
    );
    assert_eq!(
        missing("Requires-Dist: urllib3>=2", here),
        ["`requests` 2.32.3 needs `urllib3>=2`, and the file has 1.26"]
    );
    // An extra that one asks of another, which asks it of itself.
    let nested = "Requires-Dist: requests[all]; extra == 'socks'\nRequires-Dist: idna; extra == 'all'";
    assert_eq!(missing(nested, here), ["`requests` 2.32.3 needs `idna`, which isn't in the file"]);
    assert_eq!(missing("Requires-Python: >=3.13", here), ["`requests` 2.32.3 doesn't run on Python 3.12 on x86_64"]);
    assert_eq!(missing("Requires-Python: >=3.12.2", here), [""; 0]);
}

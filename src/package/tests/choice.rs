//! What of a folder is packaged.

use super::*;
use crate::model::PartKind;

const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n";
const CERTIFICATE: &str = "# Issuer: CN=A\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

fn private_key() -> String {
    // In two pieces, so that no scanner takes this file for a leak.
    format!("-----BEGIN {}-----\nMIIE\n-----END {}-----\n", "PRIVATE KEY", "PRIVATE KEY")
}

/// A folder as it stands on a laptop, after some months: of all this, the function is three files.
fn laptop() -> TempDir {
    tree(&[
        ("f/lambda_function.py", "def lambda_handler(event, context): pass\n"),
        ("f/lib/helper.py", "x = 1\n"),
        ("f/requirements.txt", "requests==2.32.3\n"),
        ("f/.env", "API_KEY=private\n"),
        ("f/conf/prod.env", "API_KEY=private\n"),
        ("f/.npmrc", "//registry/:_authToken=private\n"),
        ("f/.aws/credentials", "[default]\n"),
        ("f/.aws/config", "[default]\n"),
        ("f/id_rsa", "private\n"),
        ("f/.git/HEAD", "ref: refs/heads/main\n"),
        ("f/.gitignore", "*.pyc\n"),
        ("f/.hg/store", ""),
        ("f/.svn/entries", ""),
        ("f/CVS/Entries", ""),
        ("f/.rotator/sandbox.json", "{}"),
        ("f/.venv/pyvenv.cfg", "home = /usr/bin\n"),
        ("f/.venv/lib/python3.12/site-packages/requests/__init__.py", ""),
        ("f/environment/pyvenv.cfg", "home = /usr/bin\n"),
        ("f/__pycache__/lambda_function.cpython-312.pyc", ""),
        ("f/lib/__pycache__/helper.cpython-312.pyc", ""),
        ("f/.mypy_cache/3.12/a.json", ""),
        ("f/.aws-sam/build.toml", ""),
        ("f/.coverage", ""),
        ("f/.DS_Store", ""),
        ("f/Thumbs.db", ""),
        ("f/.idea/workspace.xml", ""),
        ("f/lambda_function.py.swp", ""),
        ("f/lambda_function.py~", ""),
        ("f/foo.egg-info/PKG-INFO", ""),
    ])
}

/// Without it, a laptop's `.env` would be readable to everybody who may read the function, and each of two machines would undo
/// what the other deployed.
#[test]
fn a_laptop_and_a_pipeline_make_one_package() {
    let pipeline = tree(&[
        ("f/lambda_function.py", "def lambda_handler(event, context): pass\n"),
        ("f/lib/helper.py", "x = 1\n"),
        ("f/requirements.txt", "requests==2.32.3\n"),
    ]);
    let (ours, theirs) = (package(&laptop(), "f").expect("a package"), package(&pipeline, "f").expect("a package"));
    assert_eq!(paths(&ours), ["lambda_function.py", "lib/helper.py", "requirements.txt"]);
    assert_eq!(ours.bytes, theirs.bytes);
    assert_eq!(theirs.summary.left_out, []);
    assert_eq!(
        left_out(&ours),
        [
            "Credentials .aws/ 1",
            "Credentials .env 1",
            "Credentials .npmrc 1",
            "Credentials conf/prod.env 1",
            "Credentials id_rsa 1",
            "State .rotator/ 1",
            "VersionControl .git/ 1",
            "VersionControl .gitignore 1",
            "VersionControl .hg/ 1",
            "VersionControl .svn/ 1",
            "VersionControl CVS/ 1",
            "VirtualEnvironment .venv/ 1",
            "VirtualEnvironment environment/ 1",
            "Installer foo.egg-info/ 1",
            "Cache .DS_Store 1",
            "Cache .aws-sam/ 1",
            "Cache .coverage 1",
            "Cache .mypy_cache/ 1",
            "Cache Thumbs.db 1",
            "Cache __pycache__/ 2",
            "Editor .idea/ 1",
            "Editor lambda_function.py.swp 1",
            "Editor lambda_function.py~ 1",
        ]
    );
}

/// Without it, names that look alike would be taken from honest functions, which then fail at their first rotation.
#[test]
fn what_only_looks_like_it_stays() {
    let names = [
        ".env.example",
        "template.env",
        "credentials.py",
        "environment.py",
        "env/__init__.py",
        "venv/__init__.py",
        "secrets.py",
        "keys.txt",
        "id_rsa.pub",
        "cache/a.py",
        "bin/tool",
        "build/a.py",
        "dist/a.js",
        "git/a.py",
        "CVS/a.py",
        "package-lock.json",
        "a.egg-info/installed-files.txt",
        "a.egg-info/PKG-INFO",
        "a-1.0.dist-info/METADATA",
        "a-1.0.dist-info/entry_points.txt",
        "node_modules/a/index.js",
        "node_modules/.prisma/client/index.js",
        ".gitkeep",
        "token.json",
        "settings.json",
        "kubeconfig.py",
        "kubeconfig-loader.js",
        "tfplan.py",
        "refs/HEAD",
        "objects/a.py",
        ".config/app.toml",
        ".cargo/config.toml",
        "a.age",
        "signature.asc",
        "archive.old",
        "x.1",
    ];
    let mut names: Vec<String> = names.iter().map(|name| format!("f/{name}")).collect();
    let tree = tree(&names.iter().map(|name| (name.as_str(), "x")).collect::<Vec<_>>());
    names.sort();
    let built = package(&tree, "f").expect("a package");
    assert_eq!(paths(&built), names.iter().map(|name| &name[2..]).collect::<Vec<_>>());
    assert_eq!(left_out(&built), Vec::<String>::new());
}

/// Without it, a function would lose the certificates that it trusts a database by, or carry its own private key along.
#[test]
fn files_of_keys_are_judged_by_what_they_hold() {
    let private = private_key();
    let both = format!("{CERTIFICATE}{private}");
    let tree = tree(&[
        ("f/certifi/cacert.pem", &CERTIFICATE.repeat(3)),
        ("f/rds/eu-west-1-bundle.PEM", &CERTIFICATE.replace('\n', "\r\n")),
        ("f/jwt.key", PUBLIC_KEY),
        ("f/empty.pem", "\n"),
        ("f/server.key", &private),
        ("f/both.pem", &both),
        ("f/apple.p8", &private),
        ("f/words.key", "no block at all"),
        ("f/x.pem/__init__.py", "a folder"),
    ]);
    fs::write(tree.path().join("f/binary.key"), [0x30, 0x82, 0xff]).expect("a file");
    fs::write(tree.path().join("f/huge.pem"), CERTIFICATE.repeat(80_000)).expect("a file");
    let built = package(&tree, "f").expect("a package");
    assert_eq!(
        paths(&built),
        ["certifi/cacert.pem", "empty.pem", "jwt.key", "rds/eu-west-1-bundle.PEM", "x.pem/__init__.py"]
    );
    assert_eq!(left_out(&built), ["Credentials *.key 3", "Credentials *.pem 2", "Credentials apple.p8 1"]);
}

fn long_key() -> String {
    private_key().replace("MIIE", &"MIIEvQIBADANBgkq".repeat(4))
}

/// Without it, a key would be packaged under a name that nobody has on a list, or code that speaks of keys be taken from a function.
#[test]
fn private_keys_are_found_whatever_they_are_called() {
    let key = long_key();
    let account = format!(r#"{{"type": "service_account", "private_key": "{}"}}"#, key.replace('\n', "\\n"));
    let age = format!("# created: 2026-01-01\nAGE-SECRET-KEY-1{}\n", "Q".repeat(58));
    let putty = "PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\nAAAA\n";
    let pgp = key.replace("PRIVATE KEY", "PGP PRIVATE KEY BLOCK");
    let encrypted = key.replace("-----\nMIIE", "-----\nProc-Type: 4,ENCRYPTED\n\nMIIE");
    let out = tree(&[
        ("f/a.py", "a"),
        ("f/deploy", &key),
        ("f/id_rsa_prod", &encrypted),
        ("f/google.json", &account),
        ("f/keys.txt", &age),
        ("f/putty", putty),
        ("f/me.asc", &pgp),
        ("f/x.yaml", &format!("key: |\n  {}", key.replace('\n', "\n  "))),
    ]);
    let built = package(&out, "f").expect("a package");
    assert_eq!(paths(&built), ["a.py"]);
    assert_eq!(left_out(&built).len(), 7, "{:?}", left_out(&built));
    assert_eq!(paths(&chosen(&out, "f", &[], &["deploy"]).expect("a package")), ["a.py", "deploy"]);
    let stays = tree(&[
        ("f/a.py", &format!("PEM = \"\"\"{key}\"\"\"")),
        ("f/README.md", &key),
        ("f/pem.txt", "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n"),
        ("f/marker.txt", "a file begins with -----BEGIN PRIVATE KEY-----"),
        ("f/age.txt", "AGE-SECRET-KEY-1..."),
        ("f/cert.txt", CERTIFICATE),
        ("f/large.txt", &format!("{key}{}", "x".repeat(70_000))),
    ]);
    assert_eq!(left_out(&package(&stays, "f").expect("a package")), Vec::<String>::new());
}

/// Without it, something private could stand beside a public certificate, or a bundle with its authors' notes be left out.
#[test]
fn files_of_keys_hold_whole_public_blocks_alone() {
    let data = "MIIEvQIBADANBgkqhkiG9w0BAQEF";
    let noted = "# Issuer: CN=GTS Root R1\n# Serial: 159662223612894884226537\n# SHA256 Fingerprint: 2a:57:54:71:e3:13:40:bc:21\n";
    let dumped = "Certificate:\n    Data:\n        Version: 3 (0x2)\nsubject=C = US, O = A\nBag Attributes\n    localKeyID: 01 02\n";
    let titled = "GlobalSign Root CA\n==================\n";
    let block = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    for (content, is_public) in [
        (format!("{noted}{block}"), true),
        (format!("{titled}{block}{titled}{block}"), true),
        (format!("{dumped}{block}"), true),
        (format!("{block}{data}\n"), false),
        (format!("# {data}\n{block}"), false),
        (format!("TOKEN=abc\n{block}"), false),
        (format!("    secret: abc\n{block}"), false),
        (block.replace("MIIB", "MIIB\npassword: x"), false),
        (block.replace("END CERTIFICATE", "END PUBLIC KEY"), false),
        (block.replace("-----END CERTIFICATE-----\n", ""), false),
    ] {
        let tree = tree(&[("f/a.py", "a"), ("f/x.pem", &content)]);
        let built = package(&tree, "f").expect("a package");
        assert_eq!(paths(&built).len() == 2, is_public, "{content}");
    }
    let element = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).expect("short")], content].concat();
    let (sequence, integer) = (|content: &[u8]| element(0x30, content), element(2, &[0]));
    let certificate = sequence(&[sequence(&integer), sequence(&integer), element(3, &[0, 1])].concat());
    let public = sequence(&[sequence(&integer), element(3, &[0, 1])].concat());
    let private = sequence(&[integer.clone(), sequence(&integer), element(4, &[1])].concat());
    let encrypted = sequence(&[sequence(&integer), element(4, &[1])].concat());
    for (name, content, is_public) in [
        ("root.der", &certificate[..], true),
        ("jwt.der", &public, true),
        ("key.der", &private, false),
        ("key.der", &encrypted, false),
        ("key.der", &certificate[..6], false),
        ("secring.pgp", &[0x95, 1, 2], false),
        ("new.gpg", &[0xc5, 1, 2], false),
        ("pubring.gpg", &[0x99, 1, 2], true),
        ("message.gpg", &[0x85, 1, 2], true),
        ("server.key.bak", b"x", false),
        ("tls.pem.old", block.as_bytes(), true),
    ] {
        let tree = tree(&[("f/a.py", "a")]);
        fs::write(tree.path().join("f").join(name), content).expect("a file");
        assert_eq!(paths(&package(&tree, "f").expect("a package")).len() == 2, is_public, "{name} {content:?}");
    }
}

/// Without it, a copy of credentials, or those of a tool whose folder is known and whose file isn't, would be packaged.
#[test]
fn copies_and_tools_own_folders_are_known() {
    let gone = [
        ".npmrc.bak",
        "credentials.old",
        "id_rsa.backup",
        "terraform.tfstate.1690000000.backup",
        ".config/gh/hosts.yml",
        ".config/gcloud/a.db",
        "home/.m2/settings.xml",
        ".bundle/config",
        ".cargo/credentials.toml",
        "lib/_FOSSIL_",
        "repo.git/HEAD",
        "repo.git/objects/pack/p.pack",
        "repo.git/refs/heads/main",
    ];
    let mut files: Vec<(String, &str)> = gone.iter().map(|name| (format!("f/{name}"), "x")).collect();
    files.push(("f/auth.json".to_owned(), r#"{"auths": {"registry": {"auth": "x"}}}"#));
    files.push(("f/b/auth.json".to_owned(), "{not JSON"));
    files.push(("f/a.py".to_owned(), "a"));
    files.push(("f/fr/auth.json".to_owned(), r#"{"login": "Se connecter", "token": "Jeton"}"#));
    let tree = tree(&files.iter().map(|(name, content)| (name.as_str(), *content)).collect::<Vec<_>>());
    let built = package(&tree, "f").expect("a package");
    assert_eq!(paths(&built), ["a.py", "fr/auth.json"]);
    assert!(left_out(&built).contains(&"VersionControl repo.git/ 1".to_owned()), "{:?}", left_out(&built));
}

/// Without it, what a folder's package leaves out would be packaged as soon as the manifest names it by itself.
#[test]
fn code_that_is_private_itself_is_refused() {
    let key = long_key();
    let tree = tree(&[
        ("id_rsa", "private"),
        ("deploy", &key),
        (".aws/config", "x"),
        (".rotator/state.json", "{}"),
        ("repo/HEAD", "x"),
        ("repo/objects/a", "x"),
        ("repo/refs/a", "x"),
        (".config/gh/hosts.yml", "x"),
        ("f.py", "a"),
        ("certs/ca.pem", CERTIFICATE),
    ]);
    let refused = |name: &str| match package(&tree, name) {
        Err(PackageError::Private { kind, .. }) => Some(kind),
        Ok(_) => None,
        Err(error) => panic!("{name}: {error}"),
    };
    for name in ["id_rsa", "deploy", ".aws", ".aws/config", ".config/gh", ".config/gh/hosts.yml"] {
        assert_eq!(refused(name), Some(PartKind::Credentials), "{name}");
    }
    assert_eq!(refused(".rotator/state.json"), Some(PartKind::State));
    assert_eq!(refused("repo"), Some(PartKind::VersionControl));
    for name in ["f.py", "certs", "certs/ca.pem"] {
        assert_eq!(refused(name), None, "{name}");
    }
    #[cfg(unix)]
    for (to, name) in [("id_rsa", "lambda_function.py"), (".aws", "code"), ("f.py", ".env")] {
        std::os::unix::fs::symlink(to, tree.path().join(name)).expect("a link");
        assert_eq!(refused(name), Some(PartKind::Credentials), "{name}");
    }
}

/// Without it, pip and uv would make two packages of one list of requirements, each with the path of its machine's Python in it.
#[test]
fn what_installers_note_for_themselves_is_left_out() {
    let record = "bin/normalizer,sha256=a,1\n../../bin/idle,,\n\"bin/tool\",,\na/__init__.py,,\nbin/native,,\n";
    let by_pip = tree(&[
        ("f/a/__init__.py", "x"),
        ("f/a/bin/normalizer", "#!/usr/bin/python3\n"),
        ("f/a-1.0.dist-info/METADATA", "Name: a\n"),
        ("f/a-1.0.dist-info/RECORD", record),
        ("f/a-1.0.dist-info/INSTALLER", "pip\n"),
        ("f/a-1.0.dist-info/REQUESTED", ""),
        ("f/a-1.0.dist-info/direct_url.json", "{}"),
        ("f/bin/normalizer", "#!/home/me/.venv/bin/python\n"),
        ("f/bin/idle", "#!/bin/sh\n"),
        ("f/bin/tool", "#!/bin/sh\n"),
        ("f/bin/native", "\u{7f}ELF"),
        ("f/bin/own", "#!/bin/sh\n"),
        ("f/node_modules/a/index.js", "x"),
        ("f/node_modules/.bin/a", "x"),
        ("f/node_modules/.cache/b", "x"),
        ("f/node_modules/.package-lock.json", "{}"),
        ("f/__editable___a_finder.py", "/home/me"),
    ]);
    let built = package(&by_pip, "f").expect("a package");
    assert_eq!(
        paths(&built),
        [
            "a-1.0.dist-info/METADATA",
            "a/__init__.py",
            "a/bin/normalizer",
            "bin/native",
            "bin/own",
            "node_modules/a/index.js"
        ]
    );
    assert_eq!(
        left_out(&built),
        [
            "Installer __editable___a_finder.py 1",
            "Installer a-1.0.dist-info/INSTALLER 1",
            "Installer a-1.0.dist-info/RECORD 1",
            "Installer a-1.0.dist-info/REQUESTED 1",
            "Installer a-1.0.dist-info/direct_url.json 1",
            "Installer bin/* 3",
            "Installer node_modules/.bin/ 1",
            "Installer node_modules/.package-lock.json 1",
            "Cache node_modules/.cache/ 1",
        ]
    );
}

/// Without it, a function that needs such a file would have no way to get it, or one wish would open the door to all others.
#[test]
fn what_is_included_comes_back_by_name() {
    let tree = laptop();
    let back = |include: &[&str]| -> Vec<String> {
        let built = chosen(&tree, "f", &[], include).expect("a package");
        let own = ["lambda_function.py", "lib/helper.py", "requirements.txt"];
        paths(&built).into_iter().filter(|path| !own.contains(path)).map(str::to_owned).collect()
    };
    assert_eq!(back(&["./conf/prod.env"]), ["conf/prod.env"]);
    assert_eq!(back(&[".aws/"]), [".aws/config", ".aws/credentials"]);
    assert_eq!(back(&[".aws/config"]), [".aws/config"]);
    assert_eq!(back(&["lib/__pycache__"]), ["lib/__pycache__/helper.cpython-312.pyc"]);
    let deep = ".venv/lib/python3.12/site-packages/requests";
    assert_eq!(back(&[deep]), [format!("{deep}/__init__.py")]);
    // A folder that isn't left out keeps the rules for what is in it.
    assert_eq!(back(&["conf", "lib"]), Vec::<String>::new());
    // These never come back.
    assert_eq!(back(&[".git", ".git/HEAD", ".rotator/sandbox.json"]), Vec::<String>::new());
    let built = chosen(&tree, "f", &[], &[".env", ".aws", ".coverage"]).expect("a package");
    let names: Vec<&str> = built.summary.credentials.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, [".aws/", ".env"], "what is brought back is said");
}

/// Without it, a pattern could leave out more than it says, or less.
#[test]
fn what_is_excluded_is_left_out() {
    let tree = tree(&[
        ("f/a.py", "x"),
        ("f/README.md", "x"),
        ("f/lib/NOTES.md", "x"),
        ("f/tests/test_a.py", "x"),
        ("f/tests/data/keep.json", "x"),
        ("f/lib/tests/test_b.py", "x"),
        ("f/build", "a file"),
    ]);
    let without = |exclude: &[&str], include: &[&str]| -> Vec<String> {
        let built = chosen(&tree, "f", exclude, include).expect("a package");
        paths(&built).into_iter().map(str::to_owned).collect()
    };
    let all = [
        "README.md",
        "a.py",
        "build",
        "lib/NOTES.md",
        "lib/tests/test_b.py",
        "tests/data/keep.json",
        "tests/test_a.py",
    ];
    let but = |gone: &[&str]| -> Vec<String> {
        all.into_iter().filter(|path| !gone.contains(path)).map(str::to_owned).collect()
    };
    let in_tests = ["tests/data/keep.json", "tests/test_a.py"];
    assert_eq!(without(&["tests/"], &[]), but(&in_tests));
    assert_eq!(without(&["./tests"], &[]), but(&in_tests));
    assert_eq!(without(&["tests/**"], &[]), but(&in_tests));
    assert_eq!(without(&["build/"], &[]), all, "a file is no folder");
    assert_eq!(without(&["*.md"], &[]), but(&["README.md"]));
    assert_eq!(without(&["**/*.md"], &[]), but(&["README.md", "lib/NOTES.md"]));
    assert_eq!(without(&["**/tests/"], &["tests/data"]), but(&["tests/test_a.py", "lib/tests/test_b.py"]));
    let built = chosen(&tree, "f", &["**/tests/", "*.md"], &[]).expect("a package");
    assert_eq!(left_out(&built), ["Excluded **/tests/ 2", "Excluded README.md 1"]);
}

/// Without it, a misspelt pattern or path would look as if it did something.
#[test]
fn what_is_of_no_use_is_found() {
    let tree = tree(&[("f/a.py", "x"), ("f/.env", "x"), ("f/tests/a.py", "x")]);
    let selection = Selection {
        requirements: None,
        exclude: vec!["tests/".to_owned(), "test/".to_owned(), "a.py/".to_owned()],
        include: vec![".env".to_owned(), "conf/.env".to_owned(), "tests/a.py".to_owned(), "a.py".to_owned()],
    };
    let listing = list(&tree.path().join("f"), tree.path(), &selection).expect("a listing");
    assert_eq!(listing.files, [".env", "a.py", "tests/a.py"]);
    assert_eq!((listing.unused_excludes, listing.unused_includes), (vec![1, 2], vec![1]));
    for never in [".git", "./.git/config", "a/.GIT/", ".rotator/x", "sub/.hg", ".gitignore"] {
        assert!(is_never_packaged(never), "{never}");
    }
    for path in [".env", "a/b.py", "git", ".aws/credentials", "a.git"] {
        assert!(!is_never_packaged(path), "{path}");
    }
}

/// Without it, a link in a pull request could give the pipeline's own credentials another name.
#[test]
#[cfg(unix)]
fn a_link_to_credentials_is_as_private_as_they_are() {
    use std::os::unix::fs::symlink;
    let tree = tree(&[
        ("f/a.py", "a"),
        (".env", "x"),
        (".aws/config", "x"),
        ("key.pem", &private_key()),
        (".rotator/state.json", "{}"),
        (".venv/lib/dep/__init__.py", "x"),
        ("shared/b.py", "x"),
    ]);
    let links = [
        ("../.env", "settings.txt"),
        ("../.aws", "data"),
        ("../.aws/config", "region"),
        ("../key.pem", "trust.txt"),
        ("../.rotator/state.json", "state.json"),
        ("../.venv/lib/dep", "dep"),
        ("../shared/b.py", "b.py"),
        ("nowhere", ".#a.py"),
    ];
    for (to, name) in links {
        symlink(to, tree.path().join("f").join(name)).expect("a link");
    }
    let built = package(&tree, "f").expect("a package");
    assert_eq!(paths(&built), ["a.py", "b.py", "dep/__init__.py"]);
    assert_eq!(
        left_out(&built),
        [
            "Credentials data/ 1",
            "Credentials region 1",
            "Credentials settings.txt 1",
            "Credentials trust.txt 1",
            "State state.json 1",
            "Editor .#a.py 1"
        ]
    );
    let built = chosen(&tree, "f", &[], &["settings.txt"]).expect("a package");
    assert_eq!(paths(&built), ["a.py", "b.py", "dep/__init__.py", "settings.txt"]);
    // A virtual environment's own links leave the tree, and aren't packaged.
    symlink("/usr/bin/env", tree.path().join("f/lost")).expect("a link");
    assert!(matches!(package(&tree, "f"), Err(PackageError::Outside { .. })));
    assert!(chosen(&tree, "f", &["lost"], &[]).is_ok());
}

/// Without it, an archive that was built with a `.env` in it would be uploaded without a word.
#[test]
fn credentials_in_an_archive_are_said() {
    let private = private_key();
    let zip = foreign_zip(&[
        ("lambda_function.py", b"pass"),
        ("conf/.env", b"x"),
        (".aws/config", b"x"),
        (".aws/credentials", b"x"),
        ("certifi/cacert.pem", CERTIFICATE.as_bytes()),
        ("server.key", private.as_bytes()),
        ("__pycache__/a.pyc", b"x"),
    ]);
    let tree = tree(&[]);
    fs::write(tree.path().join("f.zip"), &zip).expect("a file");
    let built = package(&tree, "f.zip").expect("a package");
    assert_eq!(built.bytes, zip, "it is taken as it is");
    let said: Vec<String> =
        built.summary.credentials.iter().map(|part| format!("{:?} {} {}", part.kind, part.name, part.count)).collect();
    assert_eq!(said, ["Credentials .aws/ 1", "Credentials conf/.env 1", "Credentials server.key 1"]);
    assert_eq!(built.summary.left_out, []);
}

/// Without it, names would be written in a form that never matches, or stand in two lists with two meanings.
#[test]
fn every_rule_matches_its_own_name() {
    let mut seen = std::collections::BTreeMap::new();
    for (is_folder, table) in [(true, rules::FOLDERS), (true, rules::ANY), (false, rules::FILES), (false, rules::ANY)] {
        for (kind, names) in table {
            for name in *names {
                assert!(name.matches('*').count() <= 2 && **name == name.to_lowercase(), "{name}");
                let made = name.replace('*', "x");
                let judged = rules::by_name(&made, is_folder).unwrap_or_else(|| panic!("{name}"));
                assert_eq!(judged.kind, *kind, "{name}");
                assert!(rules::by_name(&made.to_uppercase(), is_folder).is_some(), "{name}");
                seen.insert((is_folder, *name), kind);
            }
        }
    }
    assert!(seen.len() > 250);
    assert!(!rules::is_never_packaged(PartKind::Credentials) && rules::is_never_packaged(PartKind::State));
}

/// Without it, people would have to read the source to learn why a file is missing.
#[test]
fn the_documentation_has_every_name() {
    let text = include_str!("../../../schema/README.md").to_lowercase();
    for (ending, table) in [("/", rules::FOLDERS), ("", rules::ANY), ("", rules::FILES)] {
        for name in table.iter().flat_map(|(_, names)| *names) {
            assert!(text.contains(&format!("`{name}{ending}`")), "{name}");
        }
    }
}

//! Machine code, `bootstrap`, archives, Node, and other languages.

use super::{Files, Told, facts, found_of, one, right};
use crate::inspect::Facts;
use crate::model::{CodeCheck, CodeFinding};

const HANDLER: &str = "def lambda_handler(event, context):\n    pass\n";

/// The header of a program for Linux on a processor, and what follows it.
fn elf(machine: u8, rest: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 64];
    file[..5].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2]);
    file[18] = machine;
    file.extend(rest);
    file
}

fn of(runtime: &str, architecture: Option<&str>) -> Facts {
    Facts { architecture: architecture.map(str::to_owned), ..facts(Some(runtime)) }
}

fn handled(runtime: &str, handler: &str) -> Facts {
    Facts { handler: Some(handler.to_owned()), ..facts(Some(runtime)) }
}

/// The one finding about these files.
#[track_caller]
fn only(files: &[(&str, &[u8])], facts: &Facts) -> CodeFinding {
    let found = found_of(files.iter().copied(), facts);
    let [one] = &found[..] else { panic!("one finding, not {found:#?}") };
    one.clone()
}

/// Without it, a library from a laptop would be met on Lambda first: `invalid ELF header`, `No module named '_x'`.
#[test]
fn libraries_are_made_for_the_function() {
    let (intel, arm) = (elf(62, b""), elf(183, b""));
    let files = |name: &'static str, content: &'static [u8], text: &'static str| {
        [
            ("lambda_function.py", text.as_bytes()),
            ("pg/__init__.py", b"from pg import _pg\n".as_slice()),
            (name, content),
        ]
    };
    let imported: &'static str = "import pg\ndef lambda_handler(event, context):\n    pass\n";
    let unused: &'static str = HANDLER;
    let intel: &'static [u8] = intel.leak();
    let arm: &'static [u8] = arm.leak();
    for (name, content, words) in [
        ("pg/_pg.cpython-311-x86_64-linux-gnu.so", intel, "is made for Python 3.11"),
        ("pg/_pg.cpython-313-darwin.so", b"\xcf\xfa\xed\xfe....".as_slice(), "is made for macOS"),
        ("pg/_pg.so", b"\xca\xfe\xba\xbe....".as_slice(), "is made for macOS"),
        ("pg/_pg.cp313-win_amd64.pyd", b"MZ".as_slice(), "is made for Windows"),
        ("pg/_pg.cpython-313-x86_64-linux-musl.so", intel, "is made for Alpine Linux"),
    ] {
        let told = only(&files(name, content, imported), &of("python3.13", None));
        assert!(told.is_error && told.check == CodeCheck::Native && told.summary.contains(words), "{told:?}");
        assert_eq!(told.file.as_deref(), Some(name));
        let told = only(&files(name, content, unused), &of("python3.13", None));
        assert!(!told.is_error, "what isn't surely imported is only likely wrong: {told:?}");
    }
    let right =
        |name, content, facts: &Facts| assert_eq!(found_of(files(name, content, imported).into_iter(), facts), []);
    right("pg/_pg.cpython-313-x86_64-linux-gnu.so", intel, &of("python3.13", None));
    right("pg/_pg.abi3.so", intel, &of("python3.9", Some("x86_64")));
    right("pg/_pg.cpython-313-aarch64-linux-gnu.so", arm, &of("python3.13", Some("arm64")));
    let told = only(&files("pg/_pg.abi3.so", arm, imported), &of("python3.13", Some("x86_64")));
    assert!(told.is_error && told.summary.contains("made for arm64, and the function runs on x86_64"), "{told:?}");
    assert!(!only(&files("pg/_pg.abi3.so", arm, imported), &of("python3.13", None)).is_error);
    let newer: &'static [u8] = elf(62, b"\0GLIBC_2.2.5\0GLIBC_2.34\0").leak();
    let told = only(&files("pg/_pg.abi3.so", newer, imported), &of("python3.11", None));
    assert!(told.summary.contains("version 2.34 of the C library, which python3.11 doesn't have"), "{told:?}");
    right("pg/_pg.abi3.so", newer, &of("python3.12", None));
    // One of several forms is enough, and so is one in Python.
    for beside in ["pg/_pg.cpython-313-x86_64-linux-gnu.so", "pg/_pg.py"] {
        let content: &[u8] = if beside.strip_suffix(".py").is_some() { b"" } else { intel };
        let both = [
            ("lambda_function.py", imported.as_bytes()),
            ("pg/__init__.py", b"from pg import _pg\n"),
            ("pg/_pg.cpython-39-x86_64-linux-gnu.so", intel),
            (beside, content),
        ];
        assert_eq!(found_of(both.into_iter(), &of("python3.13", None)), []);
    }
    let wheel = b"Wheel-Version: 1.0\nTag: cp313-cp313-macosx_11_0_arm64\n".as_slice();
    let told =
        only(&[("lambda_function.py", HANDLER.as_bytes()), ("pg-1.0.dist-info/WHEEL", wheel)], &of("python3.13", None));
    assert!(told.summary.contains("the package `pg` is made for macOS"), "{told:?}");
    let pure = b"Tag: py3-none-any\n".as_slice();
    assert_eq!(
        found_of(
            [("lambda_function.py", HANDLER.as_bytes()), ("pg-1.0.dist-info/WHEEL", pure)].into_iter(),
            &of("python3.13", None)
        ),
        []
    );
}

/// Without it, `exec format error` or `fork/exec /var/task/bootstrap: no such file or directory` would be what a function says.
#[test]
fn bootstrap_can_be_run() {
    let provided = of("provided.al2023", Some("arm64"));
    let script = "#!/bin/sh\naws secretsmanager describe-secret\n";
    let wrong = |content: &[u8], words: &str| {
        let told = only(&[("bootstrap", content)], &provided);
        let texts = format!("{} {}", told.summary, told.hints.join(" "));
        assert!(told.check == CodeCheck::Bootstrap && texts.contains(words), "{told:?}");
        told.is_error
    };
    assert!(wrong(b"echo hi\n", "#!/bin/sh"));
    assert!(wrong(b"", "#!/bin/sh"));
    assert!(wrong(&script.replace('\n', "\r\n").into_bytes(), "eol=lf"));
    assert!(!wrong(b"#!/bin/sh\necho secretsmanager\r\n", "eol=lf"));
    assert!(wrong(&[b"\xef\xbb\xbf".as_slice(), script.as_bytes()].concat(), "byte order mark"));
    assert!(!wrong(
        b"#!/usr/bin/env python3\nimport secretsmanager\n",
        "`python3`, which provided.al2023 doesn't have"
    ));
    assert!(wrong(b"#!/var/task/node\nsecretsmanager\n", "/var/task/node"));
    assert!(wrong(&elf(62, b""), "architecture: x86_64"));
    assert!(wrong(&elf(183, b"\0GLIBC_2.38\0"), "version 2.38"));
    assert!(wrong(b"\xcf\xfa\xed\xfe....", "macOS"));
    assert!(wrong(b"MZ..", "Windows"));
    let told = only(&[("plain:bootstrap", script.as_bytes())], &provided);
    assert!(told.is_error && told.hints[0].ends_with("chmod +x functions/f/bootstrap"), "{told:?}");
    let idle = only(&[("bootstrap", b"#!/bin/sh\nwhile true; do curl $AWS_LAMBDA_RUNTIME_API; done\n")], &provided);
    assert!(idle.check == CodeCheck::Step && !idle.is_error, "{idle:?}");
    for (name, words) in [
        ("Bootstrap", "rename `Bootstrap`"),
        ("build/bootstrap", "functions/f/build"),
        ("bootstrap.sh", "rename `bootstrap.sh`"),
        ("main", "rename `main`"),
        ("notes", "add it"),
    ] {
        let content = if name == "main" { elf(183, b"") } else { b"x".to_vec() };
        let told = only(&[(name, &content)], &provided);
        assert!(told.is_error && format!("{told:?}").contains(words), "{told:?}");
    }
    for content in [script.as_bytes(), &elf(183, b"\0GLIBC_2.34\0"), b"#!/usr/bin/env bash\naws secretsmanager x\n"] {
        assert_eq!(found_of([("bootstrap", content)].into_iter(), &provided), []);
    }
    assert_eq!(found_of([("x", b"".as_slice())].into_iter(), &Facts { layers: true, ..provided.clone() }), []);
    assert_eq!(
        found_of([("bootstrap", b"#!/bin/sh\n. ./lib.sh\n".as_slice()), ("lib.sh", b"x")].into_iter(), &provided),
        []
    );
}

/// Without it, an archive of a folder, instead of what is in it, would be deployed.
#[test]
fn archives_have_the_handlers_file_at_their_top() {
    let archive = |handler: Option<&str>| Facts {
        is_folder: false,
        is_archive: true,
        handler: handler.map(str::to_owned),
        place: "f.zip".to_owned(),
        ..facts(Some("python3.12"))
    };
    let wrong = |is_error, words| Told { check: CodeCheck::Handler, is_error, line: 0, words };
    let deep: Files<'_> = &[("vendor/lambda_function.py", HANDLER), ("vendor/x.py", "")];
    one(deep, &archive(Some("lambda_function.lambda_handler")), &wrong(true, "(cd vendor && zip -r ../package.zip .)"));
    one(deep, &archive(None), &wrong(false, "the template's own handler needs"));
    one(
        &[("rotate.py", HANDLER)],
        &archive(Some("lambda_function.lambda_handler")),
        &wrong(true, "is `handler: rotate.lambda_handler` meant?"),
    );
    right(&[("lambda_function.py", HANDLER)], &archive(None));
    right(deep, &Facts { layers: true, ..archive(Some("lambda_function.lambda_handler")) });
    right(deep, &archive(Some("vendor/lambda_function.lambda_handler")));
    let cases = [("lambda_function.py", HANDLER), ("Data.txt", ""), ("data.txt", "")];
    let told = Told { check: CodeCheck::FileNames, is_error: false, line: 0, words: "`Data.txt` and `data.txt`" };
    one(&cases, &archive(None), &told);
}

/// Without it, nothing at all would be known of functions in Node.
#[test]
fn what_is_plain_in_node_is_told() {
    let node = handled("nodejs22.x", "index.handler");
    let wrong = |check, is_error, line, words| Told { check, is_error, line, words };
    let handler = "export const handler = async (event) => {};\n";
    one(
        &[("index.mjs", "export const handle = async () => {};\n")],
        &node,
        &wrong(CodeCheck::Handler, true, 0, "is `handler: index.handle` meant?"),
    );
    one(&[("index.js", "exports.main = async () => {};\n")], &node, &wrong(CodeCheck::Handler, true, 0, "index.main"));
    let steps = "export const handler = async ({ Step }) => { if (Step === 'createSecret') {} if (Step === 'finishSecret') {} };\n";
    one(&[("index.mjs", steps)], &node, &wrong(CodeCheck::Step, false, 0, "nothing here is done for testSecret"));
    let old = "const AWS = require('aws-sdk');\nexports.handler = async () => {};\n";
    one(&[("index.js", old)], &node, &wrong(CodeCheck::Import, true, 1, "@aws-sdk/client-secrets-manager"));
    right(&[("index.js", old)], &handled("nodejs16.x", "index.handler"));
    right(&[("index.js", old), ("node_modules/aws-sdk/index.js", "")], &node);
    let other = format!("import pg from 'pg';\n{handler}");
    one(&[("index.mjs", &other)], &node, &wrong(CodeCheck::Import, false, 1, "npm install --prefix functions/f pg"));
    right(&[("index.mjs", &other)], &Facts { layers: true, ..node.clone() });
    for text in [
        &*format!(
            "import {{ SecretsManagerClient }} from \"@aws-sdk/client-secrets-manager\";\nimport fs from 'node:fs';\nimport {{ x }} from './x.mjs';\nimport https from 'https';\n{handler}"
        ),
        "module.exports.handler = function (event, context, callback) {};",
        "async function handler() {}\nmodule.exports = { handler };",
        "export { run as handler };",
        "export * from './app.mjs';",
        "module.exports = require('./app');",
        "\"use strict\";var o=Object.defineProperty;o(e,{handler:()=>r});",
    ] {
        right(&[("index.mjs", text)], &node);
    }
    right(&[("src/index.js", "exports.handler = 1")], &handled("nodejs22.x", "src/index.handler"));
}

/// Without it, a runtime that can't run the package at all would be met by its first invocation.
#[test]
fn other_languages_need_what_their_runtime_runs() {
    let wrong = |words| Told { check: CodeCheck::Handler, is_error: true, line: 0, words };
    one(
        &[("lambda_function.py", HANDLER)],
        &handled("java21", "a.B::c"),
        &wrong("state a `runtime` such as `python3.13`"),
    );
    one(&[("index.js", "")], &handled("ruby3.3", "a.b"), &wrong("nodejs24.x"));
    one(&[("A.cs", "")], &handled("dotnet8", "A::B::C"), &wrong("what the compiler makes"));
    right(&[("a/B.class", "")], &handled("java21", "a.B::c"));
    right(&[("lib/x.jar", "")], &handled("java21", "a.B::c"));
    right(&[("A.dll", "")], &handled("dotnet8", "A::B::C"));
    right(&[("a.rb", "")], &handled("ruby3.3", "a.b"));
}

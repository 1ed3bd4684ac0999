//! The code of functions, as a pull request brings it.

use std::io::{Cursor, Write as _};

use rotator::inspect::{self, Environment, Facts};
use rotator::package;
use zip::write::{SimpleFileOptions, ZipWriter};

/// Bytes as the handler of a function, in the runtime that the first one chooses.
pub fn code(data: &[u8]) {
    const RUNTIMES: [&str; 9] = [
        "python3.9",
        "python3.12",
        "python3.13",
        "python3.14",
        "nodejs22.x",
        "nodejs16.x",
        "provided.al2023",
        "java21",
        "python3.99",
    ];
    let Some((first, content)) = data.split_first() else { return };
    let runtime = RUNTIMES[usize::from(*first) % RUNTIMES.len()];
    let (name, handler) = match runtime {
        _ if runtime.starts_with("python") => ("lambda_function.py", "lambda_function.lambda_handler"),
        _ if runtime.starts_with("nodejs") => ("index.mjs", "index.handler"),
        _ => ("bootstrap", "bootstrap"),
    };
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in
        [(name, content), ("helper.py", content), ("lib/_x.cpython-312-x86_64-linux-gnu.so", content)]
    {
        let written = zip.start_file(name, SimpleFileOptions::default()).and_then(|()| Ok(zip.write_all(content)?));
        written.expect("a sound name");
    }
    let zip = zip.finish().expect("a zip").into_inner();
    let files = package::read_files(&zip).expect("its files");
    let facts = Facts {
        runtime: Some(runtime.to_owned()),
        handler: Some(handler.to_owned()),
        environment: Environment::Exactly(std::collections::BTreeSet::new()),
        place: "code".to_owned(),
        is_folder: true,
        is_generic: true,
        ..Facts::default()
    };
    let found = inspect::look(&zip, &files, &facts);
    assert_eq!(found, inspect::look(&zip, &files, &facts), "the same is found in the same");
    for one in &found {
        assert!(!one.summary.is_empty() && !one.summary.contains('\n'), "{one:?}");
        let Some(spot) = &one.spot else { continue };
        let file = one.file.as_deref().expect("what has a place stands in a file");
        let lossy = String::from_utf8_lossy(content);
        let line = lossy.trim_start_matches('\u{feff}').split('\n').nth(spot.line as usize - 1);
        let line = line.unwrap_or_else(|| panic!("{file} has no line {}: {one:?}", spot.line));
        assert!(spot.length >= 1 && (spot.column as usize) <= line.chars().count() + 1, "{one:?}");
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let seeds: [(u8, &str); 8] = [
        (0, include_str!("../../../examples/quickstart/functions/signing_key/lambda_function.py")),
        (1, include_str!("../../../examples/http-login/functions/password/lambda_function.py")),
        (2, include_str!("../../../examples/postgresql/functions/postgresql_user/lambda_function.py")),
        (3, include_str!("../../../examples/fleet/functions/data_key/lambda_function.py")),
        (
            1,
            "import os, helper\nfrom helper import *\nX = os.environ['A']\ntry:\n    import b\nexcept ImportError:\n    b = None\ndef lambda_handler(event, context):\n    print(f\"{event['SecretString']!r:>{X}}\")\n",
        ),
        (4, "import pg from 'pg';\nexport const handler = async () => {};\n"),
        (6, "#!/usr/bin/env python3\r\nx\n"),
        (
            2,
            "match x:\n    case {'a': [1, *_]}: pass\nclass A[T]: pass\ntype B = int\nlambda_handler = lambda e, c: 1\n",
        ),
    ];
    seeds.into_iter().map(|(first, text)| [&[first], text.as_bytes()].concat()).collect()
}

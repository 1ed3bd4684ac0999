//! What Python imports.

use super::{Files, Told, facts, one, right};
use crate::inspect::Facts;
use crate::model::CodeCheck;

const HANDLER: &str = "def lambda_handler(event, context):\n    pass\n";

fn with(text: &str) -> String {
    format!("{text}\n{HANDLER}")
}

fn told(is_error: bool, line: u32, words: &'static str) -> Told {
    Told { check: CodeCheck::Import, is_error, line, words }
}

#[track_caller]
fn import(text: &str, runtime: Option<&str>, told: &Told) {
    one(&[("lambda_function.py", &with(text))], &facts(runtime), told);
}

/// Without it, `No module named 'requests'` would be the first that a function says.
#[test]
fn what_is_neither_packaged_nor_in_the_runtime_is_told() {
    let new = Some("python3.12");
    import("import requests", None, &told(true, 1, "pip install --target functions/f requests"));
    import(
        "import os, requests.adapters as r",
        new,
        &told(true, 1, "--python-version 3.12 --only-binary=:all: requests"),
    );
    import("from yaml import safe_load", new, &told(true, 1, "PyYAML"));
    import("import psycopg2.extras", new, &told(true, 1, "psycopg2-binary"));
    import("import jsn", None, &told(true, 1, "is `json` meant?"));
    import("def f():\n    import requests", None, &told(false, 2, "fails then"));
    import("if f:\n    import requests", None, &told(false, 2, "requests"));
    import("try:\n    import requests\nfinally:\n    pass", None, &told(true, 2, "requests"));
    import("try:\n    import requests\nexcept ValueError:\n    pass", None, &told(true, 2, "requests"));
    import("class A:\n    import requests", None, &told(true, 2, "requests"));
    import("import sys\nsys.modules['requests'] = sys\nimport requests", None, &told(false, 3, "requests"));
    import("import sys\nsys.path.append('lib')\nimport requests", None, &told(false, 3, "requests"));
    import("from . import helper", None, &told(true, 1, "without the dot"));
    import("import winreg", None, &told(true, 1, "winreg"));
    let one_of = |architecture: &str| Facts { architecture: Some(architecture.to_owned()), ..facts(new) };
    let files = [("lambda_function.py", &*with("import requests"))];
    one(&files, &one_of("arm64"), &told(true, 1, "manylinux2014_aarch64"));
    right(&files, &Facts { layers: true, ..facts(new) });
    for text in [
        "import boto3, botocore.exceptions, urllib3, dateutil.parser, jmespath, six",
        "import json, os.path, urllib.request, xml.etree.ElementTree, concurrent.futures, __future__",
        "try:\n    import requests\nexcept ImportError:\n    requests = None",
        "try:\n    import requests\nexcept (ValueError, ModuleNotFoundError):\n    import reqests2",
        "try:\n    import requests\nexcept:\n    pass",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import mypy_boto3",
        "import typing as t\nif t.TYPE_CHECKING:\n    import mypy_boto3\nelse:\n    import json",
        "import sys\nif sys.version_info >= (3, 11):\n    import tomllib\nelse:\n    import tomli",
        "import sys\nif sys.platform == 'win32':\n    import winreg",
        "import contextlib\nwith contextlib.suppress(ImportError):\n    import requests",
        "if __name__ == '__main__':\n    import moto",
        "import importlib\nx = importlib.import_module('requests')",
        "x = 'import requests'",
    ] {
        right(&[("lambda_function.py", &with(text))], &facts(None));
        right(&[("lambda_function.py", &with(text))], &facts(Some("python3.10")));
    }
}

/// Without it, a new runtime would break a function that was right with the old one, or the other way round.
#[test]
fn what_another_version_has_is_told() {
    import("import distutils.util", Some("python3.12"), &told(true, 1, "no longer has `distutils`"));
    import("from imp import reload", Some("python3.13"), &told(true, 1, "importlib"));
    import("import cgi", Some("python3.13"), &told(true, 1, "urllib.parse"));
    import("import telnetlib", Some("python3.14"), &told(true, 1, "Python 3.12 was the last one"));
    import("import tomllib", Some("python3.10"), &told(true, 1, "it came with Python 3.11"));
    import("from datetime import UTC, datetime", Some("python3.10"), &told(true, 1, "`datetime.UTC`"));
    import(
        "import datetime\nnow = datetime.datetime.now(datetime.UTC)",
        Some("python3.9"),
        &told(true, 2, "datetime.UTC"),
    );
    import(
        "import asyncio as a\nasync def f():\n    async with a.TaskGroup(): pass",
        Some("python3.10"),
        &told(false, 3, "TaskGroup"),
    );
    import("from typing import Self", Some("python3.10"), &told(true, 1, "Python 3.11"));
    for (text, runtime) in [
        ("import distutils, imp, cgi", Some("python3.11")),
        ("import tomllib", Some("python3.11")),
        ("import distutils", None),
        ("from datetime import UTC", Some("python3.11")),
        ("from datetime import datetime\nx = datetime.UTC", Some("python3.9")),
        ("import compression.zstd", Some("python3.14")),
        (
            "try:\n    from typing import Self\nexcept ImportError:\n    from typing_extensions import Self",
            Some("python3.9"),
        ),
    ] {
        right(&[("lambda_function.py", &with(text))], &facts(runtime));
    }
    let own = [("lambda_function.py", &*with("import imp")), ("imp.py", "x = 1\n")];
    right(&own, &facts(Some("python3.13")));
}

/// Without it, a module that was renamed, or lies in another folder, would be missed on Lambda first.
#[test]
fn modules_of_the_package_are_followed() {
    let files = |text: &str, more: Files<'_>, told: Option<&Told>| {
        let text = with(text);
        let mut files = vec![("lambda_function.py", text.as_str())];
        files.extend(more);
        match told {
            Some(told) => one(&files, &facts(Some("python3.12")), told),
            None => right(&files, &facts(Some("python3.12"))),
        }
    };
    let helper = ("helper.py", "def call(): pass\nVALUE = 1\n");
    files("import secrets", &[("secrets.py", "import secrets\n")], Some(&told(false, 1, "imports itself")));
    files("import Helper", &[helper], Some(&told(true, 1, "compared by case")));
    files("import helpers", &[helper], Some(&told(true, 1, "is `helper` meant?")));
    files("from helper import cal", &[helper], Some(&told(true, 1, "is `call` meant?")));
    files("import helper.call", &[helper], Some(&told(true, 1, "no module `helper.call`")));
    files("import app.api", &[("app/__init__.py", ""), ("app/apis.py", "")], Some(&told(true, 1, "is `apis` meant?")));
    files("from app import api", &[("app/__init__.py", ""), ("app/apis.py", "")], Some(&told(true, 1, "has no `api`")));
    files(
        "from app import x",
        &[("app/__init__.py", "from .gone import x\n")],
        Some(&told(true, 1, "no module `.gone`")),
    );
    files("import requests", &[("lib/requests/__init__.py", "")], Some(&told(true, 1, "folder `lib`")));
    for (text, more) in [
        ("from helper import call, VALUE", &[helper][..]),
        ("import helper", &[("helper/__init__.py", "")]),
        ("import helper.part", &[("helper/part.py", "")]),
        ("from helper import part", &[("helper/part.py", "")]),
        ("from helper import part", &[("helper/__init__.py", ""), ("helper/part/x.py", "")]),
        ("import helper", &[("helper.so", "")]),
        (
            "import app.a",
            &[
                ("app/__init__.py", "from . import b\nfrom .b import y\n"),
                ("app/a.py", "from . import b\nfrom .b import y\n"),
                ("app/b.py", "y = 1\n"),
            ],
        ),
        ("from helper import anything", &[("helper.py", "def __getattr__(name): return 1\n")]),
        ("from helper import anything", &[("helper.py", "from json import *\n")]),
        ("import sys\nsys.path.insert(0, 'lib')\nimport requests", &[("lib/requests/__init__.py", "")]),
        ("from helper import __version__", &[helper]),
    ] {
        files(text, more, None);
    }
    // What an installer brought is followed too, but its own parts are its own matter.
    let wheel = ("pg-1.0.dist-info/top_level.txt", "pg\n");
    files(
        "import pg",
        &[wheel, ("pg/__init__.py", "from .moves import x\nimport scramp\n")],
        Some(&told(true, 2, "scramp")),
    );
    files("import pg", &[wheel, ("pg/__init__.py", "from .moves import x\ndef f():\n    import numpy\n")], None);
    let text = with("import a");
    let circle =
        [("lambda_function.py", &*text), ("a.py", "import b\nimport lambda_function\n"), ("b.py", "import a\n")];
    right(&circle, &facts(None));
}

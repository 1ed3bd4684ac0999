//! Syntax, handlers and variables of Python.

use super::{Told, facts, found, found_of, one, right};
use crate::inspect::{Environment, Facts};
use crate::model::CodeCheck;

const HANDLER: &str = "def lambda_handler(event, context):\n    pass\n";

fn file(text: &str) -> [(&str, &str); 1] {
    [("lambda_function.py", text)]
}

fn with(text: &str) -> String {
    format!("{text}\n{HANDLER}")
}

fn handler(name: &str) -> Facts {
    Facts { handler: Some(name.to_owned()), ..facts(Some("python3.12")) }
}

/// Without it, a typing error would be found by the first rotation, at night.
#[test]
fn syntax_is_judged_at_the_language_level_of_the_runtime() {
    let syntax = |line, words| Told { check: CodeCheck::Syntax, is_error: true, line, words };
    one(&file("def f(a) pass\n"), &facts(None), &syntax(1, "expected `:`"));
    one(&file("x = 1\n  y = 2\n"), &facts(Some("python3.13")), &syntax(2, "indentation"));
    one(&file("print 'x'\n"), &facts(None), &syntax(1, "Python"));
    for text in [
        "return 1",
        "break",
        "yield 1",
        "await f()",
        "def f(a, a): pass",
        "async with f(): pass",
        "class A:\n    return 1",
    ] {
        let line = if text.starts_with("class") { 2 } else { 1 };
        one(&file(&with(text)), &facts(None), &syntax(line, "can't be read by Python"));
    }
    for text in [
        "async def f():\n    await g()\n    async for x in y:\n        break\n    return [z async for z in y]",
        "def f():\n    for x in y:\n        with z:\n            if x:\n                continue\n    yield 1",
        "f = lambda: (yield)",
        "while True:\n    try:\n        break\n    finally:\n        pass",
    ] {
        right(&file(&with(text)), &facts(None));
    }
    one(&file("x = 'a\n"), &facts(None), &syntax(1, "missing closing quote"));
    for (text, since) in [
        ("match x:\n    case _:\n        pass\n", 10),
        ("try:\n    pass\nexcept* ValueError:\n    pass\n", 11),
        ("type X = int\n", 12),
        ("def f[T](x: T) -> T:\n    return x\n", 12),
        ("x = f'{'a'}'\n", 12),
        ("class A[T = int]: pass\n", 13),
        ("x = t'{1}'\n", 14),
        ("try:\n    pass\nexcept A, B:\n    pass\n", 14),
        ("with (open('a') as a, open('b') as b):\n    pass\n", 9),
    ] {
        let text = with(text);
        for minor in 9..=14 {
            let facts = facts(Some(&format!("python3.{minor}")));
            if minor < since {
                let found = found(&file(&text), &facts);
                assert!(
                    matches!(&found[..], [one] if one.check == CodeCheck::Syntax && one.is_error),
                    "{text} {minor}"
                );
                assert!(found[0].hints[0].contains("newer `runtime`"), "{found:?}");
            } else {
                right(&file(&text), &facts);
            }
        }
        // Where the version isn't known, what is right in some version is right.
        right(&file(&text), &facts(None));
    }
    let encoded = |content: &[u8]| found_of([("lambda_function.py", content)].into_iter(), &facts(None));
    assert!(encoded(b"x = '\xe9'\n")[0].summary.contains("UTF-8"));
    assert_eq!(encoded(b"# -*- coding: latin-1 -*-\nx = '\xe9'\n"), []);
    assert!(encoded(b"x = 1\0\n")[0].summary.contains("null bytes"));
    let marked = [b"\xef\xbb\xbf".as_slice(), HANDLER.replace('\n', "\r\n").as_bytes()].concat();
    assert_eq!(encoded(&marked), []);
    // What isn't imported isn't run.
    right(&[("lambda_function.py", HANDLER), ("tests/old.py", "print 'x'\n")], &facts(None));
}

/// Without it, a file from a stranger could end the program, or keep it busy for ever.
#[test]
fn files_that_nest_too_deeply_are_left_alone() {
    let deep = 200_000;
    for (open, close) in [("(", ")"), ("[", "]"), ("-", ""), ("not ", ""), ("lambda: ", ""), ("a.", "b"), ("1 + ", "1")]
    {
        let text = format!("x = {}1{}\n", open.repeat(deep), close.repeat(deep));
        let _ = found(&file(&text), &facts(Some("python3.12")));
    }
    for text in ["if x:\n".to_owned(), "class A:\n".to_owned(), "try:\n".to_owned(), "match x:\n case _:\n".to_owned()]
    {
        let mut whole = String::new();
        for depth in 0..2_000 {
            for line in text.lines() {
                whole.push_str(&" ".repeat(depth * 2));
                whole.push_str(line);
                whole.push('\n');
            }
        }
        let _ = found(&file(&whole), &facts(Some("python3.12")));
    }
    for text in [
        "f'{".repeat(50_000),
        "if a: ".repeat(50_000),
        "with (".repeat(50_000),
        "x[".repeat(50_000),
        "\\\n".repeat(50_000),
    ] {
        let _ = found(&file(&text), &facts(Some("python3.12")));
    }
    // Right code nests too, and generated tables are long.
    let row = "    {'a': [1, 2, (3, 4)], 'b': 'x' 'y'},\n";
    let text = with(&format!("TABLE = [\n{}]\nSQL = {}'x'\n", row.repeat(10_000), "'y' + ".repeat(300)));
    right(&file(&text), &facts(Some("python3.9")));
    let most = format!("x = {}1{}\n", "(".repeat(150), ")".repeat(150));
    right(&file(&with(&most)), &facts(Some("python3.9")));
    let wrong = format!("x = {}1{}\n", "(".repeat(150), ")".repeat(149));
    assert_eq!(found(&file(&wrong), &facts(None)).len(), 1);
}

/// Without it, Lambda would say `Handler 'x' missing on module 'y'`, after the deployment.
#[test]
fn the_handlers_function_is_there_and_takes_two_arguments() {
    let wrong = |line, words| Told { check: CodeCheck::Handler, is_error: true, line, words };
    one(
        &file("def handler(event, context): pass\n"),
        &facts(None),
        &wrong(0, "did you mean `handler: lambda_function.handler`?"),
    );
    one(
        &file("def Lambda_Handler(event, context): pass\n"),
        &handler("lambda_function.lambda_handler"),
        &wrong(0, "Lambda_Handler"),
    );
    one(&file("x = 1\n"), &facts(None), &wrong(0, "def lambda_handler(event, context):"));
    one(&file("def lambda_handler(event): pass\n"), &facts(None), &wrong(1, "takes 1 argument"));
    one(&file("def lambda_handler(): pass\n"), &facts(None), &wrong(1, "takes 0 arguments"));
    one(&file("\ndef lambda_handler(self, event, context): pass\n"), &facts(None), &wrong(2, "needs 3 arguments"));
    one(&file("def lambda_handler(event, context, *, secret): pass\n"), &facts(None), &wrong(1, "`secret` by name"));
    one(&file("async def lambda_handler(event, context): pass\n"), &facts(None), &wrong(1, "asyncio.run"));
    one(
        &file("if __name__ == '__main__':\n    def lambda_handler(event, context): pass\n"),
        &facts(None),
        &wrong(0, "defines no"),
    );
    one(&file("class A:\n    def lambda_handler(self, event): pass\n"), &facts(None), &wrong(0, "defines no"));
    one(&[("time.py", "def f(e, c): pass\n")], &handler("time.f"), &wrong(0, "built in"));
    let shadowed = Told { check: CodeCheck::Handler, is_error: false, line: 0, words: "Lambda has loaded before" };
    one(&[("logging.py", "def f(e, c): pass\n")], &handler("logging.f"), &shadowed);
    for text in [
        "def lambda_handler(event, context=None, *more, **named): pass",
        "def lambda_handler(*both): pass",
        "def lambda_handler(event, context, extra=1): pass",
        "lambda_handler = lambda event, context: None",
        "lambda_handler = object()",
        "a, (lambda_handler, b) = 1, (2, 3)",
        "class lambda_handler:\n    def __init__(self, event, context): pass",
        "if True:\n    def lambda_handler(event, context): pass\nelse:\n    def lambda_handler(event): pass",
        "try:\n    import x\nexcept ImportError:\n    pass\nelse:\n    pass\nfinally:\n    def lambda_handler(event, context): pass",
        "with open('x') as lambda_handler: pass",
        "@decorate\ndef lambda_handler(event): pass",
        "def f():\n    global lambda_handler\n    lambda_handler = 1",
        "globals()['lambda_handler'] = print",
        "def __getattr__(name): return print",
        "from json import *",
        "def main(event, context): pass\nlambda_handler: object = main",
        "(lambda_handler := print)",
        "for lambda_handler in [print]: pass",
    ] {
        right(&file(text), &facts(None));
    }
    // In a folder, by its dots or slashes; a layer may bring the file.
    let nested = [("app/__init__.py", ""), ("app/rotate.py", "def run(event, context): pass\n")];
    for name in ["app.rotate.run", "app/rotate.run"] {
        right(&nested, &handler(name));
    }
    one(&nested, &handler("app.rotate.start"), &wrong(0, "`app/rotate.py` defines no `start`"));
    let moved =
        [("lambda_function.py", "from app import run as lambda_handler\n"), ("app.py", "def run(event): pass\n")];
    let told = found(&moved, &facts(None));
    assert!(matches!(&told[..], [one] if one.file.as_deref() == Some("app.py")), "{told:?}");
}

/// Without it, `KeyError` would be the first that a function says.
#[test]
fn variables_that_nothing_sets_are_told() {
    let told = |is_error, line, words| Told { check: CodeCheck::Environment, is_error, line, words };
    let import = with("import os\nURL = os.environ['VENDOR_URL']");
    one(&file(&import), &facts(None), &told(false, 2, "at each start"));
    let exactly = |names: &[&str]| Facts {
        environment: Environment::Exactly(names.iter().map(|name| (*name).to_owned()).collect()),
        ..facts(None)
    };
    one(&file(&import), &exactly(&["OTHER"]), &told(true, 2, "has no such variable"));
    right(&file(&import), &exactly(&["VENDOR_URL"]));
    right(&file(&import), &Facts { environment: Environment::Unknown, ..facts(None) });
    one(&file(&import), &Facts { layers: true, ..exactly(&[]) }, &told(false, 2, "VENDOR_URL"));
    let step = "from os import environ\ndef lambda_handler(event, context):\n    return environ['ADMIN']\n";
    one(&file(step), &exactly(&[]), &told(false, 3, "in a step"));
    for text in [
        "import os\nx = os.environ['SET'] + os.environ['AWS_REGION'] + os.environ['SECRETS_MANAGER_ENDPOINT']",
        "import os\nx = os.environ.get('X'), os.getenv('Y')",
        "import os\nif 'X' in os.environ:\n    x = os.environ['X']",
        "import os\ntry:\n    x = os.environ['X']\nexcept KeyError:\n    x = None",
        "import os\nos.environ['X'] = '1'\nx = os.environ['X']",
        "import os\nos.environ.setdefault('X', '1')\nx = os.environ['X']",
        "import os\nos.environ.update(X='1')\nx = os.environ['X']",
        "import os\nname = 'X'\nx = os.environ[name]",
        "if __name__ == '__main__':\n    import os\n    x = os.environ['X']",
    ] {
        right(&file(&with(text)), &exactly(&["SET"]));
    }
}

//! Names and values from outside, on their way to a terminal, a comment, an annotation.

use rotator::diagnostic::{Diagnostic, Position};
use rotator::render::{self, annotations, diagnostics, markdown};

use super::{assert_tame, steers, text};

/// A text through everything that shows it.
pub fn texts(data: &[u8]) {
    let text = text(data);
    let safe = render::safe(&text);
    assert!(!safe.contains(steers) && !safe.contains('\n'), "{safe:?}");
    assert_eq!(render::safe(&safe), safe, "what is safe stays as it is");
    let span = markdown::code_span(&text);
    in_its_span(&span);
    let cell = markdown::cell(&text);
    in_its_span(&cell);
    let mut before = ' ';
    for c in cell.chars() {
        assert!(c != '|' || before == '\\', "{cell:?} is two cells");
        before = c;
    }
    let html = markdown::html_code(&text);
    let inner = html.strip_prefix("<code>").and_then(|rest| rest.strip_suffix("</code>")).expect("one element");
    assert!(!inner.contains(['<', '>', '"', '\n']) && !inner.contains(steers), "{html:?}");
    in_its_block(&markdown::code_block("diff", &text));
    assert_tame(&render::some_of([text.as_str(), "b"], 1));
    let number = |at: usize| data.get(at).copied().map_or(1, |byte| usize::from(byte).max(1));
    let position = Position {
        file: text.clone().into(),
        line: number(0),
        column: number(1),
        length: number(2),
        text: Some(text.lines().next().unwrap_or_default().to_owned()),
    };
    let mut problem = Diagnostic::error("check", text.as_str()).at(position.clone()).because(text.as_str()).hint(&text);
    problem.related.push((Position { line: number(3), column: number(4), ..position }, text.clone()));
    problem.targets.push(text.clone());
    let found = [problem];
    for width in [0, 20, 100] {
        assert_tame(&diagnostics::render(&found, false, width));
    }
    let command = annotations::github(&found);
    assert_tame(&command);
    assert_eq!(command.lines().count(), 1, "{command:?}");
    assert!(command.starts_with("::error "));
    let _: serde_json::Value = serde_json::from_str(&annotations::sarif(&found, "m".as_ref())).expect("SARIF is JSON");
}

/// A code span ends with its last character, and nowhere before.
fn in_its_span(span: &str) {
    assert!(!span.contains(steers) && !span.contains('\n'), "{span:?}");
    if span == "*(empty)*" {
        return;
    }
    let fence = span.len() - span.trim_start_matches('`').len();
    let inner = &span[fence..span.len() - fence];
    assert!(fence > 0 && span.ends_with(&"`".repeat(fence)), "{span:?}");
    let runs = inner.split(|c| c != '`').map(str::len);
    assert!(runs.into_iter().all(|run| run != fence), "{span:?} ends early");
    assert!(!inner.starts_with('`') && !inner.ends_with('`'), "{span:?} has another fence than it seems");
}

/// A block ends with its last line, and nowhere before.
fn in_its_block(block: &str) {
    let fence = block.len() - block.trim_start_matches('`').len();
    let fence = &block[..fence];
    let ends = block.lines().skip(1).filter(|line| line.trim_start().starts_with(fence)).count();
    assert_eq!(ends, 1, "{block:?}");
    assert!(fence.len() >= 3 && block.ends_with(&format!("{fence}\n")));
}

pub fn seeds() -> Vec<Vec<u8>> {
    [
        "payments/api-key",
        "@org/team [x](http://y) <img src=x>",
        "a`b``c",
        "`",
        "a|b\\|c",
        "x\u{1b}[2J\u{1b}]0;t\u{7}\u{202e}\u{9b}1m",
        "one\n::error::two\r\n%0A",
        "</code><script>",
        "```\n# heading\n~~~",
        "\u{1f600}e\u{301}\u{feff}\u{200b}",
        "",
        " ",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

//! Texts from outside inside Markdown: names, paths and values that can't become links, mentions, HTML or structure.
//!
//! A code span is the one place where GitHub, GitLab and Bitbucket neither interpret nor link anything. Its fence is
//! chosen longer than any run of backticks in the text, so that nothing in it can end it.

use super::safe;

/// A text as a code span, for prose, headings and lists. Control characters and line ends are escaped, not obeyed.
pub fn code_span(text: &str) -> String {
    let text = safe(text);
    if text.is_empty() {
        // There is no empty code span: two backticks would begin a longer fence.
        return "*(empty)*".to_owned();
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    // One space on each side is stripped by renderers: it keeps backticks at the ends, and a text of spaces, apart.
    let only_spaces = text.chars().all(|c| c == ' ');
    let pads = text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    if pads && !only_spaces { format!("{fence} {text} {fence}") } else { format!("{fence}{text}{fence}") }
}

/// A text as a code span inside a cell of a table, where a pipe divides cells even within code.
pub fn cell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 4);
    for c in text.chars() {
        match c {
            // Renderers disagree about what a backslash before the escaped pipe means.
            '|' if escaped.ends_with('\\') => escaped.push_str("\\u{7c}"),
            '|' => escaped.push_str("\\|"),
            c => escaped.push(c),
        }
    }
    code_span(&escaped)
}

/// Lines as a block of code in a language; a text without lines is an empty block.
pub fn code_block(language: &str, text: &str) -> String {
    let fence = "`".repeat((longest_run(text) + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

/// A text as code within HTML.
pub fn html_code(text: &str) -> String {
    let text = safe(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    format!("<code>{text}</code>")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a secret's name could mention people, link elsewhere, or write the rest of a comment.
    #[test]
    fn nothing_leaves_its_code_span() {
        assert_eq!(code_span("a/b"), "`a/b`");
        assert_eq!(code_span("@org/team [x](http://y) <img src=x>"), "`@org/team [x](http://y) <img src=x>`");
        assert_eq!(code_span("a`b``c"), "```a`b``c```");
        assert_eq!(code_span("`"), "`` ` ``");
        assert_eq!(code_span("a\n\n# b\r\u{202e}"), "`a\\u{a}\\u{a}# b\\u{d}\\u{202e}`");
        assert_eq!(code_span(""), "*(empty)*");
        assert_eq!(code_span(" a"), "`  a `");
    }

    /// Without it, a name with a pipe could move what stands in the columns after it.
    #[test]
    fn a_cell_stays_one_cell() {
        assert_eq!(cell("a|b"), "`a\\|b`");
        assert_eq!(cell("a\\|b"), "`a\\\\u{7c}b`");
    }

    /// Without it, a value could end the block that it stands in, or a name be read as HTML.
    #[test]
    fn blocks_and_html_hold_what_they_hold() {
        assert_eq!(code_block("diff", "+ ````\n"), "`````diff\n+ ````\n`````\n");
        assert_eq!(html_code("</code><img src=x>"), "<code>&lt;/code&gt;&lt;img src=x&gt;</code>");
    }
}

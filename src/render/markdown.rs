//! Text from outside inside Markdown: shown as it is, and never obeyed.

use super::safe;

/// A text as inline code: neither mentions, links, HTML nor other markup work in it.
pub fn code_span(text: &str) -> String {
    let text = safe(text);
    // Code ends with as many backticks as it began with: one more than stand anywhere in the text.
    let fence = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') || text.trim().is_empty() { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A text as inline code within a cell of a table, where a bar would end the cell even inside code.
pub fn cell(text: &str) -> String {
    code_span(text).replace('|', "\\|")
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

    /// Without it, the name of a secret could mention people, make links, or end the code that it stands in.
    #[test]
    fn names_stay_names() {
        assert_eq!(code_span("a/b"), "`a/b`");
        assert_eq!(code_span("`@all` ``x"), "``` `@all` ``x ```");
        assert_eq!(code_span("a\nb"), "`a\\u{a}b`");
        assert_eq!(cell("a|b"), "`a\\|b`");
        assert_eq!(html_code("</code><img src=x>"), "<code>&lt;/code&gt;&lt;img src=x&gt;</code>");
        assert_eq!(code_block("diff", "+ ````\n"), "`````diff\n+ ````\n`````\n");
    }
}

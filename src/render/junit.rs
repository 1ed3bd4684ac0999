//! `JUnit`'s XML, for pipelines that show tests. <https://github.com/testmoapp/junitxml>

use std::fmt::Write as _;

/// A test case of a class, and what of it isn't well.
pub fn case(out: &mut String, class: &str, name: &str, inner: &str) {
    let _ = match inner {
        "" => writeln!(out, "    <testcase classname=\"{class}\" name=\"{}\"/>", xml(name)),
        inner => writeln!(out, "    <testcase classname=\"{class}\" name=\"{}\">{inner}</testcase>", xml(name)),
    };
}

/// A text in an attribute: what steers a terminal or can't be seen is escaped first, and with it all that XML can't hold.
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in super::safe(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

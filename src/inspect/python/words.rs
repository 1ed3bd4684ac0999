//! Names and texts in expressions of Python, and the conditions that they make.

use ruff_python_ast::Expr;
use ruff_python_ast::visitor::{Visitor, walk_expr};

/// The last name of `a.b.c`, or of a name alone; empty for anything else.
pub(super) fn last_name(expression: &Expr) -> &str {
    match expression {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        _ => "",
    }
}

/// The text of a literal.
pub(super) fn literal(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::StringLiteral(literal) => Some(literal.value.to_str()),
        _ => None,
    }
}

/// `__name__ == "__main__"`.
pub(super) fn is_main(test: &Expr) -> bool {
    match test {
        Expr::Compare(compare) => {
            let sides = || std::iter::once(&*compare.left).chain(&*compare.comparators);
            sides().any(|side| last_name(side) == "__name__") && sides().any(|side| literal(side) == Some("__main__"))
        }
        _ => false,
    }
}

/// Whether a condition asks for a system, a version, or who reads the file: what holds of it on Lambda isn't judged.
pub(super) fn is_of_systems(test: &Expr) -> bool {
    const WORDS: [&str; 12] = [
        "TYPE_CHECKING",
        "version_info",
        "hexversion",
        "platform",
        "system",
        "machine",
        "implementation",
        "python_implementation",
        "PY2",
        "PY3",
        "find_spec",
        "find_loader",
    ];
    let mut names = Names::default();
    names.visit_expr(test);
    // `PY_3_14_PLUS`, `HAS_ZSTD`, `IS_WINDOWS`.
    let is_flag = |name: &&str| {
        let plain = name.trim_start_matches('_');
        let starts = ["PY", "IS_", "HAS_", "HAVE_", "WIN", "USE_"].iter().any(|start| plain.starts_with(start));
        starts && plain.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    names.0.iter().any(|name| WORDS.contains(name) || is_flag(name))
        || (names.0.contains(&"os") && names.0.contains(&"name"))
}

/// All names in an expression.
#[derive(Default)]
struct Names<'a>(Vec<&'a str>);

impl<'a> Visitor<'a> for Names<'a> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        match last_name(expression) {
            "" => {}
            name => self.0.push(name),
        }
        walk_expr(self, expression);
    }
}

/// `os.environ`, by whatever name `os` has.
pub(super) fn is_environment(expression: &Expr) -> bool {
    last_name(expression) == "environ"
}

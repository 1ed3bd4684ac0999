//! Terraform's addresses: `module.team["a"].aws_secretsmanager_secret_rotation.db[0]`.

use std::str::FromStr;

use crate::model::text::check_readable;

/// The longest address that is taken, in characters.
const LONGEST: usize = 4096;

/// An address of one instance of a managed resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The whole, as Terraform writes it.
    text: String,
    /// The same without the keys of instances: its block in the configuration.
    block: String,
}

impl Address {
    /// The whole, as `terraform state rm` takes it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The block of the configuration, as `removed` takes it: that knows no keys of instances, neither of resources nor of modules.
    pub fn block(&self) -> &str {
        &self.block
    }
}

/// It is no address of a managed resource, or holds what can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAddress;

impl FromStr for Address {
    type Err = NoAddress;

    /// Takes what Terraform writes, and nothing else: what comes out of it goes into files that Terraform and shells read.
    fn from_str(text: &str) -> Result<Self, NoAddress> {
        if text.chars().count() > LONGEST || check_readable(text).is_err() {
            return Err(NoAddress);
        }
        let mut names: Vec<(&str, bool)> = Vec::new();
        let mut rest = text;
        loop {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
            let (name, behind) = rest.split_at(end);
            if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
                return Err(NoAddress);
            }
            rest = behind;
            let has_key = rest.starts_with('[');
            if has_key {
                rest = without_key(rest).ok_or(NoAddress)?;
            }
            names.push((name, has_key));
            match rest.strip_prefix('.') {
                Some(behind) => rest = behind,
                None if rest.is_empty() => break,
                None => return Err(NoAddress),
            }
        }
        // Any number of modules, then a type and a name.
        let (steps, odd) = names.as_chunks::<2>();
        let Some(([(kind, kind_has_key), _], modules)) = steps.split_last() else { return Err(NoAddress) };
        let is_module = |[(word, has_key), _]: &[(&str, bool); 2]| *word == "module" && !has_key;
        let is_resource = *kind != "module" && *kind != "data" && !kind_has_key;
        if !odd.is_empty() || !is_resource || !modules.iter().all(is_module) {
            return Err(NoAddress);
        }
        let block = names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(".");
        Ok(Self { text: text.to_owned(), block })
    }
}

/// What stands behind a key of an instance: a number, or a text in quotes.
fn without_key(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let Some(quoted) = inner.strip_prefix('"') else {
        let digits = inner.find(|c: char| !c.is_ascii_digit())?;
        return inner[digits..].strip_prefix(']').filter(|_| digits > 0);
    };
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return quoted[at + 1..].strip_prefix(']'),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, an instance's key could be taken for a name, or a state that was written by hand put lines of its own into files that are run.
    #[test]
    fn only_addresses_of_managed_resources_are_taken() {
        for (text, block) in [
            ("aws_x.y", "aws_x.y"),
            ("aws_x.y[0]", "aws_x.y"),
            (r#"aws_x.y["a.b[\"c\"]"]"#, "aws_x.y"),
            (r#"module.m["b 'x\"$"].aws_x.y[12]"#, "module.m.aws_x.y"),
            (r#"module.m[0].module.größe["}"].aws_x.y-z"#, "module.m.module.größe.aws_x.y-z"),
            (r#"module.module.aws_x.module["\n$(rm)"]"#, "module.module.aws_x.module"),
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!((address.text(), address.block()), (text, block));
        }
        let long = format!("aws_x.{}", "y".repeat(5000));
        for text in [
            "",
            "aws_x",
            "aws_x.",
            ".y",
            "aws_x.y.",
            "aws_x.y z",
            "aws_x.y[",
            "aws_x.y[]",
            "aws_x.y[a]",
            "aws_x.y[-1]",
            "aws_x.y[0",
            r#"aws_x.y["a]"#,
            r#"aws_x.y["a\"]"#,
            r#"aws_x.y["a"]z"#,
            "aws_x[0].y",
            "data.aws_x.y",
            "module.m",
            "module[0].m.aws_x.y",
            "other.m.aws_x.y",
            "aws_x.y\nremoved",
            "aws_x.y[\"a\nb\"]",
            "aws_x.y[\"\u{202e}\"]",
            "aws_x.y\u{200b}",
            "aws_x.0",
            "a'b.c",
            &long,
        ] {
            assert_eq!(text.parse::<Address>(), Err(NoAddress), "{text:?}");
        }
    }
}

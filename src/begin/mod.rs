//! What a rotation function begins with: a manifest, code whose four steps are done right, a service to try it on.
//!
//! Pure: names in, texts out. The parts lie beside this file, once, and are joined by their names; `examples/` is made of the same
//! ones, which `tests/examples.rs` holds it to.

mod kind;
mod manifest;
mod parts;

#[cfg(test)]
mod tests;

pub use kind::{Kind, Language};

/// The last part of each function's code, where its contract with Secrets Manager stands; it is the same in all of them.
pub fn contract(language: Language) -> &'static str {
    parts::contract(language)
}

/// What is to be begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// What rotates.
    pub kind: Kind,
    /// What the function is written in.
    pub language: Language,
    /// The manifest's project.
    pub project: String,
    /// The function's name, which is its handle too.
    pub function: String,
    /// The secret's name, which is its handle too.
    pub secret: String,
    /// The account and the region of the manifest's one target; both absent: wherever the credentials lead.
    pub target: Target,
    /// Where editors find the schema of manifests, from the manifest's folder.
    pub schema: Option<String>,
}

/// What is said of the target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The account, 12 digits.
    pub account: Option<String>,
    /// The region.
    pub region: Option<String>,
}

/// A file that is begun with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Its path from the manifest's folder, with `/` between its parts.
    pub path: String,
    /// What it holds.
    pub text: String,
    /// What it is, for people.
    pub about: String,
}

impl Beginning {
    /// The name of the secret of the admin that the function signs in as, where it does.
    pub fn admin(&self) -> Option<String> {
        (self.kind == Kind::AdminPassword).then(|| format!("{}/admin", self.project))
    }

    /// The function's file, from the manifest's folder.
    pub fn code_file(&self) -> String {
        format!("{}/{}", self.code_folder(), self.language.code_file())
    }

    /// The function's folder, from the manifest's.
    fn code_folder(&self) -> String {
        format!("functions/{}", self.kind.word().replace('-', "_"))
    }

    /// All files.
    pub fn files(&self) -> Vec<Text> {
        let (first, second) = self.kind.own();
        let mut files = vec![
            Text {
                path: "rotator.yaml".to_owned(),
                text: manifest::text(self),
                about: "the manifest: which function rotates which secret, and when".to_owned(),
            },
            Text {
                path: self.code_file(),
                text: parts::code(self.kind, self.language),
                about: format!(
                    "the function: `{}` and `{}` are yours, the rest stays",
                    self.language.name(first),
                    self.language.name(second)
                ),
            },
        ];
        if let Some(text) = parts::service(self.kind, self.language) {
            files.push(Text {
                path: self.language.service_file().to_owned(),
                text,
                about: "a service to try it on, which rehearsals start".to_owned(),
            });
        }
        files.push(Text {
            path: ".gitignore".to_owned(),
            text: self.language.ignored().to_owned(),
            about: "what rehearsals leave here stays out of Git".to_owned(),
        });
        files
    }
}

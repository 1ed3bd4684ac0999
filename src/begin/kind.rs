//! What can be begun, and in which language.

/// What rotates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A key that a service issues.
    ApiKey,
    /// A user's password, by that user.
    Password,
    /// A user's password, by an admin; two users take turns.
    AdminPassword,
    /// A key that only its readers know.
    SigningKey,
}

/// What a function is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// Python, by the runtime that AWS's template states.
    Python,
    /// Node, as ES modules.
    Node,
}

impl Kind {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::ApiKey, Self::Password, Self::AdminPassword, Self::SigningKey];

    /// Its word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::ApiKey => "api-key",
            Self::Password => "password",
            Self::AdminPassword => "admin-password",
            Self::SigningKey => "signing-key",
        }
    }

    /// The one that a word means.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// What it is, in a few words.
    pub fn about(self) -> &'static str {
        match self {
            Self::ApiKey => "a key that a service issues, asked for with the current one",
            Self::Password => "a user's password, changed by that user",
            Self::AdminPassword => {
                "a user's password, set by an admin; two users take turns, so that no login ends while it is read"
            }
            Self::SigningKey => "a key that only its readers know",
        }
    }

    /// The usual name of a function of this kind: names that begin so fit AWS's managed policy `SecretsManagerReadWrite`.
    pub fn function(self) -> &'static str {
        match self {
            Self::ApiKey => "SecretsManagerApiKey",
            Self::Password => "SecretsManagerPassword",
            Self::AdminPassword => "SecretsManagerAdminPassword",
            Self::SigningKey => "SecretsManagerSigningKey",
        }
    }

    /// The two functions of the code that its author replaces, in Python's spelling.
    pub fn own(self) -> (&'static str, &'static str) {
        match self {
            Self::ApiKey => ("issue_key", "takes_key"),
            Self::Password => ("logs_in", "change_password"),
            Self::AdminPassword => ("logs_in", "save_login"),
            Self::SigningKey => ("new_key", "signs"),
        }
    }
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Python, Self::Node];

    /// Its word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
        }
    }

    /// The one that a word means.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.word() == word)
    }

    /// A function's name, given in Python's spelling, as this language spells it.
    pub fn name(self, name: &str) -> String {
        match self {
            Self::Python => name.to_owned(),
            Self::Node => {
                let mut words = name.split('_');
                let first = words.next().unwrap_or_default().to_owned();
                words.fold(first, |mut name, word| {
                    let mut letters = word.chars();
                    name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
                    name + letters.as_str()
                })
            }
        }
    }

    /// The file of a function, as the handler names it.
    pub(super) fn code_file(self) -> &'static str {
        match self {
            Self::Python => "lambda_function.py",
            Self::Node => "index.mjs",
        }
    }

    /// The file of the service.
    pub(super) fn service_file(self) -> &'static str {
        match self {
            Self::Python => "service.py",
            Self::Node => "service.mjs",
        }
    }

    /// What runs it.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Python => "python3",
            Self::Node => "node",
        }
    }

    /// What Git leaves out.
    pub(super) fn ignored(self) -> &'static str {
        match self {
            Self::Python => ".rotator/\n__pycache__/\n",
            Self::Node => ".rotator/\n",
        }
    }
}

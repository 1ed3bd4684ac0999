//! Questions to the person at the terminal, each with what is meant by an empty answer.

use std::io::{BufRead as _, stdin};

use crate::begin::{Kind, Language};
use crate::model::near::near;

use super::super::failure::Failure;
use super::super::output;

/// How often something is asked.
const TRIES: usize = 5;

/// A terminal, with a person at it.
pub struct Terminal;

impl Terminal {
    pub fn new() -> Self {
        Self
    }

    /// What rotates.
    pub fn kind(&mut self) -> Result<Kind, Failure> {
        let width = Kind::ALL.map(|kind| kind.word().len()).into_iter().max().unwrap_or_default();
        for kind in Kind::ALL {
            output::say(&format!("  {:width$}  {}", kind.word(), kind.about()));
        }
        let words = Kind::ALL.map(Kind::word);
        let usual = Kind::ApiKey.word();
        let word = self.text("What rotates?", usual, &|text| known(text, &words))?;
        Kind::of(&word).ok_or_else(unanswered)
    }

    /// The function's language.
    pub fn language(&mut self) -> Result<Language, Failure> {
        let words = Language::ALL.map(Language::word);
        let usual = Language::Python.word();
        let word = self.text("In python or node?", usual, &|text| known(text, &words))?;
        Language::of(&word).ok_or_else(unanswered)
    }

    /// A text; what is wrong with one is said, and it is asked again.
    #[expect(clippy::unused_self, reason = "only who has a terminal may ask")]
    pub fn text(
        &mut self,
        question: &str,
        usual: &str,
        check: &dyn Fn(&str) -> Result<(), Failure>,
    ) -> Result<String, Failure> {
        for _ in 0..TRIES {
            if !output::ask(&format!("{question} [{usual}] ")) {
                break;
            }
            let mut answer = String::new();
            // The end of the input is no answer, and no consent.
            if stdin().lock().read_line(&mut answer).unwrap_or(0) == 0 {
                break;
            }
            let answer = answer.trim();
            let answer = if answer.is_empty() { usual } else { answer };
            match check(answer) {
                Ok(()) => return Ok(answer.to_owned()),
                Err(failure) => output::failed(&failure),
            }
        }
        Err(unanswered())
    }
}

fn known(text: &str, words: &[&str]) -> Result<(), Failure> {
    if words.contains(&text) {
        return Ok(());
    }
    let failure = Failure::new(format!("`{text}` is none of {}", words.join(", ")));
    Err(match near(text, words.iter().copied()).first() {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure,
    })
}

fn unanswered() -> Failure {
    Failure::new("no answer: nothing was written").hint("`rotator init --help` has the flags that answer each question")
}

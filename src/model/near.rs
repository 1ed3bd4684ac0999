//! "Did you mean": which of the known words were probably meant.

/// The longest word that anything is near to, in bytes: a distance costs time and memory of one word times the other.
const LONGEST: usize = 256;

/// How many known words are measured.
const MEASURED: usize = 5_000;

/// The most letters that two words may differ in.
const FURTHEST: usize = 3;

/// How many of them are suggested, where several are.
pub const SUGGESTIONS: usize = 3;

/// The known words that were probably meant, the nearest first, whatever the case of their letters.
pub fn near<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    if word.len() > LONGEST {
        return Vec::new();
    }
    let word = word.to_lowercase();
    let length = word.chars().count();
    let allowed = match length {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => FURTHEST,
    };
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .take(MEASURED)
        // Two words differ at least by their lengths.
        .filter(|candidate| candidate.len() <= LONGEST && candidate.chars().count().abs_diff(length) <= allowed)
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The hint that names what was probably meant: one word, or a few.
pub fn did_you_mean(near: &[&str]) -> String {
    format!("did you mean {}?", near.iter().map(|near| format!("`{near}`")).collect::<Vec<_>>().join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a slip of the finger would go without a hint, or a stranger's endless word be measured against all others.
    #[test]
    fn few_letters_may_differ_and_long_words_are_not_measured() {
        let known = ["kmsKeyArn", "payments/api-key", "ab"];
        assert_eq!(near("kmsKeyARN", known), ["kmsKeyArn"]);
        assert_eq!(near("payments/apikey", known), ["payments/api-key"]);
        assert_eq!(near("payment/aipkey", known), ["payments/api-key"]);
        assert!(near("pay/api", known).is_empty() && near("ac", known).is_empty());
        let long = "a".repeat(100_000);
        assert!(near(&long, [long.as_str()].into_iter().cycle().take(10_000)).is_empty(), "it is not even measured");
        assert_eq!(did_you_mean(&["a", "b"]), "did you mean `a` or `b`?");
    }
}

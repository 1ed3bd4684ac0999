//! Texts that look like credentials: known shapes only, so that a match is worth stopping for.

/// What a text looks like, if it looks like a credential.
pub fn kind_of(text: &str) -> Option<&'static str> {
    let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if has_private_pem(text) {
        return Some("a private key (PEM)");
    }
    for prefix in ["AKIA", "ASIA"] {
        if has(text, prefix, upper, 16, Some(16)) {
            return Some("an AWS access key id");
        }
    }
    for prefix in ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"] {
        if has(text, prefix, word, 20, None) {
            return Some("a GitHub token");
        }
    }
    for prefix in ["xoxb-", "xoxa-", "xoxp-", "xoxr-", "xoxs-", "xoxe-", "xapp-"] {
        if has(text, prefix, word, 10, None) {
            return Some("a Slack token");
        }
    }
    for prefix in ["sk_live_", "rk_live_"] {
        if has(text, prefix, word, 10, None) {
            return Some("a Stripe key");
        }
    }
    has_token(text).then_some("a JSON Web Token")
}

/// Whether a prefix stands in the text, not inside a longer word, with enough of the right characters behind it.
fn has(text: &str, prefix: &str, belongs: impl Fn(char) -> bool, least: usize, most: Option<usize>) -> bool {
    text.match_indices(prefix).any(|(at, _)| {
        let inside = text[..at].chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric());
        let count = text[at + prefix.len()..].chars().take_while(|c| belongs(*c)).count();
        !inside && count >= least && most.is_none_or(|most| count <= most)
    })
}

/// A PEM block that isn't public by nature.
fn has_private_pem(text: &str) -> bool {
    text.match_indices("-----BEGIN ").any(|(at, marker)| {
        let label = &text[at + marker.len()..];
        !["CERTIFICATE", "TRUSTED CERTIFICATE", "PUBLIC KEY", "RSA PUBLIC KEY", "X509 CRL"]
            .iter()
            .any(|public| label.starts_with(&format!("{public}-----")))
    })
}

/// `eyJ….eyJ….…`: header, claims and signature in base64url.
fn has_token(text: &str) -> bool {
    let url = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.match_indices("eyJ").any(|(at, _)| {
        let mut parts = text[at..].split('.');
        let mut long = |least: usize, exact: bool| {
            parts.next().is_some_and(|part| {
                let count = part.chars().take_while(|c| url(*c)).count();
                count >= least && (!exact || count == part.chars().count())
            })
        };
        long(10, true) && long(10, true) && long(10, false)
    })
}

#[cfg(test)]
mod tests {
    use super::kind_of;

    /// Without it, a pasted key would reach Git's review and the function's configuration in clear.
    #[test]
    fn known_shapes() {
        let token = format!("eyJ{0}.eyJ{0}.{0}", "abcdefghij_-");
        for text in [
            format!("AKIA{}", "IOSFODNN7EXAMPLE"),
            format!("key=ASIA{};", "IOSFODNN7EXAMPLE"),
            format!("ghp_{}", "a1".repeat(18)),
            format!("github_pat_{}", "a1".repeat(20)),
            format!("xoxb-{}", "1234567890-abc"),
            format!("sk_live_{}", "abcdefghijklmnop"),
            "-----BEGIN RSA PRIVATE KEY-----\nabc".to_owned(),
            token,
        ] {
            assert!(kind_of(&text).is_some(), "{text}");
        }
    }

    /// Without it, ordinary values would be refused.
    #[test]
    fn ordinary_values() {
        for text in [
            "https://api.stripe.com",
            "sk_test_abcdefghijklmnop",
            "AKIA",
            "MAKIAIOSFODNN7EXAMPLE",
            "-----BEGIN CERTIFICATE-----",
            "eyJ.eyJ.x",
            "ghp_",
            "prod/xoxb-",
        ] {
            assert_eq!(kind_of(text), None, "{text}");
        }
    }
}

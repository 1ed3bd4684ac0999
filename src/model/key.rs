//! KMS keys as AWS's services write them: by id, by the key's ARN, by an alias or the alias's ARN (KMS, "Key identifiers").

use super::arn::Arn;

/// A key, by one of its names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Name<'a> {
    /// The partition, region and account, where they are stated.
    place: Option<(String, String, String)>,
    is_alias: bool,
    id: &'a str,
}

fn name(text: &str) -> Name<'_> {
    let (place, resource) = match text.parse::<Arn>() {
        Ok(arn) => {
            let at = text.len() - arn.resource.len();
            (Some((arn.partition, arn.region, arn.account)), &text[at..])
        }
        Err(_) => (None, text),
    };
    match resource.strip_prefix("alias/") {
        Some(id) => Name { place, is_alias: true, id },
        None => Name { place, is_alias: false, id: resource.strip_prefix("key/").unwrap_or(resource) },
    }
}

/// Whether two texts name one key. `None`: the texts alone don't tell, since only KMS knows which key an alias is of.
pub fn same(one: &str, other: &str) -> Option<bool> {
    if one == other {
        return Some(true);
    }
    let (one, other) = (name(one), name(other));
    if let (Some(one), Some(other)) = (&one.place, &other.place)
        && one != other
    {
        // The replicas of a key in several regions have one id, and are keys of their own to KMS.
        return Some(false);
    }
    if one.is_alias != other.is_alias {
        return None;
    }
    match (one.id == other.id, one.is_alias) {
        (true, _) => Some(true),
        (false, false) => Some(false),
        // A key may have several aliases.
        (false, true) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a plan would warn of a key that is the right one, written otherwise; or be silent where it is another.
    #[test]
    fn keys_are_compared_and_not_spellings() {
        let arn = |resource: &str| format!("arn:aws:kms:eu-west-1:111111111111:{resource}");
        let elsewhere = "arn:aws:kms:us-east-1:111111111111:key/1111-2222";
        for (one, other, expected) in [
            ("1111-2222".to_owned(), arn("key/1111-2222"), Some(true)),
            ("key/1111-2222".to_owned(), arn("key/1111-2222"), Some(true)),
            ("1111-2222".to_owned(), arn("key/1111-3333"), Some(false)),
            (elsewhere.to_owned(), arn("key/1111-2222"), Some(false)),
            (elsewhere.to_owned(), "1111-2222".to_owned(), Some(true)),
            ("alias/payments/key".to_owned(), arn("alias/payments/key"), Some(true)),
            ("alias/payments/key".to_owned(), "alias/orders/key".to_owned(), None),
            ("alias/payments/key".to_owned(), arn("key/1111-2222"), None),
        ] {
            assert_eq!(same(&one, &other), expected, "{one} {other}");
            assert_eq!(same(&other, &one), expected, "{other} {one}");
        }
    }
}

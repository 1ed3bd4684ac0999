//! What a signature says about the caller. It is read, not checked: nothing here is worth protecting from its owner,
//! and the header keeps web pages out (they can't set it without being asked for permission first).
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

/// A signature's scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The caller's access key id.
    pub access_key: String,
    /// Such as `eu-west-1`.
    pub region: String,
    /// The signing name, such as `secretsmanager`.
    pub service: String,
}

/// Reads an `Authorization` header; `None` where it isn't a well-formed `SigV4` one.
pub fn read(header: &str) -> Option<Signed> {
    let rest = header.strip_prefix("AWS4-HMAC-SHA256")?;
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for part in rest.split(',') {
        let (name, value) = part.trim().split_once('=')?;
        match name {
            "Credential" => credential = Some(value),
            "SignedHeaders" => signed_headers = Some(value),
            "Signature" => signature = Some(value),
            _ => {}
        }
    }
    let hex = signature.is_some_and(|s| s.len() == 64 && s.bytes().all(|b| b.is_ascii_hexdigit()));
    if !hex || signed_headers.is_none_or(|headers| !headers.split(';').any(|name| name == "host")) {
        return None;
    }
    // From the right: whatever a key id holds, the scope has exactly four parts after it.
    let mut parts = credential?.rsplitn(5, '/');
    let (end, service, region, date, access_key) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let well_formed = end == "aws4_request"
        && date.len() == 8
        && date.bytes().all(|b| b.is_ascii_digit())
        && is_region(region)
        && !service.is_empty()
        && !access_key.is_empty();
    well_formed.then(|| Signed {
        access_key: access_key.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
    })
}

/// Whether a text may be a region's name: it becomes part of ARNs.
fn is_region(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 32
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a header that only looks like a signature would be taken for a caller.
    #[test]
    fn only_whole_signatures_are_read() {
        let signature = "a".repeat(64);
        let header = |credential: &str| {
            format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature={signature}")
        };
        let read_one = read(&header("111111111111/20260131/eu-west-1/lambda/aws4_request")).expect("it is whole");
        assert_eq!(
            (read_one.access_key.as_str(), read_one.region.as_str(), read_one.service.as_str()),
            ("111111111111", "eu-west-1", "lambda")
        );
        for bad in [
            "AKID/20260131/eu-west-1/aws4_request",
            "AKID/today/eu-west-1/lambda/aws4_request",
            "",
            "AKID/20260131/EU:1/sts/aws4_request",
        ] {
            assert_eq!(read(&header(bad)), None, "{bad}");
        }
        assert_eq!(read("Bearer abc"), None);
        assert_eq!(
            read(&format!("AWS4-HMAC-SHA256 Credential=A/20260131/r/s/aws4_request, Signature={signature}")),
            None
        );
    }
}

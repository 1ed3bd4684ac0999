//! What a file is by what it holds, where its name alone doesn't decide: private keys, and files that may be public or not.

/// The most that is read of a file whose content decides, in bytes. Bundles of public certificates have less than a tenth.
pub(super) const MAX_JUDGED: u64 = 4 * 1024 * 1024;

/// The largest file, in bytes, that is looked through for a private key whatever its name: keys are small.
pub(super) const MAX_SMALL: u64 = 64 * 1024;

/// Stands for content that wasn't read, and so isn't known to be public.
pub(super) const UNJUDGED: [u8; 1] = [0xff];

/// Endings of files that may hold keys, private or public.
const KEYS: [&str; 6] = ["pem", "key", "p8", "der", "gpg", "pgp"];

/// Endings of code and of pages about it, which may speak of keys, and show some.
const CODE: [&str; 40] = [
    "py", "pyi", "pyx", "pyc", "so", "js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx", "map", "node", "wasm",
    "java", "class", "jar", "kt", "scala", "go", "rs", "rb", "php", "pl", "pm", "lua", "cs", "dll", "fs", "c", "h",
    "cc", "cpp", "hpp", "swift", "dart", "md", "rst",
];

/// The labels of PEM blocks that anybody may read.
const PUBLIC: [&str; 13] = [
    "CERTIFICATE",
    "TRUSTED CERTIFICATE",
    "X509 CERTIFICATE",
    "CERTIFICATE REQUEST",
    "NEW CERTIFICATE REQUEST",
    "X509 CRL",
    "PKCS7",
    "PUBLIC KEY",
    "RSA PUBLIC KEY",
    "SSH2 PUBLIC KEY",
    "PGP PUBLIC KEY BLOCK",
    "DH PARAMETERS",
    "EC PARAMETERS",
];

/// The members of an `auth.json` by which registries and programs know it: another file of that name is somebody's data.
const LOGINS: [&str; 14] = [
    "auths",
    "credHelpers",
    "credsStore",
    "http-basic",
    "github-oauth",
    "gitlab-oauth",
    "gitlab-token",
    "bitbucket-oauth",
    "forgejo-token",
    "custom-headers",
    "tokens",
    "access_token",
    "refresh_token",
    "OPENAI_API_KEY",
];

/// The fewest characters of a private key: even the shortest has more.
const KEY_SHORTEST: usize = 40;

/// The fewest characters of a word that may be data. Fingerprints have colons in them, and serial numbers digits alone.
const DATA_SHORTEST: usize = 24;

/// The ending of a name, in lower case.
fn ending(name: &str) -> Option<String> {
    name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase())
}

/// Whether the content of a file of this name decides whether it is public: then the ending by which it is known.
pub(super) fn key_ending(name: &str) -> Option<&'static str> {
    let ending = ending(name)?;
    KEYS.into_iter().find(|known| *known == ending)
}

/// Whether a file of such an ending holds public certificates and keys alone, or nothing at all.
pub(super) fn is_public(ending: &str, content: &[u8]) -> bool {
    match ending {
        "der" => content.is_empty() || is_public_der(content) || is_public_pem(content),
        // What is encrypted is as public as its key is not; a keyring says by its first packet whether it is one of secret keys.
        "gpg" | "pgp" => !is_secret_packet(content) && !has_private_key(content),
        _ => is_public_pem(content),
    }
}

/// Whether a file of this name, and of so many bytes, is looked through for a private key.
pub(super) fn may_have_key(name: &str, size: u64) -> bool {
    size >= KEY_SHORTEST as u64
        && size <= MAX_SMALL
        && ending(name).is_none_or(|ending| !CODE.contains(&ending.as_str()))
}

/// Whether a text holds a private key, whole: as PEM has it, also within JSON; or one of age's or of `PuTTY`'s.
pub(super) fn has_private_key(content: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(content) else { return false };
    let is_key = |begin: &str| {
        let Some((label, rest)) = begin.split_once("-----") else { return false };
        let body = rest.split_once("-----END ").map(|(body, _)| body);
        let letters = |body: &str| body.bytes().filter(u8::is_ascii_alphanumeric).count();
        label.len() < 64 && label.contains("PRIVATE KEY") && body.is_some_and(|body| letters(body) >= KEY_SHORTEST)
    };
    let of_age = |rest: &str| rest.bytes().take_while(u8::is_ascii_alphanumeric).count() >= KEY_SHORTEST;
    text.split("-----BEGIN ").skip(1).any(is_key)
        || text.split("AGE-SECRET-KEY-1").skip(1).any(of_age)
        || (text.starts_with("PuTTY-User-Key-File-") && text.contains("Private-Lines:"))
}

/// Whether an `auth.json` is one of logins.
pub(super) fn has_logins(content: &[u8]) -> bool {
    let parsed = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(content);
    // What nobody can read isn't known to be harmless.
    parsed.map_or(!content.is_empty(), |members| members.keys().any(|name| LOGINS.contains(&name.as_str())))
}

/// Whether a text is whole public blocks, with nothing but what people and programs note beside certificates.
fn is_public_pem(content: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(content) else { return false };
    let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim_end).peekable();
    let (mut blocks, mut described) = (0, false);
    while let Some(line) = lines.next() {
        if let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) {
            if !PUBLIC.contains(&label) {
                return false;
            }
            let end = format!("-----END {label}-----");
            if lines.by_ref().find(|line| !is_of_block(line)) != Some(end.as_str()) {
                return false;
            }
            (blocks, described) = (blocks + 1, false);
            continue;
        }
        let is_rule = |line: &str| line.len() > 2 && line.bytes().all(|byte| byte == b'=');
        let is_title = lines.peek().is_some_and(|next| is_rule(next));
        described |= matches!(line, "Certificate:" | "Bag Attributes" | "Certificate Request:");
        let is_known = line.is_empty()
            || line.starts_with('#')
            || is_rule(line)
            || is_title
            || described && (line.ends_with(':') || line.starts_with("  ") || line == "Bag Attributes")
            || ["subject=", "issuer=", "subject:", "issuer:"].iter().any(|start| line.starts_with(start));
        if !is_known || line.split_whitespace().any(is_data) {
            return false;
        }
    }
    blocks > 0 || text.trim().is_empty()
}

/// A line within a block: letters of base64, or what PGP writes before them.
fn is_of_block(line: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    line.trim_start().bytes().all(is_letter)
        || ["Comment: ", "Version: "].iter().any(|start| line.starts_with(start))
            && !line.split_whitespace().any(is_data)
}

/// A word that may be the letters of a key.
fn is_data(word: &str) -> bool {
    word.len() >= DATA_SHORTEST
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte))
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// A certificate, a request, a list of revoked ones, or a public key by itself (X.509: `SEQUENCE { SEQUENCE …, SEQUENCE or BIT STRING …`).
/// Private keys begin with a version, encrypted ones end in an OCTET STRING.
fn is_public_der(content: &[u8]) -> bool {
    const SEQUENCE: u8 = 0x30;
    const BIT_STRING: u8 = 0x03;
    let Some((SEQUENCE, inner)) = der(content) else { return false };
    let Some((SEQUENCE, first)) = der(inner) else { return false };
    let after = first.as_ptr() as usize - inner.as_ptr() as usize + first.len();
    matches!(inner.get(after), Some(&(SEQUENCE | BIT_STRING)))
}

/// The tag of an element of DER, and its content.
fn der(content: &[u8]) -> Option<(u8, &[u8])> {
    let (&tag, rest) = content.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f)).filter(|(bytes, _)| bytes.len() <= 4)?;
        (bytes.iter().fold(0, |sum: usize, byte| sum << 8 | usize::from(*byte)), rest)
    };
    rest.get(..length).map(|content| (tag, content))
}

/// Whether PGP's first packet is a secret key or subkey (RFC 9580, 4.3: tags 5 and 7, in the old format and in the new one).
fn is_secret_packet(content: &[u8]) -> bool {
    content.first().is_some_and(|first| match first & 0xc0 {
        0x80 => matches!((first >> 2) & 0x0f, 5 | 7),
        0xc0 => matches!(first & 0x3f, 5 | 7),
        _ => false,
    })
}

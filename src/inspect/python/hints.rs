//! What to do about imports that fail.

use crate::inspect::Facts;
use crate::inspect::library::Span;
use crate::model::CodeFinding;

/// Packages whose modules have other names. <https://pypi.org>
const PACKAGES: [(&str, &str); 34] = [
    ("Crypto", "pycryptodome"),
    ("MySQLdb", "mysqlclient"),
    ("OpenSSL", "pyOpenSSL"),
    ("PIL", "Pillow"),
    ("attr", "attrs"),
    ("bs4", "beautifulsoup4"),
    ("bson", "pymongo"),
    ("cassandra", "cassandra-driver"),
    ("confluent_kafka", "confluent-kafka"),
    ("cv2", "opencv-python-headless"),
    ("dateparser", "dateparser"),
    ("dotenv", "python-dotenv"),
    ("flask", "Flask"),
    ("git", "GitPython"),
    ("gitlab", "python-gitlab"),
    ("github", "PyGithub"),
    ("jose", "python-jose"),
    ("jwt", "PyJWT"),
    ("kafka", "kafka-python"),
    ("ldap", "python-ldap"),
    ("magic", "python-magic"),
    ("memcache", "python-memcached"),
    ("mysql", "mysql-connector-python"),
    ("nacl", "PyNaCl"),
    ("pg", "PyGreSQL"),
    ("pgdb", "PyGreSQL"),
    ("psycopg2", "psycopg2-binary"),
    ("pymssql", "pymssql"),
    ("pymysql", "PyMySQL"),
    ("sklearn", "scikit-learn"),
    ("slugify", "python-slugify"),
    ("snowflake", "snowflake-connector-python"),
    ("yaml", "PyYAML"),
    ("zmq", "pyzmq"),
];

/// What takes the place of modules that Python has given up (Python, "What's New", removed modules).
const INSTEAD: [(&str, &str); 12] = [
    ("asynchat", "`asyncio`"),
    ("asyncore", "`asyncio`"),
    ("cgi", "`urllib.parse` for queries, `email.message` for forms"),
    ("crypt", "the packages `bcrypt` or `passlib`"),
    ("distutils", "the packages `packaging` or `setuptools`"),
    ("imghdr", "the package `filetype`"),
    ("imp", "`importlib`"),
    ("pipes", "`shlex` for quoting, `subprocess` for pipes"),
    ("smtpd", "the package `aiosmtpd`"),
    ("telnetlib", "the package `telnetlib3`"),
    ("uu", "`base64`"),
    ("xdrlib", "`struct`"),
];

/// For what another version of Python has.
pub(super) fn of_version(finding: CodeFinding, name: &str, span: Span, minor: Option<u8>) -> CodeFinding {
    match (span.since, span.until) {
        (Some(since), _) if minor.is_some_and(|minor| minor < since) => {
            finding.hint(format!("it came with Python 3.{since}: state a newer `runtime`, or do without it"))
        }
        (_, Some(until)) => {
            let instead = INSTEAD.iter().find(|(gone, _)| *gone == name);
            let instead = instead.map_or_else(|| "something else".to_owned(), |(_, instead)| (*instead).to_owned());
            finding.hint(format!("Python 3.{until} was the last one that had it: use {instead}"))
        }
        _ => finding,
    }
}

/// The packages that may bring a module.
pub(super) fn packages(module: &str) -> Vec<&str> {
    let known = PACKAGES.iter().filter(|(name, _)| *name == module).map(|(_, package)| *package);
    let others: &[&str] = match module {
        "psycopg2" => &["psycopg2"],
        "PIL" => &["pillow-simd"],
        "Crypto" => &["pycryptodomex"],
        "cv2" => &["opencv-python"],
        "pkg_resources" => &["setuptools"],
        "google" => &["protobuf", "google-auth", "google-cloud-core", "google-api-core"],
        "azure" => &["azure-identity", "azure-core"],
        _ => &[],
    };
    known.chain(others.iter().copied()).chain([module]).collect()
}

/// For what belongs into the package.
pub(super) fn packaged(finding: CodeFinding, module: &str, facts: &Facts, minor: Option<u8>) -> CodeFinding {
    let known = PACKAGES.iter().find(|(name, _)| *name == module);
    let name = known.map_or_else(|| module.replace('_', "-"), |(_, package)| (*package).to_owned());
    if !facts.is_folder {
        return finding.hint(format!("package it with the code (`{name}`, if it is that), or put it into a layer"));
    }
    let platform = match (facts.architecture.as_deref(), minor) {
        (Some("arm64"), Some(_)) => "manylinux2014_aarch64",
        _ => "manylinux2014_x86_64",
    };
    let target =
        if facts.place.contains(char::is_whitespace) { format!("'{}'", facts.place) } else { facts.place.clone() };
    let options = minor.map(|minor| {
        format!(" --platform {platform} --implementation cp --python-version 3.{minor} --only-binary=:all:")
    });
    let command = format!("pip install --target {target}{}", options.unwrap_or_default());
    finding.hint(format!("package it with the code, if it is `{name}`:")).hint(format!("{command} {name}"))
}

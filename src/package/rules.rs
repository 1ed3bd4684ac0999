//! What no folder's package holds, by its name or by what it holds: credentials, and whatever differs between machines.
//!
//! A package is readable to everybody who may call `GetFunction`, and its hash is compared with the live one: a laptop and a
//! pipeline must make the same bytes of one commit.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::LazyLock;

use crate::model::PartKind;
use crate::tree::is_git_name;

/// The most that is read of a file whose content decides, in bytes. Bundles of public certificates have less than a tenth.
pub(super) const MAX_JUDGED: u64 = 4 * 1024 * 1024;

/// Stands for content that wasn't read, and so isn't known to be public.
pub(super) const UNJUDGED: [u8; 1] = [0xff];

/// Names in lower case, compared without regard to case. One `*` stands for any characters.
pub(super) type Names = [(PartKind, &'static [&'static str])];

/// Left out whether file, folder or link.
pub(super) const ANY: &Names = &[
    (
        PartKind::VersionControl,
        &[
            ".git",
            ".hg",
            ".svn",
            ".bzr",
            ".jj",
            ".sl",
            ".pijul",
            "_darcs",
            ".gitignore",
            ".gitattributes",
            ".gitmodules",
            ".git-blame-ignore-revs",
            ".mailmap",
            ".hgignore",
            ".hgtags",
            ".hgsub",
            ".hgsubstate",
            ".bzrignore",
            ".cvsignore",
        ],
    ),
    (PartKind::State, &[".rotator"]),
    (PartKind::Credentials, &[".secrets"]),
];

/// Folders alone.
pub(super) const FOLDERS: &Names = &[
    (
        PartKind::Credentials,
        &[
            ".aws",
            ".azure",
            ".docker",
            ".gcloud",
            ".gem",
            ".gnupg",
            ".kube",
            ".oci",
            ".password-store",
            ".pulumi",
            ".ssh",
            ".terraform.d",
        ],
    ),
    (PartKind::VirtualEnvironment, &[".venv", ".env", ".virtualenv", ".conda", ".pixi", ".direnv", "__pypackages__"]),
    (
        PartKind::Cache,
        &[
            "__pycache__",
            ".mypy_cache",
            ".pytest_cache",
            ".ruff_cache",
            ".pytype",
            ".pyre",
            ".hypothesis",
            ".tox",
            ".nox",
            ".cache",
            ".uv-cache",
            ".eggs",
            ".ipynb_checkpoints",
            ".benchmarks",
            "htmlcov",
            ".nyc_output",
            ".scannerwork",
            ".sass-cache",
            ".parcel-cache",
            ".turbo",
            ".npm",
            ".pnpm-store",
            ".gradle",
            ".aws-sam",
            ".serverless",
            "cdk.out",
            ".terraform",
            ".terragrunt-cache",
            ".appledouble",
            ".spotlight-v100",
            ".trashes",
            ".fseventsd",
            ".temporaryitems",
            "$recycle.bin",
            "system volume information",
        ],
    ),
    (
        PartKind::Editor,
        &[
            ".idea",
            ".vscode",
            ".vs",
            ".fleet",
            ".zed",
            ".cursor",
            ".history",
            ".settings",
            ".spyproject",
            ".spyderproject",
            ".ropeproject",
            ".metals",
            ".theia",
        ],
    ),
];

/// Files alone.
pub(super) const FILES: &Names = &[
    (
        PartKind::Credentials,
        &[
            ".env",
            ".env.*",
            "*.env",
            ".envrc",
            ".dev.vars",
            ".netrc",
            "_netrc",
            ".authinfo",
            ".authinfo.gpg",
            ".git-credentials",
            ".gitcookies",
            ".htpasswd",
            ".pgpass",
            "pgpass.conf",
            ".my.cnf",
            ".mylogin.cnf",
            ".pg_service.conf",
            ".npmrc",
            ".yarnrc.yml",
            ".pypirc",
            ".pip.conf",
            "pip.conf",
            ".condarc",
            ".dockercfg",
            ".dockerconfigjson",
            "kubeconfig",
            "*.kubeconfig",
            ".boto",
            ".s3cfg",
            ".databrickscfg",
            ".sentryclirc",
            ".clasprc.json",
            ".rclone.conf",
            "rclone.conf",
            ".msmtprc",
            ".fetchmailrc",
            "credentials",
            "*credentials.json",
            "*credentials.csv",
            "*credentials.toml",
            "accesskeys.csv",
            "*_accesskeys.csv",
            "rootkey.csv",
            "client_secret*.json",
            "service-account*.json",
            "service_account*.json",
            "secrets.json",
            "secrets.yaml",
            "secrets.yml",
            "secrets.toml",
            "secrets.ini",
            "*.tfstate",
            "*.tfstate.backup",
            "*.tfvars",
            "*.tfvars.json",
            ".terraformrc",
            "terraform.rc",
            ".vault-token",
            ".vault_pass",
            ".vault_pass.txt",
            ".vault_password",
            "id_rsa",
            "id_dsa",
            "id_ecdsa",
            "id_ecdsa_sk",
            "id_ed25519",
            "id_ed25519_sk",
            "*.ppk",
            "*.p12",
            "*.pfx",
            "*.jks",
            "*.jceks",
            "*.keystore",
            "*.kdb",
            "*.kdbx",
            "*.keytab",
            "krb5cc_*",
            "*.ovpn",
            "secring.*",
            ".bash_history",
            ".zsh_history",
            ".*_history",
        ],
    ),
    (
        PartKind::Cache,
        &[
            "*.pyc",
            "*.pyo",
            ".coverage",
            ".coverage.*",
            ".dmypy.json",
            ".testmondata",
            ".eslintcache",
            ".stylelintcache",
            "*.tsbuildinfo",
            "npm-debug.log*",
            "yarn-debug.log*",
            "yarn-error.log*",
            "pip-log.txt",
            ".ds_store",
            "thumbs.db",
            "ehthumbs.db",
            "desktop.ini",
            ".directory",
            "._*",
            ".nfs*",
            ".fuse_hidden*",
        ],
    ),
    (PartKind::Installer, &["*.egg-link", "easy-install.pth", "__editable__*", "_virtualenv.pth", "_virtualenv.py"]),
    (
        PartKind::Editor,
        &[
            ".project",
            ".classpath",
            ".pydevproject",
            ".buildpath",
            ".editorconfig",
            ".dir-locals.el",
            ".netrwhist",
            "*~",
            "#*#",
            ".#*",
            "~$*",
            "*.swp",
            "*.swo",
            "*.swn",
            "*.swm",
            "*.kate-swp",
            ".~lock.*",
            "*.iml",
            "*.ipr",
            "*.iws",
            "*.sublime-project",
            "*.sublime-workspace",
            "*.code-workspace",
        ],
    ),
];

/// Endings of samples that people commit on purpose, without anything private in them.
const SAMPLES: [&str; 7] = ["example", "sample", "template", "tmpl", "dist", "default", "defaults"];

/// Endings of files that may hold keys, private or public: what they hold decides.
const KEYS: [&str; 3] = [".pem", ".key", ".p8"];

/// What an installer of Python's writes beside a package's metadata.
const BESIDE_METADATA: [&str; 6] =
    ["record", "installer", "requested", "direct_url.json", "uv_cache.json", "uv_build.json"];

/// What installers for Node write into `node_modules`.
const IN_NODE_MODULES: [(&str, PartKind); 6] = [
    (".bin", PartKind::Installer),
    (".package-lock.json", PartKind::Installer),
    (".yarn-integrity", PartKind::Installer),
    (".yarn-state.yml", PartKind::Installer),
    (".modules.yaml", PartKind::Installer),
    (".vite", PartKind::Cache),
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

/// What something is, and the name or pattern that it shares with others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Judged {
    pub kind: PartKind,
    pub shared: String,
}

impl Judged {
    pub fn new(kind: PartKind, shared: impl Into<String>) -> Self {
        Self { kind, shared: shared.into() }
    }
}

/// Whether no manifest brings it back. Nothing of it runs, and all of it tells of more than the function.
pub(super) fn is_never_packaged(kind: PartKind) -> bool {
    matches!(kind, PartKind::VersionControl | PartKind::State)
}

/// Where something stands.
pub(super) struct Around<'a> {
    /// The name of the folder that holds it; empty for what stands at the package's root.
    pub parent: &'a str,
    /// The scripts that installers wrote into this folder.
    pub scripts: &'a BTreeSet<String>,
}

/// What something is, if it doesn't belong into a package. `place` is looked into only where a name alone doesn't decide.
pub(super) fn judge(name: &str, place: &Path, is_folder: bool, around: &Around<'_>) -> Option<Judged> {
    by_name(name, is_folder)
        .or_else(|| if is_folder { folder(name, place) } else { file(name, place, around) })
        .or_else(|| in_folder(name, around.parent))
}

/// What something is by its name alone.
pub(super) fn by_name(name: &str, is_folder: bool) -> Option<Judged> {
    if is_git_name(OsStr::new(name)) {
        return Some(Judged::new(PartKind::VersionControl, ".git"));
    }
    let lower = name.to_ascii_lowercase();
    let own = if is_folder { &RULES.folders } else { &RULES.files };
    let found = own.find(&lower).or_else(|| RULES.any.find(&lower))?;
    let sample = || SAMPLES.iter().any(|word| lower.ends_with(&format!(".{word}")) || lower == format!("{word}.env"));
    (found.kind != PartKind::Credentials || !sample()).then_some(found)
}

/// Whether the content of a file of this name decides.
pub(super) fn is_key(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    KEYS.iter().any(|ending| lower.ends_with(ending))
}

/// A file of keys that aren't all public.
pub(super) fn key(name: &str, content: &[u8]) -> Option<Judged> {
    let ending = name.rsplit_once('.').map_or(name, |(_, ending)| ending).to_ascii_lowercase();
    (!is_public(content)).then(|| Judged::new(PartKind::Credentials, format!("*.{ending}")))
}

/// Whether a file holds public certificates and keys, or nothing at all.
fn is_public(content: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(content) else { return false };
    let mut labels = text.split("-----BEGIN ").skip(1).map(|rest| rest.split("-----").next().unwrap_or_default());
    match labels.next() {
        None => text.trim().is_empty(),
        Some(first) => std::iter::once(first).chain(labels).all(|label| PUBLIC.contains(&label)),
    }
}

fn folder(name: &str, place: &Path) -> Option<Judged> {
    let has = |path: &str| place.join(path).exists();
    let lower = name.to_ascii_lowercase();
    let environment = has("pyvenv.cfg") || has("conda-meta/history") || has("bin/activate") || has("Scripts/activate");
    // A package of that name is one.
    let named = ["venv", "virtualenv"].contains(&lower.as_str()) && !has("__init__.py");
    if environment || named {
        return Some(Judged::new(PartKind::VirtualEnvironment, name));
    }
    if lower.ends_with(".egg-info") && !has("installed-files.txt") {
        // What was installed for a function says so; the rest was left by a build in the folder itself.
        return Some(Judged::new(PartKind::Installer, "*.egg-info"));
    }
    (name == "CVS" && has("Entries")).then(|| Judged::new(PartKind::VersionControl, name))
}

fn file(name: &str, place: &Path, around: &Around<'_>) -> Option<Judged> {
    if is_key(name) {
        return match start_of(place, MAX_JUDGED + 1) {
            Some(content) if content.len() as u64 <= MAX_JUDGED => key(name, &content),
            _ => key(name, &UNJUDGED),
        };
    }
    // Begun by a line that names the installing machine's interpreter, or Windows's way to say the same.
    let is_launcher = Path::new(name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("exe"));
    let is_script = || is_launcher || start_of(place, 2).is_some_and(|start| start == b"#!");
    (around.scripts.contains(name) && is_script()).then(|| Judged::new(PartKind::Installer, "bin/*"))
}

fn in_folder(name: &str, parent: &str) -> Option<Judged> {
    let (lower, parent) = (name.to_ascii_lowercase(), parent.to_ascii_lowercase());
    if parent.ends_with(".dist-info") && BESIDE_METADATA.contains(&lower.as_str()) {
        return Some(Judged::new(PartKind::Installer, format!("*.dist-info/{name}")));
    }
    let (_, kind) = IN_NODE_MODULES.iter().find(|(known, _)| parent == "node_modules" && *known == lower)?;
    Some(Judged::new(*kind, format!("node_modules/{name}")))
}

/// The scripts that the installers of some packages wrote into the `bin` folder beside them, by these packages' own records.
pub(super) fn scripts<'a>(folder: &Path, names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let records = names.filter(|name| name.to_ascii_lowercase().ends_with(".dist-info"));
    let mut scripts = BTreeSet::new();
    for name in records {
        let Some(record) = start_of(&folder.join(name).join("RECORD"), MAX_JUDGED) else { continue };
        let record = String::from_utf8_lossy(&record);
        for line in record.lines() {
            let path = line.split(',').next().unwrap_or_default().trim_matches('"').replace('\\', "/");
            let path = path.trim_start_matches("../");
            let script = path.strip_prefix("bin/").or_else(|| path.strip_prefix("Scripts/"));
            scripts.extend(script.filter(|script| !script.contains('/')).map(str::to_owned));
        }
    }
    scripts
}

/// The first bytes of a regular file.
fn start_of(place: &Path, most: u64) -> Option<Vec<u8>> {
    // Before it is opened: opening a pipe would wait for a writer.
    fs::metadata(place).ok().filter(fs::Metadata::is_file)?;
    let mut content = Vec::new();
    fs::File::open(place).ok()?.take(most).read_to_end(&mut content).ok()?;
    Some(content)
}

static RULES: LazyLock<Rules> =
    LazyLock::new(|| Rules { any: Table::new(ANY), folders: Table::new(FOLDERS), files: Table::new(FILES) });

struct Rules {
    any: Table,
    folders: Table,
    files: Table,
}

/// Names, and patterns by what stands before and after their star.
struct Table {
    exact: HashMap<&'static str, PartKind>,
    patterns: Vec<(&'static str, &'static str, PartKind)>,
}

impl Table {
    fn new(names: &'static Names) -> Self {
        let all = names.iter().flat_map(|(kind, names)| names.iter().map(move |name| (*name, *kind)));
        let (starred, exact): (Vec<_>, Vec<_>) = all.partition(|(name, _)| name.contains('*'));
        let split = |(name, kind): (&'static str, PartKind)| name.split_once('*').map(|(a, b)| (a, b, kind));
        Self { exact: exact.into_iter().collect(), patterns: starred.into_iter().filter_map(split).collect() }
    }

    fn find(&self, lower: &str) -> Option<Judged> {
        if let Some((name, kind)) = self.exact.get_key_value(lower) {
            return Some(Judged::new(*kind, *name));
        }
        let long_enough = |before: &str, after: &str| lower.len() >= before.len() + after.len();
        let mut matching = self.patterns.iter().filter(|(before, after, _)| {
            long_enough(before, after) && lower.starts_with(before) && lower.ends_with(after)
        });
        matching.next().map(|(before, after, kind)| Judged::new(*kind, format!("{before}*{after}")))
    }
}

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

use super::content::{self, MAX_JUDGED, UNJUDGED};
use crate::model::PartKind;
use crate::tree::is_git_name;

/// Names in lower case, compared without regard to case. A `*` stands for any characters.
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
            "_fossil_",
            ".fslckout",
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
            ".env-*",
            ".env_*",
            "*.env.local",
            ".envrc",
            ".flaskenv",
            ".dev.vars",
            "local.settings.json",
            ".netrc",
            ".netrc.gpg",
            "_netrc",
            ".curlrc",
            ".wgetrc",
            ".smbcredentials",
            ".passwd-s3fs",
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
            ".yarnrc",
            ".yarnrc.yml",
            "nuget.config",
            ".pypirc",
            ".pip.conf",
            "pip.conf",
            ".condarc",
            ".dockercfg",
            ".dockerconfigjson",
            "kubeconfig",
            "kubeconfig*.json",
            "kubeconfig*.yaml",
            "kubeconfig*.yml",
            "kubeconfig*.conf",
            "*.kubeconfig",
            "*-kubeconfig",
            "*kubeconfig.yaml",
            "*kubeconfig.yml",
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
            ".credentials",
            "*_credentials",
            "credentials.txt",
            "credentials.cfg",
            "credentials.conf",
            "*credentials.json",
            "*credentials.csv",
            "*credentials.toml",
            "*credentials.yaml",
            "*credentials.yml",
            "*credentials.ini",
            "*credentials.xml",
            "*credentials.properties",
            "*.creds",
            "accesskeys.csv",
            "*_accesskeys.csv",
            "rootkey.csv",
            "client_secret*.json",
            "service-account*.json",
            "service_account*.json",
            "serviceaccount*.json",
            "*service-account.json",
            "*service_account.json",
            "*firebase-adminsdk*.json",
            "secrets.json",
            "secrets.yaml",
            "secrets.yml",
            "secrets.toml",
            "secrets.ini",
            "secrets.txt",
            "secrets.cfg",
            "secrets.conf",
            "secrets.xml",
            "secrets.properties",
            "*.secrets.json",
            "*.secrets.yaml",
            "*.secrets.yml",
            "*.secrets.toml",
            "secret.json",
            "secret.yaml",
            "secret.yml",
            "secret.toml",
            "*.tfstate",
            "*.tfstate.*",
            "tfplan",
            "tfplan.json",
            "tfplan.out",
            "tfplan.binary",
            "*.tfplan",
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
            ".viminfo",
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
    (
        PartKind::Installer,
        &[".lock", "*.egg-link", "easy-install.pth", "__editable__*", "_virtualenv.pth", "_virtualenv.py"],
    ),
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

/// Endings of copies, which are as private as what was copied.
const COPIES: [&str; 9] = [".bak", ".backup", ".old", ".orig", ".save", ".saved", ".copy", ".tmp", ".1"];

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

/// What is private only in a folder of a certain name, whether file or folder.
const IN_FOLDERS: [(&str, &str); 16] = [
    (".config", "configstore"),
    (".config", "containers"),
    (".config", "doctl"),
    (".config", "flyctl"),
    (".config", "gcloud"),
    (".config", "gh"),
    (".config", "glab-cli"),
    (".config", "hcloud"),
    (".config", "hub"),
    (".config", "op"),
    (".config", "rclone"),
    (".config", "sops"),
    (".bundle", "config"),
    (".cargo", "credentials"),
    (".m2", "settings.xml"),
    (".m2", "settings-security.xml"),
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
    let copied = || {
        let found = own.find(uncopied(&lower)).filter(|found| found.kind == PartKind::Credentials)?;
        (!is_folder).then_some(found)
    };
    let found = own.find(&lower).or_else(|| RULES.any.find(&lower)).or_else(copied)?;
    let sample = || SAMPLES.iter().any(|word| lower.ends_with(&format!(".{word}")) || lower == format!("{word}.env"));
    (found.kind != PartKind::Credentials || !sample()).then_some(found)
}

/// What a file is by what it holds, of which `read` gives so many bytes at most; of more than that, nothing is known.
pub(super) fn by_content(name: &str, size: u64, read: impl FnOnce(u64) -> Option<Vec<u8>>) -> Option<Judged> {
    let whole = |most: u64| {
        let content = if size <= most { read(most) } else { None };
        content.unwrap_or_else(|| UNJUDGED.to_vec())
    };
    let lower = name.to_ascii_lowercase();
    let credentials = |shared: String| Judged::new(PartKind::Credentials, shared);
    if let Some(ending) = content::key_ending(uncopied(&lower)) {
        return (!content::is_public(ending, &whole(MAX_JUDGED))).then(|| credentials(format!("*.{ending}")));
    }
    if lower == "auth.json" && size <= content::MAX_SMALL {
        return content::has_logins(&whole(content::MAX_SMALL)).then(|| credentials(lower));
    }
    let has_key = content::may_have_key(&lower, size) && content::has_private_key(&whole(content::MAX_SMALL));
    has_key.then(|| credentials(name.to_owned()))
}

/// A name without what was put behind it for a copy.
fn uncopied(lower: &str) -> &str {
    COPIES.iter().find_map(|ending| lower.strip_suffix(ending)).filter(|name| !name.is_empty()).unwrap_or(lower)
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
    let is_repository = name == "CVS" && has("Entries") || has("HEAD") && has("objects") && has("refs");
    is_repository.then(|| Judged::new(PartKind::VersionControl, name))
}

fn file(name: &str, place: &Path, around: &Around<'_>) -> Option<Judged> {
    // Before it is opened: opening a pipe would wait for a writer.
    let size = fs::metadata(place).ok().filter(fs::Metadata::is_file)?.len();
    if let Some(judged) = by_content(name, size, |most| start_of(place, most)) {
        return Some(judged);
    }
    // Begun by a line that names the installing machine's interpreter, or Windows's way to say the same.
    let is_launcher = Path::new(name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("exe"));
    let is_script = || is_launcher || start_of(place, 2).is_some_and(|start| start == b"#!");
    (around.scripts.contains(name) && is_script()).then(|| Judged::new(PartKind::Installer, "bin/*"))
}

/// What something is by its name and that of the folder around it.
pub(super) fn in_folder(name: &str, parent: &str) -> Option<Judged> {
    let (lower, parent) = (name.to_ascii_lowercase(), parent.to_ascii_lowercase());
    if IN_FOLDERS.iter().any(|(folder, known)| parent == *folder && lower == *known) {
        return Some(Judged::new(PartKind::Credentials, format!("{parent}/{lower}")));
    }
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

/// Names, and patterns by what stands between their stars.
struct Table {
    exact: HashMap<&'static str, PartKind>,
    patterns: Vec<(&'static str, PartKind)>,
}

impl Table {
    fn new(names: &'static Names) -> Self {
        let all = names.iter().flat_map(|(kind, names)| names.iter().map(move |name| (*name, *kind)));
        let (patterns, exact): (Vec<_>, Vec<_>) = all.partition(|(name, _)| name.contains('*'));
        Self { exact: exact.into_iter().collect(), patterns }
    }

    fn find(&self, lower: &str) -> Option<Judged> {
        if let Some((name, kind)) = self.exact.get_key_value(lower) {
            return Some(Judged::new(*kind, *name));
        }
        let mut matching = self.patterns.iter().filter(|(pattern, _)| matches(pattern, lower));
        matching.next().map(|(pattern, kind)| Judged::new(*kind, *pattern))
    }
}

/// Whether a name is what a pattern says: its parts in their order, the first at the beginning and the last at the end.
fn matches(pattern: &str, name: &str) -> bool {
    let (Some((first, rest)), Some((_, last))) = (pattern.split_once('*'), pattern.rsplit_once('*')) else {
        return pattern == name;
    };
    let Some(inner) = name.strip_prefix(first).and_then(|name| name.strip_suffix(last)) else { return false };
    let between = rest.strip_suffix(last).unwrap_or_default();
    let mut left = inner;
    between.split('*').filter(|part| !part.is_empty()).all(|part| match left.split_once(part) {
        Some((_, behind)) => {
            left = behind;
            true
        }
        None => false,
    })
}

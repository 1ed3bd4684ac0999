//! Language runtimes: AWS's own clients, installed once into the user's cache directory.
//!
//! A virtual environment can't be moved, so it is made where it stays: under a lock that other processes respect, and marked once it is
//! complete. Whatever lacks the mark is a preparation that was interrupted, and is made anew.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::function::{Family, Function, Notice, Unavailable};
use super::language::{self, Misfit};
use super::worker::Program;

/// What a Python environment holds: AWS's runtime client, and the SDK that Lambda's Python runtimes bring along.
const PYTHON_PINS: [&str; 2] = ["awslambdaric==4.2.2", "boto3==1.44.5"];

/// AWS's runtime clients for Node, the newest first. Each is built where it is installed.
const NODE_CLIENTS: [NodeClient; 2] = [
    NodeClient { oldest: 22, pin: "aws-lambda-ric@4.0.2", tools: &["cmake", "c++", "make", "python3", "tar", "xz"] },
    NodeClient {
        oldest: 20,
        pin: "aws-lambda-ric@3.3.0",
        tools: &["cmake", "c++", "make", "python3", "tar", "autoreconf", "libtoolize"],
    },
];

/// The SDK, of which Lambda's Node runtimes bring all clients along: here it is the one that rotation functions call.
const NODE_SDK: &str = "@aws-sdk/client-secrets-manager@3.1162.0";

/// A version of AWS's runtime client for Node.
struct NodeClient {
    /// The oldest Node that it, or the SDK beside it, runs on.
    oldest: u32,
    pin: &'static str,
    /// What its build calls.
    tools: &'static [&'static str],
}

/// The oldest Python that its client and SDK run on, as minor version of 3.
const OLDEST_PYTHON: u32 = 10;

/// How long installing may take.
const INSTALL_LIMIT: Duration = Duration::from_mins(10);

/// How long asking a program for its version may take.
const QUESTION_LIMIT: Duration = Duration::from_secs(30);

/// The file that marks a complete environment.
const COMPLETE: &str = ".complete";

/// A prepared runtime, or why there is none.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    /// The program, up to the handler's name.
    pub program: PathBuf,
    /// Such as `3.11.7`.
    pub version: String,
    /// A folder of modules that functions find beside their own, as they do on Lambda.
    pub modules: Option<PathBuf>,
}

/// Finds or makes what a family of runtimes needs.
///
/// `minor`: of Python, rather this version than the machine's usual one, where it has it.
pub(super) async fn prepare(
    family: Family,
    minor: Option<u32>,
    cache: Option<&Path>,
    notice: &Notice<'_>,
) -> Result<Prepared, Unavailable> {
    let cache = match cache {
        Some(cache) => cache.to_path_buf(),
        None => user_cache()
            .ok_or_else(|| Unavailable::new("neither `XDG_CACHE_HOME` nor `HOME` says where a runtime can be kept"))?,
    };
    match family {
        Family::Python => python(minor, &cache, notice).await,
        Family::Node => node(&cache, notice).await,
        Family::Provided => Err(Unavailable::new("custom runtimes need no preparation")),
    }
}

/// Reads a function's code for another version of Python than the prepared one. `None` where that finds nothing.
pub(super) async fn misfit(prepared: &Prepared, root: &Path, handler: &str, minor: u32) -> Option<Misfit> {
    let minor = minor.to_string();
    let answer = output(&prepared.program, language::arguments(root, handler, &minor), QUESTION_LIMIT).await;
    // What can't be read is left to the run.
    language::read(&answer.ok()?.stdout)
}

/// The program and arguments that run a function in a prepared runtime.
pub(super) fn program(family: Family, prepared: &Prepared, function: &Function) -> Program {
    let arguments = match family {
        Family::Python => vec!["-m".into(), "awslambdaric".into(), function.handler.clone().into()],
        Family::Node | Family::Provided => vec![function.handler.clone().into()],
    };
    Program { path: prepared.program.clone(), arguments, modules: prepared.modules.clone() }
}

/// `$XDG_CACHE_HOME/rotator`, or `~/.cache/rotator`.
fn user_cache() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("rotator"))
}

/// The machine's Python of a version, where it has that and AWS's client runs on it, else its usual one.
async fn python(minor: Option<u32>, cache: &Path, notice: &Notice<'_>) -> Result<Prepared, Unavailable> {
    for program in minor.filter(|minor| *minor >= OLDEST_PYTHON).map(pythons).unwrap_or_default() {
        let wanted = minor.map(|minor| format!("3.{minor}.")).unwrap_or_default();
        // A name in `PATH` may lead to another version, or to none.
        let version = ask_at(&program, ["-c", "import sys; print('.'.join(map(str, sys.version_info[:3])))"]).await;
        if version.is_ok_and(|version| version.starts_with(&wanted))
            && let Ok(prepared) = python_at(&program, cache, notice).await
        {
            return Ok(prepared);
        }
    }
    python_at(Path::new("python3"), cache, notice).await
}

/// Where a version of Python may be: by its name in `PATH`, and where uv and pyenv keep theirs.
fn pythons(minor: u32) -> Vec<PathBuf> {
    let name = format!("python3.{minor}");
    let folder = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = |below: &str| folder("HOME").map(|home| home.join(below));
    let data = folder("XDG_DATA_HOME").or_else(|| home(".local/share"));
    let uv = folder("UV_PYTHON_INSTALL_DIR").or_else(|| data.map(|data| data.join("uv/python")));
    let pyenv = folder("PYENV_ROOT").or_else(|| home(".pyenv")).map(|root| root.join("versions"));
    let mut found: Vec<PathBuf> = if is_on_path(&name) { vec![PathBuf::from(&name)] } else { Vec::new() };
    for (folder, start) in [(uv, format!("cpython-3.{minor}.")), (pyenv, format!("3.{minor}."))] {
        let entries = folder.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
        let mut versions: Vec<PathBuf> = entries
            .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(&start)))
            .map(|entry| entry.path().join("bin").join(&name))
            .filter(|program| program.is_file())
            .collect();
        versions.sort();
        found.extend(versions.into_iter().rev());
    }
    found
}

async fn python_at(program: &Path, cache: &Path, notice: &Notice<'_>) -> Result<Prepared, Unavailable> {
    let question = "import sys; print('.'.join(map(str, sys.version_info[:3]))); print(sys.executable)";
    let answer = ask_at(program, ["-c", question]).await?;
    let (version, executable) = answer.split_once('\n').unwrap_or((&answer, "python3"));
    let (version, executable) = (version.trim().to_owned(), executable.trim().to_owned());
    let minor = version.strip_prefix("3.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    if minor.is_none_or(|minor| minor < OLDEST_PYTHON) {
        return Err(Unavailable::new(format!(
            "`python3` is {version} here, and AWS's runtime client needs 3.{OLDEST_PYTHON}"
        )));
    }
    let directory = cache.join(format!("python-{}", fingerprint(&[&version, &executable], &PYTHON_PINS)));
    let python = directory.join("bin").join("python");
    once(&directory, "Python", notice, async || {
        run(&executable, [OsStr::new("-m"), OsStr::new("venv"), directory.as_os_str()]).await?;
        let mut install: Vec<&OsStr> =
            ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--prefer-binary"]
                .map(OsStr::new)
                .to_vec();
        install.extend(PYTHON_PINS.map(OsStr::new));
        run(&python, install).await?;
        run(&python, ["-c", "import awslambdaric.bootstrap, runtime_client, boto3"]).await
    })
    .await?;
    Ok(Prepared { program: python, version, modules: None })
}

async fn node(cache: &Path, notice: &Notice<'_>) -> Result<Prepared, Unavailable> {
    let version = ask("node", ["--version"]).await?.trim().trim_start_matches('v').to_owned();
    let client = node_client(&version)?;
    let directory = cache.join(format!("node-{}", fingerprint(&[&version], &[client.pin, NODE_SDK])));
    let modules = directory.join("node_modules");
    let program = modules.join(".bin").join("aws-lambda-ric");
    once(&directory, "Node", notice, async || {
        if std::env::consts::OS != "linux" {
            return Err(Unavailable::new("AWS's runtime client for Node is built on Linux alone"));
        }
        let missing: Vec<String> =
            client.tools.iter().filter(|tool| !is_on_path(tool)).map(|tool| format!("`{tool}`")).collect();
        if !missing.is_empty() {
            return Err(Unavailable::new(format!(
                "AWS's runtime client for Node is built with {}, which this machine lacks",
                missing.join(", ")
            )));
        }
        // A registry that can't be reached is soon given up: somebody waits for a function.
        let options = ["--no-audit", "--no-fund", "--engine-strict", "--loglevel=error", "--fetch-retries=1"];
        let mut install: Vec<&OsStr> = vec![OsStr::new("install")];
        install.extend(options.map(OsStr::new));
        install.extend([OsStr::new("--fetch-retry-mintimeout=1000"), OsStr::new("--prefix"), directory.as_os_str()]);
        install.extend([client.pin, NODE_SDK].map(OsStr::new));
        run("npm", install).await
    })
    .await?;
    Ok(Prepared { program, version, modules: Some(modules) })
}

/// The runtime client for a version of Node.
fn node_client(version: &str) -> Result<&'static NodeClient, Unavailable> {
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok()).unwrap_or_default();
    NODE_CLIENTS.iter().find(|client| major >= client.oldest).ok_or_else(|| {
        let oldest = NODE_CLIENTS.iter().map(|client| client.oldest).min().unwrap_or_default();
        Unavailable::new(format!("`node` is {version} here, and AWS's runtime client and SDK need {oldest}"))
    })
}

/// Whether the machine has a program.
fn is_on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Makes a directory's content unless it is complete; one process at a time.
async fn once(
    directory: &Path,
    language: &str,
    notice: &Notice<'_>,
    make: impl AsyncFnOnce() -> Result<(), Unavailable>,
) -> Result<(), Unavailable> {
    let complete = directory.join(COMPLETE);
    if complete.exists() {
        return Ok(());
    }
    let failed = |error: std::io::Error| {
        Unavailable::new(format!("the {language} runtime can't be kept in `{}`: {error}", directory.display()))
    };
    // The lock ends with the file, and so with the process, however it ends.
    let _lock = lock(directory).await.map_err(failed)?;
    if complete.exists() {
        return Ok(());
    }
    notice(format!("preparing the {language} runtime (once) in `{}`", directory.display()));
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    fs::create_dir_all(directory).map_err(failed)?;
    make().await?;
    fs::write(&complete, "").map_err(failed)
}

async fn lock(directory: &Path) -> std::io::Result<File> {
    if let Some(parent) = directory.parent() {
        fs::create_dir_all(parent)?;
    }
    let path = directory.with_extension("lock");
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    // Another process may be installing for minutes.
    tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await.map_err(std::io::Error::other)?
}

fn fingerprint(machine: &[&str], pins: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in machine.iter().chain(pins).chain(&[std::env::consts::ARCH]) {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    // Six bytes tell the few environments of one machine apart, and keep paths readable.
    let digest = hash.finalize();
    format!("{:012x}", digest.iter().take(6).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)))
}

async fn ask<const N: usize>(program: &str, arguments: [&str; N]) -> Result<String, Unavailable> {
    ask_at(Path::new(program), arguments).await
}

async fn ask_at<const N: usize>(program: &Path, arguments: [&str; N]) -> Result<String, Unavailable> {
    let output = output(program, arguments, QUESTION_LIMIT).await?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

async fn run(
    program: impl AsRef<Path>,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<(), Unavailable> {
    output(program.as_ref(), arguments, INSTALL_LIMIT).await.map(drop)
}

/// Runs a program of the machine with the machine's own environment: installers need its proxies, certificates and settings. AWS's
/// variables are kept from it: packages run code of their own while they are installed, which has no business with credentials.
async fn output(
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    limit: Duration,
) -> Result<Output, Unavailable> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"AWS_")) {
        command.env_remove(name);
    }
    if let Ok(cores) = std::thread::available_parallelism() {
        // Whatever is built on the way is built with all of the machine.
        command.env("MAKEFLAGS", format!("-j{cores}")).env("JOBS", cores.to_string());
    }
    let name = program.file_name().unwrap_or(program.as_os_str()).display();
    let output = match tokio::time::timeout(limit, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Unavailable::new(format!("this machine has no `{name}`")));
        }
        Ok(Err(error)) => return Err(Unavailable::new(format!("`{name}` can't be started: {error}"))),
        Err(_) => return Err(Unavailable::new(format!("`{name}` did not end within {} s", limit.as_secs()))),
    };
    if output.status.success() {
        return Ok(output);
    }
    let said =
        String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr }).into_owned();
    let last = said
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.contains("log of this run"))
        .unwrap_or("it said nothing");
    Err(Unavailable::new(format!("`{name}` failed ({}): {last}", output.status)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Without it, an installation that was interrupted half-way would be taken for a complete one for ever.
    #[tokio::test]
    async fn what_is_not_complete_is_made_anew_and_what_is_complete_stays() {
        let cache = tempfile::tempdir().expect("a directory");
        let directory = cache.path().join("python-0");
        fs::create_dir_all(&directory).expect("half a runtime");
        fs::write(directory.join("half"), "").expect("half a runtime");
        let said = AtomicU32::new(0);
        let notice = |_: String| {
            said.fetch_add(1, Ordering::Relaxed);
        };
        let failed = once(&directory, "Python", &notice, async || Err(Unavailable::new("no network"))).await;
        assert!(failed.is_err());
        assert!(!directory.join("half").exists());
        once(&directory, "Python", &notice, async || Ok(())).await.expect("made");
        once(&directory, "Python", &notice, async || Err(Unavailable::new("made twice"))).await.expect("kept");
        assert_eq!(said.load(Ordering::Relaxed), 2, "the user hears of each preparation, and of nothing else");
    }

    /// Without it, Node would be given a client that it can't run, or none where there is one.
    #[test]
    fn each_node_gets_a_client_that_it_runs() {
        let pin = |version: &str| node_client(version).map(|client| client.pin);
        assert_eq!(pin("24.1.0"), Ok("aws-lambda-ric@4.0.2"));
        assert_eq!(pin("22.0.0"), Ok("aws-lambda-ric@4.0.2"));
        assert_eq!(pin("20.20.2"), Ok("aws-lambda-ric@3.3.0"));
        assert_eq!(
            pin("18.19.0").expect_err("too old").to_string(),
            "`node` is 18.19.0 here, and AWS's runtime client and SDK need 20"
        );
        assert!(pin("nonsense").is_err());
    }

    /// Without it, a runtime whose installation failed would say nothing of why.
    #[tokio::test]
    async fn a_failure_says_what_the_program_said() {
        let error =
            run("sh", ["-c", "echo first >&2; echo 'no wheel for you' >&2; exit 3"]).await.expect_err("a failure");
        assert!(error.to_string().contains("no wheel for you"), "{error}");
        let error = run("rotator-has-no-such-program", ["x"]).await.expect_err("a failure");
        assert_eq!(error.to_string(), "this machine has no `rotator-has-no-such-program`");
    }
}

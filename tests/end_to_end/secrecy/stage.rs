//! A sandbox, marked values, folders that are watched, and every run of the program with what it said.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::marks::Marks;
use crate::support::{ACCOUNT, Output, REGION, World, output, rotator_binary, scrubbed};

/// Variables that make other programs talk: a library that listened to one of them would, too.
const NOISE: [(&str, &str); 8] = [
    ("RUST_LOG", "trace"),
    ("RUST_LOG_SPAN_EVENTS", "full"),
    ("RUST_BACKTRACE", "full"),
    ("AWS_LOG_LEVEL", "trace"),
    ("AWS_SDK_LOG_LEVEL", "trace"),
    ("AWS_CRT_LOG_LEVEL", "trace"),
    ("SSLKEYLOGFILE", "keys.log"),
    ("DEBUG", "*"),
];

/// Where marked values lie, and where none may turn up.
pub struct Stage {
    pub world: World,
    pub marks: Marks,
    root: tempfile::TempDir,
    leaks: Mutex<Vec<String>>,
    runs: Mutex<usize>,
    searched: Mutex<usize>,
}

impl Stage {
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        for folder in ["repo", "work", "tmp", "home/.aws", "state"] {
            std::fs::create_dir_all(root.path().join(folder)).expect("a folder");
        }
        Self {
            world: World::new(),
            marks: Marks::default(),
            root,
            leaks: Mutex::default(),
            runs: Mutex::default(),
            searched: Mutex::default(),
        }
    }

    /// A path below the stage: `repo` has the manifests, `work` is where commands run, `state` belongs to sandboxes.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("has a parent")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }

    /// The program in its own folders, without credentials.
    pub fn command(&self) -> Command {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
        let mut command = scrubbed(rotator_binary());
        command.current_dir(self.path("work")).env("HOME", self.path("home")).env("TMPDIR", self.path("tmp"));
        // Runtimes of functions are made once a machine, and hold nothing of a run.
        command.envs(cache.map(|cache| ("XDG_CACHE_HOME", cache))).envs(NOISE);
        command.env_remove("AWS_CONFIG_FILE").env_remove("AWS_SHARED_CREDENTIALS_FILE");
        command.env("AWS_ENDPOINT_URL", &self.world.url).env("AWS_REGION", REGION).env("AWS_MAX_ATTEMPTS", "1");
        command
    }

    /// The program with credentials of the environment.
    pub fn signed(&self, secret: &str, token: &str) -> Command {
        let mut command = self.command();
        command.env("AWS_ACCESS_KEY_ID", ACCOUNT).env("AWS_SECRET_ACCESS_KEY", secret).env("AWS_SESSION_TOKEN", token);
        command
    }

    /// Runs a command, and searches what it said.
    pub fn run(&self, command: &mut Command) -> Output {
        let shown = shown(command);
        let output = output(command);
        self.search(&format!("stdout of `{shown}`"), output.stdout.as_bytes());
        self.search(&format!("stderr of `{shown}`"), output.stderr.as_bytes());
        assert!(!output.stderr.contains("panicked at"), "`{shown}` panicked: {}", output.all());
        *lock(&self.runs) += 1;
        output
    }

    /// Runs commands side by side.
    pub fn run_all(&self, commands: Vec<Command>) {
        let commands = Mutex::new(commands);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    loop {
                        let next = lock(&commands).pop();
                        let Some(mut command) = next else { return };
                        self.run(&mut command);
                    }
                });
            }
        });
    }

    /// Notes every mark in what came from somewhere.
    pub fn search(&self, origin: &str, bytes: &[u8]) {
        *lock(&self.searched) += bytes.len();
        let found = self.marks.found_in(bytes);
        lock(&self.leaks).extend(found.into_iter().map(|what| format!("{origin}: {what}")));
    }

    /// Searches all files below a folder, and their names.
    pub fn search_folder(&self, name: &str) {
        for (path, content) in files(&self.path(name)) {
            self.search("a name", path.as_os_str().as_encoded_bytes());
            self.search(&path.display().to_string(), &content);
        }
    }

    /// Each file below a folder with its hash, to notice what changes.
    pub fn fingerprint(&self, name: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        files(&self.path(name)).into_iter().map(|(path, content)| (path, Sha256::digest(content).to_vec())).collect()
    }

    /// Searches everything that is left behind, and fails where anything was found anywhere.
    #[expect(clippy::print_stdout, reason = "the figures, with `--nocapture`")]
    pub fn end(self) {
        for name in ["work", "tmp"] {
            self.search_folder(name);
        }
        let left: Vec<PathBuf> = files(&self.path("tmp")).into_iter().map(|(path, _)| path).collect();
        assert!(left.is_empty(), "temporary files are left behind: {left:?}");
        // What was put into HOME may stay there, and nothing else may come.
        let home: Vec<PathBuf> = files(&self.path("home")).into_iter().map(|(path, _)| path).collect();
        let strange = home.iter().filter(|path| !path.starts_with(self.path("home/.aws")));
        assert_eq!(strange.count(), 0, "files came into HOME: {home:?}");
        for log in ["calls.jsonl", "sandbox.log"] {
            let content = std::fs::read(self.world.path(log)).expect("a log of the sandbox");
            self.search(log, &content);
        }
        let leaks = lock(&self.leaks);
        assert!(leaks.is_empty(), "{} marked values came out:\n{}", leaks.len(), leaks.join("\n"));
        println!(
            "{} marked values, {} runs, {} KB searched",
            self.marks.count(),
            lock(&self.runs),
            *lock(&self.searched) / 1024
        );
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A command's arguments, for messages.
fn shown(command: &Command) -> String {
    command.get_args().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), std::fs::read(&path).unwrap_or_default()));
        }
    }
    found
}

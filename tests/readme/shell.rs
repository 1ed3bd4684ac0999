//! What pages show of a shell is done: blocks of `sh` are run, and blocks of `text` that begin with `$ ` are compared with what their
//! commands print, one after another. Times differ between runs, and may not be many times longer than they are shown.
//!
//! Each runs in a folder of its own that holds the repository's `examples`, against a sandbox of its own. A comment on the line
//! before says what is special: `run: in FOLDER; secrets NAME NAME; ends with 2 0`, or `not run: REASON`. Two folders are made
//! for pages: `manifest` has the manifest of `schema/README.md`, `change` a Git repository with a topic branch.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use super::blocks::beside;
use super::pages::{Block, Page, pages, repository};
use super::support::{Output, World, output, rotator_binary, venv};

/// How a block is run.
#[derive(Default)]
struct How {
    folder: String,
    secrets: Vec<String>,
    /// How each command ends; those that aren't named with 0.
    codes: Vec<i32>,
    /// Why it isn't.
    not: Option<String>,
}

impl How {
    fn read(marker: &str) -> Self {
        let mut how = Self::default();
        let text = marker.trim_start_matches("<!--").trim_end_matches("-->").trim();
        if let Some(reason) = text.strip_prefix("not run: ") {
            how.not = Some(reason.to_owned());
        }
        for part in text.strip_prefix("run: ").unwrap_or_default().split("; ") {
            if let Some(folder) = part.strip_prefix("in ") {
                folder.clone_into(&mut how.folder);
            } else if let Some(names) = part.strip_prefix("secrets ") {
                how.secrets = names.split(' ').map(str::to_owned).collect();
            } else if let Some(codes) = part.strip_prefix("ends with ") {
                how.codes = codes.split(' ').map(|code| code.parse().expect("an exit code")).collect();
            } else {
                assert!(part.is_empty(), "`{part}` says nothing of how a block is run");
            }
        }
        how
    }

    fn code(&self, command: usize) -> i32 {
        self.codes.get(command).copied().unwrap_or_default()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("examples are readable") {
        let entry = entry.expect("examples are readable");
        let name = entry.file_name();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // What running an example leaves behind is no part of it.
            if name != ".rotator" && name != "__pycache__" {
                copy(&entry.path(), &to.join(name));
            }
        } else {
            std::fs::copy(entry.path(), to.join(name)).expect("copied");
        }
    }
}

/// A Git repository in which a topic branch changes one line of defaults, for 40 secrets in two targets.
fn change(world: &World) {
    let manifest = |days: u32| {
        let mut text = format!(
            "version: 1\nproject: payments\ndefaults:\n  secrets:\n    rotation: {{automatically_after_days: {days}, duration: 4h}}\n\
             targets:\n  prod-eu: {{region: eu-west-1, account: '{0}'}}\n  prod-us: {{region: us-east-1, account: '{0}'}}\n\
             functions:\n  stripe: {{existing: stripe}}\nsecrets:\n",
            super::support::ACCOUNT
        );
        for number in 1..=40 {
            let _ = writeln!(text, "  payments/key-{number:02}: {{function: stripe}}");
        }
        text
    };
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let mut command = world.program("git");
        output(command.current_dir(world.path("change")).args(identity).args(arguments)).exits(0);
    };
    world.write("change/rotator.yaml", &manifest(60));
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "first"]);
    git(&["checkout", "-q", "-b", "topic"]);
    world.write("change/rotator.yaml", &manifest(30));
    git(&["commit", "-q", "-a", "-m", "more often"]);
}

fn world(how: &How) -> World {
    let world = World::new();
    copy(&repository().join("examples"), &world.path("examples"));
    match how.folder.as_str() {
        "change" => change(&world),
        "manifest" => {
            let page = Page::read(Path::new("schema/README.md"));
            let shown = page.blocks.iter().find(|block| block.language == "yaml").expect("a manifest");
            world.write("manifest/rotator.yaml", &shown.text);
            beside(&world.path("manifest"));
        }
        _ => {}
    }
    for secret in &how.secrets {
        world.create_secret(secret, "first");
    }
    world
}

fn run(world: &World, how: &How, script: &str) -> Output {
    let binaries = Path::new(rotator_binary()).parent().expect("a folder").to_owned();
    let path = std::env::join_paths(
        [binaries, venv().join("bin")]
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let mut command: Command = world.program("timeout");
    command.env("PATH", path.expect("paths")).current_dir(world.path(&how.folder));
    output(command.args(["120", "bash", "-euo", "pipefail", "-c", script]))
}

/// Without it, people would follow a page, and end in an error.
#[test]
fn what_a_shell_is_shown_to_do_is_done() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in pages() {
        for block in page.blocks.iter().filter(|block| block.language == "sh") {
            let how = How::read(&block.marker);
            if how.not.is_some() {
                continue;
            }
            count += 1;
            let world = world(&how);
            // The port that pages name may be another's on this machine.
            let free =
                TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
            let text = block.text.replace("4570", &free.to_string());
            let text = text.replace("sandbox start", &format!("sandbox start --listen 127.0.0.1:{free}"));
            let script = format!("trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{text}");
            let output = run(&world, &how, &script);
            if output.code != how.code(0) {
                wrong.push(format!("{}:{}: {}", page.path.display(), block.line, output.all()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 4, "only {count} blocks were run");
}

/// How many times longer than shown something may take: machines that test are busy.
const SLOWER: f64 = 5.0;

/// A span of time as people write it, in seconds: `4s`, `0m3.412s`.
fn seconds(word: &str) -> Option<f64> {
    let word = word.trim_end_matches(['.', ',']).strip_suffix('s')?;
    let (minutes, seconds) = word.split_once('m').unwrap_or(("0", word));
    Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
}

/// The times in a text.
fn times(text: &str) -> impl Iterator<Item = f64> {
    text.split_whitespace().filter_map(seconds)
}

/// A line as it is compared: without spaces at its end, and with one word for all revisions, and for all times.
fn comparable(line: &str) -> String {
    let is_revision =
        |word: &str| word.len() == 12 && word.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
    let words = line
        .trim_end()
        .split([' ', '\t'])
        .map(|word| if is_revision(word) && word != super::support::ACCOUNT { "REVISION" } else { word })
        .map(|word| if seconds(word).is_some() { "TIME" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// What isn't printed of what a block shows, in its order.
fn missing(block: &Block, printed: &str) -> Vec<String> {
    let mut lines = printed.lines().map(comparable);
    let is_shown = |line: &&str| !line.trim().is_empty() && line.trim() != "…" && !line.starts_with("$ ");
    let shown = block.text.lines().filter(is_shown).map(comparable);
    shown.filter(|line| !lines.any(|other| other == *line)).collect()
}

/// Without it, a page would show what the program printed once.
#[test]
fn what_a_terminal_is_shown_to_print_is_printed() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in pages() {
        for block in page.blocks.iter().filter(|block| block.language == "text" && block.text.starts_with("$ ")) {
            count += 1;
            let how = How::read(&block.marker);
            assert!(how.not.is_none(), "{}:{}", page.path.display(), block.line);
            let place = format!("{}:{}", page.path.display(), block.line);
            let (world, mut printed) = (world(&how), String::new());
            let longest = |text: &str| times(text).fold(0.0, f64::max);
            for (number, shown) in format!("\n{}", block.text).split("\n$ ").skip(1).enumerate() {
                let command = shown.lines().next().unwrap_or_default();
                let output = run(&world, &how, &format!("{{ {command}\n}} 2>&1"));
                if output.code != how.code(number) {
                    wrong.push(format!("{place}: {command}: {}", output.all()));
                }
                if longest(&output.stdout) > longest(shown).max(10.0) * SLOWER {
                    wrong.push(format!("{place}: {command} takes much longer than shown: {}", output.all()));
                }
                printed += &output.stdout;
            }
            let missing = missing(block, &printed);
            if !missing.is_empty() {
                wrong.push(format!("{place}: {missing:#?}\n{printed}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 3, "only {count} blocks were run");
}

//! Running the program where it may neither hang, nor eat the machine's memory, nor steer a terminal.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing that this file runs may take longer, on however slow a machine. A hang takes for ever.
pub const DEADLINE: Duration = Duration::from_mins(15);

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None`: a signal ended it, or the deadline.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Ended {
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// What makes any run a failure, whatever it was given.
    pub fn breach(&self) -> Option<String> {
        let all = self.all();
        if self.took >= DEADLINE {
            return Some("it doesn't end".to_owned());
        }
        match self.code {
            None => return Some("a signal ended it".to_owned()),
            Some(0..=5) => {}
            Some(code) => return Some(format!("it ends with {code}, which isn't documented")),
        }
        if all.contains("panicked at") || all.contains("this is a bug") {
            return Some("it panicked".to_owned());
        }
        if let Some(c) = all.chars().find(|c| steers(*c)) {
            return Some(format!("{} reaches the terminal", c.escape_unicode()));
        }
        if self.code == Some(1) && !all.contains("rror") && !all.contains("failed: ") {
            return Some("it fails without a word".to_owned());
        }
        None
    }

    #[track_caller]
    pub fn sound(self) -> Self {
        if let Some(breach) = self.breach() {
            panic!("{breach}\n{}", self.shortened());
        }
        self
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.shortened());
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.all().contains(text), "{text:?} isn't said:\n{}", self.shortened());
        self
    }

    pub fn shortened(&self) -> String {
        let part = |text: &str| text.chars().take(3000).collect::<String>();
        format!("code {:?} after {:?}\n{}\n---\n{}", self.code, self.took, part(&self.stdout), part(&self.stderr))
    }
}

/// Characters that steer a terminal, reorder what is read, or hide.
pub fn steers(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{e0000}'..='\u{e0fff}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The program, without anything of this machine's AWS configuration, and with at most `megabytes` of memory.
pub fn rotator(folder: &Path, megabytes: u64) -> Command {
    // The limit is on address space, of which threads and allocators take a little more than they use.
    let mut command = Command::new("sh");
    command.args(["-c", r#"ulimit -v "$1" && shift && exec "$@""#, "sh"]);
    command.arg((megabytes * 1024).to_string()).arg(env!("CARGO_BIN_EXE_rotator"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("AWS_") || name.to_ascii_lowercase().ends_with("_proxy") || name.starts_with("ROTATOR_") {
            command.env_remove(name);
        }
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").current_dir(folder);
    command
}

/// Runs to the end, or to the deadline.
pub fn run(command: &mut Command) -> Ended {
    let began = Instant::now();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let read = |mut stream: Box<dyn std::io::Read + Send>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stream.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = read(Box::new(child.stdout.take().expect("piped")));
    let stderr = read(Box::new(child.stderr.take().expect("piped")));
    let code = loop {
        match child.try_wait().expect("our own child") {
            Some(status) => break status.code(),
            None if began.elapsed() > DEADLINE => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    Ended {
        code,
        stdout: stdout.join().expect("it reads"),
        stderr: stderr.join().expect("it reads"),
        took: began.elapsed(),
    }
}

/// A number of the environment.
pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

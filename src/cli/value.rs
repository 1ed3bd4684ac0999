//! Values of a sandbox's secrets that people give on the command line.

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use super::failure::Failure;
use super::output;

/// The largest value of a secret (Secrets Manager quotas, 64 KB), in bytes.
const LARGEST: u64 = 65_536;

/// A value, from a file or from standard input.
pub fn read(file: &Path) -> Result<String, Failure> {
    let is_input = file.as_os_str() == "-";
    let from = if is_input { "standard input".to_owned() } else { format!("`{}`", output::path(file)) };
    let failed = |error: std::io::Error| Failure::new(format!("the value can't be read from {from}: {error}"));
    let mut text = String::new();
    if is_input {
        if std::io::stdin().is_terminal() {
            output::say("The value, ended by Ctrl-D:");
        }
        std::io::stdin().lock().take(LARGEST + 2).read_to_string(&mut text).map_err(failed)?;
    } else {
        let file = std::fs::File::open(file).map_err(failed)?;
        file.take(LARGEST + 2).read_to_string(&mut text).map_err(failed)?;
    }
    let length = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(&text).len();
    text.truncate(length);
    if text.is_empty() || u64::try_from(text.len()).is_ok_and(|length| length > LARGEST) {
        return Err(Failure::new(format!("a secret's value has 1 to {LARGEST} bytes")));
    }
    Ok(text)
}

//! Which index is asked: the environment says it, or pip's own configuration, and never the repository.

use std::path::PathBuf;

use url::Url;

use crate::env;

/// The largest file of configuration that is read, in bytes.
const MOST: u64 = 1024 * 1024;

/// The index of Python packages.
pub(super) struct Index {
    /// The address of its simple API. It may hold a login: it is shown nowhere.
    pub url: Url,
    /// What names it: a variable, or a file.
    pub stated_by: String,
}

/// The index that the environment names.
pub(super) fn index() -> Result<Index, String> {
    let variables = [env::ROTATOR_PYTHON_INDEX, env::UV_DEFAULT_INDEX, env::PIP_INDEX_URL];
    let stated = variables.into_iter().find_map(|name| Some((env::read(name)?, format!("`{name}`"))));
    let (text, stated_by) = stated.or_else(configured).ok_or(
        "no index of Python packages is named, and a repository can't name one; set `PIP_INDEX_URL` to the address of its simple API, as pip takes it, such as your company's, or state `index-url` in pip's configuration",
    )?;
    // Of uv's, a name may stand before the address.
    let address = text.split_once("=http").map_or_else(|| text.clone(), |(_, rest)| format!("http{rest}"));
    let url = Url::parse(address.trim()).ok().filter(|url| url.has_host() && matches!(url.scheme(), "https" | "http"));
    let url = url.ok_or_else(|| format!("{stated_by} names no index: an address begins with `https://`"))?;
    Ok(Index { url, stated_by })
}

/// What pip's configuration of the user or the machine says. That of a virtual environment may lie in the repository, and isn't read.
fn configured() -> Option<(String, String)> {
    let home = env::read(env::HOME).map(PathBuf::from);
    let own = env::read(env::XDG_CONFIG_HOME).map(PathBuf::from).or_else(|| Some(home.clone()?.join(".config")));
    let files = [
        env::read(env::PIP_CONFIG_FILE).map(PathBuf::from),
        own.map(|folder| folder.join("pip/pip.conf")),
        home.as_ref().map(|home| home.join("Library/Application Support/pip/pip.conf")),
        home.map(|home| home.join(".pip/pip.conf")),
        Some(PathBuf::from("/etc/xdg/pip/pip.conf")),
        Some(PathBuf::from("/etc/pip.conf")),
    ];
    files.into_iter().flatten().find_map(|file| {
        file.metadata().ok().filter(|metadata| metadata.is_file() && metadata.len() <= MOST)?;
        let address = index_url(&std::fs::read_to_string(&file).ok()?)?;
        Some((address, format!("pip's configuration, `{}`", file.display())))
    })
}

/// `index-url` of the section that holds for every command of pip, or for `install`, which wins.
fn index_url(text: &str) -> Option<String> {
    let (mut section, mut global, mut install) = (String::new(), None, None);
    for line in text.lines() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.trim().clone_into(&mut section);
        }
        let Some((key, value)) = line.split_once(['=', ':']) else { continue };
        if matches!(key.trim(), "index-url" | "index_url") {
            let place = match section.as_str() {
                "global" => &mut global,
                "install" => &mut install,
                _ => continue,
            };
            *place = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        }
    }
    install.or(global)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, an index that only pip's configuration names would not be found, or another section's be taken.
    #[test]
    fn pips_configuration_is_read_as_pip_reads_it() {
        let text =
            "[global]\ntimeout = 60\nindex-url = https://a.example/simple\n[list]\nindex-url = https://no.example/\n";
        assert_eq!(index_url(text).as_deref(), Some("https://a.example/simple"));
        let text = format!("{text}[install]\nindex_url: https://b.example/simple\n");
        assert_eq!(index_url(&text).as_deref(), Some("https://b.example/simple"));
        assert_eq!(index_url("index-url = https://a.example\n# [global]\n"), None);
    }
}

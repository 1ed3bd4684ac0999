//! A manifest's tree: what lies below the folder of a root manifest, and how a path in it is judged.
//!
//! A pull request brings links along, so a path's words say nothing. Each step of it is looked at: where a link leads, what that
//! leads to, up to the file itself. Every step stays inside the tree, and none goes through Git's own folder, where credentials
//! of pipelines lie.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

/// How deep folders may be nested, in a function's code and in a revision: far beyond any program's, and little enough that paths
/// stay short.
pub const MAX_DEPTH: usize = 256;

/// The longest chain of links that is followed, as Linux has it.
pub const MAX_LINKS: usize = 40;

/// A root manifest's folder, without links.
#[derive(Debug, Clone)]
pub struct Tree {
    real: PathBuf,
}

/// Why a path is no part of a tree.
#[derive(Debug)]
pub enum Stray {
    /// It lies elsewhere, by its own words.
    Outside,
    /// A link on the way to it, or it itself, leads elsewhere.
    Link,
    /// A step of the way is Git's own folder.
    Git,
    /// There is nothing.
    Missing,
    /// Links lead round in a circle, or are too many.
    Endless,
    /// The system refused to say.
    Unknown(io::Error),
}

impl Stray {
    fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing,
            _ => Self::Unknown(error),
        }
    }
}

impl std::fmt::Display for Stray {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Outside => f.write_str("it lies outside the manifest's folder"),
            Self::Link => f.write_str("it is a link that leaves the manifest's folder"),
            Self::Git => f.write_str("Git's own folder is no part of a manifest"),
            Self::Missing => f.write_str("there is no such file or folder"),
            Self::Endless => write!(f, "its links lead round in a circle, or are more than {MAX_LINKS}"),
            Self::Unknown(error) => error.fmt(f),
        }
    }
}

impl Tree {
    /// The tree below a folder.
    pub fn at(folder: &Path) -> io::Result<Self> {
        Ok(Self { real: here(folder).canonicalize()? })
    }

    /// The folder, without links.
    pub fn real(&self) -> &Path {
        &self.real
    }

    /// Follows a path from a folder of the tree, step by step. The answer is what it leads to, without links.
    ///
    /// Nothing outside is looked at. An absolute link is followed where it names this tree.
    pub fn reach(&self, from: &Path, path: &Path) -> Result<PathBuf, Stray> {
        let mut at = here(from).canonicalize().map_err(Stray::of)?;
        if !at.starts_with(&self.real) {
            return Err(Stray::Outside);
        }
        let mut left: VecDeque<OsString> = steps(path);
        // Whose words are being followed: the path's own, or a link's.
        let (mut links, mut own) = (0, left.len());
        while let Some(step) = left.pop_front() {
            let stray = if own > 0 { Stray::Outside } else { Stray::Link };
            own = own.saturating_sub(1);
            if step == ".." {
                if at == self.real {
                    return Err(stray);
                }
                at.pop();
                continue;
            }
            if Path::new(&step).is_absolute() {
                return Err(stray);
            }
            if is_git_name(&step) {
                return Err(Stray::Git);
            }
            at.push(&step);
            if !at.symlink_metadata().map_err(Stray::of)?.is_symlink() {
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(Stray::Endless);
            }
            let target = at.read_link().map_err(Stray::of)?;
            at.pop();
            let target = match target.strip_prefix(&self.real) {
                Ok(inside) if target.is_absolute() => {
                    at.clone_from(&self.real);
                    inside.to_path_buf()
                }
                _ if target.is_absolute() => return Err(Stray::Link),
                _ => target,
            };
            own = 0;
            for step in steps(&target).into_iter().rev() {
                left.push_front(step);
            }
        }
        self.holds(&at)
    }

    /// Judges where a path leads in the end. The answer is that, without links.
    pub fn holds(&self, path: &Path) -> Result<PathBuf, Stray> {
        let real = path.canonicalize().map_err(Stray::of)?;
        // File systems that don't know lower from upper case, or that have second names, say the real one here.
        let inside = real.strip_prefix(&self.real).map_err(|_| Stray::Link)?;
        if inside.iter().any(is_git_name) { Err(Stray::Git) } else { Ok(real) }
    }
}

/// The steps of a path: names and `..`; a root stays one.
fn steps(path: &Path) -> VecDeque<OsString> {
    let step = |component: Component<'_>| match component {
        Component::CurDir => None,
        other => Some(other.as_os_str().to_owned()),
    };
    path.components().filter_map(step).collect()
}

/// A folder as the file system takes it: the one of a file without any is the working directory.
pub fn here(folder: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_path_buf() }
}

/// Whether a path that a person named leads into Git's own folder by a link: a pull request can make that link of a file that a
/// pipeline names. Where the person's own words name that folder, they mean it.
pub fn sneaks_into_git(path: &Path) -> bool {
    let count = |path: &Path| path.iter().filter(|name| is_git_name(name)).count();
    match (std::path::absolute(path), path.canonicalize()) {
        (Ok(named), Ok(real)) => count(&real) > count(&named),
        _ => false,
    }
}

/// Whether a path that a person named leads out of its checkout by a link that the checkout holds: a pull request can so have any file
/// of the machine read and quoted. A checkout is the outermost folder around it that is the working one, or that Git's own folder
/// lies in. What lies in none is the person's own.
pub fn leaves_checkout(path: &Path) -> bool {
    let Ok(path) = std::path::absolute(path) else { return false };
    let working = std::env::current_dir().ok();
    let is_ours = |folder: &Path| working.as_deref() == Some(folder) || folder.join(".git").symlink_metadata().is_ok();
    let Some(top) = path.ancestors().skip(1).filter(|folder| is_ours(folder)).last() else { return false };
    let (Ok(tree), Ok(below)) = (Tree::at(top), path.strip_prefix(top)) else { return false };
    matches!(tree.reach(tree.real(), below), Err(Stray::Outside | Stray::Link))
}

/// Whether a name is Git's own folder, on some file system: `.git` in any case, and what Git itself refuses to write because
/// Windows or macOS take it for that.
pub fn is_git_name(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    // Windows takes both for separators.
    name.split(['\\', '/']).any(|part| is_git_on_windows(part) || is_git_on_mac(part))
}

/// Windows drops dots and spaces at the end, has `:` before the name of a stream, and a short name for each long one.
fn is_git_on_windows(name: &str) -> bool {
    let name = name.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    name.eq_ignore_ascii_case(".git") || name.eq_ignore_ascii_case("git~1")
}

/// macOS passes over some characters that can't be seen.
fn is_git_on_mac(name: &str) -> bool {
    let is_passed_over = |c: &char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let seen = name.chars().filter(|c| !is_passed_over(c));
    // Without allocating: every file of every package is asked.
    seen.map(|c| c.to_ascii_lowercase()).eq(".git".chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a name that only Linux takes for another could bring Git's own folder, with a pipeline's credentials, into a
    /// function or a message.
    #[test]
    fn all_names_of_gits_folder_are_known() {
        for name in [
            ".git",
            ".GIT",
            ".Git",
            ".git ",
            ".git.",
            ".git . .",
            "git~1",
            "GIT~1",
            "git~1 ",
            ".git::$INDEX_ALLOCATION",
            ".git:x",
            "a\\.git\\config",
            ".g\u{200c}it",
            "\u{feff}.git",
            ".gi\u{202e}T",
        ] {
            assert!(is_git_name(OsStr::new(name)), "{name:?}");
        }
        for name in
            [".gitignore", ".gitattributes", ".github", "git", ".gi", "git~2", "agit~1", ".git2", "x.git", ".git-x", ""]
        {
            assert!(!is_git_name(OsStr::new(name)), "{name:?}");
        }
    }

    #[cfg(unix)]
    fn link(target: impl AsRef<Path>, at: PathBuf) {
        std::os::unix::fs::symlink(target, at).expect("a link");
    }

    /// Without it, a chain of links could go through Git's own folder, or through another one, and come back.
    #[cfg(unix)]
    #[test]
    fn each_step_of_a_path_is_judged() {
        let away = tempfile::tempdir().expect("a folder");
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a folder");
        for name in ["a/b", ".git/hooks", "code"] {
            std::fs::create_dir_all(root.join(name)).expect("a folder");
        }
        std::fs::write(root.join(".git/config"), "x").expect("a file");
        std::fs::write(root.join("code/f.py"), "x").expect("a file");
        link("../code", root.join("a/code"));
        link(root.join("code"), root.join("absolute"));
        link(".git", root.join("git"));
        link(".git/config", root.join("config"));
        link("../config", root.join("a/config"));
        link(".git/../code", root.join("through"));
        link(&root, away.path().join("back"));
        link(away.path().join("back/code"), root.join("round"));
        link("../../../../../../../../../../../../etc", root.join("up"));
        link("loop", root.join("loop"));
        link("nowhere", root.join("dangling"));
        let tree = Tree::at(&root).expect("a tree");
        let reach = |from: &str, path: &str| tree.reach(&root.join(from), Path::new(path));
        for (from, path, real) in [
            ("", "code", "code"),
            ("a", "../code/./f.py", "code/f.py"),
            ("", "a/code/f.py", "code/f.py"),
            ("a", "code", "code"),
            ("", "absolute/f.py", "code/f.py"),
            ("a/b", "../../a", "a"),
        ] {
            assert_eq!(reach(from, path).expect(path), root.join(real));
        }
        for (from, path) in [
            ("", ".git/config"),
            ("", "a/../.GIT/x"),
            ("", "git"),
            ("", "git/config"),
            ("", "config"),
            ("a", "config"),
            ("", "through/f.py"),
        ] {
            assert!(matches!(reach(from, path), Err(Stray::Git)), "{path}");
        }
        for path in ["round", "up/passwd"] {
            assert!(matches!(reach("", path), Err(Stray::Link)), "{path}");
        }
        assert!(matches!(reach("a", "../../x"), Err(Stray::Outside)));
        assert!(matches!(reach("", "/etc"), Err(Stray::Outside)));
        assert!(matches!(reach("", "loop"), Err(Stray::Endless)));
        assert!(matches!(reach("", "dangling"), Err(Stray::Missing)));
        assert!(matches!(reach("", "code/f.py/x"), Err(Stray::Missing)));
    }

    /// Without it, a policy that a pipeline names could be made a link to Git's configuration, and be shown line by line.
    #[cfg(unix)]
    #[test]
    fn what_a_person_names_may_be_gits_and_what_a_link_names_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        std::fs::create_dir(root.join(".git")).expect("a folder");
        std::fs::write(root.join(".git/config"), "x").expect("a file");
        std::fs::write(root.join("policy.yaml"), "x").expect("a file");
        link("policy.yaml", root.join("other.yaml"));
        link(".git/config", root.join("config.yaml"));
        link(".git", root.join("folder"));
        for name in ["policy.yaml", "other.yaml", ".git/config", "missing"] {
            assert!(!sneaks_into_git(&root.join(name)), "{name}");
        }
        for name in ["config.yaml", "folder/config"] {
            assert!(sneaks_into_git(&root.join(name)), "{name}");
        }
    }

    /// Without it, a link in a pull request in the place of a policy could show any file of the pipeline's machine.
    #[test]
    #[cfg(unix)]
    fn links_that_leave_a_checkout_are_told_from_others() {
        use std::os::unix::fs::symlink;
        let place = tempfile::tempdir().expect("a folder");
        let (repo, out) = (place.path().join("repo"), place.path().join("out"));
        for folder in [repo.join(".git"), repo.join("sub"), out.clone()] {
            std::fs::create_dir_all(folder).expect("a folder");
        }
        for file in [repo.join("p.yaml"), out.join("creds")] {
            std::fs::write(file, "version: 1").expect("a file");
        }
        for (to, from) in [
            ("../out/creds", "away.yaml"),
            ("../out", "folder"),
            ("p.yaml", "here.yaml"),
            ("../p.yaml", "sub/up.yaml"),
            ("nowhere", "lost.yaml"),
        ] {
            symlink(to, repo.join(from)).expect("a link");
        }
        symlink("creds", out.join("mine.yaml")).expect("a link");
        symlink(&repo, place.path().join("other")).expect("a link");
        for (path, leaves) in [
            ("repo/away.yaml", true),
            ("repo/folder/creds", true),
            ("repo/here.yaml", false),
            ("repo/sub/up.yaml", false),
            ("repo/lost.yaml", false),
            ("repo/none.yaml", false),
            ("out/mine.yaml", false),
            ("out/creds", false),
            ("other/p.yaml", false),
        ] {
            assert_eq!(leaves_checkout(&place.path().join(path)), leaves, "{path}");
        }
    }
}

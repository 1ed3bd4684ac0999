//! Live code into Git: of functions that are adopted, and after a look for credentials.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures::StreamExt as _;

use crate::config::facts;
use crate::import::{Draft, Source, file_name};
use crate::model::{PackagedFile, Selection};
use crate::package::{self, Unpacked};

use super::super::files::NewFile;
use super::places::Read;

/// How many packages are in memory at a time.
const AT_A_TIME: usize = 2;

/// The most that is brought of one function, in bytes: more is dependencies, which belong into no repository.
const LARGEST: u64 = 20 * 1024 * 1024;

/// The folder of code, beside the parts.
const FOLDER: &str = "code";

/// What was brought, and of which functions nothing was, and why.
#[derive(Debug, Default)]
pub struct Brought {
    /// The files, by paths from the root's folder.
    pub files: Vec<NewFile>,
    /// Functions by handle, and why their code stays where it is.
    pub left: Vec<(String, String)>,
}

/// Brings the code of all functions that a draft adopts, and says in their entries where it lies.
pub async fn bring(reads: &[Read], draft: &mut Draft, root: &Path, parts: &str) -> Brought {
    let entries = draft.groups.iter().filter_map(|group| group.function.as_ref());
    let adopted = entries.filter_map(|entry| match &entry.source {
        Source::Adopted { .. } => Some((entry.handle.clone(), entry.live.clone())),
        Source::Existing(_) => None,
    });
    let jobs = adopted.map(|(handle, live)| async move {
        let place = format!("{parts}/{FOLDER}/{}", file_name(&handle));
        let found = if root.join(&place).symlink_metadata().is_ok() {
            Err(format!("`{place}` is there already"))
        } else {
            of_function(reads, &live).await
        };
        (handle, place, found)
    });
    let jobs: Vec<_> = jobs.collect();
    let all: Vec<_> = futures::stream::iter(jobs).buffered(AT_A_TIME).collect().await;
    let mut brought = Brought::default();
    for (handle, place, found) in all {
        let (code, files) = match found {
            Err(why) => {
                brought.left.push((handle, why));
                continue;
            }
            Ok(Code::Folder(files)) => {
                let of = |file: Unpacked| NewFile {
                    path: Path::new(&place).join(file.path),
                    content: file.content,
                    executable: file.executable,
                };
                (place.clone(), files.into_iter().map(of).collect::<Vec<_>>())
            }
            Ok(Code::Archive(zip)) => {
                let archive = format!("{place}.zip");
                let file = NewFile { path: PathBuf::from(&archive), content: zip, executable: false };
                (archive, vec![file])
            }
        };
        brought.files.extend(files);
        let entries = draft.groups.iter_mut().filter_map(|group| group.function.as_mut());
        for entry in entries.filter(|entry| entry.handle == handle) {
            if let Source::Adopted { code: stated, .. } = &mut entry.source {
                // Relative to the part, which lies in the folder of parts.
                *stated = code.strip_prefix(&format!("{parts}/")).map(str::to_owned);
            }
        }
    }
    brought
}

/// Code as it is brought.
enum Code {
    /// Files that make the same package.
    Folder(Vec<Unpacked>),
    /// The package itself, where a folder's would leave something out.
    Archive(Vec<u8>),
}

/// The code of a function that is called so in these places, by their numbers.
async fn of_function(reads: &[Read], live: &BTreeMap<usize, Source>) -> Result<Code, String> {
    let mut found = None::<(String, Vec<u8>)>;
    for (place, source) in live {
        let (Some(read), Source::Adopted { name, .. }) = (reads.get(*place), source) else { continue };
        let (hash, package) = read.reader.live_package(name).await.map_err(|error| error.to_string())?;
        match &found {
            None => {
                let package = package.ok_or("its package can't be downloaded")?;
                found = Some((hash, package));
            }
            Some((first, _)) if *first == hash => {}
            Some(_) => return Err("its code isn't the same in all of its targets".to_owned()),
        }
    }
    let (hash, zip) = found.ok_or("it is in no target")?;
    let checked = tokio::task::spawn_blocking(move || checked(zip, &hash)).await;
    checked.map_err(|error| error.to_string())?
}

/// Looks for what no repository should hold, and how a package can lie in one.
fn checked(zip: Vec<u8>, hash: &str) -> Result<Code, String> {
    package::check_named(&zip, hash)?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let archive = folder.path().join("code.zip");
    std::fs::write(&archive, &zip).map_err(|error| error.to_string())?;
    let build = |source: &Path| package::build(source, folder.path(), &Selection::default()).map(|one| one.summary);
    let live = build(&archive).map_err(|error| error.to_string())?;
    if let Some(part) = live.credentials.first() {
        return Err(format!("`{}` looks like credentials, by its name or by what it holds", part.name));
    }
    let files = package::unpack(&zip, LARGEST).map_err(|error| error.to_string())?;
    for file in &files {
        if let Some(kind) = std::str::from_utf8(&file.content).ok().and_then(facts::credential) {
            return Err(format!("`{}` holds what looks like {kind}", file.path));
        }
    }
    let unpacked = folder.path().join("code");
    let is_same = write(&unpacked, &files).is_ok()
        && build(&unpacked).is_ok_and(|own| {
            let bare = |files: &[PackagedFile]| -> Vec<(String, String)> {
                files.iter().map(|file| (file.path.clone(), file.sha256.clone())).collect()
            };
            bare(&own.files) == bare(&live.files)
        });
    Ok(if is_same { Code::Folder(files) } else { Code::Archive(zip) })
}

fn write(folder: &Path, files: &[Unpacked]) -> std::io::Result<()> {
    for file in files {
        let path = folder.join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, &file.content)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::tests::zip_of;

    fn judged(files: &[(&str, &str)]) -> Result<Code, String> {
        let zip = zip_of(files);
        let hash = package::code_sha256(&zip);
        checked(zip, &hash)
    }

    /// Without it, a key in a package would go into Git; or code be brought of which the next plan makes another package.
    #[test]
    fn only_code_without_credentials_is_brought_and_as_the_same_package() {
        let plain = ("lambda_function.py", "def lambda_handler(event, context):\n    pass\n");
        assert!(matches!(judged(&[plain]), Ok(Code::Folder(files)) if files.len() == 1));
        let installed = ("lib-1.0.dist-info/RECORD", "lib.py,,\n");
        assert!(matches!(judged(&[plain, installed, ("lib.py", "")]), Ok(Code::Archive(_))));
        for (name, text) in [
            (".env", "A=b"),
            ("conf/key.py", "KEY = '''-----BEGIN RSA PRIVATE KEY-----\nabc'''"),
            ("settings.py", &format!("KEY = 'AKIA{}'", "IOSFODNN7EXAMPLE")),
        ] {
            let refused = judged(&[plain, (name, text)]).err().expect("it isn't brought");
            assert!(refused.contains(name) && !refused.contains("IOSFODNN7"), "{refused}");
        }
        let refused = checked(zip_of(&[plain]), "another").err().expect("it isn't brought");
        assert!(refused.contains("isn't the package that Lambda names"), "{refused}");
        assert!(judged(&[("../out.py", "")]).is_err(), "no path of a package leads out of it");
    }
}

//! Requirements of a function's code: from an index that a foreign server serves, into a package that runs; and the same package by installers.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use rotator::package::sha256_hex;

use super::support::{Output, World, output, scrubbed, venv, zip_of};

const MANIFEST: &str = "version: 1
project: required
functions:
  f:
    runtime: python3.12
    code: {path: code, requirements: requirements.txt, exclude: [requirements.txt]}
secrets:
  one: {function: f, rotation: {automatically_after_days: 30}}
";

fn wheel(name: &str, version: &str, module: &str, needs: &str) -> Vec<u8> {
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}\n\nwords\n");
    zip_of(&[
        (&format!("{name}/__init__.py"), module),
        (&format!("{name}-{version}.dist-info/METADATA"), &metadata),
        (
            &format!("{name}-{version}.dist-info/WHEEL"),
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        ),
        (&format!("{name}-{version}.dist-info/RECORD"), ""),
    ])
}

/// An index as Python's own server shows folders, and a world with a function that needs something of it.
struct Indexed {
    world: World,
    server: Child,
    url: String,
    cache: String,
}

impl Drop for Indexed {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Indexed {
    fn new() -> Self {
        let world = World::new();
        world.create_secret("one", "first");
        world.write_signing_key("code/lambda_function.py");
        let code = fs::read_to_string(world.path("code/lambda_function.py")).expect("code");
        world.write("code/lambda_function.py", &format!("import depending\nassert depending.VALUE == 7\n{code}"));
        world.write("rotator.yaml", MANIFEST);
        fs::create_dir_all(world.path("index/simple")).expect("a folder");
        let mut server = scrubbed("python3")
            .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"])
            .arg(world.path("index"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a server");
        let mut line = String::new();
        BufReader::new(server.stdout.take().expect("piped")).read_line(&mut line).expect("it says where it listens");
        let port: String =
            line.split("port ").nth(1).expect("a port").chars().take_while(char::is_ascii_digit).collect();
        let cache = world.path("cache").display().to_string();
        Self { world, server, url: format!("http://127.0.0.1:{port}/simple"), cache }
    }

    /// Puts a wheel into the index; the line that requires it.
    fn offers(&self, name: &str, version: &str, bytes: &[u8]) -> String {
        let folder = self.world.path("index/simple").join(name);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("{name}-{version}-py3-none-any.whl")), bytes).expect("a wheel");
        format!("{name}=={version} \\\n    --hash=sha256:{}\n", sha256_hex(bytes))
    }

    fn requires(&self, lines: &[String]) {
        self.world.write("code/requirements.txt", &lines.concat());
    }

    /// Without an index.
    fn alone(&self, arguments: &[&str]) -> Output {
        self.world.rotator_with(&[("XDG_CACHE_HOME", &self.cache)], arguments)
    }

    fn with_index(&self, arguments: &[&str]) -> Output {
        self.world.rotator_with(&[("XDG_CACHE_HOME", &self.cache), ("PIP_INDEX_URL", &self.url)], arguments)
    }

    /// What the deployed package holds.
    fn deployed(&self) -> Vec<String> {
        let function = self.world.aws(&["lambda", "get-function", "--function-name", "f"]);
        let url = function["Code"]["Location"].as_str().expect("a place").to_owned();
        let script = "import io, sys, urllib.request, zipfile
print('\\n'.join(zipfile.ZipFile(io.BytesIO(urllib.request.urlopen(sys.argv[1]).read())).namelist()))";
        let output = output(self.world.program("python3").args(["-c", script, &url])).exits(0);
        output.stdout.lines().map(str::to_owned).collect()
    }
}

/// Without it, a function would be deployed without what it imports, or with what isn't pinned; validate would reach for the network; or a
/// saved plan be applied with another package.
#[test]
fn requirements_reach_the_package_and_nothing_else_does() {
    let indexed = Indexed::new();
    let low = indexed.offers("needed", "2.0", &wheel("needed", "2.0", "SEVEN = 7\n", ""));
    let top = wheel("depending", "1.1", "from needed import SEVEN as VALUE\n", "Requires-Dist: needed>=1.5");
    let top = indexed.offers("depending", "1.1", &top);
    indexed.requires(&[top.clone(), low.clone()]);
    // Nothing is fetched: no index is named, and what the code imports isn't missing for certain.
    indexed.alone(&["validate", "--strict"]).exits(0);
    let without = indexed.alone(&["plan"]).exits(1);
    without.says("no index of Python packages is named").says("set `PIP_INDEX_URL`");
    indexed.with_index(&["plan", "--out", "plan.bin"]).exits(0);
    // The bytes can't be had again: neither cache nor index.
    fs::remove_dir_all(&indexed.cache).expect("a cache");
    indexed.alone(&["apply", "plan.bin"]).exits(3).says("no index of Python packages is named");
    indexed.with_index(&["apply", "plan.bin"]).exits(0);
    assert_eq!(
        indexed.deployed(),
        [
            "depending-1.1.dist-info/METADATA",
            "depending-1.1.dist-info/WHEEL",
            "depending/__init__.py",
            "lambda_function.py",
            "needed-2.0.dist-info/METADATA",
            "needed-2.0.dist-info/WHEEL",
            "needed/__init__.py",
        ]
    );
    // It ran, and what was fetched is kept.
    assert!(indexed.world.version("one", "AWSPREVIOUS").is_some(), "the function has rotated the secret");
    indexed.alone(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");

    // A file that lacks what a package needs.
    indexed.requires(std::slice::from_ref(&top));
    let lacks = indexed.with_index(&["plan"]).exits(1);
    lacks
        .says("requirements.txt:1: `depending` 1.1 needs `needed>=1.5`, which isn't in the file")
        .says("uv pip compile");
    // Another content under the old name.
    fs::remove_dir_all(&indexed.cache).expect("a cache");
    indexed.offers("needed", "2.0", &wheel("needed", "2.0", "SEVEN = 8\n", ""));
    indexed.requires(&[top, low]);
    indexed.with_index(&["plan"]).exits(1).says("requirements.txt:3: `needed-2.0-py3-none-any.whl` has another hash");
    indexed.requires(&[format!("gone==1 --hash=sha256:{}\n", "0".repeat(64))]);
    indexed.with_index(&["plan"]).exits(1).says("doesn't know `gone`");
    // A login in the index's address is said nowhere, and what a repository writes chooses no index.
    let private = indexed.url.replace("http://", "http://me:hunter2@").replace("127.0.0.1", "localhost.invalid");
    let refused =
        indexed.world.rotator_with(&[("XDG_CACHE_HOME", &indexed.cache), ("PIP_INDEX_URL", &private)], &["plan"]);
    refused.exits(1).keeps_silent_about("hunter2");
    indexed.world.write("code/requirements.txt", &format!("--index-url {private}\n"));
    let chosen = indexed.with_index(&["validate"]).exits(1).says("requirements.txt:1").keeps_silent_about("hunter2");
    chosen.says("not by the repository");
}

/// The same requirements three ways, and under two masks: by pip and uv into the folder, and by ourselves. Without it, each of laptop and
/// pipeline would undo what the other deployed.
#[test]
fn installers_and_masks_make_one_package() {
    let world = World::new();
    let pip = venv().join("bin/pip");
    let uv = venv().join("bin/uv");
    // A package with a script, one with native code, one with data.
    let pins = "charset-normalizer==3.4.0\npyyaml==6.0.2\nidna==3.10\n";
    world.write("requirements.in", pins);
    let compile = format!(
        "{} pip compile --system-certs --quiet --generate-hashes --only-binary :all: --python-version 3.12 --python-platform x86_64-manylinux_2_28 requirements.in -o requirements.txt",
        uv.display()
    );
    let run = |script: &str| output(world.program("bash").args(["-euc", script])).exits(0);
    run(&compile);
    let target = "--only-binary=:all: --python-version 3.12";
    let platform = "--platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 --implementation cp";
    run(&format!(
        "umask 022; {} install --quiet --disable-pip-version-check {target} {platform} --require-hashes -r requirements.txt -t by_pip",
        pip.display()
    ));
    run(&format!(
        "umask 077; {} pip install --system-certs --quiet {target} --python-platform x86_64-manylinux_2_28 --require-hashes -r requirements.txt --target by_uv",
        uv.display()
    ));
    for folder in ["by_pip", "by_uv", "by_us"] {
        world.write(
            &format!("{folder}/lambda_function.py"),
            "import yaml\n\n\ndef lambda_handler(event, context):\n    pass\n",
        );
    }
    fs::copy(world.path("requirements.txt"), world.path("by_us.txt")).expect("copied");
    // Where installers look by themselves.
    let ask = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)";
    let index = output(scrubbed(venv().join("bin/python")).args(["-c", ask])).exits(0).stdout;
    let cache = world.path("cache").display().to_string();
    let hashes: BTreeMap<&str, String> = [
        ("by_pip", "{path: by_pip}"),
        ("by_uv", "{path: by_uv}"),
        ("by_us", "{path: by_us, requirements: ../by_us.txt}"),
    ]
    .map(|(name, code)| {
        let manifest = format!(
            "version: 1\nproject: one\nfunctions: {{f: {{runtime: python3.12, code: {code}}}}}\nsecrets: {{}}\n"
        );
        world.write("rotator.yaml", &manifest);
        let variables = [("XDG_CACHE_HOME", cache.as_str()), ("PIP_INDEX_URL", index.trim())];
        let plan = world.rotator_with(&variables, &["plan", "--format", "json"]).exits(0);
        (name, code_hash(&plan.stdout))
    })
    .into();
    let first = &hashes["by_pip"];
    assert!(hashes.values().all(|hash| hash == first), "{hashes:?}\n{}", differences(&world));
}

/// The package's hash in a plan.
fn code_hash(plan: &str) -> String {
    let at = plan.find("source_code_hash\":").unwrap_or_else(|| panic!("{plan}"));
    plan[at..].split('"').nth(2).expect("a hash").to_owned()
}

/// How the folders of both installers differ, for a message.
fn differences(world: &World) -> String {
    let names: [&Path; 2] = [Path::new("by_pip"), Path::new("by_uv")];
    output(world.program("diff").args(["-rq"]).args(names)).stdout
}

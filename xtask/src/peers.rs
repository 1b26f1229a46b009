//! Programs by others that the tests talk to.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::command::{command, run};
use crate::{tools, workspace};

/// A simulated model provider that is not ours.
const AIMOCK: &str = "@copilotkit/aimock";
const AIMOCK_VERSION: &str = "1.43.0";

/// Drives a browser.
const PLAYWRIGHT: &str = "playwright-core";
const PLAYWRIGHT_VERSION: &str = "1.65.1";

/// Checks the types that the page's scripts write down in comments.
const TYPESCRIPT: &str = "typescript";
const TYPESCRIPT_VERSION: &str = "7.0.2";

/// A collector that is not ours: a program in a package of Python's.
const ROTEL: &str = "rotel";
const ROTEL_VERSION: &str = "0.0.1a15";

/// Installs rotel into a folder of its own beside what is built, unless it is there, and returns the path of the
/// program.
pub(crate) fn rotel() -> Result<PathBuf> {
    tools::python()?;
    let folder = workspace::target_dir()?.join("peers/rotel");
    let record = folder.join(format!("{ROTEL}-{ROTEL_VERSION}.dist-info/RECORD"));
    if !record.is_file() {
        eprintln!("installing {ROTEL} {ROTEL_VERSION} into {}", folder.display());
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let install = "python3 -m pip install --quiet --no-deps --only-binary :all: --target";
        run(command(install).arg(&folder).arg(format!("{ROTEL}=={ROTEL_VERSION}")))?;
    }

    let program = folder.join("rotel/rotel-agent");
    ensure!(program.is_file(), "{ROTEL} has no {}", program.display());
    Ok(program)
}

/// Where the clients are that the trace server is tested with.
pub(crate) struct Clients {
    /// The folder with Python's packages.
    pub(crate) python: PathBuf,
    /// The folder that npm's packages are in.
    pub(crate) node: PathBuf,
}

/// Installs the clients that the folder's `requirements.txt` and `package.json` list beside what is built, unless they
/// are there.
pub(crate) fn clients(lists: &Path) -> Result<Clients> {
    tools::python()?;
    tools::node()?;
    let folder = workspace::target_dir()?.join("peers/clients");
    let clients = Clients { python: folder.join("python"), node: folder.join("node") };
    install_listed(&lists.join("requirements.txt"), &clients.python, |list| {
        let install = "python3 -m pip install --quiet --only-binary :all: --target";
        run(command(install).arg(&clients.python).arg("--requirement").arg(list))
    })?;
    install_listed(&lists.join("package.json"), &clients.node, |_| {
        run(command("npm install --no-audit --no-fund --prefix").arg(&clients.node))
    })?;
    Ok(clients)
}

/// Installs what a list says into a folder, where a copy of the list then says that this was done.
fn install_listed(
    list: &Path,
    folder: &Path,
    install: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let name = list.file_name().unwrap_or_default();
    let (copy, done) = (folder.join(name), folder.join("installed"));
    let wanted = fs::read(list)?;
    if done.is_file() && fs::read(&copy).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    eprintln!("installing what {} lists into {}", list.display(), folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    fs::write(&copy, wanted)?;
    install(&copy)?;
    Ok(fs::write(done, "")?)
}

/// Installs aimock beside what is built, unless it is there, and returns the path of the script that
/// `node` runs.
pub(crate) fn aimock() -> Result<PathBuf> {
    let package = packages(AIMOCK, AIMOCK_VERSION)?.join("node_modules").join(AIMOCK);
    let script = package.join("dist/cli.js");
    ensure!(script.is_file(), "{AIMOCK} has no {}", script.display());
    Ok(script)
}

/// Installs what drives a browser beside what is built, unless it is there, and returns the folder that it is in.
pub(crate) fn playwright() -> Result<PathBuf> {
    packages(PLAYWRIGHT, PLAYWRIGHT_VERSION)
}

/// Installs the checker of types in JavaScript beside what is built, unless it is there, and returns its script.
pub(crate) fn typescript() -> Result<PathBuf> {
    let script = packages(TYPESCRIPT, TYPESCRIPT_VERSION)?.join("node_modules/typescript/bin/tsc");
    ensure!(script.is_file(), "{TYPESCRIPT} has no {}", script.display());
    Ok(script)
}

/// Installs a package of npm's beside what is built, unless it is there, and returns the folder that it is in.
fn packages(name: &str, version: &str) -> Result<PathBuf> {
    tools::node()?;
    let folder = workspace::target_dir()?.join("peers");
    let installed = installed_version(&folder.join("node_modules").join(name));
    if installed.as_deref() != Some(version) {
        eprintln!("installing {name} {version} into {}", folder.display());
        fs::create_dir_all(&folder)?;
        let install = format!("npm install --no-audit --no-fund {name}@{version}");
        run(command(&install).arg("--prefix").arg(&folder))?;
    }
    Ok(folder)
}

fn installed_version(package: &Path) -> Option<String> {
    let text = fs::read_to_string(package.join("package.json")).ok()?;
    let manifest: Value = serde_json::from_str(&text).ok()?;
    Some(manifest["version"].as_str()?.to_owned())
}

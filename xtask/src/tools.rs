//! The tools that the checks need: installed if they can be, or else a word on what to type.

use anyhow::{Result, bail, ensure};

use crate::command::{command, output, run, works};

/// The version that the checks were tried with; newer ones may need a newer Rust.
const NEXTEST: &str = "0.9.143";

/// The oldest Node that the programs of others run on.
const NODE: (u32, u32) = (20, 15);

/// Makes sure that a component of the toolchain is there, such as `rustfmt`.
pub(crate) fn component(name: &str, cargo_command: &str) -> Result<()> {
    if !works(&format!("cargo {cargo_command} --version")) {
        bail!("`cargo {cargo_command}` is missing, type `rustup component add {name}`");
    }
    Ok(())
}

/// Installs the test runner if it is missing.
pub(crate) fn nextest() -> Result<()> {
    if works("cargo nextest --version") {
        return Ok(());
    }
    eprintln!("cargo-nextest is missing: installing it, which takes some minutes");
    run(&mut command(&format!("cargo install cargo-nextest --version {NEXTEST} --locked")))
}

/// Installs Node and npm if they are missing and we may, and makes sure that Node is new enough.
pub(crate) fn node() -> Result<()> {
    if !works("node --version") || !works("npm --version") {
        let missing =
            format!("node and npm are missing: install Node {}.{} or newer", NODE.0, NODE.1);
        install("nodejs npm", &missing)?;
    }
    let version = output(&mut command("node --version"))?;
    ensure!(
        is_at_least(NODE, version.trim()),
        "node {} is too old, install {}.{} or newer",
        version.trim(),
        NODE.0,
        NODE.1
    );
    Ok(())
}

/// Installs the browser if it is missing and we may, and returns its path.
pub(crate) fn chromium() -> Result<&'static str> {
    let names = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let there = || names.into_iter().find(|path| std::path::Path::new(path).is_file());
    if let Some(path) = there() {
        return Ok(path);
    }
    install("chromium", "chromium is missing: install it")?;
    there().ok_or_else(|| {
        anyhow::anyhow!("chromium was installed, but is none of {}", names.join(", "))
    })
}

/// Installs packages of Debian's if we may, or else says what is to be done.
fn install(packages: &str, missing: &str) -> Result<()> {
    let is_root = output(&mut command("id -u")).is_ok_and(|id| id.trim() == "0");
    if !is_root || !works("apt-get --version") {
        bail!("{missing}, on Debian with `sudo apt-get install -y {packages}`");
    }
    eprintln!("{packages}: installing with apt-get");
    run(&mut command("apt-get update"))?;
    run(&mut command(&format!("apt-get install -y --no-install-recommends {packages}")))
}

/// Installs Python and pip if they are missing and we may.
pub(crate) fn python() -> Result<()> {
    if works("python3 -m pip --version") {
        return Ok(());
    }
    install("python3 python3-pip", "Python 3 and pip are missing: install them")
}

/// Compares with a version such as `v20.15.0`.
fn is_at_least(wanted: (u32, u32), version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= wanted,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        for (version, expected) in [
            ("v20.15.0", true),
            ("v22.1.0", true),
            ("v20.9.0", false),
            ("v18.20.4", false),
            ("", false),
        ] {
            assert_eq!(is_at_least(NODE, version), expected, "{version}");
        }
    }
}

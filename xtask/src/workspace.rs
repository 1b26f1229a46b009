//! Where things are: the checkout, the target folder, the examples.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{command, output};

/// The checkout that this program was built from.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// What cargo knows about the workspace.
pub(crate) fn metadata() -> Result<Value> {
    let json = output(&mut command("cargo metadata --no-deps --format-version 1"))?;
    serde_json::from_str(&json).context("`cargo metadata` wrote no JSON")
}

/// The folder for what is built, and for what these chores download.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let metadata = metadata()?;
    let target = metadata["target_directory"].as_str().context("no target folder")?;
    Ok(PathBuf::from(target))
}

/// The names of the examples of a package, sorted.
pub(crate) fn examples(package: &str) -> Result<Vec<String>> {
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets = packages
        .filter(|found| found["name"] == package)
        .flat_map(|found| found["targets"].as_array().into_iter().flatten());
    let examples = targets.filter(|target| target["kind"][0] == "example");
    let mut names: Vec<String> =
        examples.filter_map(|target| target["name"].as_str()).map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

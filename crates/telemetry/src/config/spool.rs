//! Where spans wait on disk, as the environment says.

use crate::config::read::Environment;
use crate::error::{ConfigError, Kind};
use crate::spool::SpoolConfig;
use std::path::PathBuf;

const FOLDER: &str = "GLASSBOX_SPOOL_DIR";
const SIZE: &str = "GLASSBOX_SPOOL_MIB";

/// Returns the spool; `None` if it is off, or the user has no folder for it.
pub(super) fn spool(env: &Environment<'_>) -> Result<Option<SpoolConfig>, ConfigError> {
    let size = env.count(SIZE)?;
    let folder = match env.get(FOLDER) {
        Some(value) if is_off(&value) => return Ok(None),
        // What was meant as a switch is not a folder.
        Some(value) if value.eq_ignore_ascii_case("on") || value.eq_ignore_ascii_case("true") => {
            let expected = "write the path of a folder, or off; unset, it is on";
            return Err(Kind::Value { variable: FOLDER, value, expected }.into());
        }
        Some(path) => PathBuf::from(path),
        None => match state_folder(env) {
            Some(state) => state.join("glassbox").join("spool"),
            None => return Ok(None),
        },
    };
    let config = SpoolConfig::new(folder);
    Ok(Some(match size {
        Some(mib) => config.max_bytes((mib as u64).saturating_mul(1 << 20)),
        None => config,
    }))
}

pub(super) fn is_off(value: &str) -> bool {
    ["off", "false", "no", "0"].contains(&value.to_ascii_lowercase().as_str())
}

/// The folder for what a user's programs keep between their runs.
pub(super) fn state_folder(env: &Environment<'_>) -> Option<PathBuf> {
    let absolute = |path: String| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    env.get("XDG_STATE_HOME")
        .and_then(absolute)
        .or_else(|| env.get("LOCALAPPDATA").and_then(absolute))
        .or_else(|| Some(env.get("HOME").and_then(absolute)?.join(".local").join("state")))
}

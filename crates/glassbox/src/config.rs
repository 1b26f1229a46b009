//! The environment variables of the framework; telemetry's own are in its crate.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, `GEMINI_API_KEY`, .. | the key of a provider, by the provider's usual name |
//! | `OPENAI_BASE_URL`, `ANTHROPIC_BASE_URL`, `OLLAMA_HOST`, .. | another address of the provider |
//! | `GLASSBOX_ALERTS` | path of a TOML file with alerts that [`observe`](crate::observe) watches |
//! | `GLASSBOX_PRICES` | path of a JSON file with prices that add to or replace the built-in ones |

#![allow(clippy::disallowed_methods, reason = "this is the file that reads the environment")]

use crate::error::{Error, ErrorKind};
use glassbox_events::watch::Alerts;
use glassbox_trace::price::PriceTable;
use std::fmt::Display;
use std::sync::{Arc, OnceLock};

/// The variable with the path of further prices.
const PRICES: &str = "GLASSBOX_PRICES";
/// The variable with the path of alerts.
const ALERTS: &str = "GLASSBOX_ALERTS";

/// Reads the first of several variables that is set and not blank.
pub(crate) fn first_of(names: &[&str]) -> Option<String> {
    names
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .map(|value| value.trim().to_owned())
        .find(|v| !v.is_empty())
}

/// Returns the built-in prices, with those of `GLASSBOX_PRICES` over them; the file is read once a process.
pub(crate) fn prices() -> Result<Arc<PriceTable>, Error> {
    static PRICES_READ: OnceLock<Result<Arc<PriceTable>, String>> = OnceLock::new();
    let read = PRICES_READ.get_or_init(|| match first_of(&[PRICES]) {
        None => Ok(Arc::new(PriceTable::builtin().clone())),
        Some(path) => {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| format!("{PRICES} is {path:?}, which cannot be read: {error}; set it to a JSON file of prices"))?;
            let table = PriceTable::builtin().with_overrides(&text);
            table.map(Arc::new).map_err(|error| format!("{PRICES} is {path:?}, which is no price file: {error}"))
        }
    });
    read.clone().map_err(|message| Error::new(ErrorKind::Config, message))
}

/// Returns the alerts of the file that `GLASSBOX_ALERTS` names, and its path.
pub(crate) fn alerts() -> Result<Option<(String, Alerts)>, Error> {
    let Some(path) = first_of(&[ALERTS]) else { return Ok(None) };
    let alerts = Alerts::from_file(&path).map_err(|error| in_alerts(&path, &error))?;
    Ok(Some((path, alerts)))
}

/// Says in which file the alerts have a mistake.
pub(crate) fn in_alerts(path: &str, problem: &dyn Display) -> Error {
    Error::new(ErrorKind::Config, format!("{ALERTS} is {path:?}: {problem}"))
}

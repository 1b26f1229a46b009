//! The environment variables of the command, besides those of the libraries.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `NO_COLOR` | no colours, whatever its value, unless it is empty |
//! | `XDG_DATA_HOME`, `HOME` | `glassbox serve` keeps traces below, in `glassbox/traces.db` |
//! | `OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, `GEMINI_API_KEY` | the demo asks this provider instead of the simulated one |

#![allow(clippy::disallowed_methods, reason = "this is the file that reads the environment")]

use glassbox::telemetry::config::{VARIABLES, Variable};
use std::io::IsTerminal;
use std::path::PathBuf;

/// The models that the demo asks when the provider's key is there.
const MODELS: [(&str, &str); 3] = [
    ("OPENAI_API_KEY", "openai/gpt-4o-mini"),
    ("ANTHROPIC_API_KEY", "anthropic/claude-haiku-4-5"),
    ("GEMINI_API_KEY", "gemini/gemini-2.5-flash"),
];

/// Beginnings of the names of variables that are about telemetry.
const PREFIXES: [&str; 3] = ["GLASSBOX_", "LANGFUSE_", "OTEL_"];

/// Variables of ours that other parts than telemetry heed.
const OTHERS: [&str; 1] = ["GLASSBOX_PRICES"];

/// Returns the variables about telemetry that are set: those that are heeded with what they mean, in the order of their
/// documentation, and then those that are not.
pub(crate) fn about_telemetry() -> Vec<(String, Option<(&'static Variable, String)>)> {
    let value =
        |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let heeded = VARIABLES.iter().filter_map(|one| Some((one.name, one, value(one.name)?)));
    let mut found: Vec<_> =
        heeded.map(|(name, one, value)| (name.to_owned(), Some((one, value)))).collect();
    let mut strays: Vec<_> = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
        .filter(|name| !OTHERS.contains(&name.as_str()))
        .filter(|name| VARIABLES.iter().all(|one| one.name != name))
        .collect();
    strays.sort();
    found.extend(strays.into_iter().map(|name| (name, None)));
    found
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Tells whether text on stdout may have colours.
pub(crate) fn colour() -> bool {
    std::io::stdout().is_terminal() && !is_set("NO_COLOR")
}

/// Returns the variable with a key that is set, and the model to ask with it.
pub(crate) fn keyed_model() -> Option<(&'static str, &'static str)> {
    MODELS.into_iter().find(|(variable, _)| is_set(variable))
}

/// Returns the file that traces are kept in: in the user's data folder, if there is one.
pub(crate) fn store() -> Option<PathBuf> {
    let folder =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = folder("XDG_DATA_HOME").or_else(|| Some(folder("HOME")?.join(".local/share")))?;
    Some(data.join("glassbox/traces.db"))
}

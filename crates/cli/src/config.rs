//! The environment variables of the command, besides those of the libraries.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `NO_COLOR` | no colours, whatever its value, unless it is empty |
//! | `XDG_DATA_HOME`, `HOME` | `glassbox serve` keeps traces below, in `glassbox/traces.db` |
//! | `GLASSBOX_SERVE_HTTP`, `_GRPC`, `_STORE`, `_CONFIG`, `_KEYS_FILE`, `_TOKEN_FILE`, `_HOSTS`, `_KEEP_DAYS`, `_KEEP_MIB`, `_MAX_BODY_MIB`, `_MAX_SPANS`, `_MAX_CONNECTIONS` | the arguments of `glassbox serve` of that name |
//! | `GLASSBOX_SERVE_KEYS` | key pairs that senders have to show: `public:secret,public:secret` |
//! | `OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, `GEMINI_API_KEY` | the demo asks this provider instead of the simulated one |

#![allow(clippy::disallowed_methods, reason = "this is the file that reads the environment")]

use glassbox::telemetry::config::{VARIABLES, Variable};
use std::collections::HashMap;
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

/// How the names of the variables of `glassbox serve` begin.
const SERVE: &str = "GLASSBOX_SERVE_";

/// The variables of `glassbox serve`.
const SERVE_VARIABLES: [&str; 13] = [
    "GLASSBOX_SERVE_HTTP",
    "GLASSBOX_SERVE_GRPC",
    "GLASSBOX_SERVE_STORE",
    "GLASSBOX_SERVE_CONFIG",
    "GLASSBOX_SERVE_KEYS",
    "GLASSBOX_SERVE_KEYS_FILE",
    "GLASSBOX_SERVE_TOKEN_FILE",
    "GLASSBOX_SERVE_HOSTS",
    "GLASSBOX_SERVE_KEEP_DAYS",
    "GLASSBOX_SERVE_KEEP_MIB",
    "GLASSBOX_SERVE_MAX_BODY_MIB",
    "GLASSBOX_SERVE_MAX_SPANS",
    "GLASSBOX_SERVE_MAX_CONNECTIONS",
];

/// The variables of `glassbox serve` that are set.
#[derive(Debug, Default)]
pub(crate) struct ServeVariables(HashMap<String, String>);

impl ServeVariables {
    /// Takes variables; an empty one is unset.
    pub(crate) fn of(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().filter(|(_, value)| !value.trim().is_empty()).collect())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim())
    }

    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    /// Reads a value. The error tells the variable, and not the value, which may be secret.
    pub(crate) fn parsed<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<Option<T>> {
        let parsed = self.text(name).map(parse).transpose();
        parsed.map_err(|error| anyhow::anyhow!("{name}: {error}"))
    }
}

/// Returns the name that is most like another one, if any is.
pub(crate) fn nearest<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    let likeness =
        |known: &str| strsim::jaro_winkler(&name.to_ascii_lowercase(), &known.to_ascii_lowercase());
    let scored = names.iter().map(|known| (likeness(known), *known));
    let (likeness, near) = scored.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (likeness > 0.8).then_some(near)
}

/// Reads the variables of `glassbox serve`. One that is misspelt is told.
pub(crate) fn serve_variables() -> ServeVariables {
    let set = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(SERVE))?;
        Some((name, value.to_string_lossy().into_owned()))
    });
    let variables = ServeVariables::of(set);
    for name in variables.0.keys().filter(|name| !SERVE_VARIABLES.contains(&name.as_str())) {
        match nearest(name, &SERVE_VARIABLES) {
            Some(near) => {
                eprintln!("warning: {name} is set, and not heeded; did you mean {near}?");
            }
            None => eprintln!("warning: {name} is set, and not heeded: is it misspelt?"),
        }
    }
    variables
}

/// Returns what a server asks for that is named by its address alone.
pub(crate) fn server_key() -> Option<String> {
    std::env::var("GLASSBOX_SERVER_KEY").ok().filter(|key| !key.trim().is_empty())
}

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
        .filter(|name| !SERVE_VARIABLES.contains(&name.as_str()))
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

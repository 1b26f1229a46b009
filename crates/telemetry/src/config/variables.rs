//! Every variable that telemetry heeds, for tools that tell what is set. Values are shown without what may be secret.

use url::Url;

/// A variable that telemetry heeds.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it means, in a few words.
    pub meaning: &'static str,
    shown: Shown,
}

/// How much of a value may be shown.
#[derive(Clone, Copy, Debug)]
enum Shown {
    /// All of it: it is a number, a word or a path.
    All,
    /// An address without user, password and query.
    Address,
    /// The names of `name=value,name=value`.
    Names,
    /// The beginning of a key that is public.
    PublicKey,
    /// Nothing.
    Nothing,
}

use Shown::{Address, All, Names, Nothing, PublicKey};

/// Every variable that telemetry heeds.
pub const VARIABLES: &[Variable] = &[
    of("GLASSBOX_DISABLED", "switches telemetry off", All),
    of("OTEL_SDK_DISABLED", "switches telemetry off", All),
    of("GLASSBOX_CAPTURE_CONTENT", "whether inputs and outputs are exported", All),
    of(
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        "whether inputs and outputs are exported",
        All,
    ),
    of("GLASSBOX_MASK", "what is masked", All),
    of("GLASSBOX_MASK_PATTERN", "what is masked too, a regular expression", Nothing),
    of("GLASSBOX_KEEP_ERRORS", "whether traces with an error are exported in any case", All),
    of("GLASSBOX_LANGFUSE_MEDIA", "whether pictures and sound are uploaded to Langfuse", All),
    of("GLASSBOX_SERVER", "the glassbox server to send to, or off", Address),
    of("GLASSBOX_SERVER_KEY", "what that server asks for", Nothing),
    of("LANGFUSE_PUBLIC_KEY", "the public key of a Langfuse project", PublicKey),
    of("LANGFUSE_SECRET_KEY", "the secret key of a Langfuse project", Nothing),
    of("LANGFUSE_BASE_URL", "where Langfuse is", Address),
    of("LANGFUSE_HOST", "where Langfuse is, if LANGFUSE_BASE_URL is not set", Address),
    of("LANGFUSE_TRACING_ENVIRONMENT", "the environment of all traces", All),
    of("LANGFUSE_RELEASE", "the release of all traces", All),
    of("LANGFUSE_SAMPLE_RATE", "the share of traces for Langfuse", All),
    of("LANGFUSE_FLUSH_AT", "spans in a request to Langfuse", All),
    of("LANGFUSE_FLUSH_INTERVAL", "seconds that a span waits for others", All),
    of("LANGFUSE_TIMEOUT", "seconds that a request to Langfuse may take", All),
    of("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "an OTLP receiver, used as it is", Address),
    of("OTEL_EXPORTER_OTLP_ENDPOINT", "an OTLP receiver, /v1/traces is added", Address),
    of("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "headers for the OTLP receiver", Names),
    of("OTEL_EXPORTER_OTLP_HEADERS", "headers for the OTLP receiver", Names),
    of("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf or http/json", All),
    of("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf or http/json", All),
    of("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip or none", All),
    of("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip or none", All),
    of("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "milliseconds that a request may take", All),
    of("OTEL_EXPORTER_OTLP_TIMEOUT", "milliseconds that a request may take", All),
    of("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "authorities to trust for OTLP", All),
    of("OTEL_EXPORTER_OTLP_CERTIFICATE", "authorities to trust for OTLP", All),
    of("GLASSBOX_CA_FILE", "authorities to trust for every destination", All),
    of("GLASSBOX_SPOOL_DIR", "where spans wait for a destination that is down, or off", All),
    of("GLASSBOX_SPOOL_MIB", "mebibytes that may wait there", All),
    of("OTEL_SERVICE_NAME", "the service", All),
    of("OTEL_RESOURCE_ATTRIBUTES", "facts about the service", Names),
    of("OTEL_TRACES_SAMPLER", "which traces are exported", All),
    of("OTEL_TRACES_SAMPLER_ARG", "the share of traces that are exported", All),
    of("OTEL_BSP_MAX_QUEUE_SIZE", "spans that may wait", All),
    of("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "spans in a request", All),
    of("OTEL_BSP_SCHEDULE_DELAY", "milliseconds that a span waits for others", All),
    of("HTTP_PROXY", "the proxy for addresses with http://", Address),
    of("HTTPS_PROXY", "the proxy for addresses with https://", Address),
    of("ALL_PROXY", "the proxy for all addresses", Address),
    of("NO_PROXY", "hosts that are reached without a proxy", All),
    of("http_proxy", "the proxy for addresses with http://", Address),
    of("https_proxy", "the proxy for addresses with https://", Address),
    of("all_proxy", "the proxy for all addresses", Address),
    of("no_proxy", "hosts that are reached without a proxy", All),
];

const fn of(name: &'static str, meaning: &'static str, shown: Shown) -> Variable {
    Variable { name, meaning, shown }
}

/// Values are cut to this many characters.
const MAX_CHARS: usize = 80;

impl Variable {
    /// Returns a value as it may be shown.
    ///
    /// ```
    /// use glassbox_telemetry::config::VARIABLES;
    /// let headers = VARIABLES.iter().find(|one| one.name == "OTEL_EXPORTER_OTLP_HEADERS").unwrap();
    /// assert_eq!(headers.show("x-api-key=secret"), "x-api-key=..");
    /// ```
    #[must_use]
    pub fn show(&self, value: &str) -> String {
        let value = value.trim();
        let hidden = format!("set, {} characters", value.chars().count());
        let shown = match self.shown {
            _ if value.is_empty() => "empty, which counts as not set".to_owned(),
            Nothing => hidden,
            PublicKey if value.starts_with("pk-lf-") => {
                format!("{}..", value.chars().take(10).collect::<String>())
            }
            PublicKey => hidden,
            Address => address(value).unwrap_or_else(|| format!("{hidden}, not a URL")),
            Names => value.split(',').map(name).collect::<Vec<_>>().join(","),
            // A key that stands in the wrong variable.
            All if ["sk-", "pk-", "Bearer ", "Basic "].iter().any(|key| value.starts_with(key)) => {
                format!("{hidden}, which look like a key")
            }
            All => value.to_owned(),
        };
        if shown.chars().count() <= MAX_CHARS {
            return shown;
        }
        shown.chars().take(MAX_CHARS).chain("..".chars()).collect()
    }
}

fn address(value: &str) -> Option<String> {
    // Proxies are often written without a scheme.
    let mut url = Url::parse(value).ok().filter(Url::has_host)?;
    // Both can fail only for addresses that have no place for them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    Some(url.to_string())
}

fn name(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) => format!("{}=..", name.trim()),
        None => "..".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, value: &str, expected: &str) {
        let variable = VARIABLES.iter().find(|variable| variable.name == name).unwrap();
        assert_eq!(variable.show(value), expected);
    }

    #[test]
    fn no_secret_is_shown() {
        check("LANGFUSE_SECRET_KEY", "sk-lf-12345", "set, 11 characters");
        check("LANGFUSE_PUBLIC_KEY", "pk-lf-12345678", "pk-lf-1234..");
        check("LANGFUSE_PUBLIC_KEY", "sk-lf-12345678", "set, 14 characters");
        check("LANGFUSE_BASE_URL", "https://u:secret@host/lf?key=secret#secret", "https://host/lf");
        check("LANGFUSE_BASE_URL", "sk-lf-1", "set, 7 characters, not a URL");
        check("HTTPS_PROXY", "user:secret@proxy:3128", "set, 22 characters, not a URL");
        check("OTEL_EXPORTER_OTLP_HEADERS", "a=secret, b=secret,secret", "a=..,b=..,..");
        check("LANGFUSE_RELEASE", "sk-lf-1", "set, 7 characters, which look like a key");
        check("LANGFUSE_RELEASE", "v7", "v7");
        check("LANGFUSE_RELEASE", " ", "empty, which counts as not set");
        check("LANGFUSE_RELEASE", &"v".repeat(200), &format!("{}..", "v".repeat(80)));
    }

    /// The names in the table of the documentation.
    fn documented() -> Vec<String> {
        let rows =
            include_str!("../config.rs").lines().filter_map(|line| line.strip_prefix("//! | `"));
        let mut names = Vec::new();
        for row in rows {
            let (left, _) = row.split_once(" | ").unwrap();
            for name in left.split('`').filter(|name| name.contains('_')) {
                names.push(name.to_owned());
                if left.ends_with('*') {
                    names.push(name.replace("OTLP_", "OTLP_TRACES_"));
                }
            }
        }
        names
    }

    #[test]
    fn what_is_documented_is_known_and_the_other_way_round() {
        let documented = documented();
        let known = || VARIABLES.iter().map(|variable| variable.name);
        for name in &documented {
            assert!(known().any(|other| other == name), "{name} is not in VARIABLES");
        }
        for name in known().filter(|name| !name.to_ascii_lowercase().ends_with("_proxy")) {
            assert!(documented.iter().any(|other| other == name), "{name} is not documented");
        }
    }

    #[test]
    fn each_stands_there_once() {
        for (at, variable) in VARIABLES.iter().enumerate() {
            assert!(VARIABLES[..at].iter().all(|other| other.name != variable.name));
        }
    }
}

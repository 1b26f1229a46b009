//! The configuration of telemetry by environment variables. This is the only file that reads them.
//!
//! An empty variable counts as unset. A wrong value of a `LANGFUSE_*` or `GLASSBOX_*` variable is an error; one of an
//! `OTEL_*` variable that is not an address, header or protocol is told and replaced by the default, as OpenTelemetry's
//! specification wants it.
//!
//! | variable | meaning | default |
//! | --- | --- | --- |
//! | `GLASSBOX_DISABLED` | `true` exports nothing | `false` |
//! | `OTEL_SDK_DISABLED` | the same | `false` |
//! | `GLASSBOX_CAPTURE_CONTENT` | `false` keeps inputs, outputs and messages back, `length` all but their length | `true` |
//! | `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` | `NO_CONTENT` or `false`: the same | |
//! | `GLASSBOX_MASK` | what is masked: `none`, or some of `secrets`, `email` and `card` | `secrets` |
//! | `GLASSBOX_MASK_PATTERN` | a regular expression; what it matches is masked too | |
//! | `GLASSBOX_KEEP_ERRORS` | `true` exports traces with an error even if they are not in the sample | `false` |
//! | `GLASSBOX_LANGFUSE_MEDIA` | `true` uploads pictures and sound to Langfuse | `false` |
//! | `LANGFUSE_PUBLIC_KEY`, `LANGFUSE_SECRET_KEY` | the keys of a Langfuse project; both or neither | |
//! | `LANGFUSE_BASE_URL`, else `LANGFUSE_HOST` | where Langfuse is | `https://cloud.langfuse.com` |
//! | `LANGFUSE_TRACING_ENVIRONMENT` | the environment, such as `production` | that of the resource |
//! | `LANGFUSE_RELEASE` | the release, such as a commit | |
//! | `LANGFUSE_SAMPLE_RATE` | the share of traces for Langfuse, from 0 to 1 | as `OTEL_TRACES_SAMPLER` says |
//! | `LANGFUSE_FLUSH_AT` | spans in a request to Langfuse | as `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` |
//! | `LANGFUSE_FLUSH_INTERVAL` | seconds that a span waits for others | as `OTEL_BSP_SCHEDULE_DELAY` |
//! | `LANGFUSE_TIMEOUT` | seconds that a request to Langfuse may take | 10 |
//! | `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` | another destination, an address used as it is | |
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` | the same, an address to which `/v1/traces` is added | |
//! | `OTEL_EXPORTER_OTLP_HEADERS` * | its headers: `name=value,name=value`, percent-encoded | |
//! | `OTEL_EXPORTER_OTLP_TIMEOUT` * | milliseconds that a request may take | 10000 |
//! | `OTEL_EXPORTER_OTLP_COMPRESSION` * | `gzip` or `none` | `gzip`, but `none` to this machine |
//! | `OTEL_EXPORTER_OTLP_PROTOCOL` * | `http/protobuf` or `http/json` | `http/protobuf` |
//! | `OTEL_EXPORTER_OTLP_CERTIFICATE` * | a PEM file of authorities to trust besides the system's | `GLASSBOX_CA_FILE` |
//! | `GLASSBOX_CA_FILE` | the same, for every destination | |
//! | `GLASSBOX_SERVER` | the glassbox server to send to besides, such as `http://localhost:4318`, or `off` | the one that runs, found by the file `glassbox/server.json` in `XDG_RUNTIME_DIR`, else in `~/.local/state` |
//! | `GLASSBOX_SERVER_KEY` | what that server asks for: its token, or a key pair as `public:secret` | |
//! | `OTEL_SERVICE_NAME` | the service | `service.name` of the resource, else the program's file |
//! | `OTEL_RESOURCE_ATTRIBUTES` | facts about the service: `key=value,key=value`, percent-encoded | |
//! | `OTEL_TRACES_SAMPLER` | `always_on`, `always_off`, `traceidratio`, and `parentbased_` before each | `always_on` |
//! | `OTEL_TRACES_SAMPLER_ARG` | the ratio, from 0 to 1 | 1 |
//! | `OTEL_BSP_MAX_QUEUE_SIZE` | spans that may wait in memory, for each destination | 262144 |
//! | `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` | spans in a request | 512 |
//! | `OTEL_BSP_SCHEDULE_DELAY` | milliseconds that a span waits for others | 1000 |
//! | `GLASSBOX_SPOOL_DIR` | the folder in which spans wait for a destination that does not take them, or `off` | `glassbox/spool` in `XDG_STATE_HOME`, else in `~/.local/state` |
//! | `GLASSBOX_SPOOL_MIB` | the most mebibytes on disk, for each destination | 512 |
//!
//! Variables with * have a form for traces, such as `OTEL_EXPORTER_OTLP_TRACES_HEADERS`, which goes first.

use crate::address::ServerAddress;
use crate::destination::{Compression, Destination, LangfuseConfig, OtlpConfig, Protocol};
use crate::error::{ConfigError, Kind};
use crate::limits::Limits;
use crate::mask::Masking;
use crate::sampling::Sampling;
use crate::spool::SpoolConfig;
use glassbox_trace::otlp::{Content, Resource};
use secrecy::SecretString;
use std::path::{Path, PathBuf};

mod read;
mod content;
mod sampling;
mod variables;
mod spool;
mod server;

pub use variables::{VARIABLES, Variable};

use read::{Environment, percent_decoded};

/// What the environment says about telemetry.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The variable that disables telemetry, if one does. Then there are no destinations.
    pub disabled_by: Option<&'static str>,
    /// Where spans go.
    pub destinations: Vec<Destination>,
    /// The glassbox server, where none runs yet: spans go there from when it does.
    pub(crate) later: Option<Destination>,
    /// Where they wait on disk if a destination does not take them; `None` if nowhere.
    pub spool: Option<SpoolConfig>,
    /// Who makes them. Without a name of the service, it is empty.
    pub resource: Resource,
    /// How much of inputs, outputs and messages is exported.
    pub content: Content,
    /// What is masked in whatever is exported.
    pub masking: Masking,
    /// What is wrong, though not so wrong that nothing could be done: whole sentences for people.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Reads the environment of the process.
    ///
    /// # Errors
    ///
    /// A variable has a value that makes no sense; the error says what to write instead.
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
    pub fn from_env() -> Result<Self, ConfigError> {
        let mut settings = Self::from_lookup(|name| std::env::var(name).ok())?;
        if settings.resource.service_name.is_empty() {
            let program = std::env::current_exe().ok();
            let name = program.as_ref().and_then(|path| path.file_stem()?.to_str());
            settings.resource.service_name = name.unwrap_or("unknown_service").into();
        }
        Ok(settings)
    }

    /// Reads variables by a function: the whole of the logic, without the environment.
    ///
    /// ```
    /// use glassbox_telemetry::config::Settings;
    /// let settings = Settings::from_lookup(|name| (name == "OTEL_SDK_DISABLED").then(|| "true".to_owned()))?;
    /// assert_eq!(settings.disabled_by, Some("OTEL_SDK_DISABLED"));
    /// # Ok::<(), glassbox_telemetry::error::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A variable has a value that makes no sense; the error says what to write instead.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut env = Environment::new(&lookup);
        let disabled_by = disabled_by(&mut env)?;
        let resource = resource(&mut env);
        let (content, masking) = (content::content(&env)?, content::masking(&env)?);
        let mut destinations = Vec::new();
        let (mut spool, mut later) = (None, None);
        if disabled_by.is_none() {
            spool = spool::spool(&env)?;
            let limits = limits(&mut env);
            let sampling = sampling::sampling(&mut env)?;
            destinations.extend(langfuse(&mut env, limits, sampling)?);
            destinations.extend(otlp(&mut env, limits, sampling)?);
            later = server::add(&env, &mut destinations, (limits, sampling))?;
        }
        Ok(Self {
            disabled_by,
            destinations,
            later,
            spool,
            resource,
            content,
            masking,
            warnings: env.into_warnings(),
        })
    }
}

/// Returns the glassbox server that programs with this environment send to: the one that `GLASSBOX_SERVER` names, else the
/// one that runs.
///
/// # Errors
///
/// The variable has a value that makes no sense; the error says what to write instead.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
pub fn server() -> Result<Option<ServerAddress>, ConfigError> {
    server::address(&Environment::new(&|name| std::env::var(name).ok()))
}

/// Returns the folder in which a glassbox server leaves its address for this user's programs; `None` if there is none.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
pub fn server_folder() -> Option<PathBuf> {
    server::folder(&Environment::new(&|name| std::env::var(name).ok()))
}

fn disabled_by(env: &mut Environment<'_>) -> Result<Option<&'static str>, ConfigError> {
    if env.boolean("GLASSBOX_DISABLED")? == Some(true) {
        return Ok(Some("GLASSBOX_DISABLED"));
    }
    const OTEL: &str = "OTEL_SDK_DISABLED";
    match env.get(OTEL).map(|value| value.to_ascii_lowercase()).as_deref() {
        Some("true") => Ok(Some(OTEL)),
        Some("false") | None => Ok(None),
        Some(value) => {
            env.warn(OTEL, value, "it counts as false; write true or false");
            Ok(None)
        }
    }
}

fn resource(env: &mut Environment<'_>) -> Resource {
    let mut resource = Resource::default();
    const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
    let attributes = env.get(ATTRIBUTES).map(|text| pairs(&text));
    match attributes {
        Some(Some(attributes)) => {
            for (key, value) in attributes {
                match key.as_str() {
                    "service.name" => resource.service_name = value.into(),
                    "service.version" => resource.service_version = Some(value.into()),
                    "deployment.environment.name" => resource.environment = Some(value.into()),
                    // The older name of the same.
                    "deployment.environment" if resource.environment.is_none() => {
                        resource.environment = Some(value.into());
                    }
                    _ => resource.attributes.push((key.into(), value.into())),
                }
            }
        }
        Some(None) => env.warn_unshown(
            ATTRIBUTES,
            "is not a list such as key=value,key=value, and is ignored as a whole",
        ),
        None => (),
    }
    if let Some(name) = env.get("OTEL_SERVICE_NAME") {
        resource.service_name = name.into();
    }
    if let Some(environment) = env.get("LANGFUSE_TRACING_ENVIRONMENT") {
        resource.environment = Some(environment.into());
    }
    resource.release = env.get("LANGFUSE_RELEASE").map(Into::into);
    resource
}

fn limits(env: &mut Environment<'_>) -> Limits {
    let default = Limits::default();
    let queue_spans = env.count_or_warn("OTEL_BSP_MAX_QUEUE_SIZE", default.queue_spans);
    let mut batch_spans =
        env.count_or_warn("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", default.batch_spans.min(queue_spans));
    if batch_spans > queue_spans {
        let expected = "it counts as OTEL_BSP_MAX_QUEUE_SIZE, which it must not exceed";
        env.warn("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", &batch_spans.to_string(), expected);
        batch_spans = queue_spans;
    }
    let batch_age = env.millis_or_warn("OTEL_BSP_SCHEDULE_DELAY", default.batch_age);
    Limits { queue_spans, batch_spans, batch_age, ..default }
}

fn langfuse(
    env: &mut Environment<'_>,
    shared: Limits,
    sampling: Sampling,
) -> Result<Option<Destination>, ConfigError> {
    let (public_key, secret_key) = (env.get("LANGFUSE_PUBLIC_KEY"), env.get("LANGFUSE_SECRET_KEY"));
    if public_key.is_none() && secret_key.is_none() {
        return Ok(None);
    }
    let base_url = env.get("LANGFUSE_BASE_URL").or_else(|| env.get("LANGFUSE_HOST"));
    check_environment(env)?;
    let config = LangfuseConfig {
        public_key: public_key.unwrap_or_default(),
        secret_key: secret_key.unwrap_or_default().into(),
        base_url: base_url.unwrap_or_else(|| LangfuseConfig::DEFAULT_BASE_URL.to_owned()),
        upload_media: env.boolean("GLASSBOX_LANGFUSE_MEDIA")? == Some(true),
    };
    let limits = Limits {
        batch_spans: env.count("LANGFUSE_FLUSH_AT")?.unwrap_or(shared.batch_spans),
        batch_age: env.seconds("LANGFUSE_FLUSH_INTERVAL", true)?.unwrap_or(shared.batch_age),
        request_timeout: env.seconds("LANGFUSE_TIMEOUT", false)?.unwrap_or(shared.request_timeout),
        ..shared
    };
    let rate = env.ratio("LANGFUSE_SAMPLE_RATE")?;
    let sampling = rate.map_or(sampling, |rate| sampling.with_ratio(rate));
    let destination = Destination::langfuse(config)?.limits(limits).sampling(sampling);
    trusting(destination, env.first(&[CA_FILE])).map(Some)
}

/// Langfuse files under `default` what does not match its pattern, so it is better told.
fn check_environment(env: &Environment<'_>) -> Result<(), ConfigError> {
    let Some(value) = env.get("LANGFUSE_TRACING_ENVIRONMENT") else { return Ok(()) };
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if value.len() <= 40 && value.chars().all(fits) && !value.starts_with("langfuse") {
        return Ok(());
    }
    let expected = "write at most 40 lowercase letters, digits, hyphens and underscores that do not begin with langfuse";
    Err(Kind::Value { variable: "LANGFUSE_TRACING_ENVIRONMENT", value, expected }.into())
}

fn otlp(
    env: &mut Environment<'_>,
    shared: Limits,
    sampling: Sampling,
) -> Result<Option<Destination>, ConfigError> {
    let base = env.get("OTEL_EXPORTER_OTLP_ENDPOINT");
    let from_base = base.map(|base| format!("{}/v1/traces", base.trim_end_matches('/')));
    let Some(endpoint) = env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or(from_base) else {
        return Ok(None);
    };

    let config = OtlpConfig {
        endpoint,
        headers: headers(env)?,
        protocol: protocol(env)?,
        compression: compression(env),
    };
    let timeout = env.for_traces("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT");
    let request_timeout = timeout.map(|(name, _)| env.millis_or_warn(name, shared.request_timeout));
    let limits =
        Limits { request_timeout: request_timeout.unwrap_or(shared.request_timeout), ..shared };
    let destination = Destination::otlp(config)?.limits(limits).sampling(sampling);
    let certificate = env.first(&[
        "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        CA_FILE,
    ]);
    trusting(destination, certificate).map(Some)
}

const CA_FILE: &str = "GLASSBOX_CA_FILE";

fn trusting(
    destination: Destination,
    certificate: Option<(&'static str, String)>,
) -> Result<Destination, ConfigError> {
    match certificate {
        Some((variable, path)) => destination.trusting(Path::new(&path), variable),
        None => Ok(destination),
    }
}

fn headers(env: &Environment<'_>) -> Result<Vec<(String, SecretString)>, ConfigError> {
    let set = env.for_traces("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS");
    let Some((variable, text)) = set else { return Ok(Vec::new()) };
    // What is not a pair may be a key, so it is not shown.
    let header = "(not shown)".to_owned();
    let pairs = pairs(&text).ok_or(Kind::Header { variable, header, problem: "is not a pair" })?;
    Ok(pairs.into_iter().map(|(name, value)| (name, value.into())).collect())
}

fn protocol(env: &Environment<'_>) -> Result<Protocol, ConfigError> {
    match env.for_traces("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL") {
        None => Ok(Protocol::default()),
        Some((_, value)) if value == "http/protobuf" => Ok(Protocol::HttpProtobuf),
        Some((_, value)) if value == "http/json" => Ok(Protocol::HttpJson),
        Some((variable, value)) => {
            let expected = if value == "grpc" {
                "gRPC is not spoken here; write http/protobuf, and the endpoint's port for HTTP, which is usually 4318"
            } else {
                "write http/protobuf or http/json"
            };
            Err(Kind::Value { variable, value, expected }.into())
        }
    }
}

fn compression(env: &mut Environment<'_>) -> Compression {
    match env.for_traces("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION")
    {
        None => Compression::default(),
        Some((_, value)) if value == "gzip" => Compression::Gzip,
        Some((_, value)) if value == "none" => Compression::None,
        Some((variable, value)) => {
            env.warn(variable, &value, "it counts as not set; write gzip or none");
            Compression::default()
        }
    }
}

/// Reads `key=value,key=value` with percent-encoded values; `None` if it is anything else.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let pairs = entries.map(|entry| {
        let (key, value) = entry.split_once('=')?;
        let key = percent_decoded(key.trim())?;
        (!key.is_empty()).then_some((key, percent_decoded(value.trim())?))
    });
    pairs.collect()
}

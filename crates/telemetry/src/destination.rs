//! Where spans go: Langfuse, anything that speaks OTLP over HTTP, or memory.

use crate::address::ServerAddress;
use crate::error::ConfigError;
use crate::limits::Limits;
use crate::memory::Memory;
use crate::sampling::Sampling;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

mod certificates;
mod langfuse;
mod otlp;
mod server;
mod target;
mod whereabouts;

pub use langfuse::LangfuseConfig;
pub use otlp::{Compression, OtlpConfig, Protocol};
pub(crate) use server::{Entrance, LiveTarget, Perhaps, is_same_host};
pub(crate) use target::HttpTarget;
pub(crate) use whereabouts::Here;

/// Where spans go. Each destination of an observer has its own queue and worker, and cannot hurt another.
///
/// ```
/// use glassbox_telemetry::destination::{Destination, LangfuseConfig, OtlpConfig};
/// let langfuse = Destination::langfuse(LangfuseConfig::new("pk-lf-1", "sk-lf-2"))?.sample_rate(0.1);
/// let collector = Destination::otlp(OtlpConfig::new("http://localhost:4318/v1/traces"))?.named("collector");
/// # Ok::<(), glassbox_telemetry::error::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "hand it to `Observe::destination`"]
pub struct Destination {
    name: Arc<str>,
    base_url: Option<Arc<str>>,
    target: Target,
    limits: Limits,
    sampling: Sampling,
}

/// The longest that a span waits for others on its way to one who looks at it.
const LIVE_BATCH_AGE: Duration = Duration::from_millis(100);

/// Where the requests go, if there are any.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Http(Box<HttpTarget>),
    Memory(Memory),
    Discard,
}

impl Destination {
    /// Exports to Langfuse.
    ///
    /// # Errors
    ///
    /// A key is missing or stands in the other's place, or the URL is none.
    pub fn langfuse(config: LangfuseConfig) -> Result<Self, ConfigError> {
        let (base_url, target) = langfuse::target(config)?;
        Ok(Self {
            base_url: Some(base_url.into()),
            ..Self::new("langfuse", Target::Http(Box::new(target)))
        })
    }

    /// Exports to anything that speaks OTLP over HTTP.
    ///
    /// # Errors
    ///
    /// The endpoint is no URL, or a header cannot be sent.
    pub fn otlp(config: OtlpConfig) -> Result<Self, ConfigError> {
        Ok(Self::new("otlp", Target::Http(Box::new(otlp::target(config)?))))
    }

    /// Exports to a glassbox server, and announces spans there when they begin, so that calls are seen while they run.
    /// What has ended is there a tenth of a second later.
    ///
    /// # Errors
    ///
    /// The address is no URL, or its secret cannot be sent.
    pub fn server(address: &ServerAddress) -> Result<Self, ConfigError> {
        let begun = Self::new("glassbox", Target::Http(Box::new(server::target(address)?)));
        Ok(Self { base_url: Some(address.url.as_str().into()), ..begun }.hurried())
    }

    /// Exports to the glassbox server that leaves its address in a folder, wherever it is and comes back, and whenever it
    /// starts: until then spans are not kept.
    pub(crate) fn found_in(
        folder: PathBuf,
        address: Option<&ServerAddress>,
    ) -> Result<Self, ConfigError> {
        let begun =
            Self::new("glassbox", Target::Http(Box::new(server::found_in(folder, address)?)));
        let base_url = address.map(|address| address.url.as_str().into());
        Ok(Self { base_url, ..begun }.hurried())
    }

    /// Returns the address that spans are sent to, unless it may change.
    pub(crate) fn fixed_url(&self) -> Option<&Url> {
        match &self.target {
            Target::Http(target) if target.whereabouts.is_none() => Some(&target.url),
            _ => None,
        }
    }

    /// Sends what has ended soon, as one wants it who looks.
    pub(crate) fn hurried(mut self) -> Self {
        self.limits.batch_age = self.limits.batch_age.min(LIVE_BATCH_AGE);
        self
    }

    /// Announces spans to a server if this destination is that server, reached by another way. Returns whether it is.
    pub(crate) fn announces_to(&mut self, address: &ServerAddress) -> Result<bool, ConfigError> {
        match &mut self.target {
            Target::Http(target) if server::is_at(&target.url, address) => {
                target.live = Some(LiveTarget::Named(Entrance::of(address)?));
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Announces spans if this destination turns out to be a server, now or later. The folder is where one of this user
    /// leaves its address. Returns whether that one is there now.
    pub(crate) fn may_announce(&mut self, folder: Option<&Path>) -> bool {
        let Target::Http(target) = &mut self.target else { return false };
        let folder = folder.map(Path::to_owned);
        let Some(perhaps) = Perhaps::at(&target.url, &target.headers, folder) else { return false };
        let is_there = perhaps.found().is_some();
        target.live = Some(LiveTarget::Perhaps(Box::new(perhaps)));
        is_there
    }

    /// Keeps spans in memory, for tests. Hand the observer a reference and keep the memory.
    #[must_use]
    pub fn memory() -> Memory {
        Memory::new()
    }

    /// Takes spans and forgets them, which costs the worker next to nothing: for measuring what telemetry costs the
    /// program itself.
    pub fn discard() -> Self {
        Self::new("discard", Target::Discard)
    }

    fn new(name: &str, target: Target) -> Self {
        let (limits, sampling) = (Limits::default(), Sampling::ratio(1.0));
        Self { name: name.into(), base_url: None, target, limits, sampling }
    }

    /// Gives the destination another name, as health and warnings tell it.
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Sets how much may wait, and how long is tried.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Exports only a share of the traces, from 0 to 1. The trace id decides, so traces stay whole.
    pub fn sample_rate(mut self, rate: f64) -> Self {
        self.sampling = self.sampling.with_ratio(rate);
        self
    }

    /// Lets the caller decide which traces are exported, where a trace goes on from another process and its headers say
    /// whether it was sampled. The [sample rate](Self::sample_rate) decides on all others.
    pub const fn follow_parent(mut self, follow: bool) -> Self {
        self.sampling = self.sampling.following_parent(follow);
        self
    }

    /// Exports every trace in which a span failed, also a failed attempt of a call that worked in the end, even if it is
    /// not in the sample. To this end the spans of other traces are held until their root has ended: at most 16,384 of
    /// them, and 64 MiB. Beyond that, the trace that began to be held first counts as one without an error.
    pub fn keep_errors(mut self) -> Self {
        self.sampling = self.sampling.keeping_errors();
        self
    }

    pub(crate) const fn sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// Trusts the authorities in a PEM file besides those that the system knows, for servers with a certificate of
    /// one's own. Memory needs none.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or holds no certificate in PEM.
    pub fn ca_certificate(self, path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        self.trusting(path.as_ref(), "GLASSBOX_CA_FILE")
    }

    /// The same; `variable` is what an error tells to correct.
    pub(crate) fn trusting(
        mut self,
        path: &Path,
        variable: &'static str,
    ) -> Result<Self, ConfigError> {
        if let Target::Http(target) = &mut self.target {
            target.certificates = certificates::read(path, variable)?;
        }
        Ok(self)
    }

    /// Returns what is public about the destination.
    #[must_use]
    pub fn info(&self) -> DestinationInfo {
        DestinationInfo { name: Arc::clone(&self.name), base_url: self.base_url.clone() }
    }

    pub(crate) fn into_parts(self) -> (Arc<str>, Target, Limits, Sampling) {
        (self.name, self.target, self.limits, self.sampling)
    }
}

impl From<&Memory> for Destination {
    fn from(memory: &Memory) -> Self {
        Self::new("memory", Target::Memory(memory.clone()))
    }
}

/// A destination's name, and where to look at its traces.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DestinationInfo {
    /// The name.
    pub name: Arc<str>,
    /// The address of the user interface of Langfuse or of a glassbox server, without a slash at the end.
    pub base_url: Option<Arc<str>>,
}

impl fmt::Display for DestinationInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.base_url.as_ref().map_or(Ok(()), |url| write!(f, " ({url})"))
    }
}

//! Checks a destination one step after the other, the way the exporter goes, and tells what to type where it ends.

use crate::destination::{Destination, DestinationInfo, HttpTarget, Protocol, Target};
use crate::http::{Answer, Http, excerpt, in_words, is_page, partial_success, read};
use advice::Advice;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use glassbox_events::clock;
use glassbox_trace::otlp::{self, Encoding, Profile, Resource};
use glassbox_trace::span::{Detail, Span, Status, TraceAttributes};
use network::Route;
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, StatusCode};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

mod finding;
mod network;
mod advice;
mod langfuse;
mod server;

pub use finding::{Finding, Step, Verdict};

use finding::{Findings, Stopped};

/// The name of the span that is sent.
pub const SPAN_NAME: &str = "glassbox doctor";

/// What was found out about a destination: a finding for each of [`Step::ALL`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The destination.
    pub destination: DestinationInfo,
    /// The address that spans are sent to, without what may be secret in it.
    pub address: String,
    /// How the steps went.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Returns the step that does not work, if there is one. The steps after it were skipped.
    #[must_use]
    pub fn problem(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.verdict == Verdict::Problem)
    }
}

/// Checks a destination: resolves its name, connects, sends a span named [`SPAN_NAME`], and reads it back from
/// Langfuse for as long as `patience` lasts. Needs a Tokio runtime.
///
/// ```no_run
/// # async fn example() -> Result<(), glassbox_telemetry::error::ConfigError> {
/// use glassbox_telemetry::{config::Settings, probe::probe};
/// let settings = Settings::from_env()?;
/// for destination in settings.destinations {
///     let report = probe(destination, &settings.resource, std::time::Duration::from_secs(30)).await;
///     println!("{}: {:?}", report.address, report.problem());
/// }
/// # Ok(()) }
/// ```
pub async fn probe(destination: Destination, resource: &Resource, patience: Duration) -> Report {
    let info = destination.info();
    let (_, target, limits, _) = destination.into_parts();
    let Target::Http(target) = target else {
        return Report { destination: info, address: "memory".to_owned(), findings: Vec::new() };
    };
    let mut findings = Findings::default();
    let address = shown(&target.url);
    let advice = Advice::for_target(&target);
    let timeout = limits.request_timeout;
    match Http::new(*target, timeout) {
        Ok(http) => {
            let mut prober = Prober { http, advice, timeout, findings: &mut findings };
            // Whether it came to an end early is seen in the findings.
            let _ = prober.run(&info, resource, patience).await;
        }
        Err(error) => findings.add(
            Step::Encryption,
            Verdict::Problem,
            format!("no HTTP client can be made: {error}"),
            Some(advice.authority()),
        ),
    }
    Report { destination: info, address, findings: findings.complete() }
}

/// The address without a query, which may hold a key.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// An answer, read to its end.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    fn is_page(&self) -> bool {
        is_page(&self.headers, &self.body)
    }

    /// The status and the beginning of what was said.
    fn in_words(&self) -> String {
        match (self.is_page(), excerpt(&self.body)) {
            (true, _) => format!("{} and a web page", self.status),
            (false, said) if said.is_empty() => self.status.to_string(),
            (false, said) => format!("{}: {said}", self.status),
        }
    }
}

struct Prober<'a> {
    http: Http,
    advice: Advice,
    timeout: Duration,
    findings: &'a mut Findings,
}

impl Prober<'_> {
    async fn run(
        &mut self,
        info: &DestinationInfo,
        resource: &Resource,
        patience: Duration,
    ) -> Result<(), Stopped> {
        self.reach().await?;
        let span = probe_span();
        match (self.target().profile, &info.base_url) {
            (Profile::Langfuse, Some(base)) => {
                self.project(base).await?;
                self.deliver(&span, resource).await?;
                self.read_back(base, &span, patience).await
            }
            (Profile::OpenTelemetry, Some(base)) => {
                self.deliver(&span, resource).await?;
                self.seen_by_server(base, &span).await
            }
            _ => {
                self.deliver(&span, resource).await?;
                self.findings.skip(Step::ReadBack, "OTLP has no way to ask for a span");
                Ok(())
            }
        }
    }

    const fn target(&self) -> &HttpTarget {
        self.http.target()
    }

    /// Resolves the name and connects.
    async fn reach(&mut self) -> Result<(), Stopped> {
        let route = Route::to(&self.target().url);
        let timeout = self.timeout.min(Duration::from_secs(5));
        self.findings.begin();
        let addresses = match route.resolve(timeout).await {
            Ok(addresses) => addresses,
            Err(error) => {
                let advice = self.advice.name(&route);
                return Err(self.findings.stop(Step::Name, format!("{route}: {error}"), advice));
            }
        };
        let list: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
        match list.join(", ") {
            list if list == route.to_string() => {
                self.findings.skip(Step::Name, "an address needs none")
            }
            list => self.findings.ok(Step::Name, format!("{route} is {list}")),
        }
        self.findings.begin();
        match network::connect(&addresses, timeout).await {
            Ok(address) => {
                self.findings.ok(Step::Connection, format!("{address} accepts connections"))
            }
            Err(error) => {
                let advice = self.advice.connection(&route);
                return Err(self.findings.stop(Step::Connection, error, advice));
            }
        }
        if self.target().url.scheme() != "https" {
            let secrets = self.target().headers.values().any(|value| value.is_sensitive());
            match self.target().url.host_str() {
                Some(host) if secrets && !crate::loopback::is_loopback(host) => self.findings.warn(
                    Step::Encryption,
                    "none, so the credentials can be read on the way",
                    self.advice.https(),
                ),
                _ => self.findings.skip(Step::Encryption, "the address begins with http://"),
            }
        }
        self.findings.begin();
        Ok(())
    }

    /// Sends a request. That an answer comes at all says that the certificate is trusted.
    async fn ask(
        &mut self,
        step: Step,
        request: Result<RequestBuilder, String>,
    ) -> Result<Reply, Stopped> {
        let request = match request {
            Ok(request) => request,
            Err(error) => return Err(self.findings.stop(step, error, "start glassbox serve")),
        };
        let sent = match request.send().await {
            Ok(response) => {
                let (status, headers) = (response.status(), response.headers().clone());
                read(response).await.map(|body| Reply { status, headers, body })
            }
            Err(error) if error.is_timeout() => Err(format!("no answer within {:?}", self.timeout)),
            Err(error) => Err(in_words(&error.without_url())),
        };
        let encrypted = self.target().url.scheme() == "https";
        match sent {
            Ok(reply) => {
                if encrypted && !self.has(Step::Encryption) {
                    self.findings.ok(Step::Encryption, "the certificate is trusted");
                }
                Ok(reply)
            }
            Err(error) if encrypted && advice::is_about_tls(&error) => {
                let advice = self.advice.tls(&error);
                Err(self.findings.stop(Step::Encryption, error, advice))
            }
            Err(error) => {
                let advice = self.advice.silence(&error);
                Err(self.findings.stop(step, error, advice))
            }
        }
    }

    /// Returns an address at a destination that has more than one.
    fn address(&mut self, base: &str, path: &str, query: &[(&str, &str)]) -> Result<Url, Stopped> {
        let address = format!("{base}{path}");
        let Ok(mut url) = Url::parse(&address) else {
            let advice = self.advice.address(&self.target().url.clone());
            let seen = format!("{address} is no URL");
            return Err(self.findings.stop(Step::Credentials, seen, advice));
        };
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    fn has(&self, step: Step) -> bool {
        self.findings.list.iter().any(|finding| finding.step == step)
    }

    /// Sends the span as the exporter would.
    async fn deliver(&mut self, span: &Span, resource: &Resource) -> Result<(), Stopped> {
        let body = encoded(span, resource, self.target());
        let reply = self.ask(Step::Delivery, self.http.request(body)).await?;
        if matches!(reply.status.as_u16(), 401 | 403) {
            let advice = self.target().check.to_owned();
            return Err(self.findings.stop(Step::Credentials, reply.in_words(), advice));
        }
        if !reply.status.is_success() || reply.is_page() {
            let advice = self.advice.refusal(&reply, &self.target().url);
            return Err(self.findings.stop(Step::Delivery, reply.in_words(), advice));
        }
        if !self.has(Step::Credentials) {
            let names: Vec<_> = self.target().headers.keys().map(|name| name.as_str()).collect();
            match names.as_slice() {
                [] => self.findings.ok(Step::Credentials, "none are set, and none are wanted"),
                names => self.findings.ok(
                    Step::Credentials,
                    format!("accepted, with the header {}", names.join(", ")),
                ),
            }
        }
        if self.target().profile == Profile::OpenTelemetry {
            let answer = partial_success(&reply.headers, &reply.body);
            if let Answer::Accepted { rejected: 1.., why } = answer {
                let seen = format!("the span was rejected: {why}");
                let advice = "see what the receiver says, it takes requests and not this span";
                return Err(self.findings.stop(Step::Delivery, seen, advice));
            }
        }
        let seen = format!("{} for trace {}", reply.status, span.trace_id);
        self.findings.ok(Step::Delivery, seen);
        Ok(())
    }
}

/// A short root of a trace of its own.
fn probe_span() -> Span {
    let end = clock::now();
    let start = glassbox_trace::time::Timestamp::from_unix_nanos(
        end.unix_nanos().saturating_sub(1_000_000),
    );
    let trace = TraceAttributes {
        name: Some(SPAN_NAME.into()),
        tags: vec!["glassbox-doctor".into()],
        ..TraceAttributes::default()
    };
    Span {
        trace_id: clock::new_trace_id(),
        span_id: clock::new_span_id(),
        parent_id: None,
        name: SPAN_NAME.into(),
        start,
        end: Some(end),
        status: Status::Ok,
        trace: Arc::new(trace),
        input: Some("does a span get here?".into()),
        output: Some("yes".into()),
        notes: Vec::new(),
        detail: Detail::Span,
        attributes: Vec::new(),
    }
}

fn encoded(span: &Span, resource: &Resource, target: &HttpTarget) -> Bytes {
    let request =
        otlp::encode(std::slice::from_ref(span), resource, &Encoding::new(target.profile));
    let raw = match target.protocol {
        Protocol::HttpProtobuf => request.into_protobuf(),
        Protocol::HttpJson => request.to_json().into(),
    };
    if !target.gzip {
        return raw;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing into memory cannot fail.
    let _ = encoder.write_all(&raw);
    encoder.finish().unwrap_or_default().into()
}

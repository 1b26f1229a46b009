//! Decides how a request is answered. Nothing here waits.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::StatusCode;
use rand::RngExt;
use rand::distr::Alphanumeric;
use serde_json::Value;
use tokio::time::Instant;

use crate::answer::answer;
use crate::ask::{Ask, Choice, Shape, Stream};
use crate::embedding;
use crate::fault::Fault;
use crate::record::{Received, masked};
use crate::schema;
use crate::seed::{self, Purpose};
use crate::state::{Arrival, InFlight, State};
use crate::wire::{Frame, Key, Problem, Provider, Reply, Usage};

use super::route::{Request, Route, Wanted, route};

/// What to do with a request.
#[derive(Debug)]
pub(super) enum Decision {
    Answer(Planned),
    Reset,
    Stall { in_flight: InFlight },
}

/// An answer with the times at which its parts are due.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(&'static str, String)>,
    /// Each with the time after the request's arrival.
    pub(super) parts: Vec<(Duration, Bytes)>,
    pub(super) kind: Kind,
    /// Whether the connection breaks after the parts, before the body is complete.
    pub(super) breaks: bool,
    pub(super) in_flight: Option<InFlight>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A body whose length was announced.
    Json {
        length: usize,
    },
    Events,
    JsonStream,
}

pub(super) fn decide(request: &Request, state: &Arc<State>, arrived: Instant) -> Decision {
    let Route { provider, wanted } = route(request);
    let body = request.body.clone().unwrap_or_default();
    let key = seed::fingerprint(&[request.uri.path().as_bytes(), &body]);
    let received = Received {
        provider,
        path: request.uri.path().to_owned(),
        model: String::new(),
        attempt: 1,
        headers: masked(&request.headers),
        body,
        status: None,
        fault: None,
        tokens: None,
    };
    if matches!(wanted, Wanted::Models | Wanted::Unknown) {
        let record = state.received(received);
        let outcome = match (key_problem(request, provider), &wanted) {
            (_, &Wanted::Unknown) => Err(Problem::UnknownPath {
                method: request.method.to_string(),
                path: request.uri.path().to_owned(),
            }),
            (Some(problem), _) => Err(problem),
            (None, _) => Ok(provider.models()),
        };
        let planned = match outcome {
            Ok(body) => whole(&body),
            Err(problem) => refuse(provider, &problem, &id(state, key, record)),
        };
        state.answered(record, planned.status.as_u16());
        return Decision::Answer(planned);
    }
    let arrival = state.called(received, key);
    let call = Call {
        request,
        provider,
        key,
        arrival,
        state,
        arrived,
        id: id(state, key, arrival.number),
    };
    let decision = match wanted {
        Wanted::Answer { in_url } => call.decide(in_url),
        _ => call.embed(),
    };
    if let Decision::Answer(planned) = &decision {
        state.answered(arrival.record, planned.status.as_u16());
    }
    decision
}

/// A model call.
struct Call<'a> {
    request: &'a Request,
    provider: Provider,
    key: u64,
    arrival: Arrival,
    state: &'a Arc<State>,
    arrived: Instant,
    id: String,
}

impl Call<'_> {
    fn decide(&self, in_url: Option<(String, Option<Stream>)>) -> Decision {
        let ask = match self.read(in_url) {
            Ok(ask) => ask,
            Err(problem) => return self.refusal(&problem, Duration::ZERO),
        };
        let in_flight = match self.state.admit(self.arrived) {
            Ok(in_flight) => in_flight,
            Err(retry_after) => {
                return self.refusal(&Problem::RateLimited { retry_after }, Duration::ZERO);
            }
        };
        let fault = self.state.fault(self.key, self.arrival);
        let config = &self.state.config;
        let timing = config.latency.timing(config.seed, self.key, config.speed);
        let in_flight = match self.hinder(fault.as_ref(), in_flight, timing.after(0)) {
            Ok(in_flight) => in_flight,
            Err(decision) => return decision,
        };

        let mut rng = seed::rng(config.seed, Purpose::Content, self.key, 0);
        let answer = answer(&ask, &config.script, fault.as_ref(), &mut rng);
        let usage = self.usage(&ask, answer.tokens());
        self.state.note(self.arrival.record, |received| {
            received.tokens = Some((usage.input, usage.output))
        });
        let reply = Reply {
            ask: &ask,
            answer: &answer,
            model: self.provider.dated(&ask.model),
            id: self.id.clone(),
            created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
            usage: (fault != Some(Fault::NoUsage)).then_some(usage),
            tokens_per_chunk: timing.tokens_per_chunk(),
        };
        let mut planned = match ask.stream {
            None => {
                let mut planned = whole(&self.provider.whole(&reply));
                planned.parts[0].0 = timing.after(usage.output);
                planned
            }
            Some(stream) => {
                let parts = self
                    .provider
                    .stream(&reply)
                    .into_iter()
                    .map(|Frame { after, bytes }| (timing.after(after), bytes));
                let kind = if stream == Stream::Array { Kind::JsonStream } else { Kind::Events };
                Planned { kind, parts: parts.collect(), ..whole(&Value::Null) }
            }
        };
        match fault {
            Some(Fault::Truncated) => truncate(&mut planned),
            Some(Fault::MalformedJson) => malform(&mut planned),
            _ => {}
        }
        planned.headers.extend(self.request_id());
        planned.in_flight = Some(in_flight);
        Decision::Answer(planned)
    }

    fn embed(&self) -> Decision {
        let ask = match self.body().and_then(|body| embedding::read(&body)) {
            Ok(ask) => ask,
            Err(problem) => return self.refusal(&problem, Duration::ZERO),
        };
        self.state.note(self.arrival.record, |received| received.model.clone_from(&ask.model));
        if ask.model.contains("no-such-model") {
            return self.refusal(&Problem::UnknownModel(ask.model), Duration::ZERO);
        }
        let in_flight = match self.state.admit(self.arrived) {
            Ok(in_flight) => in_flight,
            Err(retry_after) => {
                return self.refusal(&Problem::RateLimited { retry_after }, Duration::ZERO);
            }
        };
        let fault = self.state.fault(self.key, self.arrival);
        let config = &self.state.config;
        let after = config.latency.timing(config.seed, self.key, config.speed).after(0);
        let in_flight = match self.hinder(fault.as_ref(), in_flight, after) {
            Ok(in_flight) => in_flight,
            Err(decision) => return decision,
        };
        let tokens = ask.tokens();
        self.state.note(self.arrival.record, |received| received.tokens = Some((tokens, 0)));
        let mut planned = whole(&ask.answer(fault != Some(Fault::NoUsage)));
        planned.parts[0].0 = after;
        match fault {
            Some(Fault::Truncated) => truncate(&mut planned),
            Some(Fault::MalformedJson) => malform(&mut planned),
            _ => {}
        }
        planned.headers.extend(self.request_id());
        planned.in_flight = Some(in_flight);
        Decision::Answer(planned)
    }

    /// Applies a fault that leaves nothing to answer; `late` is when a broken server says so.
    fn hinder(
        &self,
        fault: Option<&Fault>,
        in_flight: InFlight,
        late: Duration,
    ) -> Result<InFlight, Decision> {
        match fault {
            Some(Fault::Reset) => Err(Decision::Reset),
            Some(Fault::Stall) => Err(Decision::Stall { in_flight }),
            // A limiter refuses at once; a server breaks after a while.
            Some(Fault::RateLimited { retry_after }) => {
                let problem = Problem::RateLimited { retry_after: *retry_after };
                Err(self.refusal(&problem, Duration::ZERO))
            }
            Some(Fault::ServerError(status)) => Err(self.refusal(&Problem::Broken(*status), late)),
            Some(Fault::Overloaded) => Err(self.refusal(&Problem::Overloaded, late)),
            _ => Ok(in_flight),
        }
    }

    /// The request's body, if its key is accepted.
    fn body(&self) -> Result<Value, Problem> {
        if let Some(problem) = key_problem(self.request, self.provider) {
            return Err(problem);
        }
        let body = self.request.body.as_deref().ok_or(Problem::TooLarge)?;
        serde_json::from_slice(body).map_err(|error| Problem::NotJson(error.to_string()))
    }

    fn read(&self, in_url: Option<(String, Option<Stream>)>) -> Result<Ask, Problem> {
        let body = self.body()?;
        let mut ask = self.provider.read(&self.request.headers, &body)?;
        if let Some((model, stream)) = in_url {
            (ask.model, ask.stream) = (model, stream);
        }
        self.state.note(self.arrival.record, |received| received.model.clone_from(&ask.model));
        if ask.model.contains("no-such-model") {
            return Err(Problem::UnknownModel(ask.model));
        }
        match &ask.choice {
            Choice::Named(name) if !ask.tools.iter().any(|tool| tool.name == *name) => {
                return Err(Problem::invalid(format!(
                    "Tool choice '{name}' not found in 'tools' parameter."
                )));
            }
            _ => {}
        }
        if !self.state.config.lenient_schemas {
            self.check_schemas(&ask)?;
        }
        Ok(ask)
    }

    /// Refuses what a provider that promises to keep to a schema would refuse of it.
    fn check_schemas(&self, ask: &Ask) -> Result<(), Problem> {
        let Some(dialect) = self.provider.dialect() else { return Ok(()) };
        let check = |what: &str, schema: &Value| match schema::refusal(dialect, schema) {
            Some(why) => Err(Problem::invalid(format!("Invalid schema for {what}: {why}"))),
            None => Ok(()),
        };
        if let Shape::Schema { schema, strict: true } = &ask.shape {
            check("response_format", schema)?;
        }
        for tool in ask.tools.iter().filter(|tool| tool.strict) {
            check(&format!("function '{}'", tool.name), &tool.schema)?;
        }
        Ok(())
    }

    fn usage(&self, ask: &Ask, output: u64) -> Usage {
        let prompt = ask.prompt();
        let cached = self.state.cached(&ask.model, &prompt);
        // Anthropic writes to its cache only when told to; the others do it unasked, and do not charge for it.
        let written = if ask.marks_cache { cached.written } else { 0 };
        Usage { input: crate::tokens::count(&prompt), cached: cached.read, written, output }
    }

    fn refusal(&self, problem: &Problem, after: Duration) -> Decision {
        let mut planned = refuse(self.provider, problem, &self.id);
        planned.parts[0].0 = after;
        planned.headers.extend(self.request_id());
        Decision::Answer(planned)
    }

    fn request_id(&self) -> Option<(&'static str, String)> {
        Some((self.provider.request_id_header()?, format!("req_{}", self.id)))
    }
}

fn key_problem(request: &Request, provider: Provider) -> Option<Problem> {
    match provider.key(&request.headers, request.uri.query().unwrap_or_default()) {
        Key::Missing => Some(Problem::MissingKey),
        Key::Wrong => Some(Problem::WrongKey),
        Key::Accepted => None,
    }
}

/// Letters and digits for the ids of one response; `number` makes them differ between equal requests.
fn id(state: &State, key: u64, number: u64) -> String {
    let rng = seed::rng(state.config.seed, Purpose::Id, key, number);
    rng.sample_iter(Alphanumeric).take(29).map(char::from).collect()
}

fn whole(body: &Value) -> Planned {
    let body = Bytes::from(body.to_string());
    Planned {
        status: StatusCode::OK,
        headers: Vec::new(),
        kind: Kind::Json { length: body.len() },
        parts: vec![(Duration::ZERO, body)],
        breaks: false,
        in_flight: None,
    }
}

fn refuse(provider: Provider, problem: &Problem, id: &str) -> Planned {
    let (status, body) = provider.error(problem, &format!("req_{id}"));
    let mut planned = whole(&body);
    // A plan can ask for a status that is none, such as 42.
    planned.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(wait) = problem.retry_after() {
        planned.headers.push(("retry-after", wait.as_millis().div_ceil(1000).to_string()));
        if provider == Provider::OpenAi {
            planned.headers.push(("retry-after-ms", wait.as_millis().to_string()));
        }
    }
    planned
}

/// Keeps the first half of the bytes, after which the connection breaks.
fn truncate(planned: &mut Planned) {
    let all: usize = planned.parts.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut left = all / 2;
    planned.parts.retain_mut(|(_, bytes)| {
        bytes.truncate(left);
        left -= bytes.len();
        !bytes.is_empty()
    });
    planned.breaks = true;
}

/// Makes a part of the body something else than JSON: the whole of it, or the middle event of a stream.
fn malform(planned: &mut Planned) {
    let middle = planned.parts.len() / 2;
    let (_, bytes) = &mut planned.parts[middle];
    let mut text = bytes[..bytes.len() / 2].to_vec();
    if planned.kind == Kind::Events {
        text.extend_from_slice(b"\n\n");
    }
    *bytes = text.into();
    if let Kind::Json { length } = &mut planned.kind {
        *length = bytes.len();
    }
}

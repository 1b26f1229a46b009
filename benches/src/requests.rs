//! Requests as instrumented programs send them: OTLP protobuf, gzip, spans of model calls with their texts.

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use std::io::Write as _;

/// How many spans a trace has, the root included.
pub(crate) const SPANS_OF_TRACE: usize = 8;

/// Every so many spans one has failed.
const FAILED_EVERY: u64 = 97;

/// A request that can be sent any number of times.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// An export request, compressed.
    pub(crate) body: Vec<u8>,
    /// The trace ids, 32 hex digits each, and how many spans of the trace are in the request.
    pub(crate) traces: Vec<(String, usize)>,
}

impl Request {
    pub(crate) fn spans(&self) -> usize {
        self.traces.iter().map(|(_, spans)| spans).sum()
    }
}

/// What requests are made like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe {
    /// How many spans a request has.
    pub(crate) batch: usize,
    /// How many bytes of text a span has, half of it what went in and half what came out.
    pub(crate) payload: usize,
    /// When the first trace begins, nanoseconds since the epoch.
    pub(crate) from_ns: u64,
    /// How long after it the next one begins.
    pub(crate) every_ns: u64,
    /// Tells traces of one run from those of another.
    pub(crate) run: u64,
}

impl Recipe {
    /// Makes the request of this number: the same one whenever it is asked for.
    pub(crate) fn request(&self, number: u64) -> Request {
        let mut random = fastrand::Rng::with_seed(self.run ^ (number << 20));
        let traces = self.batch.div_ceil(SPANS_OF_TRACE) as u64;
        let (mut spans, mut told) = (Vec::with_capacity(self.batch), Vec::new());
        for place in 0..traces {
            let left = self.batch - spans.len();
            let at = number * traces + place;
            let of_trace = self.trace(at, left.min(SPANS_OF_TRACE), random.u64(..), &mut random);
            told.push((hex(&of_trace[0].trace_id), of_trace.len()));
            spans.extend(of_trace);
        }
        Request { body: encode(spans), traces: told }
    }

    /// Makes requests with one trace of so many spans.
    pub(crate) fn large_trace(&self, spans: usize) -> Vec<Request> {
        let mut random = fastrand::Rng::with_seed(self.run);
        let all = self.trace(u64::MAX >> 20, spans, random.u64(..), &mut random);
        let id = hex(&all[0].trace_id);
        let batches = all.chunks(self.batch.max(1));
        batches
            .map(|spans| Request {
                traces: vec![(id.clone(), spans.len())],
                body: encode(spans.to_vec()),
            })
            .collect()
    }

    fn trace(&self, at: u64, spans: usize, salt: u64, random: &mut fastrand::Rng) -> Vec<Span> {
        let mut trace_id = [0; 16];
        trace_id[..8].copy_from_slice(&(self.run ^ salt).to_be_bytes());
        trace_id[8..].copy_from_slice(&at.to_be_bytes());
        let start = self.from_ns + at.min(1 << 40) * self.every_ns;
        let span_id = |place: usize| (place as u64 + 1).to_be_bytes().to_vec();
        (0..spans)
            .map(|place| {
                let is_root = place == 0;
                let begin = start + place as u64 * 1_000_000;
                let took = 20_000_000 + random.u64(..2_000_000_000);
                let failed = (at * SPANS_OF_TRACE as u64 + place as u64) % FAILED_EVERY == 3;
                Span {
                    trace_id: trace_id.to_vec(),
                    span_id: span_id(place),
                    parent_span_id: if is_root { Vec::new() } else { span_id(0) },
                    name: if is_root { "CoffeeShopAgent" } else { "chat gpt-4o-mini" }.to_owned(),
                    start_time_unix_nano: begin,
                    end_time_unix_nano: begin + took,
                    attributes: self.attributes(is_root, at, random),
                    status: failed.then(|| Status { code: 2, message: "no such cup".to_owned() }),
                    ..Span::default()
                }
            })
            .collect()
    }

    fn attributes(&self, is_root: bool, at: u64, random: &mut fastrand::Rng) -> Vec<KeyValue> {
        let (input, output) = (words(random, self.payload / 2), words(random, self.payload / 2));
        let message = |role: &str, said: &str| {
            format!(r#"[{{"role":"{role}","parts":[{{"type":"text","content":"{said}"}}]}}]"#)
        };
        let mut attributes = vec![
            text("session.id", format!("session-{}", at / 10)),
            text("user.id", format!("user-{}", at % 500)),
        ];
        if is_root {
            attributes.extend([
                text("openinference.span.kind", "AGENT".to_owned()),
                text("input.value", input),
                text("output.value", output),
            ]);
            return attributes;
        }
        let model = ["gpt-4o-mini", "gpt-4o", "claude-sonnet-4-5"][random.usize(..3)];
        attributes.extend([
            text("gen_ai.operation.name", "chat".to_owned()),
            text("gen_ai.provider.name", "openai".to_owned()),
            text("gen_ai.request.model", model.to_owned()),
            text("gen_ai.response.model", model.to_owned()),
            text("gen_ai.response.id", format!("chatcmpl-{:016x}", random.u64(..))),
            attribute("gen_ai.request.temperature", Value::DoubleValue(0.7)),
            attribute("gen_ai.usage.input_tokens", Value::IntValue(random.i64(200..900))),
            attribute("gen_ai.usage.output_tokens", Value::IntValue(random.i64(50..400))),
            text("gen_ai.input.messages", message("user", &input)),
            text("gen_ai.output.messages", message("assistant", &output)),
        ]);
        attributes
    }
}

fn encode(spans: Vec<Span>) -> Vec<u8> {
    let resource = Resource {
        attributes: vec![text("service.name", "coffee-shop".to_owned())],
        ..Resource::default()
    };
    let scope = InstrumentationScope { name: "benches".to_owned(), ..Default::default() };
    let scope_spans = ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![scope_spans],
            ..ResourceSpans::default()
        }],
    };
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing into memory does not fail.
    let _ = gzip.write_all(&request.encode_to_vec());
    gzip.finish().unwrap_or_default()
}

/// Words of which few are frequent and many are rare, as in a language.
fn words(random: &mut fastrand::Rng, bytes: usize) -> String {
    const SYLLABLES: [&str; 16] = [
        "ka", "lo", "mi", "ten", "ru", "sa", "bel", "no", "vi", "gar", "pe", "sho", "du", "lin",
        "fa", "wo",
    ];
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        // A square makes small numbers frequent.
        let mut number = (random.f64().powi(3) * 20_000.0) as usize + 16;
        while number > 0 {
            text.push_str(SYLLABLES[number % 16]);
            number /= 16;
        }
        text.push(' ');
    }
    text.truncate(bytes);
    text
}

fn attribute(key: &str, value: Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn text(key: &str, value: String) -> KeyValue {
    attribute(key, Value::StringValue(value))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the time of day, nanoseconds since the epoch.
pub(crate) fn now_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_the_same_whenever_it_is_made() {
        let recipe = Recipe { batch: 20, payload: 100, from_ns: 1_000, every_ns: 10, run: 7 };
        let (once, again) = (recipe.request(3), recipe.request(3));
        assert_eq!((&once.body, &once.traces), (&again.body, &again.traces));
        assert_eq!(once.spans(), 20);
        assert_ne!(once.traces[0].0, recipe.request(4).traces[0].0);
        let large = recipe.large_trace(50);
        assert_eq!(large.iter().map(Request::spans).collect::<Vec<_>>(), [20, 20, 10]);
    }
}

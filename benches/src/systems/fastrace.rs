//! `fastrace`, before a reporter that discards. Its properties are texts, so numbers are written out.

use super::{System, Text, Texts};
use crate::data::{self, Facts};
use ::fastrace::Span;
use ::fastrace::collector::{Config, Reporter, SpanContext, SpanRecord};
use std::borrow::Cow;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// fastrace. Its reporter is that of the process.
pub(crate) struct Fastrace(Texts);

struct Discard;

impl Reporter for Discard {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        drop(spans);
    }
}

impl Fastrace {
    pub(crate) fn start(texts: Texts) -> Self {
        ::fastrace::set_reporter(Discard, Config::default());
        Self(texts)
    }
}

impl System for Fastrace {
    fn name(&self) -> &'static str {
        self.0.name("fastrace", "fastrace, texts given")
    }

    fn spans(&self, facts: &Facts, count: u32) -> Duration {
        let root = Span::root("root", SpanContext::random());
        let _local = root.set_local_parent();
        let began = Instant::now();
        for _ in 0..count {
            let span = Span::enter_with_local_parent(data::NAME)
                .with_properties(|| call(facts, self.0.input(facts)));
            let local = span.set_local_parent();
            black_box(());
            drop(local);
            span.add_properties(|| answer(facts, self.0.output(facts)));
        }
        began.elapsed()
    }

    fn settle(&self) {
        ::fastrace::flush();
    }
}

fn call(facts: &Facts, input: Text) -> [(&'static str, Cow<'static, str>); 11] {
    [
        ("gen_ai.operation.name", "chat".into()),
        ("gen_ai.provider.name", facts.provider.to_string().into()),
        ("gen_ai.request.model", facts.model.to_string().into()),
        ("gen_ai.output.type", "json".into()),
        ("gen_ai.request.temperature", data::TEMPERATURE.to_string().into()),
        ("gen_ai.request.top_p", data::TOP_P.to_string().into()),
        ("gen_ai.request.max_tokens", data::MAX_TOKENS.to_string().into()),
        ("gen_ai.request.seed", data::SEED.to_string().into()),
        ("server.address", facts.host.to_string().into()),
        ("server.port", data::PORT.to_string().into()),
        ("input.value", input.into_string().into()),
    ]
}

fn answer(facts: &Facts, output: Text) -> [(&'static str, Cow<'static, str>); 9] {
    let [input, cached, visible, reasoning] = data::TOKENS;
    [
        ("gen_ai.response.model", facts.answered.to_string().into()),
        ("gen_ai.response.id", facts.response_id.to_string().into()),
        ("gen_ai.response.finish_reasons", facts.finish_reason.to_string().into()),
        ("gen_ai.usage.input_tokens", (input + cached).to_string().into()),
        ("gen_ai.usage.cache_read.input_tokens", cached.to_string().into()),
        ("gen_ai.usage.output_tokens", (visible + reasoning).to_string().into()),
        ("gen_ai.usage.reasoning.output_tokens", reasoning.to_string().into()),
        ("llm.cost.total", data::DOLLARS.to_string().into()),
        ("output.value", output.into_string().into()),
    ]
}

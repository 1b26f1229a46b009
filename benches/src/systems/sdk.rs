//! `opentelemetry_sdk` with its batch processor, before an exporter that discards.

use super::{System, Text, Texts};
use crate::data::{self, Facts};
use opentelemetry::trace::{SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue, StringValue, Value};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider, SpanData, SpanExporter,
};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The SDK, with a queue that holds a round so that nothing is dropped.
pub(crate) struct Sdk {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    texts: Texts,
}

/// Takes spans and forgets them.
#[derive(Debug)]
pub(super) struct Discard;

impl SpanExporter for Discard {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        drop(batch);
        Ok(())
    }
}

impl Sdk {
    pub(crate) fn start(texts: Texts) -> Self {
        let config = BatchConfigBuilder::default().with_max_queue_size(65_536).build();
        let processor = BatchSpanProcessor::builder(Discard).with_batch_config(config).build();
        let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
        let tracer = provider.tracer("bench");
        Self { provider, tracer, texts }
    }

    pub(super) const fn tracer(&self) -> &SdkTracer {
        &self.tracer
    }
}

impl System for Sdk {
    fn name(&self) -> &'static str {
        self.texts.name("opentelemetry_sdk", "opentelemetry_sdk, texts given")
    }

    fn spans(&self, facts: &Facts, count: u32) -> Duration {
        let root = Context::new().with_span(self.tracer.start(data::NAME));
        let _attached = root.attach();
        let began = Instant::now();
        for _ in 0..count {
            let attributes = attributes_of_call(facts, self.texts.input(facts));
            let builder = self.tracer.span_builder(data::NAME).with_kind(SpanKind::Client);
            let span = builder.with_attributes(attributes).start(&self.tracer);
            let context = Context::current_with_span(span);
            let attached = context.clone().attach();
            black_box(());
            drop(attached);
            context.span().set_attributes(attributes_of_answer(facts, self.texts.output(facts)));
            context.span().end();
        }
        began.elapsed()
    }

    fn settle(&self) {
        let flushed = self.provider.force_flush();
        assert!(flushed.is_ok(), "the SDK did not flush: {flushed:?}");
    }
}

/// What is known when the call begins.
pub(crate) fn attributes_of_call(facts: &Facts, input: Text) -> Vec<KeyValue> {
    let shared = |text: &Arc<str>| Value::String(Arc::clone(text).into());
    vec![
        KeyValue::new("gen_ai.operation.name", "chat"),
        KeyValue::new("gen_ai.provider.name", shared(&facts.provider)),
        KeyValue::new("gen_ai.request.model", shared(&facts.model)),
        KeyValue::new("gen_ai.output.type", "json"),
        KeyValue::new("gen_ai.request.temperature", data::TEMPERATURE),
        KeyValue::new("gen_ai.request.top_p", data::TOP_P),
        KeyValue::new("gen_ai.request.max_tokens", i64::from(data::MAX_TOKENS)),
        KeyValue::new("gen_ai.request.seed", i64::from(data::SEED)),
        KeyValue::new("server.address", shared(&facts.host)),
        KeyValue::new("server.port", i64::from(data::PORT)),
        KeyValue::new("input.value", value(input)),
    ]
}

/// What is known when the call ends.
pub(crate) fn attributes_of_answer(facts: &Facts, output: Text) -> [KeyValue; 9] {
    let shared = |text: &Arc<str>| Value::String(Arc::clone(text).into());
    let [input, cached, visible, reasoning] = data::TOKENS.map(i64::from);
    [
        KeyValue::new("gen_ai.response.model", shared(&facts.answered)),
        KeyValue::new("gen_ai.response.id", shared(&facts.response_id)),
        KeyValue::new(
            "gen_ai.response.finish_reasons",
            Value::Array(vec![StringValue::from(Arc::clone(&facts.finish_reason))].into()),
        ),
        KeyValue::new("gen_ai.usage.input_tokens", input + cached),
        KeyValue::new("gen_ai.usage.cache_read.input_tokens", cached),
        KeyValue::new("gen_ai.usage.output_tokens", visible + reasoning),
        KeyValue::new("gen_ai.usage.reasoning.output_tokens", reasoning),
        KeyValue::new("llm.cost.total", data::DOLLARS),
        KeyValue::new("output.value", value(output)),
    ]
}

fn value(text: Text) -> Value {
    Value::String(match text {
        Text::Own(text) => text.into(),
        Text::Shared(text) => text.into(),
    })
}

//! `tracing` with `tracing-opentelemetry` and the SDK's batch processor, before an exporter that discards.

use super::{Sdk, System, Texts};
use crate::data::{self, Facts};
use anyhow::Result;
use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tracing::field::Empty;
use tracing_subscriber::layer::SubscriberExt;

/// The stack. Its subscriber is that of the process, as it is in programs.
pub(crate) struct Tracing {
    sdk: &'static Sdk,
    texts: Texts,
}

impl Tracing {
    pub(crate) fn start(texts: Texts) -> Result<Self> {
        static SDK: OnceLock<Sdk> = OnceLock::new();
        let is_new = SDK.get().is_none();
        let sdk = SDK.get_or_init(|| Sdk::start(texts));
        if is_new {
            let layer = tracing_opentelemetry::layer().with_tracer(sdk.tracer().clone());
            tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;
        }
        Ok(Self { sdk, texts })
    }
}

impl System for Tracing {
    fn name(&self) -> &'static str {
        self.texts.name("tracing", "tracing, texts given")
    }

    fn spans(&self, facts: &Facts, count: u32) -> Duration {
        let root = tracing::info_span!("root");
        let _entered = root.enter();
        let [input, cached, output, reasoning] = data::TOKENS.map(i64::from);
        let began = Instant::now();
        for _ in 0..count {
            let span = tracing::info_span!(
                "chat gpt-5.6-luna",
                otel.kind = "client",
                gen_ai.operation.name = "chat",
                gen_ai.provider.name = &*facts.provider,
                gen_ai.request.model = &*facts.model,
                gen_ai.output.type = "json",
                gen_ai.request.temperature = data::TEMPERATURE,
                gen_ai.request.top_p = data::TOP_P,
                gen_ai.request.max_tokens = i64::from(data::MAX_TOKENS),
                gen_ai.request.seed = i64::from(data::SEED),
                server.address = &*facts.host,
                server.port = i64::from(data::PORT),
                input.value = self.texts.input(facts).as_str(),
                gen_ai.response.model = Empty,
                gen_ai.response.id = Empty,
                gen_ai.response.finish_reasons = Empty,
                gen_ai.usage.input_tokens = Empty,
                gen_ai.usage.cache_read.input_tokens = Empty,
                gen_ai.usage.output_tokens = Empty,
                gen_ai.usage.reasoning.output_tokens = Empty,
                llm.cost.total = Empty,
                output.value = Empty,
            );
            span.in_scope(|| black_box(()));
            span.record("gen_ai.response.model", &*facts.answered);
            span.record("gen_ai.response.id", &*facts.response_id);
            span.record("gen_ai.response.finish_reasons", &*facts.finish_reason);
            span.record("gen_ai.usage.input_tokens", input + cached);
            span.record("gen_ai.usage.cache_read.input_tokens", cached);
            span.record("gen_ai.usage.output_tokens", output + reasoning);
            span.record("gen_ai.usage.reasoning.output_tokens", reasoning);
            span.record("llm.cost.total", data::DOLLARS);
            span.record("output.value", self.texts.output(facts).as_str());
        }
        began.elapsed()
    }

    fn settle(&self) {
        self.sdk.settle();
    }
}

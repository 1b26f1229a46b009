//! `rig-core`, alone and with its spans exported as its users do it: through `tracing-opentelemetry` and the SDK.

use super::asked::Asked;
use super::load::Caller;
use anyhow::{Context, Result, ensure};
use glassbox_telemetry::limits::Limits;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Compression, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use rig_core::Model;
use rig_core::completion::CompletionRequest;
use rig_core::providers::openai::OpenAIConfig;
use rig_core::providers::openai::wire::Chat;
use rig_core::schemars::Schema;
use std::hint::black_box;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

pub(super) struct Rig {
    model: Model<Chat>,
    asked: Asked,
    schema: Schema,
    records_content: bool,
}

impl Rig {
    pub(super) fn new(asked: &Asked) -> Result<Self> {
        let client =
            OpenAIConfig::new("bench").with_base_url(asked.url.trim_end_matches('/')).client();
        let mut schema = asked.schema.clone();
        schema["title"] = asked.schema_name.as_str().into();
        let schema = Schema::try_from(schema)?;
        Ok(Self {
            model: client.chat(asked.model.as_str()),
            asked: asked.clone(),
            schema,
            records_content: false,
        })
    }
}

impl Caller for Rig {
    async fn call(&self) -> Result<u64> {
        let request = CompletionRequest::new(self.asked.user.as_str())
            .preamble(self.asked.system.as_str())
            .output_schema(self.schema.clone())
            .record_content_telemetry(self.records_content);
        let answer = self.model.call(request).await?;
        ensure!(!black_box(answer.text()).is_empty(), "an answer without text");
        Ok(answer.usage.total_tokens.unwrap_or_default())
    }
}

/// The same with its spans exported.
pub(super) struct Traced {
    rig: Rig,
    provider: SdkTracerProvider,
}

impl Traced {
    pub(super) fn new(asked: &Asked, traces: &str, records_content: bool) -> Result<Self> {
        let exporter = SpanExporter::builder().with_http().with_endpoint(traces);
        let exporter = exporter.with_compression(Compression::Gzip).build()?;
        // A queue as long as Glassbox's, or it would drop most spans of a loop that does nothing else.
        let limits = Limits::default();
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(limits.queue_spans)
            .with_max_export_batch_size(limits.batch_spans)
            .build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
        let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("bench"));
        let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO).with(layer);
        tracing::subscriber::set_global_default(subscriber)?;
        Ok(Self { rig: Rig { records_content, ..Rig::new(asked)? }, provider })
    }
}

impl Caller for Traced {
    async fn call(&self) -> Result<u64> {
        self.rig.call().await
    }

    fn settle(&self) -> Result<()> {
        // It waits 5 seconds at most, and goes on all the same: it is asked until it is done.
        (0..12).find_map(|_| self.provider.force_flush().ok()).context("the SDK did not flush")
    }
}

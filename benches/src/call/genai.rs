//! `genai`, which Glassbox speaks to providers by: the same client, without what Glassbox puts around it.

use super::asked::Asked;
use super::load::Caller;
use anyhow::{Context, Result};
use genai::adapter::AdapterKind;
use genai::chat::{ChatMessage, ChatOptions, ChatRequest, ChatResponseFormat, JsonSpec};
use genai::resolver::{AuthData, Endpoint};
use genai::{Client, ModelIden, ServiceTarget};
use std::hint::black_box;

pub(super) struct Genai {
    client: Client,
    target: ServiceTarget,
    options: ChatOptions,
    asked: Asked,
}

impl Genai {
    pub(super) fn new(asked: &Asked) -> Result<Self> {
        let target = ServiceTarget {
            endpoint: Endpoint::from_owned(asked.url.as_str()),
            auth: AuthData::from_single("bench"),
            model: ModelIden::new(AdapterKind::OpenAI, asked.model.as_str()),
        };
        let format = JsonSpec::new(asked.schema_name.as_str(), asked.schema.clone());
        let options =
            ChatOptions::default().with_response_format(ChatResponseFormat::JsonSpec(format));
        Ok(Self { client: Client::builder().build()?, target, options, asked: asked.clone() })
    }
}

impl Caller for Genai {
    async fn call(&self) -> Result<u64> {
        let request = ChatRequest::new(vec![
            ChatMessage::system(self.asked.system.as_str()),
            ChatMessage::user(self.asked.user.as_str()),
        ]);
        let answer =
            self.client.exec_chat(self.target.clone(), request, Some(&self.options)).await?;
        black_box(answer.first_text().context("an answer without text")?);
        Ok(answer.usage.total_tokens.unwrap_or_default().unsigned_abs().into())
    }
}

//! `reqwest` alone: the least that a program could do, with types of its own for the request and the answer.

use super::asked::Asked;
use super::load::Caller;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::hint::black_box;

pub(super) struct Raw {
    client: reqwest::Client,
    url: String,
    asked: Asked,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: [Message<'a>; 2],
    response_format: ResponseFormat<'a>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    r#type: &'static str,
    json_schema: JsonSchema<'a>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: &'a str,
    strict: bool,
    schema: &'a Value,
}

#[derive(Deserialize)]
struct Answer {
    choices: Vec<Choice>,
    usage: Usage,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
}

#[derive(Deserialize)]
struct Said {
    content: String,
}

#[derive(Deserialize)]
struct Usage {
    total_tokens: u64,
}

impl Raw {
    pub(super) fn new(asked: &Asked) -> Result<Self> {
        let client = reqwest::Client::builder().build()?;
        Ok(Self { client, url: format!("{}chat/completions", asked.url), asked: asked.clone() })
    }
}

impl Caller for Raw {
    async fn call(&self) -> Result<u64> {
        let Asked { model, system, user, schema_name, schema, .. } = &self.asked;
        let request = Request {
            model,
            messages: [
                Message { role: "system", content: system },
                Message { role: "user", content: user },
            ],
            response_format: ResponseFormat {
                r#type: "json_schema",
                json_schema: JsonSchema { name: schema_name, strict: true, schema },
            },
        };
        let sent = self.client.post(&self.url).bearer_auth("bench").json(&request).send();
        let answer: Answer = sent.await?.error_for_status()?.json().await?;
        black_box(&answer.choices.first().context("an answer without text")?.message.content);
        Ok(answer.usage.total_tokens)
    }
}

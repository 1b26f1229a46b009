//! The request that all contenders send, taken apart as their programs have it.

use anyhow::{Context, Result};
use serde_json::Value;

/// What is asked for, and where.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The base URL for OpenAI clients, with a slash at the end.
    pub(super) url: String,
    pub(super) model: String,
    pub(super) system: String,
    pub(super) user: String,
    pub(super) schema_name: String,
    pub(super) schema: Value,
}

impl Asked {
    /// Reads a request as it goes over the wire.
    pub(super) fn new(url: &str, request: &Value) -> Result<Self> {
        let text = |pointer| {
            let text = request.pointer(pointer).and_then(Value::as_str);
            text.map(str::to_owned).with_context(|| format!("the request has no {pointer}"))
        };
        let schema = request.pointer("/response_format/json_schema/schema");
        Ok(Self {
            url: url.to_owned(),
            model: text("/model")?,
            system: text("/messages/0/content")?,
            user: text("/messages/1/content")?,
            schema_name: text("/response_format/json_schema/name")?,
            schema: schema.context("the request has no schema")?.clone(),
        })
    }
}

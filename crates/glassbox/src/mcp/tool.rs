//! A tool of an MCP server.

use crate::mcp::Connection;
use crate::module::BoxFuture;
use crate::tool::{Tool, ToolError};
use glassbox_events::context::Context;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ContentBlock, RequestMetaObject, ResourceContents,
};
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// The longest name that providers take.
const NAME_LIMIT: usize = 64;

/// A tool of an MCP server, to be put into a [`Toolbox`](crate::Toolbox).
///
/// A call carries the trace in its `_meta` (`traceparent`, `tracestate`), so that the server's own spans come below
/// the tool's. A call that is dropped, stopped or timed out is cancelled on the server too.
#[derive(Clone)]
pub struct McpTool {
    connection: Arc<Connection>,
    /// As providers take it.
    name: Arc<str>,
    /// As the server knows it.
    own_name: Arc<str>,
    description: Arc<str>,
    parameters: Arc<Value>,
}

impl McpTool {
    pub(super) fn new(connection: &Arc<Connection>, tool: &rmcp::model::Tool) -> Self {
        Self {
            connection: Arc::clone(connection),
            name: plain(&tool.name).into(),
            own_name: tool.name.as_ref().into(),
            description: tool
                .description
                .as_deref()
                .or(tool.title.as_deref())
                .unwrap_or_default()
                .into(),
            parameters: Arc::new(parameters(Map::clone(&tool.input_schema))),
        }
    }

    /// Gives the tool another name, for two servers whose tools are named alike.
    #[must_use]
    pub fn renamed(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    async fn ask(&self, arguments: Value) -> Result<Value, ToolError> {
        let mut params = CallToolRequestParams::new(self.own_name.to_string());
        if let Value::Object(arguments) = arguments {
            params = params.with_arguments(arguments);
        }
        let mut meta = RequestMetaObject::new();
        Context::current().inject(|name, value| {
            meta.0.0.insert(name.to_owned(), value.into());
        });
        params.meta = Some(meta).filter(|meta| !meta.0.0.is_empty());
        let result = self.connection.service.call_tool(params).await;
        outcome(result.map_err(ToolError::other)?)
    }
}

impl Tool for McpTool {
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn parameters(&self) -> Value {
        Value::clone(&self.parameters)
    }

    fn call(&self, arguments: Value) -> BoxFuture<'_, Result<Value, ToolError>> {
        Box::pin(self.ask(arguments))
    }

    fn attributes(&self) -> Vec<(Arc<str>, Value)> {
        vec![
            ("mcp.method.name".into(), "tools/call".into()),
            ("network.transport".into(), self.connection.network.into()),
        ]
    }
}

impl fmt::Debug for McpTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpTool").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Makes a name such that providers take it: `files/read` becomes `files_read`.
fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    name.chars().take(NAME_LIMIT).map(|c| if is_plain(c) { c } else { '_' }).collect()
}

/// Takes the schema as it is, if it is one of an object.
fn parameters(mut schema: Map<String, Value>) -> Value {
    schema.insert("type".to_owned(), "object".into());
    let schema = Value::Object(schema);
    match jsonschema::validator_for(&schema) {
        Ok(_) => schema,
        Err(_) => serde_json::json!({ "type": "object" }),
    }
}

/// Reads a result: what is structured as it is, or else the texts.
fn outcome(result: CallToolResult) -> Result<Value, ToolError> {
    let texts: Vec<_> = result.content.iter().map(words).collect();
    let text = texts.join("\n");
    match (result.is_error, result.structured_content) {
        (Some(true), _) if text.is_empty() => {
            Err(ToolError::new("the tool failed and did not say why"))
        }
        (Some(true), _) => Err(ToolError::new(text)),
        (_, Some(structured)) if !structured.is_null() => Ok(structured),
        _ => Ok(Value::from(text)),
    }
}

/// Tells a part of a result; what is no text is told by type and size.
fn words(part: &ContentBlock) -> String {
    let blob = |kind: &str, data: &str| format!("[{kind}, {} bytes]", data.len() / 4 * 3);
    match part {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => blob(&image.mime_type, &image.data),
        ContentBlock::Audio(audio) => blob(&audio.mime_type, &audio.data),
        ContentBlock::Resource(resource) => match &resource.resource {
            ResourceContents::TextResourceContents { text, .. } => text.clone(),
            ResourceContents::BlobResourceContents { uri, mime_type, blob: data, .. } => {
                format!("{uri} {}", blob(mime_type.as_deref().unwrap_or("data"), data))
            }
            _ => "[a resource of a kind that is not known]".to_owned(),
        },
        ContentBlock::ResourceLink(link) => link.uri.clone(),
        _ => "[content of a kind that is not known]".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_schemas_are_made_such_that_they_can_be_used() {
        assert_eq!(plain("files/read me"), "files_read_me");
        assert_eq!(plain(&"ä".repeat(100)).len(), NAME_LIMIT);
        let read = |schema: Value| parameters(schema.as_object().unwrap().clone());
        assert_eq!(read(json!({})), json!({ "type": "object" }));
        assert_eq!(
            read(json!({ "properties": { "a": { "type": 12 } } })),
            json!({ "type": "object" })
        );
    }

    #[test]
    fn results_are_read() {
        let texts = vec![ContentBlock::text("a"), ContentBlock::image("aGVsbG8h", "image/png")];
        assert_eq!(
            outcome(CallToolResult::success(texts.clone())).unwrap(),
            "a\n[image/png, 6 bytes]"
        );
        assert_eq!(outcome(CallToolResult::structured(json!([1]))).unwrap(), json!([1]));
        assert_eq!(
            outcome(CallToolResult::error(texts)).unwrap_err().to_string(),
            "a\n[image/png, 6 bytes]"
        );
        assert!(
            outcome(CallToolResult::error(Vec::new()))
                .unwrap_err()
                .to_string()
                .contains("did not say why")
        );
    }
}

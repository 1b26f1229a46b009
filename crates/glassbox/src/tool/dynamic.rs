//! Tools whose schema is known at run time only.

use crate::module::BoxFuture;
use crate::tool::{Tool, ToolError};
use serde_json::Value;
use std::future::Future;
use std::sync::Arc;

/// Makes a tool of a JSON schema and an async closure that gets arguments which fit it.
///
/// ```
/// use glassbox::{ToolError, Toolbox, dynamic_tool};
/// use serde_json::{Value, json};
///
/// let schema = json!({ "type": "object", "properties": { "sql": { "type": "string" } }, "required": ["sql"] });
/// let query = dynamic_tool("query", "Runs a query.", schema, |arguments: Value| async move {
///     Ok::<_, ToolError>(json!({ "rows": [], "sql": arguments["sql"] }))
/// });
/// assert!(Toolbox::new().with(query).check().is_ok());
/// ```
pub fn dynamic_tool<F, Fut>(
    name: impl Into<Arc<str>>,
    description: impl Into<Arc<str>>,
    parameters: Value,
    function: F,
) -> impl Tool + 'static
where
    F: Fn(Value) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, ToolError>> + Send + 'static,
{
    Dynamic { name: name.into(), description: description.into(), parameters, function }
}

struct Dynamic<F> {
    name: Arc<str>,
    description: Arc<str>,
    parameters: Value,
    function: F,
}

impl<F, Fut> Tool for Dynamic<F>
where
    F: Fn(Value) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Value, ToolError>> + Send + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn parameters(&self) -> Value {
        self.parameters.clone()
    }

    fn call(&self, arguments: Value) -> BoxFuture<'_, Result<Value, ToolError>> {
        Box::pin((self.function)(arguments))
    }
}

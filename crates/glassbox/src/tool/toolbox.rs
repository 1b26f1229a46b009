//! The tools of an agent, in order, each with its schema compiled once.

use crate::error::{Error, ErrorKind};
use crate::tool::Tool;
use glassbox_trace::message::ToolDefinition;
use jsonschema::Validator;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The longest name that all providers accept.
const NAME_LIMIT: usize = 64;

/// The tools that a model may call. [`call`](Toolbox::call) is the one place through which all calls go.
///
/// ```
/// use glassbox::{Toolbox, tool};
///
/// /// Adds two numbers.
/// #[tool]
/// fn add(a: f64, b: f64) -> f64 {
///     a + b
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), glassbox::Error> {
/// let tools = Toolbox::new().with(add);
/// let three = tools.call("add", serde_json::json!({ "a": 1, "b": 2 }), None).await?;
/// assert_eq!((three.text.as_ref(), three.failed), ("3.0", false));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Toolbox {
    entries: Vec<Arc<Entry>>,
    /// The first thing that is wrong with the tools. Told when they are used, so that adding one needs no `?`.
    defect: Option<Arc<str>>,
}

/// A tool with all that is worked out once.
pub(super) struct Entry {
    pub(super) tool: Arc<dyn Tool>,
    pub(super) definition: ToolDefinition,
    pub(super) validator: Validator,
    pub(super) timeout: Option<Duration>,
    pub(super) span_name: Arc<str>,
}

impl Toolbox {
    /// Makes an empty toolbox.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tool after the others.
    #[must_use]
    pub fn with(self, tool: impl Tool + 'static) -> Self {
        let timeout = tool.timeout();
        self.add(Arc::new(tool), timeout)
    }

    /// Adds a tool whose calls may take that long, whatever the tool itself says.
    #[must_use]
    pub fn with_timeout(self, tool: impl Tool + 'static, timeout: Duration) -> Self {
        self.add(Arc::new(tool), Some(timeout))
    }

    /// Adds tools in order, such as those of an MCP server.
    #[must_use]
    pub fn with_all<T: Tool + 'static>(self, tools: impl IntoIterator<Item = T>) -> Self {
        tools.into_iter().fold(self, Self::with)
    }

    /// Checks that every tool can be used. Every call does so too.
    ///
    /// # Errors
    ///
    /// Two tools have one name, a name is one that providers refuse, or a schema is none.
    pub fn check(&self) -> Result<(), Error> {
        match &self.defect {
            None => Ok(()),
            Some(defect) => Err(Error::new(ErrorKind::Config, defect.as_ref())),
        }
    }

    /// Describes the tools for a model, in order.
    #[must_use]
    pub fn definitions(&self) -> Arc<[ToolDefinition]> {
        self.entries.iter().map(|entry| entry.definition.clone()).collect()
    }

    /// Returns the names of the tools, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.definition.name.as_ref())
    }

    /// Returns how many tools there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn find(&self, name: &str) -> Option<&Arc<Entry>> {
        self.entries.iter().find(|entry| entry.definition.name.as_ref() == name)
    }

    fn add(mut self, tool: Arc<dyn Tool>, timeout: Option<Duration>) -> Self {
        match self.entry(tool, timeout) {
            Ok(entry) => self.entries.push(Arc::new(entry)),
            Err(defect) => self.defect = self.defect.or_else(|| Some(defect.into())),
        }
        self
    }

    fn entry(&self, tool: Arc<dyn Tool>, timeout: Option<Duration>) -> Result<Entry, String> {
        let name: Arc<str> = tool.name().into();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if name.is_empty() || name.len() > NAME_LIMIT || !name.bytes().all(is_plain) {
            return Err(format!(
                "providers refuse a tool named {name:?}: name it with 1 to {NAME_LIMIT} letters, digits, _ and -"
            ));
        }
        if self.find(&name).is_some() {
            return Err(format!("two tools are named {name:?}: give one of them another name"));
        }
        let parameters = tool.parameters();
        if parameters["type"] != "object" {
            return Err(format!(
                "the schema of tool {name:?} is not of an object: write {{\"type\": \"object\", \"properties\": {{..}}}}"
            ));
        }
        let validator = jsonschema::validator_for(&parameters).map_err(|error| {
            format!(
                "the schema of tool {name:?} is none, at {:?}: {error}",
                error.instance_path().as_str()
            )
        })?;
        let description = tool.description().into();
        Ok(Entry {
            span_name: format!("execute_tool {name}").into(),
            definition: ToolDefinition { name, description, parameters },
            validator,
            timeout,
            tool,
        })
    }
}

impl fmt::Debug for Toolbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Toolbox")
            .field("tools", &self.names().collect::<Vec<_>>())
            .field("defect", &self.defect)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::{ToolError, dynamic_tool};
    use serde_json::{Value, json};

    fn named(name: &str, schema: Value) -> impl Tool + 'static {
        dynamic_tool(name, "", schema, |_| async { Ok::<_, ToolError>(Value::Null) })
    }

    #[test]
    fn what_is_wrong_is_told_when_the_tools_are_used() {
        let object = || json!({ "type": "object" });
        let check = |toolbox: Toolbox, expected: &str| {
            let error = toolbox.check().unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.kind(), ErrorKind::Config);
        };
        check(
            Toolbox::new().with(named("a", object())).with(named("a", object())),
            "two tools are named \"a\"",
        );
        check(Toolbox::new().with(named("a b", object())), "providers refuse a tool named \"a b\"");
        check(Toolbox::new().with(named("", object())), "providers refuse a tool named \"\"");
        check(Toolbox::new().with(named("a", json!({ "type": "string" }))), "not of an object");
        let twelve = json!({ "type": "object", "properties": { "x": { "type": 12 } } });
        check(Toolbox::new().with(named("a", twelve)), "the schema of tool \"a\" is none");
        // What a schema refers to is not fetched.
        let far = json!({ "type": "object", "properties": { "x": { "$ref": "http://127.0.0.1:1/x.json" } } });
        check(Toolbox::new().with(named("a", far)), "the schema of tool \"a\" is none");
    }

    #[test]
    fn tools_keep_their_order() {
        let names = ["c", "a", "b"].map(|name| named(name, json!({ "type": "object" })));
        let toolbox = Toolbox::new().with_all(names);
        assert_eq!(toolbox.names().collect::<Vec<_>>(), ["c", "a", "b"]);
        assert_eq!(toolbox.definitions().len(), 3);
    }
}

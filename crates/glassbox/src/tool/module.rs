//! Modules as tools: an agent that another agent calls.

use crate::module::{BoxFuture, Module, Record};
use crate::tool::{Tool, ToolError, arguments};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Makes a tool of a module: the model fills in its input and reads its output. An agent becomes a sub-agent, whose
/// spans are below the tool's: agent > tool > agent, one tree.
///
/// It has no timeout of its own, since an agent takes as long as its turns; see [`Toolbox::with_timeout`]. A budget
/// that refuses the sub-agent stops the agent above as well.
///
/// ```
/// use glassbox::{Lm, Predict, Signature, Toolbox, module_tool};
///
/// /// Answer the question from general knowledge.
/// #[derive(Signature)]
/// struct Expert {
///     #[input]
///     question: String,
///     #[output]
///     answer: String,
/// }
/// let lm = Lm::scripted(["unused"]);
/// let tools = Toolbox::new().with(module_tool("expert", "Answers hard questions.", Predict::<Expert>::new(&lm)));
/// assert_eq!(tools.definitions()[0].parameters["required"], serde_json::json!(["question"]));
/// ```
///
/// [`Toolbox::with_timeout`]: crate::Toolbox::with_timeout
pub fn module_tool<M: Module + 'static>(
    name: impl Into<Arc<str>>,
    description: impl Into<Arc<str>>,
    module: M,
) -> impl Tool + 'static {
    ModuleTool {
        name: name.into(),
        description: description.into(),
        is_wrapped: arguments::is_wrapped::<M::Input>(),
        module,
    }
}

struct ModuleTool<M> {
    name: Arc<str>,
    description: Arc<str>,
    is_wrapped: bool,
    module: M,
}

impl<M: Module> Tool for ModuleTool<M> {
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn parameters(&self) -> Value {
        arguments::schema::<M::Input>()
    }

    fn call(&self, arguments: Value) -> BoxFuture<'_, Result<Value, ToolError>> {
        Box::pin(async move {
            let input: M::Input = arguments::read(&arguments, self.is_wrapped)?;
            Ok(self.module.call(input).await?.answer())
        })
    }

    fn timeout(&self) -> Option<Duration> {
        None
    }

    fn coerce(&self, arguments: &Value) -> Option<Value> {
        arguments::coerce::<M::Input>(arguments, self.is_wrapped)
    }
}

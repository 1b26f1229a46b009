//! Tools: what a model may have done for it. A [`Toolbox`] checks, limits and records every call.

use crate::module::BoxFuture;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

mod error;
mod output;
pub mod arguments;
mod function;
mod dynamic;
mod module;
mod toolbox;
mod call;

pub use call::ToolOutcome;
pub use dynamic::dynamic_tool;
pub use error::ToolError;
pub use function::tool_fn;
pub use module::module_tool;
pub use output::ToolOutput;
pub use toolbox::Toolbox;

/// How long a tool may take where nothing else is set.
pub const DEFAULT_TOOL_TIMEOUT: Duration = Duration::from_secs(120);

/// Something that a model may have done: a name, words for the model, and a function of JSON.
///
/// Seldom written by hand: [`#[tool]`](macro@crate::tool) makes one of a function, [`tool_fn`] of a closure,
/// [`dynamic_tool`] of a schema that is known at run time, [`module_tool`] of a module, such as another agent.
///
/// ```
/// use glassbox::{BoxFuture, Tool, ToolError};
/// use serde_json::{Value, json};
///
/// struct Clock;
/// impl Tool for Clock {
///     fn name(&self) -> &str {
///         "clock"
///     }
///     fn description(&self) -> &str {
///         "Tells the hour of a city."
///     }
///     fn parameters(&self) -> Value {
///         json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] })
///     }
///     fn call(&self, arguments: Value) -> BoxFuture<'_, Result<Value, ToolError>> {
///         Box::pin(async move {
///             match arguments["city"].as_str() {
///                 Some("Paris") => Ok(json!("noon")),
///                 _ => Err(ToolError::new("only the hour of Paris is known")),
///             }
///         })
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tool",
    note = "write `#[tool]` above a function, or wrap a closure with `tool_fn` and a module with `module_tool`"
)]
pub trait Tool: Send + Sync {
    /// Returns the name by which models call it: up to 64 letters, digits, `_` and `-`.
    fn name(&self) -> &str;

    /// Says to the model what it does and when to use it.
    fn description(&self) -> &str;

    /// Writes the JSON schema of the arguments, of an object.
    fn parameters(&self) -> Value;

    /// Does the work. [`Toolbox::call`] calls this with arguments that fit the schema, and records it.
    ///
    /// # Errors
    ///
    /// What went wrong, in words for the model, which may then try something else.
    fn call(&self, arguments: Value) -> BoxFuture<'_, Result<Value, ToolError>>;

    /// Returns how long a call may take: by default [`DEFAULT_TOOL_TIMEOUT`], `None` for ever.
    fn timeout(&self) -> Option<Duration> {
        Some(DEFAULT_TOOL_TIMEOUT)
    }

    /// Writes arguments that do not fit the schema as it wants them, if they can only mean one thing: `"42"` where a
    /// number is asked for. Tools with typed arguments do.
    fn coerce(&self, _arguments: &Value) -> Option<Value> {
        None
    }

    /// Returns further attributes for the span of a call, by key: none by default.
    fn attributes(&self) -> Vec<(Arc<str>, Value)> {
        Vec::new()
    }
}

/// A pointer to a tool is a tool.
macro_rules! forward {
    ($($pointer:ty),*) => {
        $(impl<T: Tool + ?Sized> Tool for $pointer {
            fn name(&self) -> &str {
                (**self).name()
            }

            fn description(&self) -> &str {
                (**self).description()
            }

            fn parameters(&self) -> Value {
                (**self).parameters()
            }

            fn call(&self, arguments: Value) -> BoxFuture<'_, Result<Value, ToolError>> {
                (**self).call(arguments)
            }

            fn timeout(&self) -> Option<Duration> {
                (**self).timeout()
            }

            fn coerce(&self, arguments: &Value) -> Option<Value> {
                (**self).coerce(arguments)
            }

            fn attributes(&self) -> Vec<(Arc<str>, Value)> {
                (**self).attributes()
            }
        })*
    };
}

forward!(Arc<T>, Box<T>);

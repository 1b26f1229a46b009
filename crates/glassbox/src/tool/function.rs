//! Closures as tools.

use crate::field::Field;
use crate::module::BoxFuture;
use crate::tool::{Tool, ToolError, ToolOutput, arguments};
use serde_json::Value;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

/// Makes a tool of an async closure with one argument, whose fields are what the model fills in.
///
/// ```
/// use glassbox::{Field, Toolbox, tool_fn};
///
/// #[derive(Field)]
/// struct Search {
///     /// What to look for.
///     query: String,
///     #[field(default = 3)]
///     limit: u32,
/// }
/// let search = tool_fn("search", "Searches the archive.", |search: Search| async move {
///     Ok::<_, std::io::Error>(format!("{} hits for {}", search.limit, search.query))
/// });
/// let tools = Toolbox::new().with(search);
/// # assert_eq!(tools.len(), 1);
/// ```
pub fn tool_fn<T, F, Fut>(
    name: impl Into<Arc<str>>,
    description: impl Into<Arc<str>>,
    function: F,
) -> impl Tool + 'static
where
    T: Field,
    F: Fn(T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: ToolOutput> + Send + 'static,
{
    Function {
        name: name.into(),
        description: description.into(),
        is_wrapped: arguments::is_wrapped::<T>(),
        function,
        arguments: PhantomData,
    }
}

struct Function<T, F> {
    name: Arc<str>,
    description: Arc<str>,
    is_wrapped: bool,
    function: F,
    arguments: PhantomData<fn(T)>,
}

impl<T, F, Fut> Tool for Function<T, F>
where
    T: Field,
    F: Fn(T) -> Fut + Send + Sync,
    Fut: Future<Output: ToolOutput> + Send,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn parameters(&self) -> Value {
        arguments::schema::<T>()
    }

    fn call(&self, arguments: Value) -> BoxFuture<'_, Result<Value, ToolError>> {
        Box::pin(async move {
            let arguments = arguments::read(&arguments, self.is_wrapped)?;
            (self.function)(arguments).await.into_result()
        })
    }

    fn coerce(&self, arguments: &Value) -> Option<Value> {
        arguments::coerce::<T>(arguments, self.is_wrapped)
    }
}

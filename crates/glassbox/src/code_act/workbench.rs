//! The workbench: the toolbox as functions of Python.

use super::prompt::python_name;
use crate::error::Error;
use crate::sandbox::{Answer, Call, Exception, Tools};
use crate::tool::Toolbox;
use serde_json::{Map, Value};
use std::future::pending;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// The tools of a run of code. A gate that refuses a tool ends the run.
pub(super) struct Workbench<'a> {
    tools: &'a Toolbox,
    refused: Mutex<Option<Error>>,
    told: Notify,
}

impl<'a> Workbench<'a> {
    pub(super) fn new(tools: &'a Toolbox) -> Self {
        Self { tools, refused: Mutex::default(), told: Notify::new() }
    }

    /// Waits until a tool is refused, for ever if none is.
    pub(super) async fn refused(&self) -> Error {
        loop {
            self.told.notified().await;
            // A panic elsewhere does not change what is in there.
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(error) = refused.take() {
                return error;
            }
        }
    }

    async fn answer(&self, call: Call) -> Result<Value, Exception> {
        let definitions = self.tools.definitions();
        let tool = definitions.iter().find(|tool| python_name(&tool.name) == call.name);
        let Some(tool) = tool else {
            let message = format!("name '{}' is not defined", call.name);
            return Err(Exception::new("NameError", message));
        };
        let arguments = arguments(&tool.parameters, call)?;
        match self.tools.call(&tool.name, arguments, None).await {
            Ok(outcome) if outcome.failed => Err(Exception::new("RuntimeError", &*outcome.text)),
            Ok(outcome) => Ok((*outcome.value).clone()),
            Err(error) => {
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                self.told.notify_one();
                // The code must not go on, not even with an exception: the run is given up.
                pending().await
            }
        }
    }
}

impl Tools for Workbench<'_> {
    fn names(&self) -> Vec<String> {
        self.tools.names().map(python_name).collect()
    }

    fn call<'a>(&'a self, call: Call) -> Answer<'a> {
        Box::pin(self.answer(call))
    }
}

/// Makes named arguments of those by position, in the order in which the schema has them.
fn arguments(schema: &Value, call: Call) -> Result<Value, Exception> {
    let Call { name, args, kwargs } = call;
    let none = Map::new();
    let names: Vec<_> = schema["properties"].as_object().unwrap_or(&none).keys().collect();
    if args.len() > names.len() {
        let (most, given) = (names.len(), args.len());
        let message = format!("{name}() takes {most} positional arguments but {given} were given");
        return Err(Exception::new("TypeError", message));
    }
    let mut arguments: Map<String, Value> = names.into_iter().cloned().zip(args).collect();
    for (key, value) in kwargs {
        if arguments.contains_key(&key) {
            let message = format!("{name}() got multiple values for argument '{key}'");
            return Err(Exception::new("TypeError", message));
        }
        arguments.insert(key, value);
    }
    Ok(Value::Object(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn positions_become_names() {
        let schema = json!({ "properties": { "city": {}, "unit": {} } });
        let call = |args: Value, kwargs: Value| {
            let (Value::Array(args), Value::Object(kwargs)) = (args, kwargs) else { panic!() };
            arguments(&schema, Call { name: "weather".into(), args, kwargs })
                .map_err(|error| error.to_string())
        };
        assert_eq!(call(json!(["Oslo"]), json!({})), Ok(json!({ "city": "Oslo" })));
        assert_eq!(
            call(json!(["Oslo"]), json!({ "unit": "C" })),
            Ok(json!({ "city": "Oslo", "unit": "C" }))
        );
        let error = call(json!(["Oslo"]), json!({ "city": "Rome" })).unwrap_err();
        assert_eq!(error, "TypeError: weather() got multiple values for argument 'city'");
        let error = call(json!([1, 2, 3]), json!({})).unwrap_err();
        assert_eq!(error, "TypeError: weather() takes 2 positional arguments but 3 were given");
    }
}

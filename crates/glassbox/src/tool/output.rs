//! What functions that are tools may return.

use crate::field::Field;
use crate::tool::ToolError;
use serde_json::Value;
use std::error::Error as StdError;

/// What a function that is a tool may return: a [`Field`], nothing, or a `Result` of one with any error.
#[diagnostic::on_unimplemented(
    message = "a tool cannot return `{Self}`",
    note = "return a type with `#[derive(Field)]`, or a `Result` of one whose error is a `std::error::Error` or text"
)]
pub trait ToolOutput {
    /// Turns it into JSON for the model.
    ///
    /// # Errors
    ///
    /// The function's own error.
    fn into_result(self) -> Result<Value, ToolError>;
}

impl<T: Field> ToolOutput for T {
    fn into_result(self) -> Result<Value, ToolError> {
        Ok(self.to_json())
    }
}

impl ToolOutput for () {
    fn into_result(self) -> Result<Value, ToolError> {
        Ok(Value::from("done"))
    }
}

impl<T: ToolOutput, E: Into<Box<dyn StdError + Send + Sync>>> ToolOutput for Result<T, E> {
    fn into_result(self) -> Result<Value, ToolError> {
        self.map_err(ToolError::other)?.into_result()
    }
}

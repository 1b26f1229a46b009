//! Values that travel between a program and a model: their schema, and JSON in both directions.

use serde_json::Value;

use crate::definitions::Definitions;

mod error;
mod text;
mod guess;
mod schema;
mod words;
mod numbers;
mod containers;
mod object;
mod variants;
pub(crate) mod derived;

pub use error::FieldError;
pub use schema::FieldSpec;
pub(crate) use schema::object_of;

/// A value that a model can read and write: a field of a [`Signature`](crate::Signature), an
/// argument of a tool.
///
/// Derive it on structs and enums; strings, numbers, `bool`, `char`, `Option`, `Vec`, `Box`, maps
/// with `String` keys, `rust_decimal::Decimal` and `serde_json::Value` have it.
///
/// - A struct is an object with a property for each field; a struct around one unnamed field is
///   written as that field.
/// - An enum without data is a string, in `snake_case` unless `#[field(rename_all = "..")]` or
///   `#[field(rename = "..")]` says otherwise.
/// - An enum with data is an object with one property, named as the variant.
///
/// Doc comments become descriptions in the schema.
///
/// ```
/// use glassbox::Field;
/// use serde_json::json;
///
/// #[derive(Debug, PartialEq, Field)]
/// enum Action {
///     MakeDrink { drink: String, size: Size },
///     Joke(String),
/// }
///
/// #[derive(Debug, PartialEq, Field)]
/// enum Size {
///     Small,
///     ExtraLarge,
/// }
///
/// let latte = Action::MakeDrink { drink: "latte".to_owned(), size: Size::ExtraLarge };
/// let written = json!({"MakeDrink": {"drink": "latte", "size": "extra_large"}});
/// assert_eq!(latte.to_json(), written);
/// assert_eq!(Action::from_json(&written)?, latte);
/// # Ok::<(), glassbox::FieldError>(())
/// ```
///
/// # What reading forgives
///
/// Models write the JSON, so [`from_json`](Self::from_json) reads what can only mean one thing:
///
/// - JSON inside a string, also in a Markdown code fence, where no string is expected;
/// - `"42"`, `"$5.75"` and `"1,200"` as numbers, `3.0` as an integer, `"yes"` and `"no"` as `bool`;
/// - a number or `bool` as a `String`;
/// - names that differ in case, spaces, `-` or `_`;
/// - variants named by a `type`, `_type`, `kind` or `action` property beside the data, and data
///   without any name that fits only one variant;
/// - one value where an array is expected;
/// - properties that nobody asked for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from, or written for, a model",
    label = "does not implement `Field`",
    note = "write `#[derive(Clone, Debug, Field)]` above the type's definition"
)]
pub trait Field: Sized + Send + Sync + 'static {
    /// Writes the JSON schema of this type.
    fn schema(definitions: &mut Definitions) -> Value;

    /// Writes the value as JSON that the schema describes.
    fn to_json(&self) -> Value;

    /// Reads a value that a model wrote.
    ///
    /// # Errors
    ///
    /// Returns the path to what cannot be read, what was expected there, and what was found.
    fn from_json(value: &Value) -> Result<Self, FieldError>;

    /// Returns the value of a field that is absent from a JSON object; `None` means it is required.
    fn absent() -> Option<Self> {
        None
    }
}

//! Why a value cannot be read, and where.

use std::fmt;
use std::io;

use serde_json::Value;

/// Bytes of what was found that an error shows.
const EXCERPT: usize = 80;

/// A value that a model wrote cannot be read.
///
/// Displayed as path, expectation and find, so that it can be shown to the model as it is:
/// `action.MakeDrink.size: expected one of small, medium, large, found "huge"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// From the innermost step outwards, because that is how errors travel.
    steps: Vec<Step>,
    expected: String,
    found: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
}

impl FieldError {
    /// Creates an error from what was expected (`a number`) and the value found instead.
    pub fn expected(what: impl Into<String>, found: &Value) -> Self {
        Self { steps: Vec::new(), expected: what.into(), found: Some(excerpt(found)) }
    }

    /// Turns it into the error of a property that is not there at all.
    pub(super) fn missing(self) -> Self {
        Self { found: None, ..self }
    }

    /// Returns where the value is: `action.MakeDrink.size`, `items[2].name`, or nothing at the top.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            match step {
                Step::Field(name) if path.is_empty() => path.push_str(name),
                Step::Field(name) => path.extend([".", name]),
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }

    /// Adds the field that the value belongs to in front of the path.
    #[must_use]
    pub fn in_field(mut self, name: &str) -> Self {
        self.steps.push(Step::Field(name.to_owned()));
        self
    }

    /// Adds the position in an array that the value belongs to in front of the path.
    #[must_use]
    pub fn at_index(mut self, index: usize) -> Self {
        self.steps.push(Step::Index(index));
        self
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.steps.is_empty() {
            write!(f, "{}: ", self.path())?;
        }
        write!(f, "expected {}, found ", self.expected)?;
        f.write_str(self.found.as_deref().unwrap_or("nothing"))
    }
}

impl std::error::Error for FieldError {}

/// The beginning of a value as JSON. Stops writing when it has enough: values can be megabytes.
fn excerpt(value: &Value) -> String {
    struct Limited(Vec<u8>);

    impl io::Write for Limited {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0.len() > EXCERPT {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let room = EXCERPT + 1 - self.0.len();
            let taken = bytes.len().min(room);
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut written = Limited(Vec::new());
    // Failing means that the excerpt is full, which is seen by its length.
    let _ = serde_json::to_writer(&mut written, value);
    let Limited(mut bytes) = written;
    if bytes.len() <= EXCERPT {
        return String::from_utf8_lossy(&bytes).into_owned();
    }

    bytes.truncate(EXCERPT);
    let text = String::from_utf8_lossy(&bytes);
    format!("{}...", text.trim_end_matches(char::REPLACEMENT_CHARACTER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn says_where_what_and_instead_of_what() {
        let error = FieldError::expected("a number", &json!({"a": true}));
        assert_eq!(error.to_string(), r#"expected a number, found {"a":true}"#);

        let error = error.in_field("price").at_index(2).in_field("items").in_field("order");
        assert_eq!(error.path(), "order.items[2].price");
        assert!(error.to_string().starts_with("order.items[2].price: expected a number"));
        assert_eq!(
            error.missing().to_string(),
            "order.items[2].price: expected a number, found nothing"
        );
    }

    #[test]
    fn excerpts_are_short_and_end_between_characters() {
        for length in [0, 10, 78, 79, 80, 1000] {
            let text = excerpt(&json!("é".repeat(length)));
            assert!(text.len() <= EXCERPT + 3, "{text}");
            assert_eq!(text.ends_with("..."), length > 39, "{text}");
        }
    }
}

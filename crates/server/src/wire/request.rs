//! An export request, taken apart into its spans without reading them.

use super::protobuf::{Fields, Value, WireError, text_of};
use super::{Attributes, Unusable};
use std::borrow::Cow;

/// The spans of one resource and scope.
#[derive(Clone, Debug, Default)]
pub struct Group<'a> {
    /// The resource, a message of its own.
    pub resource: &'a [u8],
    /// The instrumentation scope, a message of its own.
    pub scope: &'a [u8],
    /// The spans, each a message of its own.
    pub spans: Vec<&'a [u8]>,
}

impl<'a> Group<'a> {
    /// Reads the attributes of the resource.
    ///
    /// # Errors
    ///
    /// If it is no protobuf, or has too many.
    pub fn resource_attributes(&self) -> Result<Attributes<'a>, Unusable> {
        Attributes::of_message(self.resource, 1)
    }

    /// Reads the name and the version of the scope; what cannot be read is empty.
    #[must_use]
    pub fn scope_name(&self) -> (Cow<'a, str>, Cow<'a, str>) {
        let (mut name, mut version) = (Cow::Borrowed(""), Cow::Borrowed(""));
        for field in Fields::new(self.scope).flatten() {
            match field {
                (1, Value::Bytes(text)) => name = text_of(text),
                (2, Value::Bytes(text)) => version = text_of(text),
                _ => (),
            }
        }
        (name, version)
    }
}

/// Takes an OTLP trace export request apart.
///
/// # Errors
///
/// If it is no protobuf down to the list of spans.
pub fn groups(request: &[u8]) -> Result<Vec<Group<'_>>, WireError> {
    let mut groups = Vec::new();
    for field in Fields::new(request) {
        let (1, Value::Bytes(resource_spans)) = field? else { continue };
        let (mut resource, mut scopes): (&[u8], Vec<&[u8]>) = (&[], Vec::new());
        for field in Fields::new(resource_spans) {
            match field? {
                (1, Value::Bytes(bytes)) => resource = bytes,
                (2, Value::Bytes(bytes)) => scopes.push(bytes),
                _ => (),
            }
        }
        for scope_spans in scopes {
            let mut group = Group { resource, ..Group::default() };
            for field in Fields::new(scope_spans) {
                match field? {
                    (1, Value::Bytes(scope)) => group.scope = scope,
                    (2, Value::Bytes(span)) => group.spans.push(span),
                    _ => (),
                }
            }
            groups.push(group);
        }
    }
    Ok(groups)
}

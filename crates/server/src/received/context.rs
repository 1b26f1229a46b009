//! What all spans of a trace share, and who made them.

use super::{cut, keys};
use crate::wire::{Any, Attributes};
use glassbox_trace::vocabulary::dialects::{langchain, vercel};
use glassbox_trace::vocabulary::general;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The most bytes of a session, user, tag and the like.
const MOST_BYTES: usize = 1024;

/// The most tags, and the most facts in the metadata.
const MOST_ITEMS: usize = 100;

/// The most bytes of the metadata.
const MOST_METADATA: usize = 32 << 10;

/// What all spans of a trace share; each span may carry it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct TraceContext {
    /// The trace's own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The end user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Where the program runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The release of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The version of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The service that sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Further facts.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// Who made spans, as far as each of them inherits it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    service: Option<String>,
    environment: Option<String>,
    release: Option<String>,
    version: Option<String>,
}

impl Origin {
    /// Reads it from the attributes of a resource.
    #[must_use]
    pub fn read(resource: &Attributes<'_>) -> Self {
        let text = |keys| resource.text(keys).map(|text| cut(text, MOST_BYTES));
        Self {
            service: text(&[general::SERVICE_NAME]),
            environment: text(keys::ENVIRONMENT),
            release: text(keys::RELEASE),
            version: text(&[general::SERVICE_VERSION]),
        }
    }
}

pub(super) fn context(attributes: &Attributes<'_>, origin: &Origin) -> TraceContext {
    let text = |keys| attributes.text(keys).map(|text| cut(text, MOST_BYTES));
    let tags = keys::TAGS.iter().find_map(|key| attributes.get(key)).map(Any::to_texts);
    let tags = tags.unwrap_or_default().into_iter().filter(|tag| !tag.is_empty());
    TraceContext {
        name: text(keys::TRACE_NAME),
        session_id: text(keys::SESSION),
        user_id: text(keys::USER),
        environment: text(keys::ENVIRONMENT).or_else(|| origin.environment.clone()),
        release: text(keys::RELEASE).or_else(|| origin.release.clone()),
        version: text(keys::VERSION).or_else(|| origin.version.clone()),
        service: origin.service.clone(),
        tags: tags.take(MOST_ITEMS).map(|tag| cut(tag, MOST_BYTES)).collect(),
        metadata: metadata(attributes),
    }
}

fn metadata(attributes: &Attributes<'_>) -> Map<String, Value> {
    let mut metadata = Map::new();
    for key in keys::METADATA_OBJECTS {
        metadata.extend(object(attributes, key).unwrap_or_default());
    }
    for prefix in keys::METADATA_PREFIXES {
        let facts = attributes.prefixed(prefix).filter(|(key, _)| !has_own_place(prefix, key));
        metadata.extend(facts.map(|(key, value)| (key.to_owned(), structured(value))));
    }
    let is_of_step = |key: &str| langchain::OF_STEPS.iter().any(|name| key.starts_with(name));
    metadata.retain(|key, value| {
        let is_short = value.as_str().is_none_or(|text| text.len() <= MOST_BYTES);
        is_short && !value.is_null() && !is_of_step(key)
    });
    // Lists and streams carry it: what is larger is with the span.
    let mut left = MOST_METADATA;
    metadata.retain(|key, value| {
        let size = key.len() + size(value);
        let fits = size <= left;
        left -= if fits { size } else { 0 };
        fits
    });
    metadata.into_iter().take(MOST_ITEMS).collect()
}

/// The object under a key that has it as JSON.
pub(crate) fn object(attributes: &Attributes<'_>, key: &str) -> Option<Map<String, Value>> {
    let json = attributes.get(key)?.as_text()?;
    serde_json::from_str(json).ok()
}

/// Tells whether a fact in Vercel's metadata is one that traces have a place for.
fn has_own_place(prefix: &str, key: &str) -> bool {
    matches!(prefix, vercel::METADATA | vercel::CONTEXT)
        && matches!(key, "userId" | "sessionId" | "tags")
}

/// About how many bytes a value has.
pub(crate) fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| 1 + size(item)).sum(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| 4 + key.len() + size(value)).sum()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

/// A fact, read once more if it is a text of a JSON object, array or text: Langfuse's clients write texts so, too.
pub(crate) fn structured(value: &Any<'_>) -> Value {
    match value {
        Any::Text(text) if text.starts_with(['{', '[', '"']) => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone().into_owned()))
        }
        value => value.to_json(),
    }
}

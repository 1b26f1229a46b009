//! Reads an enum: by the name of a variant, wherever a model put it, or by what fits.

use serde_json::{Map, Value};

use super::FieldError;
use super::guess::Guess;
use super::object::lookup;
use super::text::{embedded, same_name};

/// Names of properties that say which variant the properties beside them are (`_type` is alike).
const TAGS: [&str; 3] = ["type", "kind", "action"];

/// How one variant of the enum `T` is read.
#[derive(Debug)]
pub struct Variant<T> {
    /// The name in JSON.
    pub name: &'static str,
    /// Reads its content.
    pub reader: Reader<T>,
}

/// What a variant holds.
#[derive(Debug)]
pub enum Reader<T> {
    /// Nothing.
    Unit(fn() -> T),
    /// Named fields.
    Fields(&'static [&'static str], fn(&Value) -> Result<T, FieldError>),
    /// One value.
    Value(fn(&Value) -> Result<T, FieldError>),
}

/// Reads an enum. What names a variant goes before what only fits one.
pub fn read_enum<T: 'static>(value: &Value, variants: &[Variant<T>]) -> Result<T, FieldError> {
    let unreadable = || FieldError::expected(expectation(variants), value);
    let name = match value {
        Value::Object(entries) => return read_object(value, entries, variants, unreadable),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        _ => return Err(unreadable()),
    };

    if let Some(variant) = named(variants, &name) {
        return match variant.reader {
            Reader::Fields(..) => variant.read(&Value::Object(Map::new())),
            _ => variant.read(&Value::Null),
        };
    }
    match embedded(value) {
        Some(inner @ (Value::Object(_) | Value::String(_))) => read_enum(&inner, variants),
        _ => Err(unreadable()),
    }
}

fn read_object<T: 'static>(
    value: &Value,
    entries: &Map<String, Value>,
    variants: &[Variant<T>],
    unreadable: impl Fn() -> FieldError,
) -> Result<T, FieldError> {
    if let Some((variant, content)) = only_entry(entries).and_then(|entry| keyed(variants, entry)) {
        return variant.read(content);
    }

    let tagged = entries.iter().find_map(|(key, tag)| {
        let is_tag = TAGS.iter().any(|tag| same_name(tag, key));
        let variant = named(variants, tag.as_str().filter(|_| is_tag)?)?;
        Some((key, variant))
    });
    if let Some((tag, variant)) = tagged {
        let mut beside = entries.clone();
        beside.shift_remove(tag);
        return variant.read_beside_tag(beside);
    }

    let content = |variant: &Variant<T>| entries.get(variant.name).filter(|v| !v.is_null());
    let mut keyed = variants.iter().filter_map(|variant| Some((variant, content(variant)?)));
    if let (Some((variant, content)), None) = (keyed.next(), keyed.next()) {
        return variant.read(content);
    }

    read_unnamed(value, entries, variants).unwrap_or_else(|| Err(unreadable()))
}

/// Reads data that does not say which variant it is, if only one variant can be read from it.
fn read_unnamed<T: 'static>(
    value: &Value,
    entries: &Map<String, Value>,
    variants: &[Variant<T>],
) -> Option<Result<T, FieldError>> {
    let candidates: Vec<_> = variants.iter().filter(|variant| variant.may_be(entries)).collect();
    let guess = if candidates.len() == 1 { Guess::one::<T> } else { Guess::any::<T> };
    let _open = guess(value)?;
    let mut results: Vec<_> = candidates.iter().map(|variant| variant.read(value)).collect();
    if results.len() > 1 {
        results.retain(Result::is_ok);
    }
    // The error of the only candidate says more than that none could be read.
    if results.len() == 1 { results.pop() } else { None }
}

impl<T: 'static> Variant<T> {
    fn read(&self, content: &Value) -> Result<T, FieldError> {
        let result = match self.reader {
            Reader::Unit(make) => return Ok(make()),
            Reader::Fields(_, read) | Reader::Value(read) => read(content),
        };
        result.map_err(|error| error.in_field(self.name))
    }

    /// Reads the properties beside a tag. Where only one is left that is none of the variant's, it
    /// is a wrapper: `{"type": "MakeDrink", "arguments": {..}}`.
    fn read_beside_tag(&self, beside: Map<String, Value>) -> Result<T, FieldError> {
        let wrapped = only_entry(&beside).map(|(_, content)| content.clone());
        let has_field = self.has_field(&beside);
        let beside = Value::Object(beside);
        match (&self.reader, wrapped) {
            (Reader::Fields(..), Some(content)) if !has_field => self.read(&content),
            (Reader::Value(_), Some(content)) => {
                let Some(_open) = Guess::any::<Self>(&beside) else { return self.read(&content) };
                self.read(&beside).or_else(|_| self.read(&content))
            }
            _ => self.read(&beside),
        }
    }

    fn may_be(&self, entries: &Map<String, Value>) -> bool {
        matches!(self.reader, Reader::Value(_)) || self.has_field(entries)
    }

    fn has_field(&self, entries: &Map<String, Value>) -> bool {
        let Reader::Fields(fields, _) = self.reader else { return false };
        fields.iter().any(|name| lookup(entries, name, fields).is_some())
    }
}

fn named<'v, T>(variants: &'v [Variant<T>], name: &str) -> Option<&'v Variant<T>> {
    let exact = variants.iter().find(|variant| variant.name == name);
    exact.or_else(|| variants.iter().find(|variant| same_name(variant.name, name)))
}

fn keyed<'v, 'a, T>(
    variants: &'v [Variant<T>],
    (key, content): (&String, &'a Value),
) -> Option<(&'v Variant<T>, &'a Value)> {
    Some((named(variants, key)?, content))
}

fn only_entry(entries: &Map<String, Value>) -> Option<(&String, &Value)> {
    entries.iter().next().filter(|_| entries.len() == 1)
}

fn expectation<T>(variants: &[Variant<T>]) -> String {
    let (mut words, mut keys) = (Vec::new(), Vec::new());
    for variant in variants {
        match variant.reader {
            Reader::Unit(_) => words.push(variant.name),
            _ => keys.push(variant.name),
        }
    }
    let words = format!("one of {}", words.join(", "));
    let object = format!("an object with one of the keys {}", keys.join(", "));
    match (words.len(), keys.len()) {
        (_, 0) => words,
        (_, _) if variants.len() == keys.len() => object,
        _ => format!("{object}, or {words}"),
    }
}

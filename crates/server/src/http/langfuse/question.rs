//! What Langfuse's clients ask for: its names of filters as ours, and pages that are counted.

use super::super::error::ApiError;
use crate::filter::{Condition, Filter, NumberKey, Pattern, Range, Status, Term, TextKey};
use crate::langfuse::DEFAULT_ENVIRONMENT;
use crate::received::instant_us;
use crate::store::Paging;
use serde_json::{Value, json};

/// The most items of a page.
const MOST_ITEMS: usize = 100;

/// What stands in the address; a name can stand there several times.
pub(super) struct Question(pub(super) Vec<(String, String)>);

/// A page by its number.
#[derive(Clone, Copy)]
pub(super) struct Page {
    pub(super) page: usize,
    pub(super) limit: usize,
}

impl Question {
    pub(super) fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        // JavaScript's clients add brackets to names that stand there several times.
        let found = self.0.iter().filter(move |(key, _)| key.trim_end_matches("[]") == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<usize>, ApiError> {
        let wrong = |text: &str| {
            ApiError::bad_request(format!("{name} cannot be {text:?}; type a number from 1"))
        };
        self.one(name)
            .map(|text| text.parse().ok().filter(|number| *number > 0).ok_or_else(|| wrong(text)))
            .transpose()
    }

    /// Refuses to be asked for what is not known here: an answer that ignored it would be wrong.
    pub(super) fn refuse(&self, names: &[&str], instead: &str) -> Result<(), ApiError> {
        match names.iter().find(|name| self.one(name).is_some()) {
            Some(name) => Err(ApiError::bad_request(format!(
                "{name} is not known here; ask for single fields, such as {instead}"
            ))),
            None => Ok(()),
        }
    }

    /// More than the most are cut down, as Langfuse does.
    pub(super) fn limit(&self, most: usize) -> Result<usize, ApiError> {
        Ok(self.number("limit")?.unwrap_or(50).min(most))
    }

    pub(super) fn page(&self) -> Result<Page, ApiError> {
        Ok(Page { page: self.number("page")?.unwrap_or(1), limit: self.limit(MOST_ITEMS)? })
    }

    /// Makes a filter of those names that are asked for: of all of several tags, and of any of several others.
    pub(super) fn filter(
        &self,
        texts: &[(&str, TextKey)],
        times: [&str; 2],
    ) -> Result<Filter, ApiError> {
        self.refuse(&["filter"], "name")?;
        let mut terms = Vec::new();
        let mut add = |condition| terms.push(Term { negated: false, condition });
        for (name, key) in texts {
            let text = |value: &str| Condition::Text(*key, Pattern::new(value));
            let values: Vec<_> = self.all(name).collect();
            match key {
                TextKey::Tag => values.into_iter().map(text).for_each(&mut add),
                TextKey::Environment if values.contains(&DEFAULT_ENVIRONMENT) => {
                    let none = Term { negated: true, condition: text("*") };
                    add(Condition::Any(any(values.into_iter().map(text)).chain([none]).collect()));
                }
                _ if values.len() > 1 => {
                    add(Condition::Any(any(values.into_iter().map(text)).collect()));
                }
                _ => values.into_iter().map(text).for_each(&mut add),
            }
        }
        let [from, to] = times.map(|name| self.instant(name));
        let (min, max) = (from?, to?.map(|us| us.saturating_sub(1)));
        if min.is_some() || max.is_some() {
            add(Condition::Number(NumberKey::Start, Range { min, max }));
        }
        if let Some(level) = self.one("level") {
            let negated = match level.to_ascii_uppercase().as_str() {
                "ERROR" => false,
                "DEFAULT" => true,
                _ => {
                    return Err(ApiError::bad_request(format!(
                        "level cannot be {level:?}; type ERROR or DEFAULT, others are not told apart here"
                    )));
                }
            };
            terms.push(Term { negated, condition: Condition::Status(Status::Error) });
        }
        Ok(Filter { terms })
    }

    pub(super) fn instant(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let wrong = |text: &str| {
            ApiError::bad_request(format!(
                "{name} cannot be {text:?}; type a time such as 2026-01-01T00:00:00Z"
            ))
        };
        // A plus in an address is a space.
        let read = |text: &str| instant_us(&text.replace(' ', "+"));
        self.one(name).map(|text| read(text).ok_or_else(|| wrong(text))).transpose()
    }
}

fn any(conditions: impl Iterator<Item = Condition>) -> impl Iterator<Item = Term> {
    conditions.map(|condition| Term { negated: false, condition })
}

impl Page {
    pub(super) fn paging(self) -> Paging {
        Paging { limit: self.limit, cursor: None, skip: (self.page - 1).saturating_mul(self.limit) }
    }

    /// Answers with a page of so many items in all.
    pub(super) fn answer(self, data: Vec<Value>, total: i64) -> Value {
        let total = usize::try_from(total).unwrap_or(0);
        json!({
            "data": Value::Array(data),
            "meta": {
                "page": self.page,
                "limit": self.limit,
                "totalItems": total,
                "totalPages": total.div_ceil(self.limit),
            },
        })
    }
}

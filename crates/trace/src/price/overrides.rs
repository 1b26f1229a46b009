//! Entries that a user adds to a table, in our format or in LiteLLM's.

use std::collections::BTreeMap;

use serde_json::Value;

use super::format::{self, Kind, PriceError};
use super::litellm;
use super::rates::Price;

/// Reads entries, under the keys they are written with (LiteLLM's are brought to ours).
pub(super) fn read(json: &str) -> Result<BTreeMap<String, Price>, PriceError> {
    let Value::Object(mut document) = serde_json::from_str(json).map_err(Kind::Json)? else {
        return Err(Kind::NotAnObject.into());
    };
    let entries = match document.remove("models") {
        Some(Value::Object(models)) => models,
        Some(_) => return Err(Kind::NotAnObject.into()),
        None => document,
    };

    let mut prices = BTreeMap::new();
    for (key, entry) in entries {
        if litellm::is_entry(&entry) {
            let added = litellm::read(&mut prices, &key, &entry);
            added.map_err(|problem| format::at(&key, problem))?;
        } else {
            let price = format::read_entry(entry).map_err(|problem| format::at(&key, problem))?;
            prices.insert(key, price);
        }
    }
    Ok(prices)
}

//! Takes the prices of models from the map in LiteLLM's Python package: numbers only, in our format.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use glassbox_trace::price::PriceTable;
use serde_json::{Map, Value, json};

use crate::command::{command, output, run};
use crate::workspace;

const OURS: &str = "crates/trace/src/prices.json";
const THEIRS: &str = "litellm/model_prices_and_context_window_backup.json";

/// Kinds of models that are charged by the token.
const MODES: [&str; 4] = ["chat", "completion", "embedding", "responses"];

/// Servers on one's own machine, where tokens cost nothing, whatever the model.
const LOCAL: [&str; 2] = ["lemonade", "ollama"];

/// Prints a file of a wheel, which is a zip.
const UNZIP: &str = "\
import sys, zipfile
sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))";

const TODAY: &str = "\
import datetime
print(datetime.datetime.now(datetime.timezone.utc).date())";

/// Writes the built-in price table anew.
pub(crate) fn refresh() -> Result<()> {
    let folder = workspace::target_dir()?.join("prices");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    run(command("python3 -m pip download litellm --no-deps --quiet --dest").arg(&folder))?;

    let wheel = fs::read_dir(&folder)?.next().context("pip downloaded nothing")??.path();
    let map = output(command("python3 -c").arg(UNZIP).arg(&wheel).arg(THEIRS))?;
    let date = output(command("python3 -c").arg(TODAY))?;
    let source = format!("{THEIRS} of litellm {} (PyPI, MIT)", version(&wheel)?);
    let table = convert(&map, &source, date.trim())?;

    let path = workspace::root().join(OURS);
    let json = table.to_json();
    fs::write(&path, &json)?;
    eprintln!("{OURS}: {} prices, {} KB, from {source}", table.len(), json.len() / 1024);
    Ok(())
}

/// `litellm-1.2.3-py3-none-any.whl` is version `1.2.3`.
fn version(wheel: &Path) -> Result<String> {
    let name = wheel.file_name().unwrap_or_default().to_string_lossy();
    let version = name.split('-').nth(1);
    Ok(version.with_context(|| format!("no version in the file name {name}"))?.to_owned())
}

fn convert(map: &str, source: &str, date: &str) -> Result<PriceTable> {
    let mut models: Map<String, Value> =
        serde_json::from_str(map).context("the price map is no JSON")?;
    models.retain(|_, entry| is_charged_by_token(entry));
    for provider in LOCAL {
        models.insert(format!("{provider}/*"), json!({ "input": 0, "output": 0 }));
    }
    let table = PriceTable::empty(source, date).with_overrides(&Value::from(models).to_string())?;
    ensure!(table.len() > 100, "only {} prices found, has the map another format?", table.len());
    Ok(table)
}

/// Prices of zero are left out: the map has them for free trials, for models charged by the hour, and
/// where the price is not known, so that they would count as nothing what costs something.
fn is_charged_by_token(entry: &Value) -> bool {
    let mode = entry["mode"].as_str().unwrap_or_default();
    let is_rate = |key: &str| key.contains("_token_cost") || key.contains("_cost_per_token");
    let costs = |fields: &Map<String, Value>| {
        fields
            .iter()
            .any(|(key, rate)| is_rate(key) && rate.as_f64().is_some_and(|rate| rate > 0.0))
    };
    let ranges =
        entry["tiered_pricing"].as_array().into_iter().flatten().filter_map(Value::as_object);
    MODES.contains(&mode) && entry.as_object().into_iter().chain(ranges).any(costs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_charged_by_token() {
        let check =
            |entry: Value, expected| assert_eq!(is_charged_by_token(&entry), expected, "{entry}");
        check(json!({"mode": "chat", "input_cost_per_token": 1e-6}), true);
        check(
            json!({"mode": "embedding", "input_cost_per_token": 1e-6, "output_cost_per_token": 0}),
            true,
        );
        check(json!({"mode": "chat", "tiered_pricing": [{"input_cost_per_token": 1e-6}]}), true);
        check(
            json!({"mode": "chat", "input_cost_per_token": 0.0, "output_cost_per_token": 0}),
            false,
        );
        check(json!({"mode": "chat", "input_cost_per_request": 1.0}), false);
        check(json!({"mode": "image_generation", "input_cost_per_token": 1e-6}), false);
        check(json!({"input_cost_per_token": 1e-6}), false);
        check(json!("text"), false);
    }

    #[test]
    fn versions_of_wheels() {
        assert_eq!(version(Path::new("/a/litellm-1.109.1-cp310-abi3.whl")).unwrap(), "1.109.1");
        assert!(version(Path::new("litellm.whl")).is_err());
    }
}

//! Rules in a TOML file. What is wrong in it is told with its line.

use super::error::AlertError;
use super::rule::{Alert, Measure, Side};
use super::watching::Alerts;
use std::path::Path;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const KEYS: [&str; 12] = [
    "name",
    "measure",
    "above",
    "below",
    "clear",
    "window",
    "for",
    "min_samples",
    "on",
    "module",
    "model",
    "labels",
];

/// A file with thousands of rules is a mistake, and each rule costs at every event.
const MAX_RULES: usize = 1_000;

impl Alerts {
    /// Reads rules from TOML.
    ///
    /// ```
    /// use glassbox_events::watch::Alerts;
    /// let alerts = Alerts::from_toml(r#"
    ///     webhook = ["https://hooks.example.com/glassbox"] # optional; one address, or several
    ///
    ///     [[alert]]
    ///     name = "slow answers"
    ///     measure = "latency_p95" # rate, latency_p50 .. latency_p99, error_share, retries, cost_usd, tokens
    ///     above = "2.5s"          # or below; a latency is a time, or milliseconds
    ///     clear = "2s"            # all from here on is optional
    ///     window = "5m"
    ///     for = "1m"
    ///     min_samples = 20
    ///     on = "llm.*"            # which events
    ///     module = "CoffeeShop*"
    ///     model = "openai/*"
    ///     labels = { team = "shop", severity = "page" }
    /// "#)?;
    /// assert_eq!(alerts.rules().len(), 1);
    /// # Ok::<(), glassbox_events::watch::alert::AlertError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The text is not TOML, has a key or value that means nothing, or a rule that makes no sense.
    pub fn from_toml(text: &str) -> Result<Self, AlertError> {
        let document = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            AlertError::new(format!("this is not TOML: {}", error.message().trim())).at(text, at)
        })?;
        let mut alerts = Self::new();
        for (key, value) in document.get_ref() {
            match key.get_ref().as_ref() {
                "webhook" => alerts.webhooks = texts(text, value)?,
                "alert" => {
                    let wants = "`alert` is not a list of tables: begin each with [[alert]]";
                    let rules =
                        value.get_ref().as_array().ok_or_else(|| wrong(text, value, wants))?;
                    if rules.len() > MAX_RULES {
                        return Err(wrong(
                            text,
                            value,
                            format!("there are {} alerts; {MAX_RULES} is the most", rules.len()),
                        ));
                    }
                    for rule in rules.iter() {
                        alerts.rules.push(read_rule(text, rule)?);
                    }
                }
                other => {
                    let problem =
                        format!("unknown key {other:?}: write webhook, or a table [[alert]]");
                    return Err(AlertError::new(problem).at(text, key.span().start));
                }
            }
        }
        Ok(alerts)
    }

    /// Reads rules from a TOML file; see [`from_toml`](Self::from_toml).
    ///
    /// # Errors
    ///
    /// The file cannot be read, or its rules make no sense.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, AlertError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| {
            AlertError::new(format!(
                "{} cannot be read: {error}; name a TOML file of alerts",
                path.display()
            ))
        })?;
        Self::from_toml(&text)
    }
}

fn read_rule(text: &str, value: &Spanned<DeValue<'_>>) -> Result<Alert, AlertError> {
    let wants = "an alert is a table: begin it with [[alert]]";
    let table = value.get_ref().as_table().ok_or_else(|| wrong(text, value, wants))?;
    for key in table.keys() {
        if !KEYS.contains(&key.get_ref().as_ref()) {
            let problem =
                format!("unknown key {:?}: write one of {}", key.get_ref(), KEYS.join(", "));
            return Err(AlertError::new(problem).at(text, key.span().start));
        }
    }
    let get = |key: &str| table.get(key);

    let missing = |problem: &str| wrong(text, value, problem);
    let measure = get("measure")
        .ok_or_else(|| missing("an alert has no measure: write measure = \"error_share\""))?;
    let measured: Measure = read_text(text, measure)?
        .parse()
        .map_err(|problem: String| wrong(text, measure, problem))?;
    let (side, threshold) = match (get("above"), get("below")) {
        (Some(above), None) => (Side::Above, above),
        (None, Some(below)) => (Side::Below, below),
        _ => return Err(missing("an alert has one threshold: write above = 0.2, or below")),
    };
    let mut rule = Alert::new(measured, side, read_amount(text, threshold, measured)?);
    if let Some(name) = get("name") {
        rule = rule.named(read_text(text, name)?);
    }
    if let Some(clear) = get("clear") {
        rule = rule.clear(read_amount(text, clear, measured)?);
    }
    if let Some(window) = get("window") {
        rule = rule.window(read_time(text, window)?);
    }
    if let Some(hold) = get("for") {
        rule = rule.hold(read_time(text, hold)?);
    }
    if let Some(samples) = get("min_samples") {
        let number = samples.get_ref().as_integer().and_then(|number| number.as_str().parse().ok());
        let wants = "min_samples is not a whole number: write one such as 20";
        rule = rule.min_samples(number.ok_or_else(|| wrong(text, samples, wants))?);
    }
    if let Some(on) = get("on") {
        rule = rule.on(read_text(text, on)?);
    }
    if let Some(module) = get("module") {
        rule = rule.module(read_text(text, module)?);
    }
    if let Some(model) = get("model") {
        rule = rule.model(read_text(text, model)?);
    }
    if let Some(labels) = get("labels") {
        let wants = "labels are a table of texts: write labels = { team = \"shop\" }";
        let table = labels.get_ref().as_table().ok_or_else(|| wrong(text, labels, wants))?;
        for (key, value) in table {
            rule = rule.label(key.get_ref().as_ref(), read_text(text, value)?);
        }
    }
    rule.check().map_err(|error| error.at(text, value.span().start))?;
    Ok(rule)
}

fn read_text<'t>(text: &str, value: &'t Spanned<DeValue<'_>>) -> Result<&'t str, AlertError> {
    let wants =
        || format!("this is {}, and not a text: put it into quotes", value.get_ref().type_str());
    value.get_ref().as_str().ok_or_else(|| wrong(text, value, wants()))
}

fn texts(text: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, AlertError> {
    match value.get_ref().as_array() {
        Some(list) => list.iter().map(|value| read_text(text, value).map(str::to_owned)).collect(),
        None => Ok(vec![read_text(text, value)?.to_owned()]),
    }
}

/// Reads a threshold: a number, or of a latency a time.
fn read_amount(
    text: &str,
    value: &Spanned<DeValue<'_>>,
    measure: Measure,
) -> Result<f64, AlertError> {
    if let (Measure::Latency(_), Some(_)) = (measure, value.get_ref().as_str()) {
        return Ok(read_time(text, value)?.as_secs_f64() * 1_000.0);
    }
    let number = match value.get_ref() {
        DeValue::Integer(number) => number.as_str().parse().ok(),
        DeValue::Float(number) => number.as_str().parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| {
        let wants = match measure {
            Measure::Latency(_) => {
                "a threshold of a latency is a time: write \"2.5s\", or milliseconds"
            }
            _ => "a threshold is a number: write one such as 0.2",
        };
        wrong(text, value, wants)
    })
}

fn read_time(text: &str, value: &Spanned<DeValue<'_>>) -> Result<Duration, AlertError> {
    let wants = "this is not a time: write one such as \"30s\", \"5m\" or \"1h 30m\"";
    let time = value.get_ref().as_str().and_then(parse_time);
    time.ok_or_else(|| wrong(text, value, wants))
}

/// Reads `2.5s` too, which people write and the library does not read.
fn parse_time(time: &str) -> Option<Duration> {
    humantime::parse_duration(time).ok().or_else(|| {
        let seconds: f64 = time.trim().strip_suffix('s')?.trim().parse().ok()?;
        Duration::try_from_secs_f64(seconds).ok()
    })
}

fn wrong(text: &str, value: &Spanned<DeValue<'_>>, problem: impl Into<String>) -> AlertError {
    AlertError::new(problem).at(text, value.span().start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_all_that_a_rule_can() {
        let alerts = Alerts::from_toml(
            "webhook = 'https://a.example/'\n\
             [[alert]]\nname = 'slow'\nmeasure = 'latency_p99'\nabove = '2.5s'\nclear = 2_000\nwindow = '10m'\nfor = '1m'\n\
             min_samples = 5\non = 'module.*'\nmodule = 'Shop*'\nmodel = 'openai/*'\nlabels = { team = 'shop' }\n\
             [[alert]]\nmeasure = 'rate'\nbelow = 0.5",
        )
        .unwrap();
        let slow = Alert::above(Measure::Latency(99), 2_500.0)
            .named("slow")
            .clear(2_000.0)
            .window(Duration::from_secs(600))
            .hold(Duration::from_secs(60))
            .min_samples(5)
            .on("module.*")
            .module("Shop*")
            .model("openai/*")
            .label("team", "shop");
        assert_eq!(alerts.rules(), [slow, Alert::below(Measure::Rate, 0.5)]);
        assert_eq!(alerts.webhooks, ["https://a.example/"]);
    }

    #[test]
    fn mistakes_are_told_with_line_and_remedy() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Alerts::from_toml(text).unwrap_err().to_string(), expected);
        };
        check("\n[[alert]\n", "line 2: this is not TOML: unclosed array table, expected `]`");
        check("alerts = 1", "line 1: unknown key \"alerts\": write webhook, or a table [[alert]]");
        check("[alert]\n", "line 1: `alert` is not a list of tables: begin each with [[alert]]");
        check(
            "[[alert]]\nabove = 1",
            "line 1: an alert has no measure: write measure = \"error_share\"",
        );
        check(
            "[[alert]]\nmeasure = 'latency'\nabove = 1",
            "line 2: \"latency\" is no measure: write rate, latency_p95 (1 to 99), error_share, retries, cost_usd or tokens",
        );
        check(
            "[[alert]]\nmeasure = 'tokens'\ntreshold = 1",
            "line 3: unknown key \"treshold\": write one of name, measure, above, below, clear, window, for, min_samples, on, module, \
             model, labels",
        );
        check(
            "[[alert]]\nmeasure = 'tokens'",
            "line 1: an alert has one threshold: write above = 0.2, or below",
        );
        check(
            "[[alert]]\nmeasure = 'tokens'\nabove = '1s'",
            "line 3: a threshold is a number: write one such as 0.2",
        );
        check(
            "[[alert]]\nmeasure = 'latency_p50'\nabove = 'soon'",
            "line 3: this is not a time: write one such as \"30s\", \"5m\" or \"1h 30m\"",
        );
        check(
            "[[alert]]\nmeasure = 'rate'\nabove = 1\nname = 7",
            "line 4: this is integer, and not a text: put it into quotes",
        );
        check(
            "# mine\n\n[[alert]]\nmeasure = 'tokens'\nabove = 1\nclear = 2",
            "line 3: alert \"tokens\": it fires above 1 and would clear at 2: clear at less than that",
        );
        let text = "[[alert]]\nmeasure = 'tokens'\nabove = 1\non = 'lm.*'";
        let error = Alerts::from_toml(text).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "line 1: alert \"tokens\": pattern \"lm.*\" matches no event; the events are"
            ),
            "{error}"
        );
    }
}

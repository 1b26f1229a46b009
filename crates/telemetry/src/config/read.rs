//! Values of environment variables: counts, times, ratios, and what is wrong with them.

use crate::error::{ConfigError, Kind};
use percent_encoding::percent_decode_str;
use std::str::FromStr;
use std::time::Duration;

/// The environment, and what was found wrong in it.
pub(super) struct Environment<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    warnings: Vec<String>,
}

impl<'a> Environment<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, warnings: Vec::new() }
    }

    /// Returns a variable's value without the space around it; an empty one is unset.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let value = (self.lookup)(name)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    /// Returns the first of two variables that is set, and its name.
    pub(super) fn for_traces(
        &self,
        traces: &'static str,
        all: &'static str,
    ) -> Option<(&'static str, String)> {
        self.first(&[traces, all])
    }

    /// Returns the first of some variables that is set, and its name.
    pub(super) fn first(&self, names: &[&'static str]) -> Option<(&'static str, String)> {
        names.iter().find_map(|name| Some((*name, self.get(name)?)))
    }

    pub(super) fn warn(&mut self, name: &str, value: &str, consequence: &str) {
        self.warnings.push(format!("{name} is {value:?}; {consequence}"));
    }

    /// Warns without the value, which may be long or secret.
    pub(super) fn warn_unshown(&mut self, name: &str, problem: &str) {
        self.warnings.push(format!("{name} {problem}"));
    }

    pub(super) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }

    pub(super) fn boolean(&self, variable: &'static str) -> Result<Option<bool>, ConfigError> {
        self.parse(variable, "write true or false", truth)
    }

    pub(super) fn count(&self, variable: &'static str) -> Result<Option<usize>, ConfigError> {
        self.parse(variable, "write a whole number from 1 on", count)
    }

    pub(super) fn ratio(&self, variable: &'static str) -> Result<Option<f64>, ConfigError> {
        self.parse(variable, "write a number from 0 to 1", ratio)
    }

    pub(super) fn seconds(
        &self,
        variable: &'static str,
        zero: bool,
    ) -> Result<Option<Duration>, ConfigError> {
        let expected =
            if zero { "write a number of seconds" } else { "write a number of seconds above 0" };
        self.parse(variable, expected, |value| {
            let seconds = Duration::try_from_secs_f64(value.parse().ok()?).ok()?;
            (zero || !seconds.is_zero()).then_some(seconds)
        })
    }

    pub(super) fn count_or_warn(&mut self, name: &str, default: usize) -> usize {
        self.or_warn(
            name,
            default,
            count,
            &format!("it counts as {default}; write a whole number from 1 on"),
        )
    }

    pub(super) fn millis_or_warn(&mut self, name: &str, default: Duration) -> Duration {
        let consequence = format!(
            "it counts as {}; write a whole number of milliseconds from 1 on",
            default.as_millis()
        );
        let millis = |value: &str| {
            u64::from_str(value).ok().filter(|millis| *millis > 0).map(Duration::from_millis)
        };
        self.or_warn(name, default, millis, &consequence)
    }

    pub(super) fn parse<T>(
        &self,
        variable: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.get(variable) else { return Ok(None) };
        match parse(&value) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(Kind::Value { variable, value, expected }.into()),
        }
    }

    fn or_warn<T>(
        &mut self,
        name: &str,
        default: T,
        parse: impl Fn(&str) -> Option<T>,
        consequence: &str,
    ) -> T {
        let Some(value) = self.get(name) else { return default };
        parse(&value).unwrap_or_else(|| {
            self.warn(name, &value, consequence);
            default
        })
    }
}

pub(super) fn truth(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn count(value: &str) -> Option<usize> {
    value.parse().ok().filter(|count| *count > 0)
}

pub(super) fn ratio(value: &str) -> Option<f64> {
    value.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio))
}

pub(super) fn percent_decoded(text: &str) -> Option<String> {
    Some(percent_decode_str(text).decode_utf8().ok()?.into_owned())
}

//! Numbers within the bounds of a schema.

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Map, Number, Value};

/// How far from the only bound a number is looked for.
const SPAN: i128 = 100;

/// Tells whether a number keeps the bounds; `multipleOf` with the tolerance that binary fractions need.
pub(super) fn within(schema: &Map<String, Value>, number: &Number) -> bool {
    let Some(number) = number.as_f64() else { return true };
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let step = bound("multipleOf").filter(|step| *step > 0.0);
    bound("minimum").is_none_or(|least| number >= least)
        && bound("exclusiveMinimum").is_none_or(|least| number > least)
        && bound("maximum").is_none_or(|most| number <= most)
        && bound("exclusiveMaximum").is_none_or(|most| number < most)
        && step.is_none_or(|step| ((number / step).round() * step - number).abs() <= step * 1e-9)
}

/// Makes an integer that keeps the bounds, if there is one.
pub(super) fn integer(schema: &Map<String, Value>, rng: &mut StdRng) -> Value {
    let inclusive =
        |key: &str, round: fn(f64) -> f64| schema.get(key).and_then(|bound| whole(bound, round));
    let above = schema
        .get("exclusiveMinimum")
        .and_then(|bound| whole(bound, f64::floor))
        .map(|bound| bound + 1);
    let below = schema
        .get("exclusiveMaximum")
        .and_then(|bound| whole(bound, f64::ceil))
        .map(|bound| bound - 1);
    let least = inclusive("minimum", f64::ceil).into_iter().chain(above).max();
    let most = inclusive("maximum", f64::floor).into_iter().chain(below).min();

    let step = schema.get("multipleOf").and_then(whole_step).unwrap_or(1);
    let (least, most) = range(least, most, SPAN * step);
    // The multiples of `step` in the range, rounded inwards.
    let (first, last) =
        (least.div_euclid(step) + i128::from(least.rem_euclid(step) != 0), most.div_euclid(step));
    let chosen = if first <= last { rng.random_range(first..=last) * step } else { least };
    i64::try_from(chosen)
        .map(Value::from)
        .or_else(|_| u64::try_from(chosen).map(Value::from))
        .unwrap_or_else(|_| Value::from(chosen as f64))
}

/// Makes a number that keeps the bounds, if there is one.
pub(super) fn number(schema: &Map<String, Value>, rng: &mut StdRng) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let least =
        [bound("minimum"), bound("exclusiveMinimum")].into_iter().flatten().reduce(f64::max);
    let most = [bound("maximum"), bound("exclusiveMaximum")].into_iter().flatten().reduce(f64::min);
    if let Some(step) = bound("multipleOf").filter(|step| *step > 0.0) {
        let (least, most) = range(
            least.map(|n| (n / step).ceil() as i128),
            most.map(|n| (n / step).floor() as i128),
            SPAN,
        );
        // An exclusive bound can rule out the first and the last multiple.
        let candidates = [rng.random_range(least..=most), least, least + 1, most - 1];
        let multiple = |count: &i128| decimal(*count as f64 * step);
        let fitting = candidates
            .iter()
            .map(multiple)
            .find(|value| matches!(value, Value::Number(n) if within(schema, n)));
        return fitting.unwrap_or_else(|| multiple(&least));
    }
    let (low, high) = match (least, most) {
        (Some(low), Some(high)) => (low, high),
        (Some(low), None) => (low, low + SPAN as f64),
        (None, Some(high)) => (high - SPAN as f64, high),
        (None, None) => (1.0, 1.0 + SPAN as f64),
    };
    // A weighted mean, because `high - low` may overflow.
    let share = rng.random_range(0.05..0.95_f64);
    let value = low * (1.0 - share) + high * share;
    let rounded = decimal(value);
    if matches!(&rounded, Value::Number(n) if within(schema, n)) {
        rounded
    } else {
        Value::from(value)
    }
}

/// Rounds to six digits after the point, so that 0.1 * 3 is 0.3, and prints whole numbers as such.
fn decimal(value: f64) -> Value {
    let rounded = (value * 1e6).round() / 1e6;
    if rounded.is_finite() { Value::from(rounded) } else { Value::from(value) }
}

fn range(least: Option<i128>, most: Option<i128>, span: i128) -> (i128, i128) {
    match (least, most) {
        (Some(least), Some(most)) => (least, most.max(least)),
        (Some(least), None) => (least, least.saturating_add(span)),
        (None, Some(most)) => (most.saturating_sub(span), most),
        (None, None) => (1, span),
    }
}

/// A bound as a whole number, exactly where it is one.
fn whole(bound: &Value, round: fn(f64) -> f64) -> Option<i128> {
    let exact = bound.as_i64().map(i128::from).or_else(|| bound.as_u64().map(i128::from));
    // Far beyond 64 bits no integer can be written anyway, and this keeps the arithmetic from overflowing.
    exact.or_else(|| Some((round(bound.as_f64()?) as i128).clamp(-(1 << 64), 1 << 64)))
}

/// The smallest whole multiple of `multipleOf`: 3 for 3, 1 for 0.25, 3 for 1.5.
fn whole_step(step: &Value) -> Option<i128> {
    let step = step.as_f64().filter(|step| *step > 0.0 && *step < 1e15)?;
    let multiple = (1..=1000)
        .map(|times| f64::from(times) * step)
        .find(|product| (product - product.round()).abs() < 1e-9)?;
    Some((multiple.round() as i128).max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use crate::seed::{self, Purpose};

    use super::*;

    fn check(schema: &Value, make: fn(&Map<String, Value>, &mut StdRng) -> Value) {
        let schema = schema.as_object().unwrap();
        for request in 0..50 {
            let made = make(schema, &mut seed::rng(1, Purpose::Content, request, 0));
            let Value::Number(number) = &made else { panic!("{made} for {schema:?}") };
            assert!(within(schema, number), "{made} for {schema:?}");
        }
    }

    #[test]
    fn bounds_are_kept() {
        for schema in [
            json!({}),
            json!({"minimum": 5}),
            json!({"maximum": -5}),
            json!({"exclusiveMinimum": 5, "exclusiveMaximum": 7}),
            json!({"minimum": 10, "maximum": 20, "multipleOf": 7}),
            json!({"minimum": 1e300}),
            json!({"minimum": i64::MAX, "maximum": u64::MAX}),
            json!({"multipleOf": 1.5}),
        ] {
            if schema != json!({"minimum": 1e300}) {
                check(&schema, integer);
            }
            check(&schema, number);
        }
        check(&json!({"minimum": 0, "maximum": 1}), number);
        check(&json!({"exclusiveMinimum": 0, "exclusiveMaximum": 1e-9}), number);
        check(&json!({"multipleOf": 0.01, "exclusiveMinimum": 0, "maximum": 0.05}), number);
    }

    proptest! {
        #[test]
        fn any_range_is_kept(low in -1000_i64..1000, width in 0_i64..50) {
            check(&json!({"minimum": low, "maximum": low + width}), integer);
            check(&json!({"minimum": low, "maximum": low + width}), number);
        }
    }
}

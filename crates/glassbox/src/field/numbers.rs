//! Integers, floating point and decimals.

use std::str::FromStr;

use rust_decimal::Decimal;
use serde_json::{Number, Value, json};

use super::text::{embedded, plain_number};
use super::{Field, FieldError};
use crate::definitions::Definitions;

/// Implements `Field` for integers, with what an error calls them and their JSON schema.
macro_rules! integers {
    ($($type:ty, $expected:expr, $schema:tt;)*) => {$(
        impl Field for $type {
            fn schema(_: &mut Definitions) -> Value {
                json!($schema)
            }

            fn to_json(&self) -> Value {
                let number = i128::try_from(*self).ok().and_then(Number::from_i128);
                // JSON numbers end where 64 bits do.
                number.map_or_else(|| Value::String(self.to_string()), Value::Number)
            }

            fn from_json(value: &Value) -> Result<Self, FieldError> {
                read(value, integer).ok_or_else(|| FieldError::expected($expected, value))
            }
        }
    )*};
}

integers! {
    i8, "an integer from -128 to 127", { "type": "integer" };
    i16, "an integer from -32768 to 32767", { "type": "integer" };
    i32, "an integer from -2147483648 to 2147483647", { "type": "integer" };
    i64, "an integer", { "type": "integer" };
    i128, "an integer", { "type": "integer" };
    isize, "an integer", { "type": "integer" };
    u8, "an integer from 0 to 255", { "type": "integer", "minimum": 0 };
    u16, "an integer from 0 to 65535", { "type": "integer", "minimum": 0 };
    u32, "an integer from 0 to 4294967295", { "type": "integer", "minimum": 0 };
    u64, "an integer of 0 or more", { "type": "integer", "minimum": 0 };
    u128, "an integer of 0 or more", { "type": "integer", "minimum": 0 };
    usize, "an integer of 0 or more", { "type": "integer", "minimum": 0 };
}

impl Field for f64 {
    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "number" })
    }

    fn to_json(&self) -> Value {
        // JSON has no number that is not finite.
        Number::from_f64(*self).map_or_else(|| Value::String(self.to_string()), Value::Number)
    }

    fn from_json(value: &Value) -> Result<Self, FieldError> {
        read(value, float).ok_or_else(|| FieldError::expected("a number", value))
    }
}

impl Field for f32 {
    fn schema(definitions: &mut Definitions) -> Value {
        f64::schema(definitions)
    }

    fn to_json(&self) -> Value {
        // `0.1_f32` is written as 0.1, and not as the 0.10000000149011612 that it is.
        let shortest = self.to_string().parse::<f64>().ok();
        let same = shortest.filter(|short| *short as Self == *self);
        same.unwrap_or_else(|| f64::from(*self)).to_json()
    }

    fn from_json(value: &Value) -> Result<Self, FieldError> {
        let number = f64::from_json(value)?;
        let rounded = number as Self;
        if rounded.is_infinite() && number.is_finite() {
            return Err(FieldError::expected("a number of up to 3.4e38", value));
        }
        Ok(rounded)
    }
}

impl Field for Decimal {
    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "number" })
    }

    fn to_json(&self) -> Value {
        let float = self.to_string().parse::<f64>().ok().and_then(Number::from_f64);
        match float.map(Value::Number) {
            Some(number) if read(&number, decimal) == Some(*self) => number,
            // More digits than a double keeps.
            _ => Value::String(self.to_string()),
        }
    }

    fn from_json(value: &Value) -> Result<Self, FieldError> {
        let expected = || FieldError::expected("a number of up to 28 digits", value);
        read(value, decimal).ok_or_else(expected)
    }
}

/// Reads a number, or the one inside a string.
fn read<T>(value: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
    read(value).or_else(|| read(&embedded(value)?))
}

fn integer<T: TryFrom<i128> + TryFrom<u128>>(value: &Value) -> Option<T> {
    match value {
        Value::Number(number) => match number.as_i128() {
            Some(whole) => T::try_from(whole).ok(),
            None => integral(number.as_f64()?),
        },
        Value::String(text) => {
            let text = plain_number(text)?;
            if let Ok(whole) = text.parse::<i128>() {
                return T::try_from(whole).ok();
            }
            if let Ok(whole) = text.parse::<u128>() {
                return T::try_from(whole).ok();
            }
            integral(text.parse().ok()?)
        }
        _ => None,
    }
}

/// A floating point number that has no fraction. From 2^63 on only an `i128` or `u128` takes it.
fn integral<T: TryFrom<i128>>(number: f64) -> Option<T> {
    let fits = number.fract() == 0.0 && number.abs() < 2_f64.powi(127);
    if fits { T::try_from(number as i128).ok() } else { None }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "inf" => Some(f64::INFINITY),
            "-inf" => Some(f64::NEG_INFINITY),
            text => plain_number(text)?.parse().ok().filter(|number: &f64| number.is_finite()),
        },
        _ => None,
    }
}

fn decimal(value: &Value) -> Option<Decimal> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => plain_number(text)?,
        _ => return None,
    };
    Decimal::from_str(&text).or_else(|_| Decimal::from_scientific(&text)).ok()
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    #[allow(clippy::needless_pass_by_value, reason = "rows of `check` read better without borrows")]
    fn check<T: Field + PartialEq + Debug>(value: Value, expected: T) {
        assert_eq!(T::from_json(&value).unwrap(), expected, "{value}");
        assert_eq!(T::from_json(&expected.to_json()).unwrap(), expected, "{value}");
    }

    #[allow(clippy::needless_pass_by_value, reason = "rows of `check` read better without borrows")]
    fn check_refused<T: Field + Debug>(value: Value, message: &str) {
        assert_eq!(T::from_json(&value).unwrap_err().to_string(), message);
    }

    #[test]
    fn integers() {
        check(json!(42), 42_u8);
        check(json!(-42), -42_i64);
        check(json!(3.0), 3_i32);
        check(json!("42"), 42_u64);
        check(json!("1,200"), 1200_u32);
        check(json!("-1,200.0"), -1200_i16);
        check(json!("```json\n7\n```"), 7_usize);
        check(json!(u64::MAX), u64::MAX);
        check(json!(i64::MIN), i64::MIN);
        check(json!(u128::MAX.to_string()), u128::MAX);
        check(json!(i128::MIN.to_string()), i128::MIN);
        check(json!(1e20), 100_000_000_000_000_000_000_u128);

        check_refused::<u8>(json!(256), "expected an integer from 0 to 255, found 256");
        check_refused::<u64>(json!(-1), "expected an integer of 0 or more, found -1");
        check_refused::<i64>(json!(1.5), "expected an integer, found 1.5");
        check_refused::<i64>(json!(1e300), "expected an integer, found 1e+300");
        check_refused::<i64>(json!("12 oz"), r#"expected an integer, found "12 oz""#);
        check_refused::<i64>(json!([1]), "expected an integer, found [1]");
    }

    #[test]
    fn floats() {
        check(json!(1), 1.0_f64);
        check(json!("3.5"), 3.5_f64);
        check(json!("$5.75"), 5.75_f64);
        check(json!("-inf"), f64::NEG_INFINITY);
        check(json!(0.1), 0.1_f32);
        assert_eq!(0.1_f32.to_json(), json!(0.1));
        assert!(f64::from_json(&f64::NAN.to_json()).unwrap().is_nan());

        check_refused::<f64>(json!("infinity"), r#"expected a number, found "infinity""#);
        check_refused::<f64>(json!("1e999"), r#"expected a number, found "1e999""#);
        check_refused::<f32>(json!(1e300), "expected a number of up to 3.4e38, found 1e+300");
    }

    #[test]
    fn decimals() {
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        check(json!(5.75), decimal("5.75"));
        check(json!("$1,200.50"), decimal("1200.50"));
        check(json!(1e-7), decimal("0.0000001"));
        check(json!("0.1234567890123456789012345678"), decimal("0.1234567890123456789012345678"));
        assert_eq!(decimal("5.50").to_json(), json!(5.5));
        assert_eq!(Decimal::MAX.to_json(), json!(Decimal::MAX.to_string()));

        let huge = "expected a number of up to 28 digits, found 1e+300";
        check_refused::<Decimal>(json!(1e300), huge);
        assert!(Decimal::from_json(&json!("1e99999999999")).is_err());
    }
}

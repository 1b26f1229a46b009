//! Types that a model cannot read.

use glassbox::Field;

#[derive(Clone, Debug, Field)]
struct Price(u64, String);

#[derive(Clone, Debug, Field)]
struct Nothing;

#[derive(Clone, Debug, Field)]
enum Action {
    MakeDrink(String, u8),
}

#[derive(Clone, Debug, Field)]
enum Never {}

#[derive(Clone, Debug, Field)]
struct Borrowed<'a> {
    text: &'a str,
}

#[derive(Field)]
union Either {
    number: u64,
    float: f64,
}

fn main() {}

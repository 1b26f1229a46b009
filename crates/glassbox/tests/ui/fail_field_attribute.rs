//! Things that `#[field(..)]` does not take.

use glassbox::Field;

#[derive(Clone, Debug, Field)]
struct Drink {
    #[field(colour = "brown")]
    name: String,
}

#[derive(Clone, Debug, Field)]
struct Cup {
    #[field(description = 12)]
    size: u8,
}

#[derive(Clone, Debug, Field)]
#[field(rename_all = "Snake")]
enum Size {
    Small,
}

#[derive(Clone, Debug, Field)]
enum Milk {
    #[field(default)]
    Oat,
}

#[derive(Clone, Debug, Field)]
struct Bean {
    #[field(rename = "origin", rename = "source")]
    country: String,
}

#[derive(Clone, Debug, Field)]
struct Id(#[field(rename = "id")] String);

fn main() {}

//! Derives give no warnings, and get along with whatever names are in scope.
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, unused)]
#![deny(rust_2018_idioms, private_interfaces, private_bounds, non_camel_case_types)]

use glassbox::{Field as _, Signature as _};

#[derive(Clone, Debug, glassbox::Field)]
enum Option {
    None,
    Some { string: String, value: u8, content: bool },
}

#[derive(Clone, Debug, glassbox::Field)]
struct Result<Ok, const N: usize> {
    object: Ok,
    #[field(default = 2 + 2)]
    definitions: u64,
}

/// Choose.
#[derive(glassbox::Signature)]
struct Choose {
    #[input]
    result: Result<u8, 3>,
    #[output]
    option: Option,
}

/// Long instructions have their own file.
#[doc = include_str!("instruction.md")]
#[derive(Debug, glassbox::Signature)]
pub struct Public {
    /// What to do.
    #[input]
    task: String,
    #[input]
    more: String,
    /// One sentence.
    #[output]
    pub answer: String,
}

/// Tell a joke.
#[derive(glassbox::Signature)]
pub(crate) struct Joke {
    #[output]
    r#type: String,
}

fn main() {
    let result = Result { object: 1, definitions: 2 };
    let input = ChooseInput { result };
    assert_eq!(input.to_json()["result"]["object"], 1);
    assert_eq!(Choose::OUTPUTS[0].name, "option");

    let instructions = " Long instructions have their own file.\nBe brief.";
    assert_eq!(Public::INSTRUCTIONS, instructions.trim());
    assert_eq!(JokeInput {}.to_json().to_string(), "{}");
    assert_eq!(Joke::OUTPUTS[0].name, "type");
}

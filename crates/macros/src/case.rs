//! The ways to write a name that has several words.

/// A way to write names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Snake,
    Camel,
    Pascal,
    ScreamingSnake,
    Kebab,
    Lower,
    Upper,
}

/// Each case, by how it is written in its own way.
pub(crate) const CASES: [(&str, Case); 7] = [
    ("snake_case", Case::Snake),
    ("camelCase", Case::Camel),
    ("PascalCase", Case::Pascal),
    ("SCREAMING_SNAKE_CASE", Case::ScreamingSnake),
    ("kebab-case", Case::Kebab),
    ("lowercase", Case::Lower),
    ("UPPERCASE", Case::Upper),
];

impl Case {
    /// Writes the name of a field or variant in this case.
    pub(crate) fn apply(self, name: &str) -> String {
        let words = words(name);
        let capitalized = || words.iter().map(|word| capitalize(word)).collect::<String>();
        match self {
            Self::Snake => words.join("_"),
            Self::Kebab => words.join("-"),
            Self::Lower => words.concat(),
            Self::Upper => words.concat().to_uppercase(),
            Self::ScreamingSnake => words.join("_").to_uppercase(),
            Self::Pascal => capitalized(),
            Self::Camel => {
                let first = words.first().cloned().unwrap_or_default();
                let rest = words.iter().skip(1).map(|word| capitalize(word));
                rest.fold(first, |name, word| name + &word)
            }
        }
    }
}

/// The words of a name, in lower case: `RushHour`, `rush_hour` and `RUSHHour` have two.
fn words(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| chars[before]);
        let after = chars.get(at + 1);
        let follows_small = before.is_some_and(|c| c.is_lowercase() || c.is_numeric());
        let ends_acronym =
            before.is_some_and(char::is_uppercase) && after.is_some_and(|c| c.is_lowercase());
        if c == '_' || (c.is_uppercase() && (follows_small || ends_acronym)) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut()
            && c != '_'
        {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn capitalize(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_each_case() {
        let check = |name: &str, expected: [&str; 7]| {
            assert_eq!(CASES.map(|(_, case)| case.apply(name)), expected);
        };
        check(
            "RushHour",
            ["rush_hour", "rushHour", "RushHour", "RUSH_HOUR", "rush-hour", "rushhour", "RUSHHOUR"],
        );
        check(
            "drink_type",
            [
                "drink_type",
                "drinkType",
                "DrinkType",
                "DRINK_TYPE",
                "drink-type",
                "drinktype",
                "DRINKTYPE",
            ],
        );
        let snake = |name, expected| assert_eq!(Case::Snake.apply(name), expected);
        snake("HTTPServer", "http_server");
        snake("Gpt4Mini", "gpt4_mini");
        snake("X", "x");
        snake("_", "");
    }
}

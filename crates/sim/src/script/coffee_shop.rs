//! The four customers of the coffee shop, whose answers are about equally long, so that they take about equally long.

use serde_json::json;

use super::{Entry, Script};

pub(super) fn script() -> Script {
    Script::new()
        .with(
            Entry::when("Can I get a large iced latte with oat milk and an extra shot?")
                .field(
                    "reasoning",
                    "The customer places a clear order: a large iced latte with oat milk and an extra shot. They are in a good \
                     mood and it is morning, so nothing needs to be clarified and nothing has gone wrong. Making the drink \
                     with both customizations is the right action.",
                )
                .field(
                    "action",
                    json!({"MakeDrink": {
                        "drink_type": "iced latte",
                        "size": "large",
                        "customizations": ["oat milk", "extra shot"],
                    }}),
                )
                .field(
                    "friendly_response",
                    "Good morning! One large iced latte with oat milk and an extra shot, coming right up. What a great way to \
                     start the day! It will be waiting for you at the end of the counter in just a few minutes.",
                ),
        )
        .with(
            Entry::when("This coffee tastes terrible and I waited 20 minutes!")
                .field(
                    "reasoning",
                    "The customer is upset for two good reasons: the coffee tastes bad and they waited 20 minutes for it. An \
                     apology alone would not make up for that in the middle of the rush. A full refund of the order is the \
                     fair thing to do.",
                )
                .field(
                    "action",
                    json!({"RefundOrder": {
                        "order_id": "ORDER-4821",
                        "reason": "bad taste after a wait of 20 minutes",
                        "refund_amount": 5.75,
                    }}),
                )
                .field(
                    "friendly_response",
                    "I am so sorry, that is not the coffee or the wait that you deserve. I have refunded your order in full, and \
                     I would love to make you a fresh cup right now, on the house and ahead of the line.",
                ),
        )
        .with(
            Entry::when("Do you sell hamburgers?")
                .field(
                    "reasoning",
                    "The customer asks for hamburgers, which a coffee shop does not have on its menu. None of the drink actions \
                     fits, and there is no order that could be refunded. The manager should hear about the wish, though \
                     there is no hurry at all.",
                )
                .field(
                    "action",
                    json!({"CallManager": {
                        "issue": "A customer asks for hamburgers, which are not on our menu",
                        "urgency": "low",
                    }}),
                )
                .field(
                    "friendly_response",
                    "We do not have hamburgers, I am afraid, but I will pass your wish on to our manager. In the meantime, may I \
                     tempt you with a toasted ham and cheese croissant? It goes very well with a fresh coffee.",
                ),
        )
        .with(
            Entry::when("It's been a long day... got any coffee jokes?")
                .field(
                    "reasoning",
                    "The customer had a long day and asks for a coffee joke to lighten it. They do not order anything and \
                     nothing is wrong, so no drink, refund or manager is needed. A short and harmless joke about coffee is \
                     exactly what they are hoping for.",
                )
                .field(
                    "action",
                    json!({"Joke": {
                        "setup": "Why did the coffee file a police report?",
                        "punchline": "It got mugged!",
                    }}),
                )
                .field(
                    "friendly_response",
                    "Long days call for good jokes! Why did the coffee file a police report? Because it got mugged! I hope that \
                     made you smile. Put your feet up, and let me know if a warm decaf would help you to unwind tonight.",
                ),
        )
}

#[cfg(test)]
mod tests {
    use crate::latency::Latency;
    use crate::seed;
    use crate::tokens;

    use super::*;

    /// The length of an answer as JSON, in tokens, for each customer.
    fn answers() -> Vec<u64> {
        let json = |entry: &Entry| serde_json::to_string(&entry.fields).unwrap();
        script().entries.iter().map(|entry| tokens::count(&json(entry))).collect()
    }

    fn calls(seed: u64, salt: &str) -> Vec<f64> {
        let time = |(index, tokens): (usize, u64)| {
            let request = seed::fingerprint(&[salt.as_bytes(), &[index as u8]]);
            Latency::default().timing(seed, request, 1.0).after(tokens).as_secs_f64()
        };
        answers().into_iter().enumerate().map(time).collect()
    }

    #[test]
    fn a_call_takes_about_five_seconds_and_four_at_once_are_well_over_three_times_faster() {
        for salt in 0..500 {
            let calls = calls(seed::DEFAULT, &format!("request body {salt}"));
            let (sum, longest) =
                (calls.iter().sum::<f64>(), calls.iter().copied().fold(0.0, f64::max));
            assert!((17.0..24.0).contains(&sum), "{calls:?}");
            assert!(sum / longest >= 3.3, "{calls:?}: {}", sum / longest);
        }
    }

    #[test]
    fn the_answers_are_about_equally_long() {
        let answers = answers();
        let (shortest, longest) = (answers.iter().min().unwrap(), answers.iter().max().unwrap());
        assert!(longest - shortest <= longest / 15, "{answers:?}");
    }
}

//! OpenAI's embeddings: vectors of texts, in which texts that share words are near to each other.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::seed;
use crate::tokens;
use crate::wire::Problem;

/// The dimensions of a vector where the request does not say, and those of the models that are known.
const DIMENSIONS: usize = 1536;
const KNOWN: [(&str, usize); 3] = [
    ("text-embedding-3-small", 1536),
    ("text-embedding-3-large", 3072),
    ("text-embedding-ada-002", 1536),
];

/// The most texts of one request, as OpenAI has it.
const MOST_TEXTS: usize = 2048;

/// What a client asks for.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) model: String,
    texts: Vec<String>,
    dimensions: usize,
    /// Whether the vectors are sent as the bytes of their numbers, which is shorter.
    as_bytes: bool,
}

/// Reads a request.
pub(crate) fn read(body: &Value) -> Result<Ask, Problem> {
    let Some(model) = body["model"].as_str() else {
        return Err(Problem::invalid("you must provide a model parameter"));
    };
    let wrong = || {
        Problem::invalid(
            "Invalid 'input': expected a string or an array of strings, none of them empty.",
        )
    };
    let texts: Option<Vec<_>> = match &body["input"] {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(texts) => texts.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    let texts = texts.filter(|texts| !texts.is_empty()).ok_or_else(wrong)?;
    if texts.iter().any(String::is_empty) {
        return Err(wrong());
    }
    if texts.len() > MOST_TEXTS {
        return Err(Problem::invalid(format!(
            "Invalid 'input': array too long. Expected at most {MOST_TEXTS} elements."
        )));
    }
    let known = KNOWN.iter().find(|(name, _)| *name == model).map(|(_, dimensions)| *dimensions);
    let most = known.unwrap_or(DIMENSIONS);
    let dimensions = match &body["dimensions"] {
        Value::Null => most,
        asked => asked
            .as_u64()
            .and_then(|asked| usize::try_from(asked).ok())
            .filter(|asked| (1..=most).contains(asked))
            .ok_or_else(|| {
                Problem::invalid(format!("Invalid 'dimensions': expected 1 to {most}."))
            })?,
    };
    let as_bytes = body["encoding_format"] == "base64";
    Ok(Ask { model: model.to_owned(), texts, dimensions, as_bytes })
}

impl Ask {
    /// Counts the tokens of all texts.
    pub(crate) fn tokens(&self) -> u64 {
        self.texts.iter().map(|text| tokens::count(text)).sum()
    }

    /// Writes the answer.
    pub(crate) fn answer(&self, tells_usage: bool) -> Value {
        let vector = |(index, text): (usize, &String)| {
            let vector = embed(text, self.dimensions);
            let embedding = if self.as_bytes {
                let bytes: Vec<u8> =
                    vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                json!(BASE64_STANDARD.encode(bytes))
            } else {
                json!(vector)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        };
        let data: Vec<_> = self.texts.iter().enumerate().map(vector).collect();
        let mut body = json!({"object": "list", "data": data, "model": self.model});
        if tells_usage {
            body["usage"] = json!({"prompt_tokens": self.tokens(), "total_tokens": self.tokens()});
        }
        body
    }
}

/// Adds a direction for each word, and makes the sum as long as one.
fn embed(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions];
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    for word in words {
        let hash = seed::fingerprint(&[word.to_lowercase().as_bytes()]);
        // A remainder of a number of dimensions fits.
        let at = usize::try_from(hash % dimensions as u64).unwrap_or_default();
        vector[at] += 1.0;
    }
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    if length == 0.0 {
        // Without any word there is still a direction.
        vector[0] = 1.0;
        return vector;
    }
    vector.iter().map(|number| number / length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(one: &str, other: &str) -> f32 {
        let (one, other) = (embed(one, 1536), embed(other, 1536));
        one.iter().zip(&other).map(|(one, other)| one * other).sum()
    }

    #[test]
    fn texts_that_share_words_are_near() {
        let question = "When is breakfast served?";
        let right = near(question, "Breakfast is served from seven.");
        assert!(right > near(question, "The pool is on the roof."));
        assert!((near(question, question) - 1.0).abs() < 1e-5);
        assert!((near("?", "") - 1.0).abs() < 1e-5);
    }

    #[test]
    fn what_cannot_be_embedded_is_refused() {
        let model = "text-embedding-3-small";
        for body in [
            json!({"input": "x"}),
            json!({"model": model}),
            json!({"model": model, "input": []}),
            json!({"model": model, "input": ["x", ""]}),
            json!({"model": model, "input": ["x", 1]}),
            json!({"model": model, "input": "x", "dimensions": 0}),
            json!({"model": model, "input": "x", "dimensions": 1537}),
        ] {
            assert!(matches!(read(&body), Err(Problem::Invalid { .. })), "{body}");
        }
    }

    #[test]
    fn vectors_are_numbers_or_bytes() {
        let ask = |format: &str| {
            let body = json!({"model": "x", "input": ["a b", "c"], "dimensions": 4, "encoding_format": format});
            read(&body).unwrap().answer(true)
        };
        let numbers = ask("float");
        assert_eq!(numbers["data"][1]["embedding"].as_array().unwrap().len(), 4);
        assert_eq!(numbers["usage"], json!({"prompt_tokens": 2, "total_tokens": 2}));
        let bytes = ask("base64");
        let bytes =
            BASE64_STANDARD.decode(bytes["data"][1]["embedding"].as_str().unwrap()).unwrap();
        let first = numbers["data"][1]["embedding"][0].as_f64().unwrap();
        assert_eq!(f64::from(f32::from_le_bytes(bytes[..4].try_into().unwrap())), first);
    }
}

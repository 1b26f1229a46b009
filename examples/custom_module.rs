//! A module of two steps, with what happens inside printed by a subscriber.
//!
//! `cargo run -p glassbox-examples --example custom_module`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use glassbox::{Error, Field, Lm, Module, Predict, Signature};
use std::sync::Arc;

/// Write an outline of three points for an article on the topic.
#[derive(Signature)]
struct Outline {
    #[input]
    topic: String,
    /// Three points, a few words each.
    #[output]
    points: Vec<String>,
}

/// Write one sentence for the point of the article.
#[derive(Signature)]
struct Sentence {
    #[input]
    topic: String,
    #[input]
    point: String,
    #[output]
    sentence: String,
}

#[derive(Field, Clone, Debug)]
struct Topic {
    topic: String,
}

#[derive(Field, Clone, Debug)]
struct Article {
    sentences: Vec<String>,
}

struct Writer {
    outline: Predict<Outline>,
    sentence: Predict<Sentence>,
}

impl Writer {
    fn new(lm: &Lm) -> Self {
        Self { outline: Predict::new(lm), sentence: Predict::new(lm) }
    }
}

impl Module for Writer {
    type Input = Topic;
    type Output = Article;

    async fn forward(&self, input: Arc<Topic>) -> Result<Article, Error> {
        let outline = self.outline.call(OutlineInput { topic: input.topic.clone() }).await?;
        // The points are written at the same time; each is a span of its own below this module's.
        let sentences = glassbox::parallel(
            3,
            outline.points.iter().map(|point| {
                let input = SentenceInput { topic: input.topic.clone(), point: point.clone() };
                async { Ok::<_, Error>(self.sentence.call(input).await?.into_output().sentence) }
            }),
        );
        Ok(Article { sentences: sentences.await.into_iter().collect::<Result<_, _>>()? })
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let _observing = glassbox::observe()?;
    let _printing = glassbox::subscribe("module.*", |event| {
        println!("{:<16} {}", event.name().as_str(), event.span.path())
    })?;
    let model = glassbox_examples::model()?;

    let article =
        Writer::new(&model.lm).call(Topic { topic: "traces of LLM programs".into() }).await?;
    println!("\n{}", article.sentences.join("\n"));
    Ok(())
}

//! Many calls at once: a limit, one trace each, nothing mixed up, and what it was good for.
//!
//! `cargo run -p glassbox-examples --example concurrent`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use glassbox::telemetry::destination::Destination;
use glassbox::telemetry::tree::render_tree;
use glassbox::{ChainOfThought, Error, Module, Observe, Signature, parallel, scope};
use std::time::{Duration, Instant};

/// Translate the sentence.
#[derive(Signature)]
struct Translate {
    #[input]
    sentence: String,
    #[input]
    language: String,
    #[output]
    translation: String,
}

const LANGUAGES: [&str; 8] =
    ["Danish", "Dutch", "Finnish", "French", "German", "Italian", "Polish", "Spanish"];

#[tokio::main]
async fn main() -> Result<(), Error> {
    // Besides wherever the environment says, the spans are kept in memory, to look at them here.
    let memory = Destination::memory();
    let observing = Observe::from_env()?.destination(&memory).start()?;
    let model = glassbox_examples::model()?;
    let translate = ChainOfThought::<Translate>::new(&model.lm);

    for limit in [1, 4] {
        let began = Instant::now();
        let calls = LANGUAGES.map(|language| {
            let input = TranslateInput {
                sentence: "The coffee is ready.".into(),
                language: language.into(),
            };
            scope().session("phrase book").user(language).run(translate.call(input))
        });
        let replies = parallel(limit, calls).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let tokens: u64 = replies.iter().map(|reply| reply.usage().total()).sum();
        println!(
            "{} translations, {limit} at a time: {:.2?}, {tokens} tokens",
            replies.len(),
            began.elapsed()
        );
    }

    // Whether everything arrived is in the health either way.
    let _ = observing.flush_blocking(Duration::from_secs(5));
    let spans = memory.spans();
    let last = spans.last().map(|span| span.trace_id);
    let one_trace: Vec<_> =
        spans.iter().filter(|span| Some(span.trace_id) == last).cloned().collect();
    println!("\n{} spans; one trace of them:\n{}", spans.len(), render_tree(&one_trace));
    Ok(())
}

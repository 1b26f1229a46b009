//! The smallest program: one question, one typed answer, one trace.
//!
//! `cargo run -p glassbox-examples --example hello`, or with a model of your own behind `--`.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use glassbox::{Error, Module, Predict, Signature};

/// Answer the question in one short sentence.
#[derive(Signature)]
struct Hello {
    #[input]
    question: String,
    #[output]
    answer: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let _observing = glassbox::observe()?; // the environment decides where traces go; flushes when dropped
    let model = glassbox_examples::model()?;

    let hello = Predict::<Hello>::new(&model.lm);
    let reply = hello.call(HelloInput { question: "What is observability?".into() }).await?;

    println!("{} says: {}", model.who(), reply.answer);
    println!("{} tokens, ${}, trace {:?}", reply.usage().total(), reply.cost(), reply.trace_id());
    Ok(())
}

//! An answer while it is being written: the fields of the signature, the time to the first chunk, tokens a second, and
//! what is left of a stream that is dropped half way.
//!
//! `cargo run -p glassbox-examples --example stream`, or with a model of your own behind `--`.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use glassbox::telemetry::destination::Destination;
use glassbox::telemetry::tree::render_tree;
use glassbox::trace::span::Detail;
use glassbox::{
    ChainOfThought, Chunk, Error, Field, FieldChange, Observe, Prediction, Signature, Streaming,
};
use std::io::{Write, stdout};

/// Analyze customer request and take appropriate action.
#[derive(Signature)]
struct CoffeeShop {
    #[input]
    customer_request: String,
    #[output]
    action: Action,
    #[output]
    friendly_response: String,
}

#[derive(Clone, Debug, Field)]
enum Action {
    MakeDrink { drink_type: String, size: Size, customizations: Vec<String> },
    Joke { setup: String, punchline: String },
}

#[derive(Clone, Debug, Field)]
enum Size {
    Small,
    Medium,
    Large,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    // Besides wherever the environment says, the spans are kept in memory, to look at them here.
    let memory = Destination::memory();
    let _observing = Observe::from_env()?.destination(&memory).start()?;
    let model = glassbox_examples::model()?;
    let barista = ChainOfThought::<CoffeeShop>::new(&model.lm);
    let latte = || CoffeeShopInput {
        customer_request: "Can I get a large iced latte with oat milk and an extra shot?".into(),
    };

    println!("{} answers:", model.who());
    let mut stream = barista.call_stream(latte());
    let mut field = "";
    while let Some(chunk) = stream.next().await {
        show(chunk?, &mut field);
    }

    println!("\nThe same, dropped half way:");
    let mut stream = barista.call_stream(latte());
    for _ in 0..12 {
        stream.next().await.transpose()?;
    }
    drop(stream); // cancels the call

    let spans = memory.spans();
    println!("{}", render_tree(&spans));
    for span in &spans {
        if let Detail::Generation(call) = &span.detail {
            let first = call.first_chunk.map(|at| at.since(span.start)).unwrap_or_default();
            let rate = span.tokens_per_second();
            let rate = rate.map_or("an unknown number of".to_owned(), |rate| format!("{rate:.0}"));
            println!("{}: first chunk after {first:.0?}, {rate} tokens a second", span.name);
            let text = call.output.as_ref().map(|message| message.to_text()).unwrap_or_default();
            println!("  {text}");
        }
    }
    Ok(())
}

/// Prints texts as they come, and other values as often as they change.
fn show(chunk: Chunk<Prediction<CoffeeShopOutput>>, field: &mut &str) {
    match chunk {
        Chunk::Field { name, change } => {
            if std::mem::replace(field, name) != name {
                print!("\n  {name}: ");
            }
            match change {
                FieldChange::Text(text) => print!("{text}"),
                FieldChange::Value(value) => print!("\n    {value}"),
            }
            // That a terminal is gone is no reason to stop.
            let _ = stdout().flush();
        }
        Chunk::Restarted => println!("\n  (what came is void, the model is asked again)"),
        Chunk::Done(reply) => println!("\n  {} tokens, ${}", reply.usage().total(), reply.cost()),
        _ => {}
    }
}

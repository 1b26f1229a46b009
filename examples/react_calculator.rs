//! An agent that calculates with tools, two of them at once, and learns from one that fails.
//!
//! `cargo run -p glassbox-examples --example react_calculator`, or with a model of your own behind `--`.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use glassbox::event::EventData;
use glassbox::{Error, Module, ReAct, Signature, Toolbox, tool};
use glassbox_sim::{Entry, Script};

/// Adds two numbers.
#[tool]
fn add(a: f64, b: f64) -> f64 {
    a + b
}

/// Multiplies two numbers.
#[tool]
fn multiply(a: f64, b: f64) -> f64 {
    a * b
}

/// Divides two numbers.
#[tool]
async fn divide(
    /// The number that is divided.
    dividend: f64,
    /// The number that it is divided by.
    divisor: f64,
) -> Result<f64, String> {
    if divisor == 0.0 {
        return Err("nothing can be divided by 0".to_owned());
    }
    Ok(dividend / divisor)
}

/// Solve the task with the tools, and never in your head.
#[derive(Signature)]
struct Calculate {
    #[input]
    task: String,
    #[output]
    result: f64,
    /// One sentence.
    #[output]
    explanation: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let _observing = glassbox::observe()?; // the environment decides where traces go; flushes when dropped
    let model = glassbox_examples::scripted_model(script())?;
    let _turns = glassbox::subscribe("react.iteration_complete", |event| {
        let EventData::ReactIterationComplete(turn) = &event.data else { return };
        println!("turn {}: {}", turn.number, turn.thought.as_deref().unwrap_or("-"));
        for call in turn.calls.iter() {
            let mark = if call.failed { "failed: " } else { "" };
            println!("  {}{} -> {mark}{}", call.tool, call.arguments, call.observation);
        }
    })?;

    let tools = Toolbox::new().with(add).with(multiply).with(divide);
    let agent = ReAct::<Calculate>::new(&model.lm, tools).max_iterations(8);
    let task = "What is (17 + 25) times the quotient of 84 by 2?";
    let reply = agent.call(CalculateInput { task: task.into() }).await?;

    println!("{} says: {} ({})", model.who(), reply.result, reply.explanation);
    println!("{} tokens, ${}, trace {:?}", reply.usage().total(), reply.cost(), reply.trace_id());
    Ok(())
}

/// What the simulated model does.
fn script() -> Script {
    let arguments = |text: &str| text.parse().unwrap_or_default();
    let entry = Entry::when("(17 + 25)")
        .call("add", arguments(r#"{"a": 17, "b": 25}"#))
        .thought("The sum and the quotient do not need each other.")
        .and_call("divide", arguments(r#"{"dividend": 84, "divisor": 0}"#))
        .call("divide", arguments(r#"{"dividend": 84, "divisor": 2}"#))
        .thought("I mistyped the divisor.")
        .call("multiply", arguments(r#"{"a": 42, "b": 42}"#))
        .call(
            "finish",
            arguments(
                r#"{"result": 1764, "explanation": "The sum and the quotient are both 42."}"#,
            ),
        )
        .thought("That is all.");
    Script::new().with(entry)
}

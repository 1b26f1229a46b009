//! ReAct agents over real HTTP: their trees, what they tell, and what they make of trouble.

use crate::provider::Wire;
use crate::stage::{Stage, generation};
use glassbox::event::{EventData, ReactIteration};
use glassbox::{
    ErrorKind, EventName, Field, Lm, Module, ReAct, Reply, Signature, Toolbox, module_tool, tool,
    tool_fn,
};
use glassbox_sim::{Entry, Latency, Script, Sim};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

mod trouble;

/// Tells the temperature in a city, in degrees.
#[tool]
async fn temperature(city: String) -> Result<f64, String> {
    match city.as_str() {
        "Oslo" => Ok(-3.5),
        "Cairo" => Ok(31.0),
        _ => Err(format!("no station in {city}: ask for Oslo or Cairo")),
    }
}

/// Subtracts.
#[tool]
fn subtract(a: f64, b: f64) -> f64 {
    a - b
}

#[derive(Clone, Debug, Field, PartialEq)]
enum Verdict {
    Warmer,
    Colder,
}

/// Compare the weather of two cities.
#[derive(Signature)]
struct Compare {
    #[input]
    question: String,
    #[output]
    verdict: Verdict,
    /// In degrees.
    #[output]
    difference: f64,
    #[output]
    cities: Vec<String>,
}

fn question(text: &str) -> CompareInput {
    CompareInput { question: text.to_owned() }
}

const WARMER: &str = "Is Cairo warmer than Oslo?";

fn outputs() -> Value {
    json!({ "verdict": "warmer", "difference": 34.5, "cities": ["Cairo", "Oslo"] })
}

/// Two tools at once of which one fails, then one, then the answer.
fn weather() -> Sim {
    let entry = Entry::when(WARMER)
        .call("temperature", json!({ "city": "Cairo" }))
        .thought("I need both temperatures.")
        .and_call("temperature", json!({ "city": "Olso" }))
        .call("temperature", json!({ "city": "Oslo" }))
        .call("subtract", json!({ "a": 31, "b": -3.5 }))
        .call("finish", outputs())
        .thought("Now I know.");
    start(Script::new().with(entry))
}

fn start(script: Script) -> Sim {
    Sim::builder().latency(Latency::none()).script(script).start().unwrap()
}

fn tools() -> Toolbox {
    Toolbox::new().with(temperature).with(subtract)
}

fn iterations(stage: &Stage) -> Vec<ReactIteration> {
    let events = stage.events().into_iter();
    let iteration = |event: glassbox::Event| match event.data {
        EventData::ReactIterationComplete(iteration) => {
            assert_eq!(&*event.span.name, format!("turn {}", iteration.number));
            Some(iteration)
        }
        _ => None,
    };
    events.filter_map(iteration).collect()
}

/// What the turns came to, one a line.
fn told(stage: &Stage) -> String {
    let line = |turn: &ReactIteration| {
        let calls = turn.calls.iter().map(|call| {
            let mark = if call.failed { "FAILED " } else { "" };
            format!("\n  {}({}) -> {mark}{}", call.tool, call.arguments, call.observation)
        });
        let thought = turn.thought.as_deref().unwrap_or("-");
        let mark = if turn.finished { " finished" } else { "" };
        format!("{} {thought}{mark}{}", turn.number, calls.collect::<String>())
    };
    iterations(stage).iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn two_tools_at_once_and_one_fails() {
    let (sim, stage) = (weather(), Stage::new());
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    let agent = ReAct::<Compare>::new(&lm, tools());
    let reply = stage.scope().run(agent.call(question(WARMER))).await.unwrap();
    assert_eq!((&reply.verdict, reply.difference), (&Verdict::Warmer, 34.5));
    assert_eq!(reply.cities, ["Cairo", "Oslo"]);
    insta::assert_snapshot!(stage.tree(), @r"
    ReAct(Compare) [agent]
      turn 1 [span]
        chat gpt-4o-mini [generation]
        execute_tool temperature [tool]
        execute_tool temperature [tool] error: tool_error
      turn 2 [span]
        chat gpt-4o-mini [generation]
        execute_tool temperature [tool]
      turn 3 [span]
        chat gpt-4o-mini [generation]
        execute_tool subtract [tool]
      turn 4 [span]
        chat gpt-4o-mini [generation]
    ");
    insta::assert_snapshot!(told(&stage), @r#"
    1 I need both temperatures.
      temperature({"city":"Cairo"}) -> 31.0
      temperature({"city":"Olso"}) -> FAILED no station in Olso: ask for Oslo or Cairo
    2 -
      temperature({"city":"Oslo"}) -> -3.5
    3 -
      subtract({"a":31,"b":-3.5}) -> 34.5
    4 Now I know. finished
    "#);

    // Usage and cost stand on the generations, and the reply has their sum.
    let generations = stage.generations();
    let total: u64 = generations.iter().map(|span| generation(span).usage.total()).sum();
    assert_eq!((generations.len(), reply.usage().total()), (4, total));
    assert!(!reply.cost().is_unknown());
    // The span of a turn tells what it came to.
    let turn = stage.span("turn 1").output.as_ref().unwrap().render();
    assert_eq!(turn["thought"], "I need both temperatures.");
    assert_eq!(turn["calls"][1]["failed"], true);
    assert_eq!(stage.span("turn 4").output.as_ref().unwrap().render()["outputs"], outputs());
    // What a tool was asked is the input of its span, by the id of the model's call.
    assert_eq!(stage.count(EventName::ReactMaxIterations), 0);
}

#[tokio::test]
async fn every_call_of_an_agent_has_the_same_tree() {
    let (sim, lm_stage) = (weather(), Stage::new());
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    let agent = ReAct::<Compare>::new(&lm, tools());
    let mut trees = Vec::new();
    for _ in 0..3 {
        let stage = Stage::new();
        stage.scope().run(agent.call(question(WARMER))).await.unwrap();
        assert_eq!(stage.count(EventName::ReactIterationComplete), 4);
        trees.push(stage.tree());
    }
    assert!(trees[0].starts_with("ReAct(Compare) [agent]\n  turn 1 [span]\n"), "{}", trees[0]);
    assert_eq!(trees[0], trees[1]);
    assert_eq!(trees[0], trees[2]);

    // In one scope as well: three traces, each with its root.
    let calls = async {
        for _ in 0..3 {
            agent.call(question(WARMER)).await.unwrap();
        }
    };
    lm_stage.scope().run(calls).await;
    assert_eq!(lm_stage.tree(), trees.concat());
}

#[tokio::test]
async fn all_wires_and_both_protocols_come_to_the_same() {
    for wire in Wire::ALL {
        for stream in [false, true] {
            let (sim, stage) = (weather(), Stage::new());
            let lm = wire.lm(&sim).stream(stream).build().unwrap();
            let agent = ReAct::<Compare>::new(&lm, tools());
            let reply = stage.scope().run(agent.call(question(WARMER))).await.unwrap();
            assert_eq!(reply.difference, 34.5, "{wire:?}");
            let turns = iterations(&stage);
            assert_eq!((turns.len(), turns[0].calls.len()), (4, 2), "{wire:?}");
            assert_eq!(turns[0].thought.as_deref(), Some("I need both temperatures."));
            assert_eq!(turns[0].calls[0].observation.as_ref(), "31.0");
            assert!(turns[0].calls[1].observation.starts_with("no station in Olso"));
        }
        // By text the model calls one tool a turn.
        let (sim, stage) = (weather(), Stage::new());
        let lm = wire.lm(&sim).tool_calling(false).build().unwrap();
        let agent = ReAct::<Compare>::new(&lm, tools());
        let reply = stage.scope().run(agent.call(question(WARMER))).await.unwrap();
        assert_eq!(reply.verdict, Verdict::Warmer, "{wire:?}");
        assert!(generation(&stage.generations()[0]).tools.is_empty());
        insta::allow_duplicates! {
            insta::assert_snapshot!(told(&stage), @r#"
            1 I need both temperatures.
              temperature({"city":"Cairo"}) -> 31.0
            2 I need temperature.
              temperature({"city":"Oslo"}) -> -3.5
            3 I need subtract.
              subtract({"a":31,"b":-3.5}) -> 34.5
            4 Now I know. finished
            "#);
        }
    }
}

#[tokio::test]
async fn tools_of_a_turn_run_at_the_same_time_within_the_limit() {
    let cities = 6;
    let mut entry = Entry::when("all").call("probe", json!({ "input": 0 }));
    for city in 1..cities {
        entry = entry.and_call("probe", json!({ "input": city }));
    }
    let sim = start(Script::new().with(entry.call("finish", json!({ "result": "done" }))));
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    for (limit, expected) in [(1, 1), (3, 3), (8, cities)] {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (in_flight, peak) = (Arc::clone(&now), Arc::clone(&most));
        let probe = tool_fn("probe", "Probes.", move |city: usize| {
            let (now, most) = (Arc::clone(&in_flight), Arc::clone(&peak));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // The later a call is in order, the earlier it ends.
                tokio::time::sleep(Duration::from_millis(5 * (cities - city) as u64)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                city
            }
        });
        let stage = Stage::new();
        let agent = ReAct::<Report>::new(&lm, Toolbox::new().with(probe)).max_parallel(limit);
        stage.scope().run(agent.call(ReportInput { topic: "all".to_owned() })).await.unwrap();
        assert_eq!(most.load(Ordering::SeqCst), expected);
        let observed: Vec<_> =
            iterations(&stage)[0].calls.iter().map(|call| call.observation.to_string()).collect();
        assert_eq!(observed, ["0", "1", "2", "3", "4", "5"]);
    }
}

/// Report on the topic.
#[derive(Signature)]
struct Report {
    #[input]
    topic: String,
    #[output]
    result: String,
}

#[tokio::test]
async fn an_agent_whose_tool_is_an_agent_is_one_tree() {
    let script = Script::new()
        .with(
            Entry::when("the north")
                .call("compare", json!({ "question": WARMER }))
                .call("finish", json!({ "result": "Cairo is warmer." })),
        )
        .with(
            Entry::when(WARMER)
                .call("temperature", json!({ "city": "Cairo" }))
                .and_call("temperature", json!({ "city": "Oslo" }))
                .call("finish", outputs()),
        );
    let (sim, stage) = (start(script), Stage::new());
    let lm = Wire::Anthropic.lm(&sim).build().unwrap();
    let compare = ReAct::<Compare>::new(&lm, tools());
    let compare = module_tool("compare", "Compares the weather of two cities.", compare);
    let agent = ReAct::<Report>::new(&lm, Toolbox::new().with(compare));
    let input = ReportInput { topic: "the north".to_owned() };
    let reply = stage.scope().run(agent.call(input)).await.unwrap();
    assert_eq!(reply.result, "Cairo is warmer.");
    insta::assert_snapshot!(stage.tree(), @r"
    ReAct(Report) [agent]
      turn 1 [span]
        chat claude-haiku-4-5 [generation]
        execute_tool compare [tool]
          ReAct(Compare) [agent]
            turn 1 [span]
              chat claude-haiku-4-5 [generation]
              execute_tool temperature [tool]
              execute_tool temperature [tool]
            turn 2 [span]
              chat claude-haiku-4-5 [generation]
      turn 2 [span]
        chat claude-haiku-4-5 [generation]
    ");
    // The agent reads the outputs of the other.
    let observed: Value = serde_json::from_str(
        &iterations(&stage).iter().find(|turn| &*turn.signature == "Report").unwrap().calls[0]
            .observation,
    )
    .unwrap();
    assert_eq!(observed, outputs());
}

#[tokio::test]
async fn turns_that_are_used_up_end_in_what_is_known() {
    let mut entry = Entry::when(WARMER);
    for _ in 0..9 {
        entry = entry.call("temperature", json!({ "city": "Oslo" }));
    }
    for (name, value) in outputs().as_object().unwrap() {
        entry = entry.field(name, value.clone());
    }
    let (sim, stage) = (start(Script::new().with(entry)), Stage::new());
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    let agent = ReAct::<Compare>::new(&lm, tools()).max_iterations(2);
    let reply = stage.scope().run(agent.call(question(WARMER))).await.unwrap();
    assert_eq!(reply.difference, 34.5);
    insta::assert_snapshot!(stage.tree(), @r"
    ReAct(Compare) [agent]
      turn 1 [span]
        chat gpt-4o-mini [generation]
        execute_tool temperature [tool]
      turn 2 [span]
        chat gpt-4o-mini [generation]
        execute_tool temperature [tool]
      extract [span]
        chat gpt-4o-mini [generation]
    ");
    assert_eq!(stage.count(EventName::ReactMaxIterations), 1);
    let span = stage.span("ReAct(Compare)");
    let notes: Vec<_> =
        span.notes.iter().map(|note| format!("{}: {}", note.name, note.message)).collect();
    assert_eq!(
        notes,
        [
            "react.max_iterations: no answer within 2 turns: the outputs are taken from what is known"
        ]
    );
    // What was learned is what the model is asked to go by.
    let asked = generation(&stage.generations()[2]).messages.last().unwrap().to_text();
    assert!(asked.contains("Observation: -3.5"), "{asked}");
}

#[tokio::test]
async fn an_answer_without_finish_is_understood() {
    let stage = Stage::new();
    let ask = async |replies: Vec<Reply>| {
        let agent = ReAct::<Report>::new(&Lm::scripted(replies), tools());
        let stage = Stage::new();
        let reply = stage.scope().run(agent.call(ReportInput { topic: "x".to_owned() })).await;
        (reply.map(|reply| reply.result.clone()), stage)
    };
    // A text is the only output, if that is a text; JSON is read as the outputs.
    let (result, stage_of_text) = ask(vec![Reply::from("It rains.")]).await;
    assert_eq!(result.unwrap(), "It rains.");
    assert_eq!(stage_of_text.count(EventName::ReactIterationComplete), 1);
    assert!(iterations(&stage_of_text)[0].finished);
    let (result, _) = ask(vec![Reply::from("```json\n{\"result\": \"It snows.\"}\n```")]).await;
    assert_eq!(result.unwrap(), "It snows.");
    // Nothing at all is told to the model.
    let (result, silent) =
        ask(vec![Reply::from(""), Reply::call("finish", json!({ "result": "ok" }))]).await;
    assert_eq!(result.unwrap(), "ok");
    assert!(
        generation(&silent.generations()[1])
            .messages
            .last()
            .unwrap()
            .to_text()
            .contains("called no tool")
    );
    // Outputs that are no text are asked for.
    let lm = Lm::scripted([Reply::from("Cairo is much warmer."), Reply::from(outputs())]);
    let agent = ReAct::<Compare>::new(&lm, tools());
    let reply = stage.scope().run(agent.call(question(WARMER))).await.unwrap();
    assert_eq!(reply.verdict, Verdict::Warmer);
    insta::assert_snapshot!(stage.tree(), @r"
    ReAct(Compare) [agent]
      turn 1 [span]
        chat scripted [generation]
      extract [span]
        chat scripted [generation]
    ");
}

#[tokio::test]
async fn a_finish_that_cannot_be_read_and_one_too_early_are_told() {
    let stage = Stage::new();
    let lm = Lm::scripted([
        Reply::call("finish", json!({ "verdict": "hotter", "difference": 1, "cities": [] })),
        Reply::calls([("temperature", json!({ "city": "Rome" })), ("finish", outputs())]),
        Reply::calls([("finish", outputs()), ("temperature", json!({ "city": "Oslo" }))]),
    ]);
    let agent = ReAct::<Compare>::new(&lm, tools());
    stage.scope().run(agent.call(question(WARMER))).await.unwrap();
    insta::assert_snapshot!(told(&stage), @r#"
    1 -
      finish({"verdict":"hotter","difference":1,"cities":[]}) -> FAILED the outputs could not be read: verdict: expected one of warmer, colder, found "hotter"
    2 -
      temperature({"city":"Rome"}) -> FAILED no station in Rome: ask for Oslo or Cairo
      finish({"verdict":"warmer","difference":34.5,"cities":["Cairo","Oslo"]}) -> FAILED another call of this turn failed: see what came of it, then call `finish` alone
    3 - finished
      temperature({"city":"Oslo"}) -> -3.5
    "#);
}

#[tokio::test]
async fn a_budget_and_a_defect_end_the_agent() {
    let (sim, stage) = (weather(), Stage::new());
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    let agent = ReAct::<Compare>::new(&lm, tools());
    let scope = stage.scope().gate(glassbox::watch::Budget::calls(2));
    let error = scope.run(agent.call(question(WARMER))).await.unwrap_err();
    assert!(error.is_budget() && error.usage().total() > 0, "{error}");
    insta::assert_snapshot!(stage.tree(), @r"
    ReAct(Compare) [agent] error: budget_exceeded
      turn 1 [span]
        chat gpt-4o-mini [generation]
        execute_tool temperature [tool]
        execute_tool temperature [tool] error: tool_error
      turn 2 [span]
        chat gpt-4o-mini [generation]
        execute_tool temperature [tool]
      turn 3 [span] error: budget_exceeded
        chat gpt-4o-mini [generation] error: budget_exceeded
    ");

    let reserved = tool_fn("finish", "Paints.", |_: String| async {});
    let agent = ReAct::<Compare>::new(&lm, Toolbox::new().with(reserved));
    let error = agent.call(question(WARMER)).await.unwrap_err();
    assert!(error.to_string().contains("give it another name"), "{error}");
    let agent = ReAct::<Compare>::new(&lm, tools().with(subtract));
    assert_eq!(agent.call(question(WARMER)).await.unwrap_err().kind(), ErrorKind::Config);
}

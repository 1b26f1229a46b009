//! The demo's scenes of agents: their trees, their counts, and that nothing is lost.

use crate::command::{glassbox, json, run};
use serde_json::{Value, json as value};

fn summary(scene: &str) -> Value {
    let summary = json(&mut glassbox(&["demo", "--scene", scene, "--json", "--speed", "20"]));
    assert_eq!((&summary["scene"], &summary["failed"]), (&scene.into(), &0.into()));
    for zero in ["spans_dropped", "orphan_spans", "mixed_traces"] {
        assert_eq!(summary[zero], 0, "{zero}: {summary}");
    }
    assert_eq!(summary["traces"], 4, "two customers, in each of two rounds");
    assert_eq!(summary["spans_received"], summary["spans_exported"]);
    assert_eq!(summary["calls"]["adds_up"], true, "{summary}");
    summary
}

fn shown(scene: &str) -> String {
    let (output, stdout, stderr) = run(&mut glassbox(&["demo", "--scene", scene, "--speed", "20"]));
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr, "");
    stdout
}

#[track_caller]
fn has(stdout: &str, texts: &[&str]) {
    for text in texts {
        assert!(stdout.contains(text), "no {text:?} in:\n{stdout}");
    }
}

/// The names in the trees, indented as they are shown.
fn trees(stdout: &str) -> Vec<String> {
    let mut trees: Vec<String> = Vec::new();
    let mut inside = false;
    for line in stdout.lines() {
        if line.starts_with("One trace, as it arrived: ") {
            trees.push(String::new());
            inside = true;
        } else if !line.starts_with("  ") || line.starts_with("  slowest") {
            inside = false;
        } else if let (true, Some(tree)) = (inside, trees.last_mut()) {
            let name: String = line.chars().skip(2).take(52).collect();
            let name = name.split("   ttft").next().unwrap_or_default().trim_end();
            tree.push_str(&format!("{name}\n"));
        }
    }
    trees
}

#[test]
fn react_goes_on_after_a_tool_that_fails() {
    let summary = summary("react");
    assert_eq!(summary["spans_received"], 56);
    let steps = value!({
        "agents": 4, "turns": 16, "tool_calls": 20, "tool_errors": 4, "code_runs": 0, "code_errors": 0
    });
    assert_eq!(summary["steps"], steps);

    let stdout = shown("react");
    has(
        &stdout,
        &[
            "price_of (failed), shipping_to",
            "Yirgachefe -> tool_error: no bean \"Yirgachefe\" on the list",
            "12.0, 24.5, 30.0 -> 324.0",
            "customer 2  gets Sidamo for $699.00",
            "4 runs of agents in 16 turns   20 tool calls (4 failed)",
            "56 spans sent, 0 lost",
            "slowest part: generation",
            "slowest step: ReAct(Order) > turn ",
        ],
    );
    let tree = "ReAct(Order)\n\
                `- turn 1\n   `- chat gpt-4o-mini\n   `- execute_tool price_of\n   `- execute_tool shipping_to\n\
                `- turn 2\n   `- chat gpt-4o-mini\n   `- execute_tool price_of\n   `- execute_tool stock_of\n\
                `- turn 3\n   `- chat gpt-4o-mini\n   `- execute_tool add_up\n\
                `- turn 4\n   `- chat gpt-4o-mini\n";
    assert_eq!(trees(&stdout), [tree, tree], "the second call has the tree of the first");
}

#[test]
fn codeact_fails_fixes_its_code_and_answers() {
    let summary = summary("codeact");
    assert_eq!(summary["spans_received"], 64);
    let steps = value!({
        "agents": 4, "turns": 12, "tool_calls": 20, "tool_errors": 0, "code_runs": 12, "code_errors": 4
    });
    assert_eq!(summary["steps"], steps);

    let stdout = shown("codeact");
    has(
        &stdout,
        &[
            "| week = {day: sales(day) for day in days}",
            "! KeyError: espresso",
            "> flat white 1428.0",
            "= 1428.0",
            "flat white (1428)",
            "64 spans sent, 0 lost",
        ],
    );
    let sales = "      `- execute_tool sales\n".repeat(5);
    let turn = "   `- chat gpt-4o-mini\n   `- execute_code\n";
    let tree = format!(
        "CodeAct(Analysis)\n`- turn 1\n{turn}{sales}`- turn 2\n{turn}`- turn 3\n{turn}`- chat gpt-4o-mini\n"
    );
    assert_eq!(trees(&stdout), [tree.clone(), tree]);
}

#[test]
fn research_waits_and_tries_again_until_all_reports_are_there() {
    let summary = summary("research");
    let steps = value!({
        "agents": 24, "turns": 72, "tool_calls": 100, "tool_errors": 20, "code_runs": 0, "code_errors": 0
    });
    assert_eq!(summary["steps"], steps);
    let calls = &summary["calls"];
    let count = |key: &str| calls[key].as_u64().unwrap();
    assert_eq!((count("generations"), count("answered")), (72, 72));
    assert_eq!(calls["attempts"], calls["provider"]["calls"]);
    assert!(calls["provider"]["most_at_once"].as_u64().unwrap() <= 4, "{calls}");
    // Every 7th and every 11th call is refused, and each refusal is a span.
    assert!(count("failed_429") >= 10 && count("failed_529") >= 5, "{calls}");
    assert!(count("limiter_waits") > 0, "{calls}");
    let failed = count("failed_429") + count("failed_529") + count("failed_otherwise");
    assert_eq!(summary["spans_received"], 268 + failed);
    let path = &summary["critical_path"];
    assert!(path["backoff_ms"].as_f64().unwrap() + path["limiter_ms"].as_f64().unwrap() > 0.0);

    let stdout = shown("research");
    has(
        &stdout,
        &[
            "(RetryAfter) before attempt 2",
            "the-old-forum -> tool_error: this page is gone",
            "events, spans and the provider's own count agree",
            "slowest part: ",
        ],
    );
    let trees = trees(&stdout);
    let lines = trees.concat();
    assert_eq!((trees.len(), lines.matches("execute_tool investigate").count()), (1, 5), "{lines}");
    assert!(lines.contains("      `- ReAct(Investigate)\n         `- turn 1\n"), "{lines}");
}

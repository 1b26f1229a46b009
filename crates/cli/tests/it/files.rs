//! Export and import: what goes out comes back equal, whichever way it is written.

use crate::command::run;
use crate::stage::Stage;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::Stdio;

const SCENES: [&str; 5] = ["coffee-shop", "react", "codeact", "research", "overload"];

/// What the API answers about all traces, without what differs from one arrival to the next.
fn answers(stage: &Stage) -> Vec<Value> {
    let mut answers = Vec::new();
    for trace in traces(stage) {
        let id = trace["trace_id"].as_str().unwrap();
        let mut whole = stage.get(&format!("/api/v1/traces/{id}"));
        whole["trace"]["updated_seq"].take();
        for span in whole["spans"].as_array().unwrap().clone() {
            let span = span["span_id"].as_str().unwrap();
            answers.push(stage.get(&format!("/api/v1/traces/{id}/spans/{span}")));
        }
        answers.push(whole);
    }
    let scores = stage.get("/api/v1/scores?limit=500");
    assert_eq!(scores["next_cursor"], Value::Null);
    answers.extend(scores["items"].as_array().unwrap().iter().cloned());
    answers
}

/// What Langfuse's API answers about all traces.
fn langfuse_answers(stage: &Stage) -> Vec<Value> {
    let whole = |trace: &Value| {
        let mut whole =
            stage.get(&format!("/api/public/traces/{}", trace["trace_id"].as_str().unwrap()));
        // Those of the same microsecond come in any order.
        for kind in ["observations", "scores"] {
            let all = whole[kind].as_array_mut().unwrap();
            all.sort_by_key(|one| one["id"].as_str().unwrap().to_owned());
        }
        whole
    };
    let mut all: Vec<_> = traces(stage).iter().map(whole).collect();
    all.sort_by_key(|one| one["id"].as_str().unwrap().to_owned());
    all
}

/// What was said of all traces themselves.
fn records(stage: &Stage) -> Vec<Value> {
    let path =
        |trace: Value| format!("/api/v1/traces/{}/records", trace["trace_id"].as_str().unwrap());
    traces(stage).into_iter().map(|trace| stage.get(&path(trace))).collect()
}

fn traces(stage: &Stage) -> Vec<Value> {
    let list = stage.get("/api/v1/traces?order=asc&limit=500");
    assert_eq!(list["next_cursor"], Value::Null);
    list["items"].as_array().unwrap().clone()
}

fn assert_equal(found: &[Value], expected: &[Value], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        compare(found, expected, what);
    }
}

/// Compares field by field, so that a difference is told by its place.
fn compare(found: &Value, expected: &Value, at: &str) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let keys =
                |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(found), keys(expected), "{at}");
            found
                .iter()
                .for_each(|(key, value)| compare(value, &expected[key], &format!("{at}.{key}")));
        }
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{at}: {found:?} {expected:?}");
            let pairs = found.iter().zip(expected).enumerate();
            pairs.for_each(|(index, (found, expected))| {
                compare(found, expected, &format!("{at}[{index}]"))
            });
        }
        // Sums of spans that began at the same time can be made in another order.
        (Value::Number(found), Value::Number(expected)) if found.is_f64() => {
            let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
            let most = expected.abs() * 1e-12;
            assert!((found - expected).abs() <= most, "{at}: {found} {expected}");
        }
        _ => assert_eq!(found, expected, "{at}"),
    }
}

/// A store with all scenes of the demo, and a span of somebody else with an error, an event, a link, and values of every
/// kind.
fn stage_with_all() -> Stage {
    let stage = Stage::new();
    let demos: Vec<_> = SCENES
        .into_iter()
        .map(|scene| {
            let customers = if scene == "research" { "1" } else { "3" };
            let arguments =
                ["demo", "--scene", scene, "--json", "--speed", "0", "--customers", customers];
            stage.command(&arguments).stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut demo in demos {
        assert!(demo.wait().unwrap().success());
    }
    stage.post("/v1/traces", &json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "other"}}]},
        "scopeSpans": [{"scope": {"name": "theirs", "version": "1"}, "spans": [{
            "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "a\u{7}b <script>",
            "startTimeUnixNano": "1767225600000001000", "endTimeUnixNano": "1767225600900002000",
            "attributes": [
                {"key": "n", "value": {"intValue": "-7"}}, {"key": "d", "value": {"doubleValue": 0.5}},
                {"key": "b", "value": {"boolValue": true}},
                {"key": "l", "value": {"arrayValue": {"values": [{"stringValue": "x"}]}}},
            ],
            "events": [
                {"timeUnixNano": "1767225600000002000", "name": "note", "attributes": []},
                {"timeUnixNano": "1767225600000003000", "name": "gen_ai.evaluation.result", "attributes": [
                    {"key": "gen_ai.evaluation.name", "value": {"stringValue": "relevance"}},
                    {"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": 4.0}},
                    {"key": "gen_ai.evaluation.explanation", "value": {"stringValue": "to the point"}},
                ]},
            ],
            "links": [{"traceId": "1af7651916cd43dd8448eb211c80319c", "spanId": "c7ad6b7169203331"}],
            "status": {"code": 2, "message": "broken"},
        }]}],
    }]}).to_string());
    let trace = "0af7651916cd43dd8448eb211c80319c";
    for (id, value, observation) in [
        ("n", json!(0.5), Value::Null),
        ("whole", json!(3), json!("b7ad6b7169203331")),
        ("c/ \u{fc}", json!("bitter"), json!("b7ad6b7169203331")),
        ("of a span that never came", json!(1.0), json!("c7ad6b7169203331")),
    ] {
        let score = json!({"id": id, "traceId": trace, "observationId": observation, "name": "taste", "value": value,
            "comment": "why\n<b>"});
        stage.post("/api/public/scores", &score.to_string());
    }
    let flag =
        json!({"id": "b", "traceId": trace, "name": "good", "value": 1, "dataType": "BOOLEAN"});
    stage.post("/api/public/scores", &flag.to_string());
    stage
}

#[test]
fn what_is_exported_and_imported_gives_the_same_answers() {
    let stage = stage_with_all();
    let (original, langfuse) = (answers(&stage), langfuse_answers(&stage));
    let of_others = |score: &&Value| score["name"] == "relevance" && score["value"] == json!(4.0);
    assert_eq!(original.iter().filter(of_others).count(), 1);
    assert!(original.len() > 80, "{}", original.len());
    std::thread::scope(|scope| {
        for format in ["otlp", "jsonl", "langfuse"] {
            let (stage, original, langfuse) = (&stage, &original, &langfuse);
            scope.spawn(move || there_and_back(stage, format, original, langfuse));
        }
    });
}

/// When everything was, to the microsecond.
fn times(answers: &[Value]) -> std::collections::BTreeSet<String> {
    let spans =
        answers.iter().filter(|answer| answer["span_id"].is_string() || answer["at_us"].is_i64());
    let time = |one: &Value| {
        let chunk = &one["phases"]["first_chunk_us"];
        json!([one["id"], one["span_id"], one["start_us"], one["end_us"], one["at_us"], chunk])
            .to_string()
    };
    spans.map(time).collect()
}

fn there_and_back(stage: &Stage, format: &str, original: &[Value], langfuse: &[Value]) {
    let file = stage.folder.path().join(format);
    let path = file.to_str().unwrap();
    let (output, stdout, stderr) =
        run(&mut stage.command(&["export", "--format", format, "--output", path]));
    assert!(output.status.success(), "{stderr}");
    assert!(stdout.is_empty() && stderr.starts_with("exported "), "{stderr}");
    let fresh = Stage::new();
    let (output, _, stderr) = run(&mut fresh.command(&["import", path]));
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.starts_with("imported "), "{stderr}");
    match format {
        "langfuse" => {
            assert_equal(&langfuse_answers(&fresh), langfuse, format);
            assert_eq!(times(&answers(&fresh)), times(original));
        }
        _ => assert_equal(&answers(&fresh), original, format),
    }
    // Once more changes nothing, and so does the way through another server.
    let before = answers(&fresh);
    run(&mut fresh.command(&["import", path]));
    assert_equal(&answers(&fresh), &before, format);
    let again = file.with_extension("again");
    let path = again.to_str().unwrap();
    run(&mut fresh.command(&["export", "--format", format, "--output", path]));
    if format != "langfuse" {
        let lines = |file| std::fs::read_to_string(file).unwrap().lines().count();
        assert_eq!(lines(&again), lines(&file), "{format}");
    }
}

#[test]
fn what_was_said_of_traces_comes_back() {
    let stage = Stage::new();
    let said = |at: u8, kind: &str, body: Value| {
        json!({"id": format!("{kind}{at}"), "type": kind, "timestamp": format!("2026-01-01T00:00:0{at}.000123Z"),
            "body": body})
    };
    let dashed = "d2f3e1c4-aaaa-4bbb-8ccc-0123456789ab";
    let batch = json!({"batch": [
        said(1, "trace-create", json!({"id": dashed, "name": "order", "userId": "ada", "sessionId": "s",
            "tags": ["vip", "a,b"], "input": {"cup": [1, 2.5, null]}, "metadata": {"shop": 7, "x": {"y": "z"}},
            "environment": "test", "release": "r", "version": "v", "timestamp": "2026-01-01T00:00:00.5Z"})),
        said(4, "trace-create", json!({"id": dashed, "output": "With \u{201e}oat\u{201c} milk?"})),
        said(2, "generation-create", json!({"id": "g", "traceId": dashed, "name": "ask",
            "startTime": "2026-01-01T00:00:01Z", "endTime": "2026-01-01T00:00:02Z", "input": "in", "output": "out"})),
        said(5, "score-create", json!({"traceId": dashed, "name": "taste", "value": 1})),
        said(1, "trace-create", json!({"id": "no hex, and no span", "name": "alone", "input": "7"})),
    ]});
    let file = stage.folder.path().join("batch");
    std::fs::write(&file, batch.to_string()).unwrap();
    let (_, _, stderr) = run(&mut stage.command(&["import", file.to_str().unwrap()]));
    assert_eq!(stderr, "imported 1 spans and 1 scores\n");
    let (original, langfuse) = (answers(&stage), langfuse_answers(&stage));
    for format in ["jsonl", "langfuse", "otlp"] {
        let path = stage.folder.path().join(format).to_str().unwrap().to_owned();
        run(&mut stage.command(&["export", "--format", format, "--output", &path]));
        let fresh = Stage::new();
        let (output, _, stderr) = run(&mut fresh.command(&["import", &path]));
        assert!(output.status.success(), "{format}: {stderr}");
        if format == "otlp" {
            // A trace without a span has nothing there that could carry what was said of it, and is left out.
            let id = "d2f3e1c4aaaa4bbb8ccc0123456789ab";
            let summary = |stage: &Stage| {
                let mut trace = stage.get(&format!("/api/v1/traces/{id}"))["trace"].take();
                // The root's own input and output go before what was said of the trace.
                for key in ["updated_seq", "input_preview", "output_preview"] {
                    trace[key].take();
                }
                trace
            };
            compare(&summary(&fresh), &summary(&stage), format);
            continue;
        }
        assert_equal(&langfuse_answers(&fresh), &langfuse, format);
        if format == "jsonl" {
            assert_equal(&answers(&fresh), &original, format);
            assert_equal(&records(&fresh), &records(&stage), format);
        }
        // Once more changes nothing, where it came from neither.
        for stage in [&fresh, &stage] {
            let before = (answers(stage), langfuse_answers(stage));
            run(&mut stage.command(&["import", &path]));
            assert_equal(&answers(stage), &before.0, format);
            assert_equal(&langfuse_answers(stage), &before.1, format);
        }
    }
}

#[test]
fn traces_that_are_more_than_a_request_are_imported_all_the_same() {
    let stage = Stage::new();
    let span = |id: u32| {
        json!({"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": format!("{id:016x}"), "name": "fat",
            "startTimeUnixNano": "1767225600000001000", "endTimeUnixNano": "1767225600900002000",
            "attributes": [{"key": "input.value", "value": {"stringValue": "x".repeat(100_000)}}]})
    };
    for part in 0..3 {
        let spans: Vec<_> = (1..=40).map(|id| span(part * 40 + id)).collect();
        let request =
            json!({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "s"}, "spans": spans}]}]});
        stage.post("/v1/traces", &request.to_string());
    }
    for format in ["otlp", "jsonl", "langfuse"] {
        let path = stage.folder.path().join(format).to_str().unwrap().to_owned();
        run(&mut stage.command(&["export", "--format", format, "--output", &path]));
        let fresh = Stage::with(&["--max-body-mib", "10"], &[]);
        let (output, _, stderr) = run(&mut fresh.command(&["import", &path]));
        assert!(output.status.success(), "{format}: {stderr}");
        assert_eq!(
            (stderr.as_str(), &traces(&fresh)[0]["spans"]),
            ("imported 120 spans\n", &json!(120)),
            "{format}"
        );
    }
}

#[test]
fn scores_without_a_span_are_kept_or_told() {
    let stage = Stage::new();
    stage.demo();
    let running = json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "11".repeat(16),
        "spanId": "b7ad6b7169203331", "name": "s", "startTimeUnixNano": "1767225600000001000"}]}]}]});
    stage.post("/v1/traces", &running.to_string());
    for (id, trace) in [("a", "11"), ("b", "22"), ("c/d", "22")] {
        let score = json!({"id": id, "traceId": trace.repeat(16), "name": "taste", "value": 1});
        stage.post("/api/public/scores", &score.to_string());
    }
    for (format, told, kept) in [
        ("otlp", "exported 9 traces with 24 spans\n3 scores are of traces without a span that", 0),
        ("jsonl", "exported 9 traces with 24 spans and 3 scores\n", 3),
        ("langfuse", "exported 9 traces with 24 spans and 3 scores\n", 3),
    ] {
        let file = stage.folder.path().join(format);
        let path = file.to_str().unwrap();
        let (output, _, stderr) =
            run(&mut stage.command(&["export", "--format", format, "--output", path]));
        assert!(output.status.success() && stderr.starts_with(told), "{format}: {stderr}");
        let fresh = Stage::new();
        run(&mut fresh.command(&["import", path]));
        let scores = fresh.get("/api/v1/scores");
        assert_eq!(scores["items"].as_array().unwrap().len(), kept, "{format}: {scores}");
    }
    // A trace that was not asked for is no trace that never came.
    let (_, lines, stderr) =
        run(&mut stage.command(&["export", "--format", "jsonl", "--limit", "1"]));
    assert_eq!(lines.matches("\"at_us\"").count(), 2, "{stderr}");
}

#[test]
fn lines_go_through_pipes() {
    let stage = Stage::new();
    stage.demo();
    let (_, lines, stderr) = run(&mut stage.command(&["export", "--output", "-"]));
    assert_eq!((lines.lines().count(), stderr.as_str()), (8, "exported 8 traces with 24 spans\n"));
    let fresh = Stage::new();
    for arguments in [&["import"][..], &["import", "-"]] {
        let mut command = fresh.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut import = command.spawn().unwrap();
        import.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let output = import.wait_with_output().unwrap();
        // No terminal, so no progress.
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "imported 24 spans\n");
    }
    assert_equal(&answers(&fresh), &answers(&stage), "by stdin");
    let (_, one, _) = run(&mut stage.command(&["export", "--limit", "1", "name:CoffeeShop*"]));
    assert_eq!(one.lines().count(), 1);
}

#[test]
fn lines_that_are_none_are_named_and_the_rest_goes_on() {
    let stage = Stage::new();
    let span = |id: u32| {
        json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": format!("{id:032x}"), "spanId": "b7ad6b7169203331",
            "name": "s", "startTimeUnixNano": "1767225600000001000", "endTimeUnixNano": "1767225600900002000"}]}]}]})
    };
    let lines = [
        b"".to_vec(),
        span(1).to_string().into_bytes(),
        b"{\"name\":1}".to_vec(),
        b"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[7]}]}]}".to_vec(),
        b"not json \xff".to_vec(),
        [b"\"".to_vec(), vec![b'x'; 257 << 20], b"\"".to_vec()].concat(),
        json!([span(2), span(3)]).to_string().into_bytes(),
    ];
    let file = stage.folder.path().join("lines");
    std::fs::write(&file, lines.join(&b'\n')).unwrap();
    let (output, _, stderr) = run(&mut stage.command(&["import", file.to_str().unwrap()]));
    assert!(!output.status.success());
    let said: Vec<_> = stderr.lines().collect();
    for (line, expected) in said.iter().zip([
        "lines, line 3: neither an OTLP request",
        "lines, line 5: no JSON in one line",
        "lines, line 6: longer than 256 MiB",
        "imported 3 spans",
        "1 spans were rejected; the first: ",
        "error: 3 lines were not imported",
    ]) {
        assert!(line.contains(expected), "{stderr}");
    }
    assert_eq!((said.len(), traces(&stage).len()), (6, 3));
}

#[test]
fn what_langfuse_exports_is_read() {
    let stage = Stage::new();
    let observation = json!({"id": "0202020202020202", "traceId": "11".repeat(16), "type": "GENERATION", "name": "ask",
        "startTime": "2026-01-01T00:00:00.000Z", "endTime": "2026-01-01T00:00:01.000Z", "model": "gpt-4o-mini",
        "usageDetails": {"input": 20, "output": 10, "total": 30}, "level": "DEFAULT", "input": "in", "output": "out"});
    let score = json!({"id": "s", "traceId": "11".repeat(16), "name": "taste", "value": 0, "stringValue": "bitter",
        "dataType": "CATEGORICAL", "timestamp": "2026-01-01T00:00:02.000Z"});
    let file = stage.folder.path().join("langfuse.json");
    std::fs::write(&file, json!([observation, score]).to_string()).unwrap();
    let (output, _, stderr) = run(&mut stage.command(&["import", file.to_str().unwrap()]));
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr, "imported 1 spans and 1 scores\n");
    let trace = stage.get(&format!("/api/public/traces/{}", "11".repeat(16)));
    assert_eq!(trace["observations"][0]["usageDetails"], observation["usageDetails"]);
    assert_eq!(
        (&trace["scores"][0]["stringValue"], &trace["scores"][0]["dataType"]),
        (&json!("bitter"), &json!("CATEGORICAL"))
    );
}

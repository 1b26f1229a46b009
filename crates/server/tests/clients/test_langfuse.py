"""Langfuse's SDK for Python: what it sends is what the API returns."""

import json
import unittest
from datetime import datetime, timedelta, timezone

from langfuse import Langfuse, propagate_attributes
from langfuse.api import Error as BadRequestError
from langfuse.api import NotFoundError
from opentelemetry.sdk.trace import TracerProvider

from stage import Stage, text, tokens

ASKED = [
    {"role": "system", "content": "You sell coffee."},
    {"role": "user", "content": "An iced latte\nplease"},
]


#: Clients of one key share what sends, so each has its own.
KEYS = [f"pk-{number}" for number in range(8)]


class LangfusePython(Stage):
    environment = {"GLASSBOX_SERVE_KEYS": ",".join(f"{key}:sk" for key in KEYS)}
    keys = iter(KEYS)

    def client(self, **options):
        client = Langfuse(
            public_key=next(self.keys),
            secret_key="sk",
            base_url=self.otlp,
            tracer_provider=TracerProvider(),
            **options,
        )
        self.addCleanup(client.shutdown)
        return client

    def test_observations_with_all_that_they_can_say(self):
        client = self.client(environment="staging", release="v7")
        shared = {
            "user_id": "ada",
            "session_id": "morning",
            "tags": ["vip", "iced"],
            "metadata": {"shop": "seven"},
            "trace_name": "order",
            "version": "2",
        }
        begun = datetime.now(timezone.utc)
        with propagate_attributes(**shared):
            with client.start_as_current_observation(
                name="take order", as_type="agent", input={"request": "An iced latte"}, metadata={"counter": 3}
            ) as agent:
                with client.start_as_current_observation(
                    name="ask",
                    as_type="generation",
                    model="gpt-4o-mini",
                    input=ASKED,
                    model_parameters={"temperature": 0.2, "max_tokens": 100},
                ) as ask:
                    ask.update(
                        output={"role": "assistant", "content": "With oat milk?"},
                        usage_details={"input": 200, "input_cached_tokens": 1000, "output": 100},
                        cost_details={"input": 0.001, "output": 0.002, "total": 0.003},
                        completion_start_time=begun + timedelta(seconds=1),
                    )
                with client.start_as_current_observation(name="brew", as_type="tool", input={"size": "large"}) as brew:
                    brew.update(level="ERROR", status_message="no such cup", output="broken")
                agent.update(output="With oat milk?")
        client.flush()

        trace, spans = self.trace(agent.trace_id)
        self.assert_fields(
            trace,
            {
                "name": "order",
                "state": "done",
                "spans": 3,
                "errors": 1,
                "model_calls": 1,
                "tokens": tokens(200, 100, cache_read=1000),
                "cost_usd": "0.003",
                "models": ["gpt-4o-mini"],
                "session_id": "morning",
                "user_id": "ada",
                "environment": "staging",
                "release": "v7",
                "version": "2",
                "tags": ["iced", "vip"],
                "input_preview": '{"request": "An iced latte"}',
                "output_preview": "With oat milk?",
            },
        )
        self.assertEqual(trace["metadata"]["shop"], "seven")
        self.assert_fields(
            spans["take order"], {"span_id": agent.id, "parent_id": None, "kind": "agent", "state": "done"}
        )
        self.assert_fields(
            spans["ask"],
            {
                "span_id": ask.id,
                "parent_id": agent.id,
                "kind": "generation",
                "model": "gpt-4o-mini",
                "tokens": tokens(200, 100, cache_read=1000),
                "cost_usd": "0.003",
            },
        )
        self.assertAlmostEqual(spans["ask"]["phases"]["first_chunk_us"], 1_000_000, delta=900_000)
        self.assertAlmostEqual(spans["ask"]["start_us"], begun.timestamp() * 1e6, delta=60_000_000)
        self.assertGreaterEqual(spans["ask"]["start_us"], spans["take order"]["start_us"])
        self.assert_fields(
            spans["brew"],
            {"kind": "tool", "state": "error", "error": {"type": "_OTHER", "message": "no such cup"}},
        )

        detail = self.detail(spans["ask"])
        self.assert_fields(
            detail,
            {
                "input": ASKED,
                "output": {"role": "assistant", "content": "With oat milk?"},
                "messages": [text("system", "You sell coffee."), text("user", "An iced latte\nplease")],
                "reply": text("assistant", "With oat milk?"),
                "parameters": {"temperature": 0.2, "max_tokens": 100},
            },
        )
        self.assertTrue(detail["scope"]["name"].startswith("langfuse-sdk"))
        detail = self.detail(spans["take order"])
        self.assert_fields(detail, {"input": {"request": "An iced latte"}, "output": "With oat milk?"})
        # This client sends numbers in metadata as texts.
        self.assertEqual(detail["metadata"]["counter"], "3")
        self.assertEqual(self.detail(spans["brew"])["output"], "broken")

    def test_an_exception(self):
        client = self.client()
        with self.assertRaises(ValueError):
            with client.start_as_current_observation(name="fails") as span:
                raise ValueError("no such cup")
        client.flush()
        trace, spans = self.trace(span.trace_id)
        self.assertEqual((trace["state"], trace["errors"]), ("error", 1))
        self.assertEqual(spans["fails"]["error"]["type"], "ValueError")
        self.assertIn("no such cup", spans["fails"]["error"]["message"])

    def test_usage_as_openai_tells_it(self):
        client = self.client()
        with client.start_as_current_observation(name="ask", as_type="generation", model="gpt-4o-mini") as ask:
            ask.update(
                usage_details={
                    "prompt_tokens": 1200,
                    "completion_tokens": 100,
                    "total_tokens": 1300,
                    "prompt_tokens_details": {"cached_tokens": 1000},
                    "completion_tokens_details": {"reasoning_tokens": 40},
                }
            )
        client.flush()
        _, spans = self.trace(ask.trace_id)
        self.assert_fields(
            spans["ask"],
            {"tokens": tokens(200, 60, cache_read=1000, reasoning=40), "cost_usd": "0.000165"},
        )

    def test_scores(self):
        client = self.client()
        with client.start_as_current_observation(name="judged") as span:
            pass
        client.create_score(name="taste", value=0.9, trace_id=span.trace_id, observation_id=span.id, comment="sweet")
        client.create_score(name="verdict", value="good", trace_id=span.trace_id, data_type="CATEGORICAL")
        client.flush()
        found = {score["name"]: score for score in self.ask(f"/scores?trace_id={span.trace_id}")["items"]}
        self.assert_fields(found["taste"], {"value": 0.9, "span_id": span.id, "comment": "sweet"})
        self.assert_fields(found["verdict"], {"value": "good", "span_id": None, "trace_id": span.trace_id})

    def test_what_was_sent_is_read_with_the_same_client(self):
        client = self.client()
        with propagate_attributes(user_id="ada", session_id="morning"):
            with client.start_as_current_observation(name="order", as_type="agent") as agent:
                with client.start_as_current_observation(
                    name="ask", as_type="generation", model="gpt-4o-mini", input=ASKED
                ) as ask:
                    ask.update(output="With oat milk?", usage_details={"input": 20, "output": 10})
        scores = [("taste", 0.9, None), ("good", 1, "BOOLEAN"), ("verdict", "sweet", "CATEGORICAL")]
        for name, value, data_type in scores:
            client.create_score(
                name=name,
                value=value,
                data_type=data_type,
                trace_id=agent.trace_id,
                observation_id=ask.id,
                comment="why",
            )
        client.flush()
        self.trace(agent.trace_id)

        api = client.api
        self.assertEqual(api.health.health().status, "OK")
        observations = api.observations.get_many(
            trace_id=agent.trace_id, fields="core,basic,io,model,usage,trace_context", environment=["default", "other"]
        )
        by_id = {one.id: one for one in observations.data}
        self.assertEqual({id: one.type for id, one in by_id.items()}, {ask.id: "GENERATION", agent.id: "AGENT"})
        generation = by_id[ask.id]
        self.assertEqual(generation.parent_observation_id, agent.id)
        self.assertEqual((generation.user_id, generation.session_id), ("ada", "morning"))
        self.assertEqual(generation.model, "gpt-4o-mini")
        self.assertEqual(generation.usage_details, {"input": 20, "output": 10, "total": 30})
        self.assertEqual(generation.output, "With oat milk?")
        roots = api.observations.get_many(trace_id=agent.trace_id, is_root_observation=True)
        self.assertEqual([one.id for one in roots.data], [agent.id])

        found = api.scores.get_many(trace_id=agent.trace_id, fields="details,subject,annotation")
        self.assertEqual(
            {(score.name, score.data_type, score.value) for score in found.data},
            {("taste", "NUMERIC", 0.9), ("good", "BOOLEAN", True), ("verdict", "CATEGORICAL", "sweet")},
        )
        for score in found.data:
            self.assertEqual((score.subject.kind, score.subject.id), ("observation", ask.id))
            self.assertEqual((score.subject.trace_id, score.comment), (agent.trace_id, "why"))
        first = api.scores.get_many(trace_id=agent.trace_id, limit=2)
        rest = api.scores.get_many(trace_id=agent.trace_id, limit=2, cursor=first.meta.cursor)
        self.assertEqual((len(first.data), len(rest.data), rest.meta.cursor), (2, 1, None))

    def test_metrics_are_the_numbers_of_the_statistics(self):
        client = self.client(environment="measured")
        with propagate_attributes(trace_name="measured"):
            for number in range(1, 4):
                with client.start_as_current_observation(name="ask", as_type="generation", model="gpt-4o-mini") as ask:
                    ask.update(usage_details={"input": 20 * number, "output": 10, "input_cached_tokens": 5})
                client.create_score(name="taste", value=number / 4, trace_id=ask.trace_id, observation_id=ask.id)
        client.flush()
        hour = 3_600_000_000
        trace, _ = self.trace(ask.trace_id)
        start = trace["start_us"] // hour * hour
        stats = self.ask(
            f"/stats?from_us={start - hour}&to_us={start + 2 * hour}&bucket_us={hour}&group=model&q=environment:measured"
        )

        def instant(micros):
            return datetime.fromtimestamp(micros / 1e6, timezone.utc).isoformat()

        def metrics(view, measures, **more):
            query = {
                "view": view,
                "metrics": [{"measure": measure, "aggregation": aggregation} for measure, aggregation in measures],
                "filters": [{"column": "environment", "operator": "=", "value": "measured", "type": "string"}],
                "fromTimestamp": instant(start - hour),
                "toTimestamp": instant(start + 2 * hour),
                **more,
            }
            return client.api.metrics.metrics(query=json.dumps(query)).data

        sums = ["inputTokens", "outputTokens", "totalTokens", "totalCost"]
        rows = metrics(
            "observations",
            [("count", "count"), *((measure, "sum") for measure in sums), *(("latency", part) for part in ("p50", "p95"))],
            dimensions=[{"field": "providedModelName"}, {"field": "type"}],
            timeDimension={"granularity": "hour"},
        )
        [group] = stats["groups"]
        self.assertEqual(len(rows), len(group["points"]))
        for row, point in zip(rows, group["points"]):
            counted = point["tokens"]
            self.assertEqual((row["providedModelName"], row["type"]), (group["key"], "GENERATION"))
            self.assertEqual(
                datetime.fromisoformat(row["time_dimension"].replace("Z", "+00:00")).timestamp() * 1e6, point["at_us"]
            )
            self.assertEqual(row["count_count"], point["count"])
            self.assertEqual(row["sum_inputTokens"], counted["input"] + counted["cache_read"])
            self.assertEqual((row["sum_outputTokens"], row["sum_totalTokens"]), (counted["output"], counted["total"]))
            self.assertAlmostEqual(row["sum_totalCost"], float(point["cost_usd"]), places=12)
            self.assertAlmostEqual(row["p50_latency"] * 1000, point["p50_us"], places=3)
            self.assertAlmostEqual(row["p95_latency"] * 1000, point["p95_us"], places=3)
        self.assertEqual(sum(row["count_count"] for row in rows), 3)
        [row] = metrics("scores-numeric", [("value", "avg"), ("count", "count")], dimensions=[{"field": "name"}])
        self.assertEqual(row, {"name": "taste", "avg_value": 0.5, "count_count": 3})
        with self.assertRaises(BadRequestError) as raised:
            metrics("observations", [("inputCost", "sum")])
        self.assertIn("type one of count, latency", raised.exception.body["message"])

    def test_what_is_not_here_is_told(self):
        with self.assertRaises(NotFoundError) as raised:
            self.client().api.prompts.get("greeting")
        self.assertIn("is not answered here", raised.exception.body["message"])

    def test_keys_are_checked(self):
        self.assertTrue(self.client().auth_check())


if __name__ == "__main__":
    unittest.main()

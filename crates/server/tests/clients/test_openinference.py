"""OpenInference's instrumentation of OpenAI's package, which calls the simulated provider."""

import json
import unittest

import openai
from openinference.instrumentation import using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from stage import Stage, text, tokens

ASKED = [
    {"role": "system", "content": "You sell coffee."},
    {"role": "user", "content": "Can I get a large iced latte with oat milk?"},
]
TOOL = {
    "type": "function",
    "function": {
        "name": "brew",
        "description": "Makes a drink.",
        "parameters": {"type": "object", "properties": {"size": {"type": "string"}}},
    },
}


class OpenInference(Stage):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sim = cls.start_sim()
        cls.client = openai.OpenAI(base_url=cls.sim["openai"], api_key="sim", max_retries=0)
        resource = Resource.create({"service.name": "coffee-shop"})
        cls.provider = TracerProvider(resource=resource)
        cls.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=cls.otlp + "/v1/traces")))
        OpenAIInstrumentor().instrument(tracer_provider=cls.provider)
        cls.addClassCleanup(OpenAIInstrumentor().uninstrument)
        cls.addClassCleanup(cls.provider.shutdown)

    def call(self, **options):
        """Makes a call below a span, and returns what it returned, the trace and the span of the call."""
        tracer = self.provider.get_tracer("test")
        answer, failure = None, None
        shared = {"session_id": "morning", "user_id": "ada", "tags": ["vip"], "metadata": {"shop": 7}}
        with using_attributes(**shared), tracer.start_as_current_span("order") as root:
            try:
                answer = self.client.chat.completions.create(model="gpt-4o-mini", messages=ASKED, **options)
                if options.get("stream"):
                    answer = list(answer)
            except openai.APIError as error:
                failure = error
        self.provider.force_flush()
        trace, spans = self.trace(f"{root.get_span_context().trace_id:032x}")
        self.assertEqual(len(spans), 2)
        span = next(span for name, span in spans.items() if name != "order")
        self.assertEqual(span["parent_id"], spans["order"]["span_id"])
        self.assertEqual((span["kind"], span["provider"]), ("generation", "openai"))
        return answer or failure, trace, span

    def test_a_call(self):
        answer, trace, span = self.call(temperature=0.2, tools=[TOOL])
        used = answer.usage
        self.assertGreater(used.prompt_tokens, 0)
        self.assert_fields(
            trace,
            {
                "session_id": "morning",
                "user_id": "ada",
                "tags": ["vip"],
                "metadata": {"shop": 7},
                "service": "coffee-shop",
                "model_calls": 1,
            },
        )
        cached = used.prompt_tokens_details.cached_tokens if used.prompt_tokens_details else None
        reasoned = used.completion_tokens_details.reasoning_tokens if used.completion_tokens_details else None
        expected = tokens(
            used.prompt_tokens - (cached or 0),
            used.completion_tokens - (reasoned or 0),
            cache_read=cached,
            reasoning=reasoned,
        )
        found = {name: count or 0 for name, count in span["tokens"].items()}
        self.assertEqual(found, {name: count or 0 for name, count in expected.items()})
        self.assertEqual((span["model"], span["state"]), ("gpt-4o-mini", "done"))
        self.assertGreater(float(span["cost_usd"]), 0)
        detail = self.detail(span)
        self.assertEqual(detail["messages"], [text(message["role"], message["content"]) for message in ASKED])
        said = answer.choices[0].message
        if said.content:
            self.assertEqual(detail["reply"], text("assistant", said.content))
        self.assertEqual(detail["parameters"]["temperature"], 0.2)
        function = TOOL["function"]
        self.assertEqual(
            detail["tools"],
            [{key: function[key] for key in ("name", "description", "parameters")}],
        )
        self.assertEqual(detail["output"]["id"], answer.id)

    def test_a_stream(self):
        chunks, _, span = self.call(stream=True, stream_options={"include_usage": True})
        used = chunks[-1].usage
        self.assertEqual(span["tokens"]["total"], used.total_tokens)
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertEqual(self.detail(span)["reply"], text("assistant", said))

    def test_a_refused_call(self):
        sim = self.start_sim("--fault", "rate-limited=1")
        client, type(self).client = self.client, openai.OpenAI(base_url=sim["openai"], api_key="sim", max_retries=0)
        try:
            failure, trace, span = self.call()
        finally:
            type(self).client = client
        self.assertEqual((span["state"], trace["errors"]), ("error", 1))
        self.assertEqual(span["error"]["type"].rsplit(".")[-1], type(failure).__name__)
        self.assertIn("429", span["error"]["message"])
        self.assertEqual(json.loads(json.dumps(span["tokens"])), None)


if __name__ == "__main__":
    unittest.main()

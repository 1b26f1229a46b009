"""OpenLLMetry's instrumentation of OpenAI's package, which calls the simulated provider."""

import unittest

import openai
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from stage import Stage, text

ASKED = [
    {"role": "system", "content": "You sell coffee."},
    {"role": "user", "content": "Can I get a large iced latte with oat milk?"},
]


class OpenLLMetry(Stage):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        sim = cls.start_sim()
        cls.client = openai.OpenAI(base_url=sim["openai"], api_key="sim", max_retries=0)
        cls.provider = TracerProvider()
        cls.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=cls.otlp + "/v1/traces")))
        OpenAIInstrumentor().instrument(tracer_provider=cls.provider)
        cls.addClassCleanup(OpenAIInstrumentor().uninstrument)
        cls.addClassCleanup(cls.provider.shutdown)

    def call(self, **options):
        with self.provider.get_tracer("test").start_as_current_span("order") as root:
            # What a workflow of OpenLLMetry's sets.
            root.set_attribute("traceloop.span.kind", "workflow")
            root.set_attribute("traceloop.entity.input", '{"inputs": {"request": "An iced latte"}}')
            root.set_attribute("traceloop.entity.output", '"With oat milk?"')
            root.set_attribute("traceloop.association.properties.session_id", "morning")
            root.set_attribute("traceloop.association.properties.user_id", "ada")
            root.set_attribute("traceloop.association.properties.shop", 7)
            answer = self.client.chat.completions.create(model="gpt-4o-mini", messages=ASKED, **options)
            if options.get("stream"):
                answer = list(answer)
        self.provider.force_flush()
        trace, spans = self.trace(f"{root.get_span_context().trace_id:032x}")
        call = next(span for name, span in spans.items() if name != "order")
        self.assertEqual(call["parent_id"], spans["order"]["span_id"])
        return answer, trace, spans["order"], call

    def test_a_call(self):
        answer, trace, root, call = self.call(temperature=0.2)
        used = answer.usage
        self.assert_fields(trace, {"session_id": "morning", "user_id": "ada", "model_calls": 1, "spans": 2})
        self.assertEqual(trace["metadata"]["shop"], 7)
        self.assertEqual(root["kind"], "chain")
        self.assert_fields(
            self.detail(root),
            {"input": {"inputs": {"request": "An iced latte"}}, "output": "With oat milk?"},
        )
        self.assert_fields(
            call, {"kind": "generation", "model": "gpt-4o-mini", "provider": "openai", "state": "done"}
        )
        self.assertEqual(call["tokens"]["total"], used.total_tokens)
        cached = used.prompt_tokens_details.cached_tokens if used.prompt_tokens_details else 0
        self.assertEqual(call["tokens"]["input"], used.prompt_tokens - (cached or 0))
        self.assertGreater(float(call["cost_usd"]), 0)
        detail = self.detail(call)
        self.assertEqual(detail["messages"], [text(message["role"], message["content"]) for message in ASKED])
        self.assertEqual(detail["reply"], text("assistant", answer.choices[0].message.content))
        self.assertEqual(detail["parameters"]["temperature"], 0.2)
        self.assertEqual((detail["response_id"], detail["finish_reasons"]), (answer.id, ["stop"]))

    def test_a_stream(self):
        chunks, _, _, call = self.call(stream=True, stream_options={"include_usage": True})
        self.assertEqual(call["tokens"]["total"], chunks[-1].usage.total_tokens)
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertEqual(self.detail(call)["reply"], text("assistant", said))


if __name__ == "__main__":
    unittest.main()

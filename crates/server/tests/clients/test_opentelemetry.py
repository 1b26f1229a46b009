"""OpenTelemetry's exporters for Python, over HTTP and gRPC, with GenAI attributes by hand."""

import unittest

from opentelemetry import trace as api
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from stage import Stage, hex_ids, text, tokens

START_NS = 1_767_225_600_000_000_000


class OpenTelemetryPython(Stage):
    def test_http(self):
        self.send_and_compare(Http(endpoint=self.otlp + "/v1/traces"))

    def test_http_compressed(self):
        self.send_and_compare(Http(endpoint=self.otlp + "/v1/traces", compression=Compression.Gzip))

    def test_grpc(self):
        self.send_and_compare(Grpc(endpoint=self.grpc, insecure=True))

    def send_and_compare(self, exporter):
        resource = Resource.create(
            {"service.name": "coffee-shop", "service.version": "3", "deployment.environment.name": "staging"}
        )
        provider = TracerProvider(resource=resource)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        tracer = provider.get_tracer("barista", "1.2")
        other = tracer.start_span("elsewhere")
        other.end()
        root = tracer.start_span("order", start_time=START_NS, links=[api.Link(other.get_span_context())])
        root.set_attributes({"session.id": "morning", "user.id": "ada", "shots": [1, 2], "hot": False, "ratio": 0.5})
        within = api.set_span_in_context(root)
        call = tracer.start_span("chat gpt-4o-mini", context=within, start_time=START_NS + 1_000_000)
        call.set_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.request.temperature": 0.2,
                "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
                "gen_ai.response.id": "chatcmpl-1",
                "gen_ai.response.finish_reasons": ["stop"],
                "gen_ai.usage.input_tokens": 1200,
                "gen_ai.usage.cache_read.input_tokens": 1000,
                "gen_ai.usage.output_tokens": 100,
                "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"An iced latte"}]}]',
                "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"With oat milk?"}],"finish_reason":"stop"}]',
            }
        )
        call.add_event("waited", {"why": "the machine is cold"}, timestamp=START_NS + 2_000_000)
        call.end(end_time=START_NS + 51_000_000)
        failed = tracer.start_span("execute_tool brew", context=within, start_time=START_NS + 60_000_000)
        failed.set_attributes({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "brew"})
        failed.record_exception(KeyError("no such cup"))
        failed.set_status(api.StatusCode.ERROR, "no such cup")
        failed.end(end_time=START_NS + 70_000_000)
        root.end(end_time=START_NS + 100_000_000)
        provider.shutdown()

        trace_id, root_id = hex_ids(root)
        trace, spans = self.trace(trace_id)
        self.assert_fields(
            trace,
            {
                "name": "order",
                "state": "done",
                "start_us": START_NS // 1000,
                "duration_us": 100_000,
                "spans": 3,
                "errors": 1,
                "model_calls": 1,
                "tokens": tokens(200, 100, cache_read=1000),
                "cost_usd": "0.000165",
                "session_id": "morning",
                "user_id": "ada",
                "service": "coffee-shop",
                "version": "3",
                "environment": "staging",
            },
        )
        self.assert_fields(
            spans["chat gpt-4o-mini"],
            {
                "span_id": hex_ids(call)[1],
                "parent_id": root_id,
                "kind": "generation",
                "state": "done",
                "start_us": START_NS // 1000 + 1000,
                "duration_us": 50_000,
                "model": "gpt-4o-mini",
                "provider": "openai",
                "tokens": tokens(200, 100, cache_read=1000),
                "cost_usd": "0.000165",
            },
        )
        self.assert_fields(
            spans["execute_tool brew"],
            {"kind": "tool", "error": {"type": "KeyError", "message": "no such cup"}},
        )
        detail = self.detail(spans["chat gpt-4o-mini"])
        self.assert_fields(
            detail,
            {
                "messages": [text("user", "An iced latte")],
                "reply": text("assistant", "With oat milk?"),
                "parameters": {"temperature": 0.2},
                "finish_reasons": ["stop"],
                "response_model": "gpt-4o-mini-2024-07-18",
                "response_id": "chatcmpl-1",
                "scope": {"name": "barista", "version": "1.2"},
            },
        )
        self.assertEqual(
            detail["events"],
            [{"at_us": START_NS // 1000 + 2000, "name": "waited", "attributes": {"why": "the machine is cold"}}],
        )
        detail = self.detail(spans["order"])
        self.assert_fields(detail["attributes"], {"shots": [1, 2], "hot": False, "ratio": 0.5})
        self.assertEqual(detail["links"], [dict(zip(("trace_id", "span_id"), hex_ids(other)))])
        self.assertEqual(detail["resource"]["service.name"], "coffee-shop")
        self.assertEqual(detail["resource"]["telemetry.sdk.language"], "python")


if __name__ == "__main__":
    unittest.main()

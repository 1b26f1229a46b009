"""The real server and the simulated model provider, as programs of their own, and what the server's API tells.

GLASSBOX_BIN names the program.
"""

import json
import os
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request


class Program:
    """A program that prints one line of JSON once it listens."""

    def __init__(self, *arguments, **environment):
        program = os.environ["GLASSBOX_BIN"]
        environment = {**os.environ, **environment}
        self.process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, text=True, env=environment)
        self.told = json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.terminate()
        self.process.stdout.close()
        self.process.wait(timeout=30)


def server(folder, **environment):
    store = os.path.join(folder, "traces.db")
    addresses = ("--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0")
    return Program("serve", "--json", *addresses, "--store", store, **environment)


class Stage(unittest.TestCase):
    """One server for all tests of a class."""

    maxDiff = None
    #: What the server finds in its environment besides.
    environment = {}

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.server = server(cls.folder.name, **cls.environment)
        cls.addClassCleanup(cls.server.stop)
        cls.otlp = cls.server.told["otlp"].rstrip("/")
        cls.grpc = cls.server.told.get("grpc")

    @classmethod
    def start_sim(cls, *arguments):
        sim = Program("sim", "--json", "--listen", "127.0.0.1:0", "--speed", "0", *arguments)
        cls.addClassCleanup(sim.stop)
        return sim.told

    def ask(self, path):
        request = urllib.request.Request(self.otlp + "/api/v1" + path)
        request.add_header("authorization", "Bearer " + self.server.told["token"])
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    def trace(self, trace_id):
        """A trace's summary, and its spans by name."""
        view = self.ask(f"/traces/{trace_id}")
        return view["trace"], {span["name"]: span for span in view["spans"]}

    def detail(self, span):
        return self.ask(f"/traces/{span['trace_id']}/spans/{span['span_id']}")

    def assert_fields(self, found, expected):
        """Compares the expected fields, all at once so that a failure shows every one that differs."""
        self.assertEqual({key: found[key] for key in expected}, expected)


def tokens(input=None, output=None, cache_read=None, cache_write=None, reasoning=None):
    buckets = {
        "input": input,
        "cache_read": cache_read,
        "cache_write": cache_write,
        "output": output,
        "reasoning": reasoning,
    }
    known = [count for count in buckets.values() if count is not None]
    return {**buckets, "total": sum(known) if known else None}


def text(role, said):
    """A message of one text."""
    return {"role": role, "parts": [{"type": "text", "text": said}]}


def hex_ids(span):
    """The ids of a span of OpenTelemetry's."""
    context = span.get_span_context()
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"

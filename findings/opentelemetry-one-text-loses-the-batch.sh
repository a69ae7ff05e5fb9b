#!/usr/bin/env bash
# opentelemetry-exporter-otlp-proto-http 1.45.2 (PyPI): one file name in the text of an error loses up to 512 spans.
#
# Python reads a file name that is no UTF-8 as a str with a surrogate (PEP 383), which no protobuf message can hold. In the
# value of an attribute, the exporter leaves out that attribute, and logs it. In the name of a span, the name of an event or
# the description of a status, it leaves out the whole batch, and the spans of other requests with it. A description comes by
# itself: an exception that leaves a span puts its text there. The exporter answers the batch as failed without another try,
# and its log names neither the span nor the number of those lost. Give spans fixed names, and set statuses without
# description (set_status_on_exception=False).
#
# Output seen (spans of 100 that a collector gets):
#   in an attribute: 100
#   in the name of an event: 0
#   in the text of an exception: 0
#   in the text of an exception, set_status_on_exception=False: 100
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opentelemetry-exporter-otlp-proto-http==1.45.2
cat >"$folder/export.py" <<'PY'
import gzip
import logging
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

logging.disable()
NAME = os.fsdecode(b"caf\xe9.yaml")
received = []


class Collector(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            received.extend(span.name for scope in resource.scope_spans for span in scope.spans)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def in_attribute(tracer):
    with tracer.start_as_current_span("read") as span:
        span.set_attribute("file", NAME)


def in_event(tracer):
    with tracer.start_as_current_span("read") as span:
        span.add_event(f"read {NAME}")


def in_exception(tracer, **options):
    try:
        with tracer.start_as_current_span("read", **options):
            raise ValueError(f"no manifest: {NAME}")
    except ValueError:
        pass


def count(named):
    """Export 99 spans and the named one in a batch, and say how many of them arrive."""
    received.clear()
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"http://127.0.0.1:{server.server_port}/v1/traces")))
    tracer = provider.get_tracer("shop")
    for _ in range(99):
        tracer.start_span("request").end()
    named(tracer)
    provider.shutdown()
    return len(received)


server = HTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("in an attribute:", count(in_attribute))
print("in the name of an event:", count(in_event))
print("in the text of an exception:", count(in_exception))
without = count(lambda tracer: in_exception(tracer, set_status_on_exception=False))
print("in the text of an exception, set_status_on_exception=False:", without)
PY
"$folder/venv/bin/python" "$folder/export.py" >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
in an attribute: 100
in the name of an event: 0
in the text of an exception: 0
in the text of an exception, set_status_on_exception=False: 100
SEEN
echo "as described"

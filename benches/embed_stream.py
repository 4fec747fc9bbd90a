"""`gyeol embed` beside a server that answers at once: lines a second, and the memory that it takes at most.

    cargo build --release && python3 benches/embed_stream.py [GYEOL]

The server gives vectors of 1,536 values, in base64 as OpenAI's API does. What is measured is gyeol: reading lines,
batches, the wire, order, and writing npy. Python's server takes most of one core.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DIM = 1536
ROW = base64.b64encode(b"\x00\x00\x80\x3f" * DIM).decode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        rows = ",".join('{"index":%d,"embedding":"%s"}' % (i, ROW) for i in range(len(body["input"])))
        answer = ('{"data":[%s],"usage":{"total_tokens":%d}}' % (rows, len(body["input"]))).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def main():
    gyeol = sys.argv[1] if len(sys.argv) > 1 else "target/release/gyeol"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d/v1" % server.server_address[1]
    with tempfile.TemporaryDirectory() as home:
        for lines, cache in [(5_000, False), (200_000, False), (5_000, True), (5_000, True)]:
            path = os.path.join(home, "lines")
            with open(path, "w") as out:
                out.writelines("문장 number %d of the stream\n" % i for i in range(lines))
            command = [gyeol, "embed", "--model", "openai-compatible::m", "--base-url", url]
            command += ["--batch-texts", "256", "--out", os.path.join(home, "x.npy")]
            command += ["--cache", os.path.join(home, "cache")] if cache else ["--no-cache"]
            started = time.time()
            with open(path) as stdin:
                process = subprocess.Popen(command, stdin=stdin, stderr=subprocess.PIPE, env={**os.environ, "HOME": home})
                said = process.stderr.read().decode().strip()
                _, status, usage = os.wait4(process.pid, 0)
            seconds = time.time() - started
            assert status == 0, said
            print(
                f"{lines:>7} lines{' with the cache' if cache else '':<15} {lines / seconds:>8.0f} lines/s  "
                f"{usage.ru_utime + usage.ru_stime:5.1f} CPU s  at most {usage.ru_maxrss / 1024:.0f} MB  ({said})"
            )


main()

#!/usr/bin/python3
"""Our REST client against Python's http.server: answers of every manner, and servers that leave in the middle.

interop_rest.py INTEROP_REST_CLIENT
"""
import json
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import interop_process
from interop_process import run_our_client


class Talk(BaseHTTPRequestHandler):
    """talk.v1.Talk as its google.api.http rules have it; the request's name says in what manner to answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    lock = threading.Lock()
    requests = 0

    def setup(self):
        super().setup()
        self.asked_here = 0

    def log_message(self, *_):
        pass

    def whole(self, status, body, content_type="application/json", **fields):
        self.send_response(status)
        if content_type:
            self.send_header("Content-Type", content_type)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def begin_chunked(self, content_type):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, octets):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(octets), octets))
        self.wfile.flush()

    def leave(self, reset=False):
        """Ends the connection here and now."""
        self.wfile.flush()
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def do_POST(self):
        with Talk.lock:
            Talk.requests += 1
            number = Talk.requests
        self.asked_here += 1
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/v1/say" or self.headers.get("Content-Type") != "application/json":
            return self.whole(404, b"<html>no such page</html>", "text/html")
        request = json.loads(body)
        name = request.get("name", "")
        reply = json.dumps({"text": "hello " + name, "padding": request.get("padding", ""), "added_later": [1, {}],
                            "leftMs": "-1"}).encode()
        if name == "chunked":
            self.begin_chunked("application/json; charset=utf-8")
            for octet in reply:
                self.chunk(bytes([octet]))
            self.wfile.write(b"0\r\nX-Trailer: t\r\n\r\n")
        elif name == "until the end":
            self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + reply)
            self.leave()
        elif name == "close":
            self.whole(200, reply, Connection="close")
            self.close_connection = True
        elif name == "close without a word":
            self.whole(200, reply)
            self.leave()
        elif name == "reset without a word":
            self.whole(200, reply)
            self.leave(reset=True)
        elif name == "on this connection":
            self.whole(200, json.dumps({"text": str(self.asked_here)}).encode())
        elif name == "requests":
            self.whole(200, json.dumps({"text": str(number)}).encode())
        elif name == "headers":
            fields = {k.lower(): v for k, v in self.headers.items()}
            self.whole(200, json.dumps({"text": json.dumps(fields)}).encode())
        elif name == "no answer":
            self.leave()
        elif name == "half an answer":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply) + 100))
            self.end_headers()
            self.wfile.write(reply)
            self.leave()
        elif name == "half a chunked answer":
            self.begin_chunked("application/json")
            self.chunk(reply)
            self.leave()
        elif name == "gateway":
            self.whole(502, b"<html>Bad Gateway</html>", "text/html")
        elif name == "busy":
            self.whole(503, b"", None, Retry_After="7")
        elif name == "problem":
            self.whole(409, b'{"type":"https://example.com/taken","title":"Taken","detail":"the name is taken"}',
                       "application/problem+json")
        elif name == "status":
            self.whole(404, b'{"code":5,"message":"no such one","details":[]}')
        elif name == "redirect":
            self.whole(307, b"", None, Location="http://127.0.0.1:1/")
        elif name == "continue":
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            self.whole(200, reply)
        else:
            self.whole(200, reply)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        self.asked_here += 1
        if path == "/plain":
            return self.whole(200, b"plain octets", "text/plain")
        if not path.startswith("/v1/count/"):
            return self.whole(404, b"", None)
        count = int(path.rpartition("/")[2])
        asked = dict(pair.split("=") for pair in query.split("&") if pair)
        events = asked.get("padding") == "1"
        fail_at = int(asked.get("fail_at", 0))
        self.begin_chunked("text/event-stream" if events else "application/x-ndjson")
        for i in range(count):
            if fail_at and i == fail_at:
                if asked.get("padding") == "2":
                    self.chunk(b'{"value"')
                return self.leave(reset=asked.get("padding") == "3")
            text = json.dumps({"value": str(i)}).encode()
            self.chunk(b": keep\r\ndata: " + text + b"\r\n\r\n" if events else text + b"\n")
        self.wfile.write(b"0\r\n\r\n")


class Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a reset is what some callers are to do
            super().handle_error(request, client_address)


def main():
    server = Server(("127.0.0.1", 0), Talk)
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    try:
        run_our_client(sys.argv[1], f"127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        serving.join()
    print("all held" if not interop_process.failures else f"{interop_process.failures} did not hold", flush=True)
    sys.exit(1 if interop_process.failures else 0)


main()

"""A worker for the tests that calls the gateway: GET /call?path=… answers with what it was answered.

`&token=none|wrong|bare` and `&ticket=none|X` change what it shows, `&via=url` takes the loopback port instead of the socket.
"""

import http.client
import http.server
import os
import socket
import socketserver
import urllib.parse

TOKEN = os.environ.get("FRAMEX_GATEWAY_TOKEN", "")


class SocketConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(os.environ["FRAMEX_GATEWAY_SOCKET"])


def connection(via):
    if via == "url":
        return http.client.HTTPConnection(urllib.parse.urlsplit(os.environ["FRAMEX_GATEWAY_URL"]).netloc, timeout=20)
    return SocketConnection("gateway", timeout=20)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        split = urllib.parse.urlsplit(self.path)
        query = {name: values[0] for name, values in urllib.parse.parse_qs(split.query).items()}
        if split.path == "/hold":
            # The ticket, and an answer that does not end before the client leaves.
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.headers["X-FrameX-Call"].encode())
            self.wfile.flush()
            self.rfile.read(1)
            return
        if split.path == "/ticket":
            text = self.headers["X-FrameX-Call"] or "none"
        elif split.path == "/environment":
            text = "\n".join(sorted(os.environ))
        elif split.path == "/call":
            text = self.call(query)
        else:
            text = "".join(f"{name.lower()}: {value}\n" for name, value in self.headers.items())
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def call(self, query):
        shown = {"none": None, "wrong": "Bearer wrong", "bare": TOKEN}.get(query.get("token"), f"Bearer {TOKEN}")
        ticket = {"none": None}.get(query.get("ticket"), query.get("ticket", self.headers["X-FrameX-Call"]))
        fields = {"Authorization": shown, "X-FrameX-Call": ticket}
        caller = connection(query.get("via"))
        caller.request(
            query.get("method", "GET"),
            query["path"],
            body=query.get("body"),
            headers={name: value for name, value in fields.items() if value},
        )
        answer = caller.getresponse()
        shown = "".join(f"{name}: {answer.headers[name]}\n" for name in query.get("show", "").split(",") if name)
        return f"status {answer.status}\n{shown}{answer.read().decode()}"

    def log_message(self, *_):
        pass

    def address_string(self):
        return "gateway"


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


Server(os.environ["GW_SOCKET"], Handler).serve_forever()

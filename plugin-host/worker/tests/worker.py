"""A worker for the tests: answers HTTP/1.0 on $GW_SOCKET or $PORT, and misbehaves as its environment says."""

import http.server
import os
import signal
import socketserver
import subprocess
import sys
import time

if os.environ.get("FAIL"):
    print("cannot go on", file=sys.stderr)
    sys.exit(3)
if os.environ.get("IGNORE_TERM"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(float(os.environ.get("DELAY", "0")))
while "WAIT_FOR" in os.environ and not os.path.exists(os.environ["WAIT_FOR"]):
    time.sleep(0.05)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/crash":
            os._exit(4)
        if self.path == "/child":
            text = str(subprocess.Popen(["sleep", "3600"]).pid)
        elif self.path == "/environment":
            text = "\n".join(sorted(os.environ))
        elif self.path == "/sick":
            self.send_error(500)
            return
        else:
            text = str(os.getpid())
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass

    def address_string(self):
        return "caller"


if "GW_SOCKET" in os.environ:
    server = socketserver.ThreadingUnixStreamServer(os.environ["GW_SOCKET"], Handler)
else:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
print("serving", flush=True)
server.serve_forever()

#!/usr/bin/env python3
"""Plugins come, change, go back and leave while at least 1,000 requests/s run through the gateway.

    benches/load/lifecycle.py --seconds 60

wrk asks two plugins in turn, at a pace: one that nobody touches, and one that goes to a new version and back. Beside them a
namespace with a plugin of its own is added, called and removed. Ends with an error when a request failed, when fewer than
1,000 requests/s were sent, or when a step was not applied. What it needs and leaves behind: like compare.py.
"""

import argparse
import http.client
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from compare import GATEWAY, REPOSITORY, Processes, install_missing
from hot_swap import SwappingGateway

CONNECTIONS, PAUSE_MS = 24, 8
SCRIPT = """
local paths, number = { "/stays/stream?n=1&delay=0", "/stream?n=1&delay=0" }, 0
function delay() return %d end
function request()
  number = number + 1
  return wrk.format("GET", paths[number %% 2 + 1])
end
""" % PAUSE_MS


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--no-build", action="store_true", help="use the release build that is there")
    parser.add_argument("--gateway", type=pathlib.Path, default=GATEWAY, help="another gateway binary")
    options = parser.parse_args()
    install_missing()
    if not options.no_build:
        subprocess.run(["cargo", "build", "--release", "--locked", "-p", "framex-gateway"], cwd=REPOSITORY, check=True)
    with tempfile.TemporaryDirectory(prefix="framex-lifecycle-") as folder, Processes() as processes:
        folder = pathlib.Path(folder)
        gateway = PluginsThatComeAndGo(folder, processes, options.gateway)
        (folder / "paced.lua").write_text(SCRIPT)
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{options.seconds}s", "--latency", "--timeout", "10s"]
        load = subprocess.Popen(
            [*command, "-s", folder / "paced.lua", f"http://127.0.0.1:{gateway.port}"], stdout=subprocess.PIPE, text=True
        )
        steps = 0
        end = time.monotonic() + options.seconds - 1
        while time.monotonic() < end:
            for step in (gateway.add, gateway.swap, gateway.swap, gateway.remove):
                step()
                steps += 1
                time.sleep(0.05)
        text = load.communicate(timeout=30)[0]
    print(text)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    sent = int(re.search(r"(\d+) requests in", text)[1])
    print(f"{steps} steps (add, update, roll back, remove); {sent} requests, {rate:.0f}/s")
    if failed := re.search(r"Non-2xx.*|Socket errors.*", text):
        sys.exit(f"requests failed: {failed[0]}")
    if rate < 1000:
        sys.exit("fewer than 1,000 requests/s")


class PluginsThatComeAndGo(SwappingGateway):
    """The gateway of hot_swap.py, with a plugin that stays beside the one that is swapped, and one that comes and goes."""

    def __init__(self, folder, processes, program):
        self.guest = folder / "namespaces" / "guest.yaml"
        super().__init__(folder, processes, program)

    def namespace_text(self):
        stays = "  stays: { component: ../stream-0.wasm, limits: { concurrency: 64 } }\nroutes:\n"
        route = "  - { match: { path: /stays/stream }, to: stays, public: true, rewrite: { strip_prefix: /stays } }\n"
        return super().namespace_text().replace("routes:\n", stays) + route

    def add(self):
        partial = self.guest.with_suffix(".partial")
        partial.write_text("""
namespace: guest
plugins:
  guest: { component: ../stream-1.wasm }
routes:
  - { match: { path: /api/v1/guest/stream }, to: guest, public: true, rewrite: { strip_prefix: /api/v1/guest } }
""")
        partial.rename(self.guest)
        self.apply(200)

    def remove(self):
        self.guest.unlink()
        self.apply(404)

    def apply(self, expected):
        answer = self.ask("POST", "/admin/v1/reload")
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        client.request("GET", "/api/v1/guest/stream?n=1&delay=0")
        status = client.getresponse().status
        client.close()
        if status != expected:
            sys.exit(f"a step was not applied: {status} instead of {expected} after {answer}")


if __name__ == "__main__":
    main()

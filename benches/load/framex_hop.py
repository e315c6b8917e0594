#!/usr/bin/env python3
"""What a hop to another plugin costs: FrameX's own proxy, and the gateway, before the same FrameX plugin.

    benches/load/framex_hop.py

Five ways to the same answer of one FrameX plugin, `define` of conf/demo/framex_plugins/glossary.py:

    direct            the instance itself
    framex -> framex  another FrameX instance, whose proxy plugin calls it
    gateway -> framex the gateway
    framex -> gateway -> framex
                      another FrameX instance, whose proxy plugin calls it through the gateway
    worker -> framex  a FrameX worker of the gateway, which calls it through the gateway (sdk/python)

Per request: requests/s, latency, and the CPU time of every process on the way. The hop is what is more than `direct`. Uses the
release build of the gateway, the Python environment of `make venv`, and wrk (compare.py says how to read the numbers).
"""

import argparse
import http.client
import json
import pathlib
import statistics
import sys
import tempfile
import time

import compare
from compare import REPOSITORY, Processes, cpu_seconds, free_port, wait_for

PYTHON = REPOSITORY / ".venv" / "bin" / "python3"
KEY = "the-key-of-the-benchmark"
PATH = "/api/v1/glossary/define?word=gateway"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=6, help="of each measurement")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--no-build", action="store_true", help="use the release build that is there")
    parser.add_argument("--gateway", type=pathlib.Path, default=compare.GATEWAY, help="another gateway binary to measure")
    options = parser.parse_args()
    options.component = True
    compare.install_missing()
    compare.build(options)
    with tempfile.TemporaryDirectory(prefix="framex-hop-") as folder, Processes() as processes:
        Hop(pathlib.Path(folder), processes, options).run()


class Hop(compare.Bench):
    def run(self):
        print(self.machine())
        plugin = self.framex("glossary", ["glossary"], REPOSITORY / "conf/demo/framex_plugins", {})
        proxy = self.framex("proxy", [], self.folder, pointing_at(plugin[0]))
        platform = compare.gateway_yaml("{ file: access.json }", 2)
        platform += f"\nkeys: {{ instance: {{ key: {KEY}, namespaces: [load], dialect: framex }} }}\n"
        port, pid, token = self.start_gateway("hop", platform, self.namespaces(plugin[0]))
        through = self.framex("through", [], self.folder, pointing_at(port))
        ways = {
            "direct": (plugin[0], PATH, None, [plugin[1]]),
            "framex -> framex": (proxy[0], PATH, None, [plugin[1], proxy[1]]),
            "gateway -> framex": (port, PATH, token, [plugin[1], pid]),
            "framex -> gateway -> framex": (through[0], PATH, None, [plugin[1], pid, through[1]]),
            "worker -> framex": (port, "/api/v1/asker/ask", token, [plugin[1], pid]),
        }
        for name, (port, path, token, _) in ways.items():
            self.until_answered(name, port, path, token)
        results = {name: [] for name in ways}
        for _ in range(self.options.rounds):
            for name, (port, path, token, pids) in ways.items():
                before = sum(cpu_seconds(pid) for pid in pids)
                requests, rate, p50, p99 = self.wrk(port, path, token)
                cpu = (sum(cpu_seconds(pid) for pid in pids) - before) / requests * 1e6
                results[name].append({"rate": rate, "p50": p50, "p99": p99, "cpu": cpu})
        self.table(results)

    def framex(self, name, plugins, folder, environment):
        port = free_port()
        command = ["env", f"PYTHONPATH={folder}", *(f"{key}={value}" for key, value in environment.items())]
        command += [PYTHON, "-c", "from framex.cli import framex; framex()"]
        command += ["run", "--host", "127.0.0.1", "--port", str(port)]
        command += [word for plugin in plugins for word in ("--load-plugins", plugin)]
        pid = self.processes.start(command, None, self.folder / f"{name}.log")
        wait_for(port, f"FrameX ({name})")
        return port, pid

    def namespaces(self, plugin):
        asker = self.folder / "asker"
        asker.mkdir()
        (asker / "asker.py").write_text(ASKER)
        return f"""
namespace: load
plugins:
  asker:
    worker:
      command: [{PYTHON}, -m, framex_gateway, run, --host, 127.0.0.1, --port, $PORT, --load-plugins, asker]
      environment: {{ PYTHONPATH: "{REPOSITORY}/sdk/python:{asker}" }}
      listen: port
      ready: {{ path: /health }}
    requires: [{{ path: /api/v1/glossary/define, methods: [GET] }}]
backends:
  plugin: {{ framex: {{ endpoints: ["http://127.0.0.1:{plugin}"], openapi: {{ enable: [] }} }} }}
routes:
  - {{ name: glossary, match: {{ path: /api/v1/glossary/define }}, to: plugin }}
  - {{ name: asker, match: {{ path: /api/v1/asker/** }}, to: asker }}
"""

    def until_answered(self, name, port, path, token):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            client.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
            answer = client.getresponse()
            text = answer.read()
            client.close()
            if answer.status == 200 and b"one door in front of many services" in text:
                return
            time.sleep(0.2)
        logs = "\n".join(log.read_text()[-2000:] for log in self.folder.glob("**/*.log"))
        sys.exit(f"{name} does not answer: {answer.status} {text!r}\n{logs}")

    def table(self, results):
        median = lambda name, value: statistics.median(result[value] for result in results[name])
        print(f"{'':<30}{'requests/s':>12}{'p50 µs':>10}{'p99 µs':>10}{'CPU-µs':>10}{'hop CPU-µs':>13}{'each round':>30}")
        for name, rounds in results.items():
            hop = median(name, "cpu") - median("direct", "cpu")
            each = " ".join(f"{result['cpu']:.0f}" for result in rounds)
            print(
                f"{name:<30}{median(name, 'rate'):>12.0f}{median(name, 'p50'):>10.0f}{median(name, 'p99'):>10.0f}"
                f"{median(name, 'cpu'):>10.0f}{hop:>13.0f}{each:>30}"
            )
        own = median("framex -> framex", "cpu") - median("direct", "cpu")
        for name in ["gateway -> framex", "worker -> framex"]:
            hop = median(name, "cpu") - median("direct", "cpu")
            print(f"FrameX's own hop costs {own / hop:.0f} times as much CPU as {name}")
        between = median("framex -> gateway -> framex", "cpu") / median("framex -> framex", "cpu")
        print(f"With the gateway between two instances a call costs {between:.3f} times as much CPU as without")


def pointing_at(port):
    """The environment of an instance whose proxy plugin calls what is at `port`."""
    proxy = {"proxy_urls": {f"http://127.0.0.1:{port}": {"enable": ["/*"]}}, "auth": {"rules": {"/api/v1/*": [KEY]}}}
    return {
        "PLUGINS": json.dumps({"proxy": proxy}),
        "LOAD_BUILTIN_PLUGINS": '["proxy"]',
        "SERVER__ENABLE_PROXY": "true",
    }


ASKER = '''
from typing import Any

from framex.plugin import BasePlugin, PluginMetadata, on_register, on_request

__plugin_meta__ = PluginMetadata(
    name="asker", version="1.0.0", description="Asks", author="x", url="",
    required_remote_apis=["/api/v1/glossary/define"],
)


@on_register()
class AskerPlugin(BasePlugin):
    @on_request("/asker/ask", methods=["GET"])
    async def ask(self) -> Any:
        return await self._call_remote_api("/api/v1/glossary/define", word="gateway")
'''


if __name__ == "__main__":
    main()

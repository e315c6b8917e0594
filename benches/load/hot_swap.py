#!/usr/bin/env python3
"""Hot swaps under load: streamed requests run through the gateway while a plugin goes back and forth between two versions.

    benches/load/hot_swap.py --swaps 2000

Counts the requests that failed or were not answered in full, and looks at the memory of the process before, half way and after.
Ends with an error when a request failed, or when a swap was not applied. What it needs and leaves behind: like compare.py.
"""

import argparse
import http.client
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from compare import GATEWAY, REPOSITORY, Processes, wait_for

STREAM = "/stream?n=20&delay=5"
ROGUE = REPOSITORY / "plugin-host" / "tests" / "guests" / "rogue.wasm"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swaps", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--no-build", action="store_true", help="use the release build that is there")
    parser.add_argument("--gateway", type=pathlib.Path, default=GATEWAY, help="another gateway binary")
    options = parser.parse_args()
    if not options.no_build:
        subprocess.run(["cargo", "build", "--release", "--locked", "-p", "framex-gateway"], cwd=REPOSITORY, check=True)
    with tempfile.TemporaryDirectory(prefix="framex-swap-") as folder, Processes() as processes:
        gateway = SwappingGateway(pathlib.Path(folder), processes, options.gateway)
        with Clients(gateway.port, options.clients) as clients:
            print("| swaps | requests | failed | memory MiB | plugin versions | swap ms p50 | p99 |\n|---|---|---|---|---|---|---|")
            # The first swaps compile both versions and fill what stays filled.
            times = [gateway.swap() for _ in range(20)]
            for part in range(4):
                report(part * options.swaps // 4, clients, gateway, times)
                times = [gateway.swap() for _ in range(options.swaps // 4)]
            report(options.swaps, clients, gateway, times)
        time.sleep(2)
        print(f"\n2 s after the last request: {gateway.memory():.0f} MiB, plugin versions: {gateway.versions()}")
    if clients.failures:
        sys.exit(f"{len(clients.failures)} requests failed, the first: {clients.failures[0]}")
    if not clients.answered:
        sys.exit("no request was answered")


def report(swaps, clients, gateway, times):
    p50, p99 = statistics.median(times), sorted(times)[len(times) * 99 // 100]
    counts = f"{clients.answered} | {len(clients.failures)}"
    print(f"| {swaps} | {counts} | {gateway.memory():.0f} | {gateway.versions()} | {p50 * 1e3:.1f} | {p99 * 1e3:.1f} |", flush=True)


class SwappingGateway:
    """The gateway's own program with one plugin that has two versions."""

    def __init__(self, folder, processes, program):
        self.namespace = folder / "namespaces" / "load.yaml"
        self.namespace.parent.mkdir()
        self.swaps = 0
        for version in range(2):
            # The same component with a different custom section: other bytes, other code in the cache, the same answers.
            content = bytes([7]) + b"version" + bytes([version])
            (folder / f"stream-{version}.wasm").write_bytes(ROGUE.read_bytes() + bytes([0, len(content)]) + content)
        self.write_namespace()
        (folder / "gateway.yaml").write_text("""
listeners: [{ address: 127.0.0.1:0 }]
admin: { address: 127.0.0.1:0 }
components: { cache_directory: cache }
namespaces: { grants: { load: { paths: [/] } } }
telemetry: { access_log: off, level: warn }
""")
        ports_file, log = folder / "ports.json", folder / "gateway.log"
        self.pid = processes.start([program, "run", "--config", folder / "gateway.yaml", "--ports-file", ports_file], None, log)
        deadline = time.monotonic() + 60
        while not ports_file.exists():
            if time.monotonic() > deadline or not pathlib.Path(f"/proc/{self.pid}").exists():
                sys.exit(f"the gateway does not start:\n{log.read_text()}")
            time.sleep(0.05)
        ports = json.loads(ports_file.read_text())
        self.port, self.admin = (int(address.rpartition(":")[2]) for address in (ports["listeners"][0], ports["admin"]))
        wait_for(self.port, "the gateway")

    def namespace_text(self):
        return f"""
namespace: load
plugins:
  stream: {{ component: ../stream-{self.swaps % 2}.wasm, limits: {{ concurrency: 64 }} }}
routes:
  - {{ match: {{ path: /stream }}, to: stream, public: true }}
"""

    def write_namespace(self):
        partial = self.namespace.with_suffix(".partial")
        partial.write_text(self.namespace_text())
        partial.rename(self.namespace)

    def swap(self):
        """The seconds that a reload to the other version took."""
        before = self.ask("GET", "/admin/v1/status")["revision"]
        self.swaps += 1
        self.write_namespace()
        started = time.monotonic()
        answer = self.ask("POST", "/admin/v1/reload")
        elapsed = time.monotonic() - started
        # Where the file watcher was faster, the answer is that nothing had changed.
        if answer.get("problems") or self.ask("GET", "/admin/v1/status")["revision"] == before:
            sys.exit(f"a swap was not applied: {answer}")
        return elapsed

    def ask(self, method, path):
        client = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=60)
        client.request(method, path)
        answer = json.loads(client.getresponse().read())
        client.close()
        return answer

    def memory(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def versions(self):
        """How many versions of the plugin have not been unloaded."""
        client = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=60)
        client.request("GET", "/metrics")
        lines = client.getresponse().read().decode().splitlines()
        client.close()
        return sum(int(float(line.rpartition(" ")[2])) for line in lines if "plugin_versions{" in line)


class Clients:
    """Clients that read streams to their end, one after the other, each on a connection of its own."""

    def __init__(self, port, count):
        self.port, self.answered, self.failures, self.stopping = port, 0, [], False
        self.lock = threading.Lock()
        self.expected = self.stream(http.client.HTTPConnection("127.0.0.1", port, timeout=60))
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        for thread in self.threads:
            thread.join()

    def stream(self, connection):
        connection.request("GET", STREAM)
        response = connection.getresponse()
        return response.status, response.read()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.stopping:
            try:
                answer = self.stream(connection)
                failure = None if answer == self.expected and answer[0] == 200 else f"answered {answer}"
            except (OSError, http.client.HTTPException) as error:
                failure = repr(error)
                connection.close()
            with self.lock:
                if failure:
                    self.failures.append(failure)
                else:
                    self.answered += 1
        connection.close()


if __name__ == "__main__":
    main()

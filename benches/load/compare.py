#!/usr/bin/env python3
"""The load comparison: nginx, a bare Pingora proxy and the gateway before the same upstream.

    benches/load/compare.py                 the proxied route: requests/s, latency, CPU per request
    benches/load/compare.py --component     a plugin in the process, and a proxied route beside spinning plugins

Builds what is missing, installs wrk and nginx where they are missing, lets the system choose every port, and ends
everything that it started. How to read the table: benches/README.md.
"""

import argparse
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
RELEASE = REPOSITORY / "target" / "release"
GATEWAY = RELEASE / "framex-gateway"
BARE = RELEASE / "examples" / "bare_pingora"
TICKS = os.sysconf("SC_CLK_TCK")
# Beside the route under load, so that there is something to choose from.
OTHER_ROUTES = 200


def main():
    options = read_options()
    install_missing()
    build(options)
    with tempfile.TemporaryDirectory(prefix="framex-load-") as folder, Processes() as processes:
        bench = Bench(pathlib.Path(folder), processes, options)
        print(bench.machine())
        if options.component:
            bench.components()
        else:
            bench.compare()


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--component", action="store_true", help="measure plugins in the process instead of peers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--only", help="comma-separated, of: nginx, bare, gateway, gateway-public, gateway-plain")
    parser.add_argument("--no-build", action="store_true", help="use the release builds that are there")
    parser.add_argument("--gateway", type=pathlib.Path, default=GATEWAY, help="another gateway binary to measure")
    return parser.parse_args()


def install_missing():
    missing = [package for program, package in [("wrk", "wrk"), ("nginx", "nginx-light"), ("taskset", "util-linux")] if not shutil.which(program)]
    if missing:
        sudo = [] if os.geteuid() == 0 else ["sudo"]
        subprocess.run([*sudo, "apt-get", "update", "-q"], check=True)
        subprocess.run([*sudo, "apt-get", "install", "-q", "-y", "--no-install-recommends", *missing], check=True)


def build(options):
    if not options.no_build:
        subprocess.run(["cargo", "build", "--release", "--locked", "-p", "framex-gateway"], cwd=REPOSITORY, check=True)
        if not options.component:
            command = ["cargo", "build", "--release", "--locked", "-p", "framex-benches", "--example", "bare_pingora"]
            subprocess.run(command, cwd=REPOSITORY, check=True)


class Processes:
    """Every process that was started, ended by its own id."""

    def __enter__(self):
        self.running = []
        return self

    def __exit__(self, *_):
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        for process in self.running:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, command, cores, log):
        output = open(log, "wb")
        process = subprocess.Popen(pinned(command, cores), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.running.append(process)
        return process.pid


def pinned(command, cores):
    command = [str(part) for part in command]
    return command if cores is None else ["taskset", "-c", cores, *command]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, what):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"{what} does not listen on {port}")


def cpu_seconds(pid):
    """User and system time of a process and its children that still run, from their own accounts."""
    total = 0
    for member in [pid, *children_of(pid)]:
        fields = pathlib.Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def busy_seconds():
    """The time that all cores together were not idle."""
    user, nice, system, _, _, irq, softirq, steal = map(int, pathlib.Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def children_of(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children]


class Bench:
    def __init__(self, folder, processes, options):
        self.folder = folder
        self.processes = processes
        self.options = options
        cores = os.cpu_count() or 1
        # The proxy alone on one core; wrk and the upstream on the next ones.
        self.proxy_cores = None if options.component or cores < 2 else "0"
        self.other_cores = None if options.component or cores < 2 else f"1-{cores - 1}"
        self.upstream, self.upstream_pid = self.start_nginx("upstream", self.other_cores, body="x" * 128)

    def machine(self):
        model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
        name = model.group(1) if model else "unknown CPU"
        return f"{os.cpu_count()} x {name}, Linux {os.uname().release}\n"

    def start_nginx(self, kind, cores, **values):
        port = free_port()
        text = (HERE / f"nginx-{kind}.conf").read_text()
        for name, value in {"folder": self.folder, "port": port, **values}.items():
            text = text.replace(f"@{name}@", str(value))
        config = self.folder / f"nginx-{kind}.conf"
        config.write_text(text)
        pid = self.processes.start(["nginx", "-c", config, "-e", self.folder / f"{kind}.log"], cores, self.folder / f"{kind}.out")
        wait_for(port, f"nginx ({kind})")
        return port, pid

    def start_bare(self):
        port = free_port()
        pid = self.processes.start([BARE, port, f"127.0.0.1:{self.upstream}"], self.proxy_cores, self.folder / "bare.log")
        wait_for(port, "bare Pingora")
        return port, pid

    def start_gateway(self, name, gateway_yaml, namespace_yaml):
        folder = self.folder / name
        (folder / "namespaces").mkdir(parents=True)
        (folder / "load.secret").write_text("a secret for the load comparison only, and for nothing else\n")
        (folder / "gateway.yaml").write_text(gateway_yaml)
        (folder / "namespaces" / "load.yaml").write_text(namespace_yaml)
        config, ports_file, log = folder / "gateway.yaml", folder / "ports.json", folder / "gateway.log"
        pid = self.processes.start([self.options.gateway, "run", "--config", config, "--ports-file", ports_file], self.proxy_cores, log)
        deadline = time.monotonic() + 60
        while not ports_file.exists():
            if time.monotonic() > deadline or not pathlib.Path(f"/proc/{pid}").exists():
                sys.exit(f"the gateway does not start:\n{log.read_text()}")
            time.sleep(0.05)
        address = json.loads(ports_file.read_text())["listeners"][0]
        port = int(address.rpartition(":")[2])
        wait_for(port, "the gateway")
        token = [self.options.gateway, "token", "--config", config, "--namespace", "load", "--ttl", "8h"]
        return port, pid, subprocess.run(token, check=True, capture_output=True, text=True).stdout.strip()

    def wrk(self, port, path, token=None, connections=None, seconds=None):
        """Requests, requests/s and the latency in µs at 50 and 99 %."""
        command = ["wrk", "-t1", f"-c{connections or self.options.connections}", f"-d{seconds or self.options.seconds}s", "--latency"]
        command += ["-H", f"Authorization: Bearer {token}"] if token else []
        text = subprocess.run(
            pinned([*command, f"http://127.0.0.1:{port}{path}"], self.other_cores), check=True, capture_output=True, text=True
        ).stdout
        if "Non-2xx" in text or "Socket errors" in text:
            sys.exit(f"{path} was not answered well:\n{text}")
        percentile = lambda share: microseconds(re.search(rf"^\s+{share}%\s+(\S+)", text, re.MULTILINE).group(1))
        requests = int(re.search(r"(\d+) requests in", text).group(1))
        rate = float(re.search(r"Requests/sec:\s+(\S+)", text).group(1))
        return requests, rate, percentile(50), percentile(99)

    def measure(self, pid, *arguments, **keywords):
        """One run of wrk; `others` is how much of the machine was busy with what is not ours."""
        before = cpu_seconds(pid), self.own_seconds(pid), busy_seconds(), time.monotonic()
        requests, rate, p50, p99 = self.wrk(*arguments, **keywords)
        after = cpu_seconds(pid), self.own_seconds(pid), busy_seconds(), time.monotonic()
        proxy, own, busy, wall = (late - early for early, late in zip(before, after))
        others = max(0, busy - own) / (wall * os.cpu_count())
        return {"rate": rate, "p50": p50, "p99": p99, "cpu": proxy / requests * 1e6, "others": others * 100}

    def own_seconds(self, pid):
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        return own + cpu_seconds(pid) + cpu_seconds(self.upstream_pid)

    def compare(self):
        everything = {
            "nginx": lambda: (*self.start_nginx("proxy", self.proxy_cores, upstream=self.upstream), None),
            "bare": lambda: (*self.start_bare(), None),
            "gateway": lambda: self.start_gateway("gateway", gateway_yaml("{ file: access.json }"), namespace_yaml(self.upstream, False)),
            "gateway-public": lambda: self.start_gateway("public", gateway_yaml("{ file: access.json }"), namespace_yaml(self.upstream, True)),
            "gateway-plain": lambda: self.start_gateway("plain", gateway_yaml("off"), namespace_yaml(self.upstream, True)),
        }
        names = self.options.only.split(",") if self.options.only else ["nginx", "bare", "gateway"]
        peers = {name: everything[name]() for name in names}
        results = {name: [] for name in peers}
        for _ in range(self.options.rounds):
            for name, (port, pid, token) in peers.items():
                self.wrk(port, "/api/v1/load/items/4711", token, seconds=2)
                results[name].append(self.measure(pid, port, "/api/v1/load/items/4711", token))
        print_table(results, "bare")

    def components(self):
        port, pid, token = self.start_gateway("component", gateway_yaml("{ file: access.json }", 2), component_yaml(self.upstream))
        results = {"plugin GET": [], "proxied, idle": [], "proxied, 8 plugins spin": []}
        for _ in range(self.options.rounds):
            self.wrk(port, "/api/v1/load/stats", token, seconds=2)
            results["plugin GET"].append(self.measure(pid, port, "/api/v1/load/stats", token, connections=8))
            results["proxied, idle"].append(self.measure(pid, port, "/api/v1/load/items/4711", token, connections=4))
            with Spinning(port, token, self.options.seconds + 10):
                results["proxied, 8 plugins spin"].append(self.measure(pid, port, "/api/v1/load/items/4711", token, connections=4))
        print_table(results, "proxied, idle")
        print("The CPU of the last line is that of the spinning plugins, too.")


class Spinning:
    """Eight calls of a plugin that never ends, until they are dropped."""

    def __init__(self, port, token, seconds):
        self.port, self.token, self.seconds = port, token, seconds

    def __enter__(self):
        self.clients = [http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.seconds) for _ in range(8)]
        for client in self.clients:
            client.request("GET", "/spin", headers={"Authorization": f"Bearer {self.token}"})
        # By then each has been moved to the low-priority threads.
        time.sleep(1)

    def __exit__(self, *_):
        for client in self.clients:
            client.close()
        time.sleep(1)


def microseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def gateway_yaml(access_log, threads=1):
    return f"""
listeners: [{{ address: 127.0.0.1:0 }}]
admin: {{ address: 127.0.0.1:0 }}
threads: {threads}
issuers:
  load: {{ issuer: load, audiences: [gateway], algorithms: [HS256], keys: {{ secret_file: load.secret }} }}
namespaces: {{ grants: {{ load: {{ paths: [/] }} }} }}
telemetry: {{ access_log: {access_log}, level: warn }}
shutdown: {{ grace: 1s }}
"""


def namespace_yaml(upstream, public):
    others = "".join(f"  - {{ match: {{ path: '/api/v1/load/other-{index}/{{id}}' }}, to: app }}\n" for index in range(OTHER_ROUTES))
    return f"""
namespace: load
backends:
  app: {{ http: {{ endpoints: ["http://127.0.0.1:{upstream}"] }} }}
routes:
  - {{ name: items, match: {{ path: '/api/v1/load/items/{{id}}', methods: [GET] }}, to: app, public: {str(public).lower()} }}
{others}"""


def component_yaml(upstream):
    guests = REPOSITORY / "plugin-host" / "tests" / "guests"
    return namespace_yaml(upstream, False) + f"""
  - {{ name: stats, match: {{ path: /api/v1/load/stats }}, to: stats }}
  - {{ name: spin, match: {{ path: /spin }}, to: rogue, timeout: 600s }}
plugins:
  stats: {{ component: {REPOSITORY}/plugins/text-stats/text-stats.wasm, limits: {{ memory: 16MiB }} }}
  rogue: {{ component: {guests}/rogue.wasm, limits: {{ cpu: 600s, timeout: 600s, concurrency: 16 }} }}
"""


def print_table(results, base):
    median = lambda name, value: statistics.median(result[value] for result in results[name])
    print(f"{'':<26}{'requests/s':>12}{'p50 µs':>9}{'p99 µs':>9}{'CPU-µs/request':>16}{'CPU of each round':>24}{'others %':>10}{'x ' + base:>18}")
    for name, rounds in results.items():
        each = " ".join(f"{result['cpu']:.1f}" for result in rounds)
        ratio = f"{median(name, 'cpu') / median(base, 'cpu'):.2f}" if base in results else "-"
        print(
            f"{name:<26}{median(name, 'rate'):>12.0f}{median(name, 'p50'):>9.0f}{median(name, 'p99'):>9.0f}"
            f"{median(name, 'cpu'):>16.1f}{each:>24}{median(name, 'others'):>10.0f}{ratio:>18}"
        )


if __name__ == "__main__":
    main()

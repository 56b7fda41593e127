# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Who is measured (Go programs, servers) and who observes them (parkwatch, bpftrace, a script that polls pprof)."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

from paired import cpu_seconds, descendants

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
PARKWATCH = os.environ.get("PARKWATCH", os.path.join(ROOT, "build", "parkwatch"))
# What parkwatch counts by default, as a tool without a disassembler would: at function entry.
ENTRY_EVENTS = ("runtime.newproc1", "runtime.gdestroy", "runtime.gopark", "runtime.gcResetMarkState", "runtime.gcMark",
                "runtime.gcSweep", "runtime.stopTheWorldWithSema", "runtime.startTheWorldWithSema")


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def built(behaviour, version, flavour):
    return output(os.path.join(ROOT, "scripts", "targets"), behaviour, version, flavour)


class Private:
    """A copy of a program in a directory of its own: a daemon that looks there sees nobody else's processes of it."""

    def __init__(self, path):
        self.directory = tempfile.TemporaryDirectory()
        self.path = shutil.copy2(path, self.directory.name)
        self.pattern = self.directory.name + "/*"


def server(name):
    return output(os.path.join(ROOT, "scripts", "servers"), name)


def wait_for(what, condition, seconds=40, pause=0.05):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(pause)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Nobody:
    def close(self):
        pass


class Observer:
    """A command that says a word on stderr or stdout once it counts, and ends on SIGINT."""

    def __init__(self, command, word):
        self.log = tempfile.NamedTemporaryFile("r")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=open(self.log.name, "a"),
                                        stderr=subprocess.STDOUT)

        def counts():
            if self.process.poll() is not None:
                raise RuntimeError(f"{command[0]}: {self.text()[-400:]}")
            return word in self.text()
        wait_for(command[0], counts)

    def text(self):
        return open(self.log.name).read()

    def close(self):
        for _ in range(3):
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
                break
            except subprocess.TimeoutExpired:
                print(f"  {self.process.args[0]} did not end on SIGINT within 20 s", flush=True)
        else:
            self.process.kill()
            self.process.wait()
        return self.text()


def bpftrace(pid):
    """The same events at function entry. The program must have symbols."""
    binary = os.readlink(f"/proc/{pid}/exe")
    text = "BEGIN { printf(\"counting\\n\"); } " + " ".join(
        f"uprobe:{binary}:\"{function}\" {{ @[probe] = count(); }}" for function in ENTRY_EVENTS)
    return Observer(["bpftrace", "-p", str(pid), "-e", text], "counting")


def trace(pid, *more):
    return Observer([PARKWATCH, "trace", "-p", str(pid), "-d", "600s", "--json", *more], "counting")


class PprofPoller:
    """Fetches goroutine?debug=1 every 10 s, the first time somewhere within them."""

    def __init__(self, address, offset):
        self.stopped = threading.Event()
        self.address, self.offset = address, offset
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        pause = self.offset
        while not self.stopped.wait(pause):
            urllib.request.urlopen(f"http://{self.address}/debug/pprof/goroutine?debug=1", timeout=20).read()
            pause = 10

    def close(self):
        self.stopped.set()
        self.thread.join()


class Daemon:
    """Observes processes whose names match, and nothing else on the host."""

    def __init__(self, names, *args, settings=""):
        self.directory = tempfile.TemporaryDirectory()
        path = os.path.join(self.directory.name, "only.yaml")
        with open(path, "w") as out:
            out.write("include: [" + ", ".join(f'"{name}"' for name in names) + "]\n" + settings)
        self.start = time.monotonic()
        self.log = os.path.join(self.directory.name, "log")
        self.process = subprocess.Popen([PARKWATCH, "daemon", "--config", path, "--listen", "127.0.0.1:0", "--socket",
                                         os.path.join(self.directory.name, "api.sock"), *args],
                                        stdin=subprocess.DEVNULL, stderr=open(self.log, "w"))
        match = None
        while not match:
            match = re.search(r"http://([0-9.:]+)", open(self.log).read())
            if self.process.poll() is not None:
                raise RuntimeError(open(self.log).read())
            time.sleep(0.005)
        self.address = match.group(1)
        self.listening = time.monotonic()

    def get(self, path="/metrics"):
        """The answer and the time that it took."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        start = time.monotonic()
        connection.request("GET", path)
        text = connection.getresponse().read()
        took = time.monotonic() - start
        connection.close()
        return text.decode(), took

    def metrics(self):
        return self.get()[0]

    def metric(self, pattern):
        match = re.search(pattern + r"\S* ([0-9.e+-]+)$", self.metrics(), re.M)
        return float(match.group(1)) if match else None

    def attached(self):
        return len(re.findall(r'^parkwatch_target_ability\{[^}]*ability="events"\} 1$', self.metrics(), re.M))

    def wait_attached(self, count):
        wait_for(f"{count} targets attached", lambda: self.attached() >= count, 120, 0.2)
        return self

    def processes(self):
        return descendants(self.process.pid)

    def cpu_seconds(self):
        return sum(cpu_seconds(pid, ended=True) for pid in self.processes())

    def close(self):
        self.process.terminate()
        self.process.wait()


class HttpServer:
    """tests/targets/httpserver: says hello, unstripped, for bpftrace."""
    name = "httpserver"

    def __init__(self):
        self.program = Private(built("httpserver", "1.24", "plain"))
        self.pattern = self.program.pattern
        self.process = subprocess.Popen([self.program.path], stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.address = json.loads(self.process.stdout.readline())["address"]
        self.url = f"http://{self.address}/"

    def close(self):
        self.process.kill()
        self.process.wait()


class Etcd:
    name, pattern = "etcd", "etcd*"

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory()
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.process = subprocess.Popen(
            [server("etcd"), "--data-dir", self.directory.name, "--listen-client-urls", client, "--advertise-client-urls",
             client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
             "--unsafe-no-fsync"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        self.url = client + "/v3/kv/"
        wait_for("etcd", lambda: answers(client + "/health"))
        # 16 connections, one put and one get in turn: key and value are base64 of "key" and "value"
        self.script = tempfile.NamedTemporaryFile("w", suffix=".lua")
        self.script.write('local n = 0\nrequest = function()\n n = n + 1\n if n % 2 == 0 then return wrk.format("POST", "/v3/kv/range", '
                          'nil, \'{"key":"a2V5"}\') end\n return wrk.format("POST", "/v3/kv/put", nil, '
                          '\'{"key":"a2V5","value":"dmFsdWU="}\')\nend\n')
        self.script.flush()

    def close(self):
        self.process.kill()
        self.process.wait()


class Caddy:
    """Serves one small file."""
    name = "caddy"

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory()
        address = f"127.0.0.1:{free_port()}"
        path = os.path.join(self.directory.name, "Caddyfile")
        with open(os.path.join(self.directory.name, "index.html"), "w") as out:
            out.write("hello\n")
        with open(path, "w") as out:
            out.write(f"{{\n admin off\n auto_https off\n}}\nhttp://{address} {{\n root * {self.directory.name}\n file_server\n}}\n")
        self.process = subprocess.Popen([server("caddy"), "run", "--config", path, "--adapter", "caddyfile"],
                                        env={**os.environ, "HOME": self.directory.name}, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        self.url = f"http://{address}/"
        wait_for("caddy", lambda: answers(self.url))

    def close(self):
        self.process.kill()
        self.process.wait()


class Nats:
    """Clients speak its own protocol at the port of `url`; there is no HTTP."""
    name = "nats-server"

    def __init__(self):
        port = free_port()
        self.process = subprocess.Popen([server("nats"), "-a", "127.0.0.1", "-p", str(port)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        self.url = f"nats://127.0.0.1:{port}"

        def listens():
            try:
                socket.create_connection(("127.0.0.1", port), timeout=2).close()
                return True
            except OSError:
                return False
        wait_for("nats", listens)

    def close(self):
        self.process.kill()
        self.process.wait()


class Prometheus:
    """Scrapes itself, and answers a range query over what it has."""
    name, pattern = "prometheus", "prometheus*"

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory()
        address = f"127.0.0.1:{free_port()}"
        path = os.path.join(self.directory.name, "prometheus.yml")
        with open(path, "w") as out:
            out.write("global: {scrape_interval: 1s}\nscrape_configs:\n"
                      f"- {{job_name: self, static_configs: [{{targets: ['{address}']}}]}}\n")
        self.process = subprocess.Popen([server("prometheus"), f"--config.file={path}", f"--storage.tsdb.path={self.directory.name}/data",
                                         f"--web.listen-address={address}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        wait_for("prometheus", lambda: answers(f"http://{address}/-/ready"))
        self.url = f"http://{address}/api/v1/query?query=sum%20by%20(handler)(rate(prometheus_http_requests_total%5B10s%5D))"
        self.script = None
        time.sleep(3)

    def close(self):
        self.process.kill()
        self.process.wait()


def answers(url):
    try:
        urllib.request.urlopen(url, timeout=2).read()
        return True
    except OSError:
        return False


def wrk(url, seconds, connections=32, script=None, delay_ms=None):
    """Requests a second, latencies in ms."""
    lua = None
    if delay_ms:
        lua = tempfile.NamedTemporaryFile("w", suffix=".lua")
        lua.write(f"function delay() return {delay_ms} end\n")
        lua.flush()
        script = lua
    text = output("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *(["-s", script.name] if script else []), url)
    unit = {"us": 1e-3, "ms": 1, "s": 1e3}

    def latency(percent):
        number, name = re.search(rf"^\s*{percent}%\s+([0-9.]+)(us|ms|s)", text, re.M).groups()
        return float(number) * unit[name]
    return {"rate": float(re.search(r"Requests/sec:\s+([0-9.]+)", text).group(1)),
            "requests": int(re.search(r"(\d+) requests in", text).group(1)), "p50_ms": latency(50), "p99_ms": latency(99)}

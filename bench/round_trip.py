"""What does the way to the server and back cost, beside PostgreSQL 15?

    round_trip.py [--server target/release/highwater] [--seconds 3]

Both servers are started on new directories, loopback and free ports. One connection to each sends the same bytes in
turns, a few hundred at a time, so that whatever else the machine does meets both. Nothing but a socket is between: a
driver would take longer than the answer.

Each question is asked twice: with client and servers on one processor, which tells what the work costs, and on one each,
where most of the time is what it takes an idle processor to wake up. Left to itself, the kernel chooses between these
two at random, and figures move by a factor of three.

Needs nothing but Python and PostgreSQL's programs, which are looked for in HIGHWATER_POSTGRESQL or where Debian has them.
"""

import argparse
import contextlib
import os
import pathlib
import pwd
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

PROGRAMS = pathlib.Path(os.environ.get("HIGHWATER_POSTGRESQL", "/usr/lib/postgresql/15/bin"))
ROUND = 300
SETUP = "CREATE TABLE one (id integer PRIMARY KEY, t text); INSERT INTO one VALUES (1, 'a row')"


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def query(sql: str) -> bytes:
    return message(b"Q", sql.encode() + b"\0")


EXECUTE = message(b"B", b"\0one\0" + struct.pack("!hhhiihh", 1, 1, 1, 4, 1, 1, 1)) + message(b"E", b"\0" + bytes(4)) + message(b"S", b"")
QUESTIONS = [
    ("empty statement", query(";")),
    ("SELECT 1", query("SELECT 1")),
    ("row by key, simple", query("SELECT id, t FROM one WHERE id = 1")),
    ("row by key, prepared, binary", EXECUTE),
]


class Wire:
    """A connection that sends bytes and reads up to ReadyForQuery."""

    def __init__(self, port: int):
        hello = struct.pack("!i", 3 << 16) + b"user\0postgres\0database\0postgres\0\0"
        end = time.monotonic() + 30
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", port))
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.ask(struct.pack("!i", len(hello) + 4) + hello)
                return
            except (OSError, AssertionError):
                # It does not listen yet, or is starting up.
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def ask(self, sent: bytes) -> bytes:
        self.socket.sendall(sent)
        answer = b""
        # ReadyForQuery of an idle session ends each answer.
        while not answer.endswith(b"Z\0\0\0\x05I"):
            piece = self.socket.recv(65536)
            assert piece, f"the connection ended after {answer!r}"
            answer += piece
        assert b"SERROR" not in answer, answer
        return answer


def highwater(program: str, directory: str) -> tuple[subprocess.Popen, int]:
    log = open(f"{directory}/highwater.log", "w+")
    command = [program, "serve", "--data-dir", f"{directory}/highwater", "--pg", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    for _ in range(300):
        time.sleep(0.1)
        found = re.search(r"postgresql://127\.0\.0\.1:(\d+)", pathlib.Path(log.name).read_text())
        if found:
            return process, int(found[1])
    raise RuntimeError("Highwater did not start")


def postgresql(directory: str) -> tuple[subprocess.Popen, int]:
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    data = f"{directory}/postgresql"
    if user:
        os.chmod(directory, 0o755)
        os.mkdir(data)
        os.chown(data, pwd.getpwnam("postgres").pw_uid, -1)
    initdb = [*user, str(PROGRAMS / "initdb"), "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "-D", data]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd="/")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*user, str(PROGRAMS / "postgres"), "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", ""]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"), port


@contextlib.contextmanager
def both(program: str, directory: str):
    """Highwater and PostgreSQL with their ports, both started on new directories and stopped in the end."""
    servers = []
    try:
        servers.append(highwater(program, directory))
        servers.append(postgresql(directory))
        yield servers
    finally:
        for process, _ in servers:
            # PostgreSQL waits for its clients when it is told to terminate, but not when it is interrupted.
            process.send_signal(signal.SIGINT)
            process.wait()


def keep_on(process: int, processor: int) -> None:
    """Lets a process, its children and their threads run on one processor only."""
    for thread in pathlib.Path(f"/proc/{process}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {processor})
        for child in (thread / "children").read_text().split():
            keep_on(int(child), processor)


def micros(times: list[float], share: float) -> float:
    return sorted(times)[int(len(times) * share)] * 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="target/release/highwater")
    parser.add_argument("--seconds", type=float, default=3, help="for each question")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="highwater-round-trip-") as directory, both(args.server, directory) as servers:
        wires = [Wire(port) for _, port in servers]
        for wire in wires:
            wire.ask(query(SETUP))
            prepare = b"one\0SELECT id, t FROM one WHERE id = $1\0" + struct.pack("!hi", 1, 23)
            wire.ask(message(b"P", prepare) + message(b"S", b""))
        print("| round trip over loopback | processors | Highwater p50 | p99 | PostgreSQL 15 p50 | p99 | ratio of p50 |")
        print("|---|--:|--:|--:|--:|--:|--:|")
        first, *others = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {first})
        for name, sent in QUESTIONS:
            for processor in [first, *others[:1]]:
                for process, _ in servers:
                    keep_on(process.pid, processor)
                (ours, ours_99), (theirs, theirs_99) = measured(wires, sent, args.seconds)
                figures = f"{ours:.0f} µs | {ours_99:.0f} µs | {theirs:.0f} µs | {theirs_99:.0f} µs | {theirs / ours:.2f}"
                print(f"| {name} | {1 if processor == first else 2} | {figures} |", flush=True)
    return 0


def measured(wires: list[Wire], sent: bytes, seconds: float) -> list[tuple[float, float]]:
    """Microseconds of an answer at the median and the 99th percentile, of each in turns."""
    times: list[list[float]] = [[] for _ in wires]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for wire, taken in zip(wires, times):
            for _ in range(ROUND):
                began = time.perf_counter()
                wire.ask(sent)
                taken.append(time.perf_counter() - began)
    return [(micros(t, 0.5), micros(t, 0.99)) for t in times]


if __name__ == "__main__":
    sys.exit(main())

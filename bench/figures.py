"""The figures of the main job, measured beside DuckDB on the same data in one run.

    figures.py DATA [--server target/release/highwater] [--only duckdb] [--seconds 5] [--json FILE]

DATA is a directory with `esp_telemetry.csv`: a header, then time, well, twenty metrics and a status. Starts
the server itself, on a new data directory beside DATA so that both write to the same disk, and removes what
it made. Prints one table; a wrong value of the aggregate ends the run with exit code 1.

Which question each figure answers, and what was measured where, is in README.md beside this file.
"""

import argparse
import json
import math
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import timedelta

import duckdb
import psycopg

FUNCTIONS = ["avg", "min", "max", "stddev"]
THREADS = os.cpu_count()
# What TimescaleDB's bulk COPY of this table reached on a machine of this size; the goal is five times it.
TIMESCALEDB_COPY_ROWS_PER_SECOND = 100_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--server", default="target/release/highwater")
    parser.add_argument("--only", choices=["duckdb"])
    parser.add_argument("--seconds", type=float, default=5, help="for each figure that repeats something")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    csv = args.data / "esp_telemetry.csv"
    metrics = csv.open().readline().replace('"', "").strip().split(",")[2:-1]
    figures = {}
    directory = pathlib.Path(tempfile.mkdtemp(prefix="highwater-figures-", dir=args.data))
    try:
        peer = DuckDb(directory, csv, metrics, args.seconds)
        figures["duckdb"] = peer.figures
        if args.only != "duckdb":
            figures["highwater"] = highwater(args, directory, csv, metrics, peer)
    finally:
        shutil.rmtree(directory)
    print_table(figures)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1, default=str) + "\n")
    return 1 if figures.get("highwater", {}).get("wrong_values") else 0


def aggregate(metrics: list[str], of_time: str) -> str:
    """The hourly rollup: how many rows, and of every metric its mean, extremes and deviation."""
    columns = ", ".join(f"{f}({m}) AS {m}_{f}" for m in metrics for f in FUNCTIONS)
    return f"SELECT {of_time} AS bucket, well_id, count(*) AS n, {columns} FROM esp_telemetry GROUP BY 1, 2"


def dashboard(placeholder: str) -> str:
    """The last 24 hours of one well, as a dashboard asks for them."""
    p = placeholder
    return (
        "SELECT bucket, n, flow_rate_avg, pip_avg, pdp_avg, motor_temp_max, vibration_max, flow_rate_stddev"
        f" FROM telemetry_hourly WHERE well_id = {p} AND bucket >= {p} AND bucket < {p} ORDER BY bucket"
    )


def questions(wells: list[str], newest, count: int = 4096):
    """Bindings of the dashboard query: wells at random, days at random within the last thirty."""
    chance = random.Random(20260301)
    for _ in range(count):
        end = newest - timedelta(hours=chance.randrange(24 * 30))
        yield chance.choice(wells), end - timedelta(hours=24), end


def latencies(ask, bindings, seconds: float) -> dict[str, float]:
    """Milliseconds at the median and the 99th percentile, after a second of warming up."""
    bindings = list(bindings)
    times = []
    began = time.perf_counter()
    i = 0
    while (now := time.perf_counter()) - began < seconds + 1:
        rows = ask(bindings[i % len(bindings)])
        if now - began > 1:
            times.append(time.perf_counter() - now)
        assert rows, "the question has no answer"
        i += 1
    times.sort()
    return {"p50": times[len(times) // 2] * 1e3, "p99": times[len(times) * 99 // 100] * 1e3, "count": len(times)}


class DuckDb:
    """The same work in DuckDB, in this process, without a wire protocol and without durability for each row."""

    def __init__(self, directory: pathlib.Path, csv: pathlib.Path, metrics: list[str], seconds: float):
        self.figures = {"version": duckdb.__version__, "threads": THREADS}
        file = directory / "duckdb.db"
        self.connection = duckdb.connect(str(file))
        self.connection.execute(f"SET threads = {THREADS}; SET TimeZone = 'UTC'")
        columns = ", ".join(["timestamp TIMESTAMPTZ", "well_id VARCHAR", *(f"{m} DOUBLE" for m in metrics), "status VARCHAR"])
        self.connection.execute(f"CREATE TABLE esp_telemetry ({columns})")
        began = time.perf_counter()
        self.connection.execute(f"COPY esp_telemetry FROM '{csv}' (HEADER)")
        self.figures["load_seconds"] = time.perf_counter() - began
        self.figures["rows"] = self.connection.execute("SELECT count(*) FROM esp_telemetry").fetchone()[0]
        self.connection.execute("CHECKPOINT")
        self.figures["bytes"] = file.stat().st_size
        query = aggregate(metrics, "time_bucket(INTERVAL '1 hour', timestamp)")
        times = []
        for _ in range(3):
            began = time.perf_counter()
            self.connection.execute(f"CREATE OR REPLACE TABLE telemetry_hourly AS {query}")
            times.append(time.perf_counter() - began)
        self.figures["rollup_seconds"] = sorted(times)[1]
        self.wells = [row[0] for row in self.connection.execute("SELECT DISTINCT well_id FROM esp_telemetry ORDER BY 1").fetchall()]
        self.newest = self.connection.execute("SELECT max(bucket) FROM telemetry_hourly").fetchone()[0]
        self.hourly = self.connection.execute("SELECT * FROM telemetry_hourly ORDER BY well_id, bucket").fetchall()
        self.figures["groups"] = len(self.hourly)
        cursor = self.connection.cursor()
        ask = lambda binding: cursor.execute(dashboard("?"), binding).fetchall()  # noqa: E731
        self.figures["dashboard"] = latencies(ask, questions(self.wells, self.newest), seconds)


class Server:
    """The server on a data directory; started again on the same one to measure how long that takes."""

    def __init__(self, program: str, directory: pathlib.Path):
        self.program, self.data, self.log = program, directory / "data", directory / "server.log"

    def start(self) -> float:
        """Starts it and gives the seconds until a query is answered."""
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [self.program, "serve", "--data-dir", str(self.data), "--pg", "127.0.0.1:0", "--http", "127.0.0.1:0"],
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        while not (found := re.search(r"listening on postgresql://127\.0\.0\.1:(\d+)", self.log.read_text(errors="replace"))):
            if self.process.poll() is not None or time.perf_counter() - began > 120:
                sys.exit(f"the server did not start:\n{self.log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.002)
        self.port = int(found.group(1))
        with self.connect() as connection:
            connection.execute("SELECT 1")
        return time.perf_counter() - began

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", dbname="postgres", autocommit=True)

    def peak_bytes(self) -> int:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024

    def stop(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        code = self.process.wait(120)
        if how == signal.SIGTERM and code != 0:
            sys.exit(f"the server stopped with exit code {code}:\n{self.log.read_text(errors='replace')[-4000:]}")


def highwater(args, directory: pathlib.Path, csv: pathlib.Path, metrics: list[str], peer: DuckDb) -> dict:
    server = Server(args.server, directory)
    figures = {"empty_start_seconds": server.start()}
    try:
        with server.connect() as connection:
            columns = ", ".join(["timestamp timestamptz NOT NULL", "well_id text NOT NULL", *(f"{m} double precision" for m in metrics), "status text"])
            connection.execute(f"CREATE TABLE esp_telemetry ({columns})")
            connection.execute("SELECT create_hypertable('esp_telemetry', 'timestamp')")
            figures["rows"], figures["load_seconds"] = copy(connection, csv)
            connection.execute(
                "CREATE MATERIALIZED VIEW telemetry_hourly WITH (timescaledb.continuous) AS "
                + aggregate(metrics, "time_bucket('1 hour', timestamp)")
                + " WITH NO DATA"
            )
            began = time.perf_counter()
            connection.execute("CALL refresh_continuous_aggregate('telemetry_hourly', NULL, NULL)")
            figures["refresh_seconds"] = time.perf_counter() - began
            figures["wrong_values"] = compare(connection, peer)
            for name, prepare in [("dashboard_prepared", True), ("dashboard_unprepared", False)]:
                ask = lambda binding: connection.execute(dashboard("%s"), binding, prepare=prepare).fetchall()  # noqa: E731
                figures[name] = latencies(ask, questions(peer.wells, peer.newest), args.seconds)
            figures |= durable_inserts(connection, directory, args.seconds)
        figures["peak_bytes"] = server.peak_bytes()
        figures["bytes"] = sum(file.stat().st_size for file in server.data.rglob("*") if file.is_file())
        server.stop(signal.SIGTERM)
        figures["restart_seconds"] = server.start()
        with server.connect() as connection:
            connection.execute("INSERT INTO esp_telemetry (timestamp, well_id) VALUES (now(), 'after a restart')")
        server.stop(signal.SIGKILL)
        figures["recovery_seconds"] = server.start()
        with server.connect() as connection:
            kept = connection.execute("SELECT count(*) FROM esp_telemetry").fetchone()[0]
        if kept != figures["rows"] + figures["inserted"] + 1:
            sys.exit(f"{kept} rows after a kill, {figures['rows'] + figures['inserted'] + 1} were acknowledged")
    finally:
        if server.process.poll() is None:
            server.stop(signal.SIGTERM)
    return figures


def copy(connection: psycopg.Connection, csv: pathlib.Path, table: str = "esp_telemetry") -> tuple[int, float]:
    """Sends the file as it is, in pieces of a megabyte, and gives rows and seconds until it is durable."""
    began = time.perf_counter()
    with connection.cursor() as cursor, csv.open("rb") as file:
        with cursor.copy(f"COPY {table} FROM STDIN WITH (FORMAT csv, HEADER)") as copying:
            while piece := file.read(1 << 20):
                copying.write(piece)
        return cursor.rowcount, time.perf_counter() - began


def compare(connection: psycopg.Connection, peer: DuckDb) -> int:
    """How many values of the aggregate differ from DuckDB's: counts and extremes exactly, means and deviations
    within what the order of summation allows."""
    ours = connection.execute("SELECT * FROM telemetry_hourly ORDER BY well_id, bucket").fetchall()
    if len(ours) != len(peer.hourly):
        sys.exit(f"{len(ours)} groups, DuckDB has {len(peer.hourly)}")
    wrong = 0
    for mine, theirs in zip(ours, peer.hourly):
        for i, (a, b) in enumerate(zip(mine, theirs)):
            # Three columns of keys and count, then mean, least, greatest, deviation of each metric.
            exact = i < 3 or FUNCTIONS[(i - 3) % len(FUNCTIONS)] in ("min", "max")
            same = a == b or (not exact and a is not None and b is not None and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-7))
            if not same:
                wrong += 1
                if wrong <= 5:
                    print(f"wrong: {mine[0]} {mine[1]} column {i}: {a!r}, DuckDB {b!r}", file=sys.stderr)
    return wrong


def durable_inserts(connection: psycopg.Connection, directory: pathlib.Path, seconds: float) -> dict:
    """Rows a second of single-row INSERTs, and fdatasyncs a second of the same disk before and after."""

    def insert_rate() -> tuple[int, float]:
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            # One well of its own, in a bucket after the data, so that the figures before are not disturbed.
            connection.execute(
                "INSERT INTO esp_telemetry (timestamp, well_id, flow_rate) VALUES (now(), %s, %s)", ("bench", float(count)), prepare=True
            )
            count += 1
        return count, count / (time.perf_counter() - began)

    before = fdatasync_rate(directory, seconds / 2)
    count, rate = insert_rate()
    after = fdatasync_rate(directory, seconds / 2)
    return {"inserted": count, "inserts_per_second": rate, "fdatasyncs_per_second": (before + after) / 2}


def fdatasync_rate(directory: pathlib.Path, seconds: float) -> float:
    """Appends of 256 bytes to a file that was made long enough, each made durable."""
    path = directory / "fdatasync"
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.posix_fallocate(file, 0, 64 << 20)
        os.fsync(file)
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            os.pwrite(file, b"x" * 256, count * 256 % (64 << 20))
            os.fdatasync(file)
            count += 1
        return count / (time.perf_counter() - began)
    finally:
        os.close(file)
        path.unlink()


def print_table(figures: dict) -> None:
    duck = figures["duckdb"]
    ours = figures.get("highwater")
    rate = lambda rows, seconds: f"{rows / seconds / 1e6:.2f} M rows/s"  # noqa: E731
    ms = lambda value: f"{value:.3f} ms"  # noqa: E731
    megabytes = lambda value: f"{value / 1e6:,.0f} MB"  # noqa: E731
    print(f"{duck['rows']:,} rows, {duck['groups']:,} groups, {THREADS} cores, DuckDB {duck['version']}")
    lines = []

    def line(what, mine, theirs, ratio, goal="", met=None):
        lines.append((what, mine, theirs, ratio, goal, "" if met is None else "yes" if met else "NO"))

    if not ours:
        line("load", "", rate(duck["rows"], duck["load_seconds"]), "")
        line("hourly rollup", "", rate(duck["rows"], duck["rollup_seconds"]), "")
        line("dashboard p50", "", ms(duck["dashboard"]["p50"]), "")
        line("dashboard p99", "", ms(duck["dashboard"]["p99"]), "")
        line("on disk", "", megabytes(duck["bytes"]), "")
    else:
        copied = ours["rows"] / ours["load_seconds"]
        refreshed = ours["rows"] / ours["refresh_seconds"]
        line(
            "COPY over the wire / DuckDB's CSV reader",
            rate(ours["rows"], ours["load_seconds"]),
            rate(duck["rows"], duck["load_seconds"]),
            f"{duck['load_seconds'] / ours['load_seconds']:.2f}",
            "0.5 M rows/s",
            copied >= 5 * TIMESCALEDB_COPY_ROWS_PER_SECOND,
        )
        line(
            "first refresh / plain rollup",
            rate(ours["rows"], ours["refresh_seconds"]),
            rate(duck["rows"], duck["rollup_seconds"]),
            f"{duck['rollup_seconds'] / ours['refresh_seconds']:.2f}",
            "3 M rows/s",
            refreshed >= 3e6,
        )
        for how in ("prepared", "unprepared"):
            mine = ours[f"dashboard_{how}"]
            for point in ("p50", "p99"):
                theirs = duck["dashboard"][point]
                goal = ("< 0.5 ms", mine["p50"] < 0.5) if (how, point) == ("prepared", "p50") else ("", None)
                line(f"dashboard, {how}, {point} / in process", ms(mine[point]), ms(theirs), f"{theirs / mine[point]:.2f}", *goal)
        share = ours["inserts_per_second"] / ours["fdatasyncs_per_second"]
        line(
            "durable INSERT, 1 row, 1 client / fdatasync",
            f"{ours['inserts_per_second']:,.0f} /s",
            f"{ours['fdatasyncs_per_second']:,.0f} /s",
            f"{share:.2f}",
            "0.9",
            share >= 0.9,
        )
        line("restart until a query is answered", f"{ours['restart_seconds']:.2f} s", "", "", "< 2 s", ours["restart_seconds"] < 2)
        line("the same after kill -9", f"{ours['recovery_seconds']:.2f} s", "", "", "< 2 s", ours["recovery_seconds"] < 2)
        line("peak memory", megabytes(ours["peak_bytes"]), "", "", "< 1,500 MB", ours["peak_bytes"] < 1.5e9)
        line("on disk, log included", megabytes(ours["bytes"]), megabytes(duck["bytes"]), f"{duck['bytes'] / ours['bytes']:.2f}")
        line("values that differ from DuckDB's", str(ours["wrong_values"]), "", "", "0", ours["wrong_values"] == 0)
    print("| figure | Highwater | beside it | ratio | goal | met |\n|---|--:|--:|--:|--:|---|")
    for cells in lines:
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    sys.exit(main())

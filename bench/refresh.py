"""What do the refreshes cost that come after the first one, and what does a query of rows gain from them?

    refresh.py DATA [--server target/release/highwater] [--seconds 3]

DATA is a directory with `esp_telemetry.csv`, `esp_telemetry_next.csv` and `llm_traces.csv`. Starts the server on a new data
directory beside them. After each refresh every value is compared with the same query over rows, answered without aggregates;
a difference ends the run with exit code 1.
"""

import argparse
import csv
import math
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

from figures import Server, copy, latencies

MINUTES = """
SELECT time_bucket('1 minute', ts) AS bucket, model, count(*) AS calls, avg(duration_ms) AS mean, max(duration_ms) AS longest,
  sum(total_tokens) AS tokens, sum(total_cost_usd) AS cost, count(*) FILTER (WHERE status_code <> 'OK') AS errors
FROM llm_traces GROUP BY 1, 2"""
HOURS = """
SELECT time_bucket('1 hour', timestamp) AS bucket, well_id, count(*) AS n, {values} FROM esp_telemetry GROUP BY 1, 2"""
DAYS = """
SELECT time_bucket('1 day', timestamp) AS bucket, well_id, count(*) AS n, {values} FROM esp_telemetry GROUP BY 1, 2"""
# Of rows; answered from hours and days where that is the same.
QUESTIONS = {
    "one well's daily averages, 60 days": "SELECT time_bucket('1 day', timestamp), avg(pip), max(motor_temp) FROM esp_telemetry WHERE well_id = 'WELL-007' GROUP BY 1 ORDER BY 1",
    "all wells, 33 days and a half": "SELECT well_id, avg(flow_rate), stddev(pip) FROM esp_telemetry WHERE timestamp >= '2026-09-20 06:30Z' AND timestamp < '2026-10-23 18:45Z' GROUP BY 1 ORDER BY 1",
    "everything": "SELECT count(*), avg(pdp) FROM esp_telemetry",
}


def same(a, b) -> bool:
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-7))


class Bench:
    def __init__(self, connection, seconds: float):
        self.connection, self.seconds, self.wrong, self.compared = connection, seconds, 0, 0

    def run(self, sql: str) -> float:
        began = time.perf_counter()
        self.connection.execute(sql)
        return time.perf_counter() - began

    def rows(self, sql: str, rewrite: str = "off") -> list:
        self.connection.execute(f"SET highwater.enable_rewrite = {rewrite}")
        return self.connection.execute(sql).fetchall()

    def compare(self, name: str, query: str, time: str) -> None:
        """Every value of an aggregate with that of its query, some days at once: medians of all need much memory."""
        for day in range(0, 80, 8):
            within = [f"{time} >= timestamptz '2026-08-25Z' + interval '{d} days'" for d in (day, day + 8)]
            rows = query.replace("GROUP BY", f"WHERE {within[0]} AND NOT {within[1]} GROUP BY")
            shown = f"SELECT * FROM {name} WHERE {within[0]} AND NOT {within[1]} ORDER BY 1, 2".replace(f"{time} >=", "bucket >=")
            self.compare_rows(name, self.rows(shown), self.rows(f"SELECT * FROM ({rows}) q ORDER BY 1, 2"))

    def compare_rows(self, what: str, ours: list, expected: list) -> None:
        wrong = abs(len(ours) - len(expected))
        wrong += sum(not same(a, b) for mine, theirs in zip(ours, expected) for a, b in zip(mine, theirs))
        self.compared += len(expected)
        if wrong:
            print(f"{what}: {wrong} wrong values of {len(expected)} rows", file=sys.stderr)
            self.wrong += wrong

    def show(self, figure: str, value: str, goal: str, met: bool | None) -> None:
        print(f"| {figure} | {value} | {goal} | {'' if met is None else 'yes' if met else 'NO'} |", flush=True)


def middle(times: list[float]) -> float:
    return sorted(times)[len(times) // 2]


def minutes(bench: Bench, data: pathlib.Path) -> None:
    columns = (
        "ts timestamptz NOT NULL, trace_id text, provider text, model text, status_code text, environment text, user_id text, session_id text,"
        " duration_ms double precision, prompt_tokens integer, completion_tokens integer, total_tokens integer, prompt_cost_usd numeric(12,8),"
        " completion_cost_usd numeric(12,8), total_cost_usd numeric(12,8), error_message text"
    )
    bench.run(f"CREATE TABLE llm_traces ({columns})")
    bench.run("SELECT create_hypertable('llm_traces', 'ts')")
    rows, _ = load(bench, data / "llm_traces.csv", "llm_traces")
    bench.run(f"CREATE MATERIALIZED VIEW llm_minutes WITH (timescaledb.continuous) AS {MINUTES} WITH NO DATA")
    took = bench.run("CALL refresh_continuous_aggregate('llm_minutes', NULL, NULL)")
    bench.compare("llm_minutes", MINUTES, "ts")
    bench.show(f"1-minute aggregate of {rows / 1e6:.2f} M rows by one CALL", f"{took:.2f} s", "≤ 1 s", took <= 1)


def load(bench: Bench, file: pathlib.Path, table: str) -> tuple[int, float]:
    began = time.perf_counter()
    with bench.connection.cursor() as cursor, file.open("rb") as rows:
        with cursor.copy(f"COPY {table} FROM STDIN WITH (FORMAT csv, HEADER)") as copying:
            while piece := rows.read(1 << 20):
                copying.write(piece)
        return cursor.rowcount, time.perf_counter() - began


def wells(bench: Bench, data: pathlib.Path) -> None:
    metrics = (data / "esp_telemetry.csv").open().readline().replace('"', "").strip().split(",")[2:-1]
    columns = ", ".join(["timestamp timestamptz NOT NULL", "well_id text NOT NULL", *(f"{m} double precision" for m in metrics), "status text"])
    bench.run(f"CREATE TABLE esp_telemetry ({columns})")
    bench.run("SELECT create_hypertable('esp_telemetry', 'timestamp')")
    copy(bench.connection, data / "esp_telemetry.csv")
    hours = HOURS.format(values=", ".join(f"{f}({m}) AS {m}_{f}" for m in metrics for f in ("avg", "min", "max", "stddev")))
    days = DAYS.format(values=", ".join(f"avg({m}) AS {m}_avg, percentile_cont(0.5) WITHIN GROUP (ORDER BY {m}) AS {m}_median" for m in metrics))
    for name, query in [("telemetry_hourly", hours), ("telemetry_daily", days)]:
        bench.run(f"CREATE MATERIALIZED VIEW {name} WITH (timescaledb.continuous) AS {query} WITH NO DATA")
        took = bench.run(f"CALL refresh_continuous_aggregate('{name}', NULL, NULL)")
        bench.show(f"first refresh of {name}", f"{took:.2f} s", "", None)
    # Hour by hour, as data arrives.
    with (data / "esp_telemetry_next.csv").open() as file:
        header, *rows = list(csv.reader(file))
    by_hour = {}
    for row in rows:
        by_hour.setdefault(row[0][:13], []).append(row)
    took = []
    for hour in sorted(by_hour)[:12]:
        with bench.connection.cursor() as cursor, cursor.copy(f"COPY esp_telemetry ({', '.join(header)}) FROM STDIN") as copying:
            for row in by_hour[hour]:
                copying.write_row([value or None for value in row])
        took.append(bench.run("CALL refresh_continuous_aggregate('telemetry_hourly', NULL, NULL)"))
    bench.show("incremental hour: 3,000 rows, 80 columns", f"{middle(took) * 1e3:.1f} ms (least {min(took) * 1e3:.1f})", "≤ 5 ms", middle(took) <= 0.005)
    bench.run("CALL refresh_continuous_aggregate('telemetry_daily', NULL, NULL)")
    # Corrections all over.
    chance = random.Random(7)
    took = []
    for _ in range(3):
        for _ in range(40):
            well, day, minute = chance.randrange(1, 51), chance.randrange(60), chance.randrange(1440)
            bench.run(
                f"UPDATE esp_telemetry SET pip = pip + 1 WHERE well_id = 'WELL-{well:03}' AND timestamp = timestamptz '2026-09-01Z' + interval '{day} days {minute} minutes'"
            )
        took.append(bench.run("CALL refresh_continuous_aggregate('telemetry_daily', NULL, NULL)"))
    bench.show("40 corrections all over, daily with 20 medians", f"{middle(took):.2f} s", "≤ 0.4 s", middle(took) <= 0.4)
    bench.run("CALL refresh_continuous_aggregate('telemetry_hourly', NULL, NULL)")
    for name, query in [("telemetry_hourly", hours), ("telemetry_daily", days)]:
        bench.compare(name, query, "timestamp")
    for what, question in QUESTIONS.items():
        bench.compare_rows(what, bench.rows(question, "on"), bench.rows(question))
        times = []
        for rewrite in ("off", "on"):
            bench.connection.execute(f"SET highwater.enable_rewrite = {rewrite}")
            times.append(latencies(lambda _: bench.connection.execute(question).fetchall(), [()], bench.seconds)["p50"])
        bench.show(f"{what}: from rows, from aggregates", f"{times[0]:.1f} ms, {times[1]:.1f} ms ({times[0] / times[1]:.0f}x)", "", None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--server", default="target/release/highwater")
    parser.add_argument("--seconds", type=float, default=3, help="for each figure that repeats something")
    args = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="highwater-refresh-", dir=args.data))
    server = Server(args.server, directory)
    try:
        server.start()
        print("| figure | Highwater | goal | met |\n|---|--:|--:|---|")
        with server.connect() as connection:
            bench = Bench(connection, args.seconds)
            minutes(bench, args.data)
            wells(bench, args.data)
        bench.show("peak memory", f"{server.peak_bytes() / 1e6:.0f} MB", "", None)
        bench.show(f"values that differ in {bench.compared:,} rows from the same query over rows", f"{bench.wrong}", "0", bench.wrong == 0)
        assert bench.compared > 100_000, "most rows were not compared"
    finally:
        server.stop(signal.SIGKILL)
        shutil.rmtree(directory)
    return 1 if bench.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

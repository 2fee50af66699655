"""Two of the systems that Highwater is for, whole: their SQL by psql, their data by COPY, a kill in the middle, and
every value of every aggregate compared with DuckDB's.

    seeds.py DATA [--server target/release/highwater] [--piece-rows 250000]

DATA is a directory with `deviations.csv` and `esp_telemetry.csv`. For each system: `psql -f seeds/NAME.sql`; the file in
pieces, each one COPY by psql; in the middle of one piece `kill -9`; after a restart the table must hold every
acknowledged piece, and of the interrupted one all or nothing; the rest of the file; a refresh of every aggregate. Then rows
are corrected (updated, deleted, added late), refreshed and compared again. A difference ends the run with exit code 1.
"""

import argparse
import itertools
import math
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import duckdb

from figures import Server

HERE = pathlib.Path(__file__).parent
# A kill comes when this share of the pieces has been acknowledged.
KILLED_AFTER = 0.4

SYSTEMS = {
    "forecast_accuracy": {
        "table": "deviations",
        "aggregates": {
            "daily_accuracy_metrics": "1 day",
            "weekly_accuracy_metrics": "7 days",
            "monthly_accuracy_metrics": "30 days",
        },
        "keys": ["site_id", "model_id", "parameter_id", "horizon"],
        "corrections": [
            "UPDATE deviations SET deviation = deviation + 1 WHERE site_id = 3 AND timestamp >= '2026-09-01' AND timestamp < '2026-09-01 06:00'",
            "DELETE FROM deviations WHERE site_id = 5 AND horizon = 24 AND timestamp >= '2026-10-10' AND timestamp < '2026-10-12'",
            "INSERT INTO deviations VALUES ('2026-07-20 00:07', 1, 1, 1, 6, 1, 2, -1)",
        ],
    },
    "well_telemetry": {
        "table": "esp_telemetry",
        "aggregates": {"telemetry_hourly": "1 hour", "telemetry_daily": "1 day"},
        "keys": ["well_id"],
        "corrections": [
            "UPDATE esp_telemetry SET pip = pip * 2 WHERE well_id = 'WELL-007' AND timestamp >= '2026-09-15 10:00' AND timestamp < '2026-09-15 11:30'",
            "DELETE FROM esp_telemetry WHERE well_id = 'WELL-011' AND timestamp >= '2026-10-01' AND timestamp < '2026-10-01 05:00'",
            "INSERT INTO esp_telemetry (timestamp, well_id, flow_rate) VALUES ('2026-09-03 03:03:03', 'WELL-050', 1e6)",
        ],
    },
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--server", default="target/release/highwater")
    parser.add_argument("--piece-rows", type=int, default=250_000)
    args = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="highwater-seeds-", dir=args.data))
    server = Server(args.server, directory)
    server.start()
    peer = duckdb.connect()
    peer.execute("SET TimeZone = 'UTC'")
    wrong = 0
    try:
        for name, system in SYSTEMS.items():
            wrong += run(server, peer, name, system, args.data, directory, args.piece_rows)
        print(f"peak memory {server.peak_bytes() / 1e6:,.0f} MB, on disk "
              f"{sum(f.stat().st_size for f in server.data.rglob('*') if f.is_file()) / 1e6:,.0f} MB")
    finally:
        if server.process.poll() is None:
            server.stop(signal.SIGTERM)
        shutil.rmtree(directory)
    print("every value equals DuckDB's" if not wrong else f"{wrong} values differ")
    return 1 if wrong else 0


def run(server: Server, peer, name: str, system: dict, data: pathlib.Path, directory: pathlib.Path, piece_rows: int) -> int:
    table, csv = system["table"], data / f"{system['table']}.csv"
    psql(server, "-f", str(HERE / "seeds" / f"{name}.sql"))
    pieces = split(csv, directory, piece_rows)
    total = sum(rows for _, rows in pieces)
    killed = int(len(pieces) * KILLED_AFTER)
    acknowledged, began = 0, time.perf_counter()
    for i, (piece, rows) in enumerate(pieces):
        if i == killed:
            copying = start_copy(server, table, piece)
            time.sleep(0.15)
            server.stop(signal.SIGKILL)
            copying.wait()
            seconds = server.start()
            kept = int(psql(server, "-c", f"SELECT count(*) FROM {table}"))
            if kept not in (acknowledged, acknowledged + rows):
                sys.exit(f"{name}: {acknowledged:,} rows were acknowledged, after a kill there are {kept:,}")
            print(f"{name}: killed in the middle of piece {i + 1} of {len(pieces)}; after {seconds:.2f} s all {acknowledged:,} acknowledged rows are there")
            if kept > acknowledged:
                acknowledged = kept
                continue
        if start_copy(server, table, piece).wait() != 0:
            sys.exit(f"{name}: piece {i + 1} was refused")
        acknowledged += rows
    seconds = time.perf_counter() - began
    print(f"{name}: {total:,} rows by psql in {seconds:.1f} s, the kill and the restart included")
    for piece, _ in pieces:
        piece.unlink()
    peer.execute(f"CREATE TABLE {table} AS FROM read_csv('{csv}', types = {{'timestamp': 'TIMESTAMPTZ'}})")
    wrong = compare(server, peer, name, system, "as loaded")
    for correction in system["corrections"]:
        psql(server, "-c", correction)
        peer.execute(correction)
    return wrong + compare(server, peer, name, system, "after corrections")


def compare(server: Server, peer, name: str, system: dict, when: str) -> int:
    """Refreshes every aggregate and counts the values that differ from DuckDB's answer to its query."""
    wrong = 0
    for aggregate, width in system["aggregates"].items():
        began = time.perf_counter()
        psql(server, "-c", f"CALL refresh_continuous_aggregate('{aggregate}', NULL, NULL)")
        seconds = time.perf_counter() - began
        keys = ", ".join(["bucket", *system["keys"]])
        with server.connect() as connection:
            cursor = connection.execute(f"SELECT * FROM {aggregate} ORDER BY {keys}")
            names = [column.name for column in cursor.description]
            ours = cursor.fetchall()
        # Monday 3 January 2000 is where TimescaleDB's buckets of days begin.
        bucket = f"time_bucket(INTERVAL '{width}', timestamp, TIMESTAMPTZ '2000-01-03 00:00Z') AS bucket"
        values = [expression(column) for column in names if column != "bucket" and column not in system["keys"]]
        theirs = peer.execute(
            f"SELECT {bucket}, {', '.join([*system['keys'], *values])} FROM {system['table']} GROUP BY {keys} ORDER BY {keys}"
        ).fetchall()
        if len(ours) != len(theirs):
            sys.exit(f"{name}: {aggregate} {when}: {len(ours):,} rows, DuckDB has {len(theirs):,}")
        different = 0
        for mine, other in zip(ours, theirs):
            for column, a, b in zip(names, mine, other):
                if not same(column, a, b):
                    different += 1
                    if different <= 5:
                        print(f"wrong: {aggregate} {mine[:2]} {column}: {a!r}, DuckDB {b!r}", file=sys.stderr)
        wrong += different
        print(f"{name}: {aggregate} {when}: {len(ours):,} rows × {len(names)} columns, {different} values differ; refreshed in {seconds:.2f} s")
    return wrong


def expression(column: str) -> str:
    """What a column of the aggregates means, in DuckDB's words."""
    known = {
        "mae": "avg(abs(deviation))",
        "bias": "avg(deviation)",
        "std_dev": "stddev(deviation)",
        "sample_size": "count(*)",
        "samples": "count(*)",
        "min_deviation": "min(deviation)",
        "max_deviation": "max(deviation)",
    }
    if column in known:
        return known[column]
    metric, function = column.rsplit("_", 1)
    return f"quantile_cont({metric}, 0.5)" if function == "median" else f"{function}({metric})"


def same(column: str, a, b) -> bool:
    """Counts, keys and extremes exactly; sums of floats within what the order of summation allows."""
    if a == b:
        return True
    exact = column.endswith(("_min", "_max", "samples", "sample_size", "_deviation", "_id", "horizon", "bucket"))
    return not exact and a is not None and b is not None and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-7)


def split(csv: pathlib.Path, directory: pathlib.Path, piece_rows: int) -> list[tuple[pathlib.Path, int]]:
    """The file in pieces, each with its header."""
    pieces = []
    with csv.open() as lines:
        header = next(lines)
        while rows := list(itertools.islice(lines, piece_rows)):
            piece = directory / f"piece-{len(pieces)}.csv"
            piece.write_text(header + "".join(rows))
            pieces.append((piece, len(rows)))
    return pieces


def arguments(server: Server) -> list[str]:
    return ["psql", "-X", "-A", "-t", "-q", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "-v", "ON_ERROR_STOP=1"]


def psql(server: Server, *what: str) -> str:
    done = subprocess.run([*arguments(server), *what], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"psql {what[-1][:200]}\n{done.stderr}")
    return done.stdout.strip()


def start_copy(server: Server, table: str, piece: pathlib.Path) -> subprocess.Popen:
    command = f"\\copy {table} FROM '{piece}' WITH (FORMAT csv, HEADER)"
    return subprocess.Popen([*arguments(server), "-c", command], stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())

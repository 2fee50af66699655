"""How small the five tables get, how long that takes, whether reading them gets slower, and whether others can read them.

    compression.py DATA [--server target/release/highwater] [--tables esp_telemetry,…]

DATA is a directory with the five files of `SCHEMAS`. For each: COPY and CHECKPOINT, the sum of every number after a restart
(so nothing is decoded yet), compress_chunk of every chunk, the same sums after another restart, and the same sums by DuckDB
over the segments. A sum that differs from DuckDB's over the file ends the run with exit code 1.
"""

import argparse
import math
import pathlib
import shutil
import signal
import sys
import tempfile
import time

import duckdb

from figures import Server, copy

WELL = [
    "flow_rate", "pip", "pdp", "motor_current", "motor_voltage", "motor_temp", "intake_temp", "vibration", "vibration_y",
    "vsd_frequency", "flow_variance", "torque", "gor", "wellhead_pressure", "casing_pressure", "power_kw", "water_cut",
    "oil_rate", "gas_rate", "tubing_temp",
]
PORTFOLIO = [
    "twr_1d", "twr_ytd", "twr_1y", "volatility_30d", "sharpe_30d", "beta_1y", "alpha_1y", "tracking_error_1y",
    "max_drawdown_1y", "portfolio_value_base", "cash_balance",
]

# Columns with their types, the time, and what rows are segmented by.
SCHEMAS = {
    "deviations": (
        {"timestamp": "timestamptz", "site_id": "int", "model_id": "int", "parameter_id": "int", "horizon": "int",
         "forecast_value": "float8", "observed_value": "float8", "deviation": "float8"},
        "timestamp", "site_id, model_id, parameter_id, horizon",
    ),
    "portfolio_metrics": (
        {"portfolio_id": "uuid", "asof_date": "date", "pricing_pack_id": "text", **dict.fromkeys(PORTFOLIO, "float8"),
         "base_currency": "text"},
        "asof_date", "portfolio_id",
    ),
    "esp_telemetry": (
        {"timestamp": "timestamptz", "well_id": "text", **dict.fromkeys(WELL, "float8"), "status": "text"},
        "timestamp", "well_id",
    ),
    "llm_traces": (
        {"ts": "timestamptz", "trace_id": "text", "provider": "text", "model": "text", "status_code": "text",
         "environment": "text", "user_id": "text", "session_id": "text", "duration_ms": "float8", "prompt_tokens": "int",
         "completion_tokens": "int", "total_tokens": "int", "prompt_cost_usd": "float8", "completion_cost_usd": "float8",
         "total_cost_usd": "float8", "error_message": "text"},
        "ts", "provider, model",
    ),
    "employee_metrics": (
        {"timestamp": "timestamptz", "employee_id": "text", "degree_centrality": "float8",
         "betweenness_centrality": "float8", "clustering_coeff": "float8", "burnout_score": "float8"},
        "timestamp", "employee_id",
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--server", default="target/release/highwater")
    parser.add_argument("--tables", default=",".join(SCHEMAS))
    args = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="highwater-compression-", dir=args.data))
    server = Server(args.server, directory)
    server.start()
    print("| table | rows | CSV | ordinary | compressed | compressing | sums before | sums after | ratio |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    totals, wrong = [0, 0, 0], 0
    try:
        for table in args.tables.split(","):
            sizes, different = measure(server, table, args.data / f"{table}.csv")
            totals = [total + size for total, size in zip(totals, sizes)]
            wrong += different
    finally:
        if server.process.poll() is None:
            server.stop(signal.SIGTERM)
        shutil.rmtree(directory)
    print(f"| all | | {totals[0] / 1e6:,.0f} MB | {totals[1] / 1e6:,.1f} MB | {totals[2] / 1e6:,.1f} MB | | | | |")
    print("every sum is DuckDB's" if not wrong else f"{wrong} sums differ")
    return 1 if wrong else 0


def measure(server: Server, table: str, csv: pathlib.Path) -> tuple[list[int], int]:
    columns, time_column, segment_by = SCHEMAS[table]
    numbers = [name for name, kind in columns.items() if kind in ("int", "float8")]
    sums = f"SELECT count(*), {', '.join(f'sum({name}::float8)' for name in numbers)} FROM "
    others = segments(server)
    with server.connect() as connection:
        connection.execute(f"CREATE TABLE {table} ({', '.join(f'{n} {t}' for n, t in columns.items())})")
        connection.execute(f"SELECT create_hypertable('{table}', '{time_column}', migrate_data => true)")
        connection.execute(
            f"ALTER TABLE {table} SET (timescaledb.enable_columnstore, timescaledb.segmentby = '{segment_by}')"
        )
        rows, _ = copy(connection, csv, table)
        connection.execute("CHECKPOINT")
    ordinary = size(segments(server) - others)
    ours, before = first_answer(server, sums + table)
    with server.connect() as connection:
        began = time.perf_counter()
        connection.execute(f"SELECT count(compress_chunk(c)) FROM show_chunks('{table}') c")
        seconds = time.perf_counter() - began
    again, after = first_answer(server, sums + table)
    small = segments(server) - others
    peer = duckdb.connect()
    peer.execute("SET TimeZone = 'UTC'")
    files = ", ".join(f"'{file}'" for file in small)
    # Columns of doubles may be decimals in one segment and doubles in another.
    foreign = sums.replace("sum(", "sum(CAST(").replace("::float8)", " AS DOUBLE))")
    foreign = peer.execute(foreign + f"read_parquet([{files}], union_by_name = true)").fetchone()
    wanted = peer.execute(sums + f"read_csv('{csv}')").fetchone()
    same = lambda a, b: a == b or (a is not None and b is not None and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-6))
    wrong = sum(not same(value, right) for answer in (ours, again, foreign) for value, right in zip(answer, wanted))
    sizes = [csv.stat().st_size, ordinary, size(small)]
    print(
        f"| `{table}` | {rows:,} | {sizes[0] / 1e6:,.0f} MB | {ordinary / 1e6:,.1f} MB | {sizes[2] / 1e6:,.1f} MB "
        f"| {rows / seconds / 1e6:.2f} M rows/s | {before:.2f} s | {after:.2f} s | {after / before:.2f} |",
        flush=True,
    )
    return sizes, wrong


def first_answer(server: Server, query: str):
    """The answer of a server that has decoded nothing yet, and how long it took: the better of two."""
    best = math.inf
    for _ in range(2):
        server.stop(signal.SIGTERM)
        server.start()
        with server.connect() as connection:
            began = time.perf_counter()
            answer = connection.execute(query).fetchone()
            best = min(best, time.perf_counter() - began)
    return answer, best


def segments(server: Server) -> set[pathlib.Path]:
    return set(server.data.rglob("*.parquet"))


def size(files: set[pathlib.Path]) -> int:
    return sum(file.stat().st_size for file in files)


if __name__ == "__main__":
    sys.exit(main())

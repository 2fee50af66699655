"""How many durable single-row INSERTs a second, beside PostgreSQL 15 and beside what the disk can do?

    inserts.py DIRECTORY [--server target/release/highwater] [--seconds 4] [--clients 1 8 64] [--sync-ms 3]

Both servers are started on new directories in DIRECTORY, which says which disk is meant, on loopback and free ports, and
stopped again. pgbench sends the same prepared statement to one and then to the other; before, between and after, one
thread alone makes appends of 256 bytes durable, one by one.

`--sync-ms` makes each fdatasync of all of them so much slower, as on disks that are further away: a library in front of the C
library's, compiled by cc, sleeps and then calls it.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from figures import fdatasync_rate
from round_trip import PROGRAMS, Wire, both, query

TABLE = "CREATE TABLE measured (time timestamptz NOT NULL, sensor integer NOT NULL, value double precision)"
INSERT = "INSERT INTO measured VALUES (now(), 1, 20.5);\n"
# What each does to find rows by time later.
FOR_TIME = ["SELECT create_hypertable('measured', 'time')", "CREATE INDEX ON measured (time)"]


SLOW_SYNC = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int fdatasync(int file) {
    struct timespec wait = {0, %d};
    nanosleep(&wait, 0);
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return real(file);
}
"""


def slowed(milliseconds: float) -> None:
    """Runs this program again with every fdatasync slower."""
    with tempfile.TemporaryDirectory(prefix="highwater-slow-") as directory:
        source, library = pathlib.Path(directory, "slow.c"), pathlib.Path(directory, "slow.so")
        source.write_text(SLOW_SYNC % round(milliseconds * 1e6))
        os.chmod(directory, 0o755)
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        environment = os.environ | {"LD_PRELOAD": str(library), "HIGHWATER_SLOWED": "1"}
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=environment).returncode)


def rate(port: int, script: pathlib.Path, clients: int, seconds: float) -> float:
    command = [PROGRAMS / "pgbench", "-h", "127.0.0.1", "-p", port, "-U", "postgres", "-n", "-M", "prepared", "-f", script]
    command += ["-c", clients, "-j", 1, "-T", max(1, round(seconds)), "postgres"]
    done = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
    assert "number of failed transactions: 0 " in done.stdout, done.stdout
    return float(re.search(r"tps = ([\d.]+)", done.stdout)[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--server", default="target/release/highwater")
    parser.add_argument("--seconds", type=float, default=4, help="for each figure")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--sync-ms", type=float, help="milliseconds, below 1000, that each fdatasync takes longer")
    args = parser.parse_args()
    if args.sync_ms and "HIGHWATER_SLOWED" not in os.environ:
        slowed(args.sync_ms)
    with tempfile.TemporaryDirectory(prefix="highwater-inserts-", dir=args.directory) as directory, both(args.server, directory) as servers:
        ports = [port for _, port in servers]
        script = pathlib.Path(directory, "insert.sql")
        script.write_text(INSERT)
        for port, for_time in zip(ports, FOR_TIME):
            wire = Wire(port)
            wire.ask(query(TABLE))
            wire.ask(query(for_time))
        print("| clients | Highwater | of fdatasync | PostgreSQL 15 | of fdatasync | ratio | fdatasync alone |")
        print("|--:|--:|--:|--:|--:|--:|--:|")
        for clients in args.clients:
            syncs = [fdatasync_rate(pathlib.Path(directory), args.seconds / 4)]
            rates = []
            for port in ports:
                rates.append(rate(port, script, clients, args.seconds))
                syncs.append(fdatasync_rate(pathlib.Path(directory), args.seconds / 4))
            ours, theirs = rates
            sync = sum(syncs) / len(syncs)
            print(
                f"| {clients} | {ours:,.0f} /s | {ours / sync:.2f} | {theirs:,.0f} /s | {theirs / sync:.2f} | {ours / theirs:.2f} | {sync:,.0f} /s |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())

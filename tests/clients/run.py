"""Starts the server, runs every client script against it, stops it, and says how many passed.

    run.py PATH/TO/highwater [SCRIPT…]

A script is `test_*.py`, or a shell script, beside this file. It finds the server in PGHOST, PGPORT and PGUSER
and makes itself a database. It passes when it exits with 0: a client that is not installed is a failure,
not a script to leave out. The server has to stop by SIGTERM with exit code 0.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
START_SECONDS = 30
STOP_SECONDS = 30
SCRIPT_SECONDS = 900


class Server:
    """The server on a new data directory and free ports of the loopback interface."""

    def __init__(self, program: str, directory: pathlib.Path):
        self.log = directory / "server.log"
        self.process = subprocess.Popen(
            [program, "serve", "--data-dir", str(directory / "data"), "--pg", "127.0.0.1:0", "--http", "127.0.0.1:0"],
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        self.pg_port = int(self.wait_for(r"listening on postgresql://127\.0\.0\.1:(\d+)"))
        self.http_port = int(self.wait_for(r"listening on http://127\.0\.0\.1:(\d+)"))
        ready = urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/ready", timeout=START_SECONDS)
        assert ready.status == 200, f"/ready answers {ready.status}"

    def wait_for(self, pattern: str) -> str:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            found = re.search(pattern, self.log.read_text(errors="replace"))
            if found:
                return found.group(1)
            if self.process.poll() is not None:
                raise RuntimeError(f"the server exited with {self.process.returncode}\n{self.tail()}")
            time.sleep(0.05)
        self.process.kill()
        raise RuntimeError(f"the server did not print {pattern!r} within {START_SECONDS} s\n{self.tail()}")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise RuntimeError(f"the server did not stop within {STOP_SECONDS} s\n{self.tail()}") from None
        if code != 0:
            raise RuntimeError(f"the server stopped with exit code {code}\n{self.tail()}")

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])


def run(script: pathlib.Path, environment: dict[str, str]) -> bool:
    """Runs one script and prints what it said when it failed."""
    command = ["bash", str(script)] if script.suffix == ".sh" else [sys.executable, str(script)]
    began = time.monotonic()
    try:
        done = subprocess.run(
            command, env=environment, timeout=SCRIPT_SECONDS, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        output, passed = done.stdout, done.returncode == 0
    except subprocess.TimeoutExpired as late:
        output, passed = (late.stdout or b"") + f"\nnot finished after {SCRIPT_SECONDS} s".encode(), False
    print(f"{'ok    ' if passed else 'FAILED'} {script.name} {time.monotonic() - began:.1f} s", flush=True)
    print("".join(f"    {line}\n" for line in output.decode(errors="replace").splitlines()), end="", flush=True)
    return passed


def main() -> int:
    program = sys.argv[1]
    scripts = [HERE / name for name in sys.argv[2:]] or sorted([*HERE.glob("test_*.py"), *HERE.glob("*.sh")])
    with tempfile.TemporaryDirectory(prefix="highwater-clients-") as directory:
        server = Server(program, pathlib.Path(directory))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        environment |= {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.pg_port),
            "PGUSER": "postgres",
            "HIGHWATER_HTTP": f"http://127.0.0.1:{server.http_port}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        try:
            failed = [script.name for script in scripts if not run(script, environment)]
            if server.process.poll() is not None:
                failed.append(f"the server, which exited with {server.process.returncode}")
            if failed:
                print("the end of the server's log:\n" + server.tail())
        finally:
            if server.process.poll() is None:
                server.stop()
    for name in failed:
        print(f"failed: {name}")
    print(f"clients: {len(scripts) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

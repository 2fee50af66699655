"""Runs the suite against a new server and prints what failed. Called by conformance.sh, which says how."""

import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tests" / "clients"))
from run import Server  # noqa: E402


def main() -> int:
    program, suite, globs, report, *more = sys.argv[1:]
    suite = pathlib.Path(suite)
    with tempfile.TemporaryDirectory(prefix="highwater-conformance-") as directory:
        server = Server(program, pathlib.Path(directory))
        try:
            candidate = f"host=127.0.0.1 port={server.pg_port} user=postgres dbname=postgres"
            command = [sys.executable, str(suite / "conform.py"), "--cases", str(suite / "cases"), "--candidate", candidate]
            code = subprocess.run([*command, "--files", globs, "--out", report, *more]).returncode
            if server.process.poll() is not None:
                print(f"the server exited with {server.process.returncode}\n{server.tail()}")
                return 1
        finally:
            if server.process.poll() is None:
                server.stop()
    if code == 2:
        return code
    outcome = json.loads(pathlib.Path(report).read_text())
    if not outcome["cases"]["n"] or not outcome["public"]["n"]:
        print("no case was selected")
        return 2
    for failure in outcome["failures"]:
        follows = " (follows from an earlier failure)" if failure["cascade"] else ""
        print(f"{failure['key']}  {failure['verdict']}{follows}: {failure['detail']}\n    {' '.join(failure.get('sql', '').split())}")
    passed, cases = outcome["public"]["passed"], outcome["cases"]
    print(f"conformance: {passed} of {outcome['public']['n']} statements, {cases['passed']} of {cases['n']} cases whole")
    return code


if __name__ == "__main__":
    sys.exit(main())

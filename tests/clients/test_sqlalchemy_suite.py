"""SQLAlchemy's own dialect suite: all of it but what `sqlalchemy_suite/failing.txt` lists, and the score in the docs."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from lib import HOST, PORT, USER, main, new_database

HERE = pathlib.Path(__file__).parent
SUITE = HERE / "sqlalchemy_suite"
PAGE = HERE.parent.parent / "docs" / "compatibility.md"
SCORE = re.compile(r"(\d+) of the (\d+) tests of SQLAlchemy's dialect suite")


def outcomes() -> dict[str, str]:
    """How each test of the suite ended."""
    database = new_database("client_sqlalchemy_suite")
    url = f"postgresql+psycopg://{USER}@{HOST}:{PORT}/{database}"
    import psycopg

    with psycopg.connect(host=HOST, port=PORT, user=USER, dbname=database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA test_schema")
        connection.execute("CREATE SCHEMA test_schema_2")
    with tempfile.TemporaryDirectory() as directory:
        result = pathlib.Path(directory) / "outcomes.json"
        command = [sys.executable, "-m", "pytest", "--dburi", url, *os.environ.get("SUITE_ARGUMENTS", "").split()]
        environment = os.environ | {"SUITE_OUTCOMES": str(result)}
        done = subprocess.run(command, cwd=SUITE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if report := os.environ.get("SUITE_REPORT"):
            pathlib.Path(report).write_text(done.stdout)
        assert result.exists(), f"the suite did not run:\n{done.stdout[-4000:]}"
        return json.loads(result.read_text())


def listed() -> set[str]:
    """Tests that are known to fail; each group stands below its reason."""
    lines = (SUITE / "failing.txt").read_text().splitlines()
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def test_the_suite_passes_but_for_what_is_listed():
    ended, known = outcomes(), listed()
    passed = {name for name, outcome in ended.items() if outcome == "passed"}
    failed = {name for name, outcome in ended.items() if outcome == "failed"}
    print(f"{len(passed)} of the {len(passed) + len(failed)} tests of SQLAlchemy's dialect suite pass", flush=True)
    assert failed <= known, "these failed:\n" + "\n".join(sorted(failed - known))
    assert known <= failed, "these no longer fail, take them off the list:\n" + "\n".join(sorted(known - failed))
    score = SCORE.search(PAGE.read_text())
    assert score, f"{PAGE.name} does not tell the score"
    told = (int(score[1]), int(score[2]))
    assert told == (len(passed), len(passed) + len(failed)), f"{PAGE.name} tells {told}"


if __name__ == "__main__":
    main()

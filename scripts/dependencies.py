"""Checks what is linked against deny.toml, with nothing to install: licences, sources, banned crates.

cargo-deny reads the same file and sees more (advisories, yanked versions); it takes minutes to compile, so
this stands in for it in every run.
"""

import json
import re
import subprocess
import sys
import tomllib

RULES = tomllib.load(open("deny.toml", "rb"))


def allowed(expression: str, licences: set[str]) -> bool:
    """Whether an SPDX expression is satisfied by these licences. A slash is an old way to write OR."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    position = 0

    def take() -> str:
        nonlocal position
        position += 1
        return tokens[position - 1]

    def following(word: str) -> bool:
        return position < len(tokens) and tokens[position] == word

    def one() -> bool:
        token = take()
        if token == "(":
            value = either()
            take()
            return value
        if following("WITH"):
            take()
            token = f"{token} WITH {take()}"
        return token in licences

    def both() -> bool:
        value = one()
        while following("AND"):
            take()
            value = one() and value
        return value

    def either() -> bool:
        value = both()
        while following("OR"):
            take()
            value = both() or value
        return value

    return either()


def linked() -> list[dict]:
    """The packages of the systems that deny.toml names, those of the workspace left out."""
    packages: dict[str, dict] = {}
    for target in RULES["graph"]["targets"]:
        command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
        metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        used = {node["id"] for node in metadata["resolve"]["nodes"]}
        packages |= {p["id"]: p for p in metadata["packages"] if p["id"] in used and p["source"]}
    return list(packages.values())


def main() -> int:
    licences = set(RULES["licenses"]["allow"])
    exceptions = {rule["crate"]: set(rule["allow"]) for rule in RULES["licenses"].get("exceptions", [])}
    banned = {rule["name"] for rule in RULES["bans"]["deny"]}
    faults = []
    packages = linked()
    for package in packages:
        name, where = package["name"], f"{package['name']} {package['version']}"
        if not allowed(package["license"] or "none", licences | exceptions.get(name, set())):
            faults.append(f"{where}: the licence {package['license']} is not allowed")
        if not package["source"].startswith("registry+"):
            faults.append(f"{where}: comes from {package['source']}")
        if name in banned:
            faults.append(f"{where}: is banned")
    print("\n".join(faults) or f"{len(packages)} dependencies: licences, sources and bans hold")
    return 1 if faults else 0


if __name__ == "__main__":
    for expression, satisfied in [("MIT OR X", True), ("X OR Y", False), ("MIT AND (X OR ISC)", True), ("MIT AND X", False), ("X/MIT", True)]:
        assert allowed(expression, {"MIT", "ISC"}) is satisfied, expression
    sys.exit(main())

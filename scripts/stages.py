#!/usr/bin/env python3
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Run the quality gates, and end with a table of times and one line of counts.

One after the other, but for the virtual machine: without KVM it takes one processor, as do the gates beside it.

usage: stages.py [STAGE ...]     without a stage: all that this machine can run
A stage that this machine cannot run (no root for lab hosts) is said to be left out; it is never counted as passed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "build" / "test"
PACKAGE = "tests/e2e/test_package.py"
NO_HOST = "not lab and not qemu and not soak and not second_opinion"
CAUSES, CAUSE_CHARS = 6, 400
PACKAGE_APART = (f"--ignore={PACKAGE}",)


@dataclass(frozen=True)
class Stage:
    """Commands that run in order until one fails; those with a JUnit file add their tests to the count."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    needs_root: bool = False
    #: Runs beside the others, with its output in a file, and is waited for before those on lab hosts.
    beside: bool = False


@dataclass
class Result:
    """How a stage ended; `passed` and `failed` count tests, or commands where there are no tests."""

    name: str
    state: str
    seconds: float = 0.0
    passed: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)


def pytest(name: str, *arguments: str) -> tuple[str, ...]:
    """A pytest call that leaves its counts in a JUnit file."""
    return ("pytest", f"--junit-xml={OUTPUT / name}.xml", *arguments)


def shell_scripts() -> tuple[str, ...]:
    """Every shell script of the project, by its first line."""
    candidates = [*ROOT.glob("scripts/*"), *ROOT.glob(".ci/*")]
    return tuple(
        str(path.relative_to(ROOT))
        for path in sorted(candidates)
        if path.is_file() and re.match(rb"#!.*\b(ba|da)?sh\b", path.read_bytes()[:80])
    )


def stages() -> list[Stage]:
    """The gates, cheapest first."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return [
        Stage(
            "lint",
            (
                ("ruff", "check", "."),
                ("mypy", "src", "plugins/module_utils", "plugins/plugin_utils"),
                ("yamllint", "."),
                ("shellcheck", *shell_scripts()),
                ("ansible-lint",),
            ),
        ),
        Stage(
            "unit",
            (
                pytest("unit", "tests/unit"),
                pytest(
                    "unit-e2e",
                    "tests/e2e",
                    "-m",
                    "not lab and not qemu and not soak and not second_opinion",
                    *PACKAGE_APART,
                ),
            ),
        ),
        Stage(
            "docs-check",
            ((sys.executable, "-m", "rampart.dev.docs", "--check"), ("antsibull-changelog", "lint")),
        ),
        Stage("sanity", (("scripts/ansible-test.sh", "sanity", "--python", python),)),
        Stage("package", (pytest("package", PACKAGE),)),
        Stage("formats", (pytest("formats", "tests/formats"),)),
        Stage("qemu-test", (pytest("qemu", "tests/e2e", "-m", "qemu"),), beside=True),
        Stage(
            "lab-test",
            (
                pytest("lab", "tests/lab", "-m", "lab and not qemu"),
                pytest("molecule", "tests/e2e/test_molecule.py", "-m", "lab and not choice"),
                pytest(
                    "e2e", "tests/e2e", "-m", "lab and not soak and not choice", "--ignore=tests/e2e/test_molecule.py"
                ),
            ),
            needs_root=True,
        ),
    ]


def run(wanted: list[Stage]) -> list[Result]:
    """Run the stages; those that may run beside others start with the first of them."""
    beside = [stage for stage in wanted if stage.beside and len(wanted) > 1]
    before = [stage for stage in wanted if stage not in beside and not stage.needs_root]
    after = [stage for stage in wanted if stage not in beside and stage.needs_root]
    with ThreadPoolExecutor() as pool:
        running = [pool.submit(run_in_file, stage) for stage in beside]
        results = [run_stage(stage) for stage in before]
        results += [future.result() for future in running]
    return results + [run_stage(stage) for stage in after]


def run_in_file(stage: Stage) -> Result:
    """Run one stage with its output in a file, which is shown when it has ended."""
    log = OUTPUT / f"{stage.name}.log"
    print(f"=== {stage.name} runs beside the next: {log.relative_to(ROOT)}", flush=True)
    with log.open("w", encoding="utf-8") as output:
        result = run_stage(stage, output)
    print(log.read_text(encoding="utf-8"), flush=True)
    return result


def run_stage(stage: Stage, output: TextIO = sys.stdout) -> Result:
    """Run one stage with its output on the terminal, or in a file."""
    if stage.needs_root and os.geteuid() != 0:
        return Result(stage.name, "left out: lab hosts need root")
    print(f"\n=== {stage.name}", file=output, flush=True)
    result, start = Result(stage.name, "passed"), time.monotonic()
    for command in stage.commands:
        print(f"$ {' '.join(command)}", file=output, flush=True)
        rc = subprocess.run(command, cwd=ROOT, check=False, stdout=output, stderr=subprocess.STDOUT).returncode
        passed, failed = counts(command, rc)
        result.passed += passed
        result.failed += failed
        if rc != 0:
            result.state = "failed"
            result.failures.append(f"failed: {stage.name}: {' '.join(command)} ended with {rc}")
            result.failures.extend(causes(command))
    result.seconds = time.monotonic() - start
    return result


def counts(command: tuple[str, ...], rc: int) -> tuple[int, int]:
    """Tests passed and failed by a command, from its JUnit file; a command without one counts as one test."""
    junit = junit_file(command)
    if junit is None:
        return (1, 0) if rc == 0 else (0, 1)
    suite = next(ElementTree.parse(junit).getroot().iter("testsuite"))
    total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    return total - skipped - failed, failed or (1 if rc else 0)


def junit_file(command: tuple[str, ...]) -> Path | None:
    """The JUnit file that a command left, if it leaves one."""
    named = (Path(word.partition("=")[2]) for word in command if word.startswith("--junit-xml="))
    return next((path for path in named if path.is_file()), None)


def causes(command: tuple[str, ...]) -> list[str]:
    """Why tests of a command failed, the first few causes: a test, how many more said the same, and what they said.

    A log may be cut; its end names the causes.
    """
    junit = junit_file(command)
    tests: dict[str, list[str]] = {}
    for case in ElementTree.parse(junit).iter("testcase") if junit else ():
        for fault in (*case.iter("failure"), *case.iter("error")):
            said = " ".join((fault.get("message") or "").split())[:CAUSE_CHARS]
            tests.setdefault(said, []).append(f"{case.get('classname')}::{case.get('name')}")
    lines = []
    for said, names in tests.items():
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        lines.append(f"  {names[0]}{others}: {said}")
    return lines[:CAUSES] + ([f"  and {len(lines) - CAUSES} other causes"] if len(lines) > CAUSES else [])


def summary(results: list[Result], seconds: float) -> str:
    """The table, the failing commands, and the closing line."""
    lines = ["", f"{'stage':<12} {'time':>7}  {'passed':>6} {'failed':>6}  state"]
    for each in results:
        lines.append(f"{each.name:<12} {each.seconds:6.0f}s  {each.passed:>6} {each.failed:>6}  {each.state}")
    lines += [text for each in results for text in each.failures]
    passed, failed = sum(each.passed for each in results), sum(each.failed for each in results)
    return "\n".join([*lines, f"{passed} passed, {failed} failed in {seconds:.0f}s"])


def main(names: list[str]) -> int:
    """Exit code 0 when everything that ran passed, 1 when something failed, 2 for an unknown stage."""
    table = {stage.name: stage for stage in stages()}
    unknown = sorted(set(names) - set(table))
    if unknown:
        print(f"no stage {', '.join(unknown)}; wanted: {', '.join(table)}", file=sys.stderr)
        return 2
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for old in OUTPUT.glob("*.xml"):
        old.unlink()
    start = time.monotonic()
    results = run([table[name] for name in names or table])
    print(summary(results, time.monotonic() - start), flush=True)
    return 1 if any(each.failed for each in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

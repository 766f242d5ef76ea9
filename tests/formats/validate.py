# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Hold exported files against the field's own validators; runs in an environment of its own (requirements.txt).

usage: validate.py DIRECTORY     prints a line a file, and ends with 1 when any is refused
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from oscal import OSCAL
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
from py_ocsf_models.events.findings.detection_finding import DetectionFinding
from sarif_pydantic import Sarif
from trestle.oscal.assessment_plan import AssessmentPlan
from trestle.oscal.assessment_results import AssessmentResults
from trestle.oscal.catalog import Catalog
from trestle.oscal.component import ComponentDefinition
from trestle.oscal.poam import PlanOfActionAndMilestones

TRESTLE = {
    "oscal-catalog.json": Catalog,
    "oscal-component-definition.json": ComponentDefinition,
    "oscal-assessment-plan.json": AssessmentPlan,
    "oscal-assessment-results.json": AssessmentResults,
    "oscal-poam.json": PlanOfActionAndMilestones,
}
EVENTS = {2003: ComplianceFinding, 2004: DetectionFinding}


def oscal(path: Path) -> Iterator[str]:
    """Both validators: trestle sees the structure, `oscal` the allowed values and the references as well."""
    try:
        TRESTLE[path.name].oscal_read(path)
    except Exception as error:
        yield f"trestle: {error}"
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        copy = Path(folder) / path.name
        copy.write_bytes(path.read_bytes())
        content = OSCAL.open(str(copy))
        faults = _oscal_faults(content)
    yield from faults


def _oscal_faults(content: OSCAL) -> list[str]:
    if content is None:
        return ["oscal: the file could not be opened as OSCAL"]
    return [] if content.is_valid else [f"oscal: {content.validation_errors}"]


def ocsf(path: Path) -> Iterator[str]:
    """Each line is an event of its class."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        event = json.loads(line)
        try:
            EVENTS[event["class_uid"]].model_validate(event)
        except Exception as error:
            yield f"line {number}: {error}"


def sarif(path: Path) -> Iterator[str]:
    """The log as sarif-pydantic reads it."""
    try:
        Sarif.model_validate_json(path.read_text(encoding="utf-8"))
    except Exception as error:
        yield str(error)


def cyclonedx(path: Path) -> Iterator[str]:
    """The schema of the version that the file names; unknown keys are refused."""
    text = path.read_text(encoding="utf-8")
    version = SchemaVersion.from_version(json.loads(text)["specVersion"])
    fault = JsonStrictValidator(version).validate_str(text)
    if fault is not None:
        yield str(fault)


def validator(path: Path) -> Callable[[Path], Iterator[str]] | None:
    """What judges a file, by its name."""
    if path.name in TRESTLE:
        return oscal
    return {".ndjson": ocsf, ".sarif": sarif}.get(path.suffix) or (
        cyclonedx if path.name.endswith(".cdx.json") else None
    )


def main() -> int:
    """Validate every file of the folder that has a validator."""
    refused = judged = 0
    for path in sorted(Path(sys.argv[1]).iterdir()):
        judge = validator(path)
        if judge is None:
            continue
        judged += 1
        faults = list(judge(path))
        refused += bool(faults)
        print(f"{'refused' if faults else 'valid'} {path.name}", flush=True)
        for fault in faults[:5]:
            print(f"  {fault[:1500]}")
    print(f"{judged - refused} passed, {refused} failed")
    return 1 if refused or not judged else 0


if __name__ == "__main__":
    sys.exit(main())

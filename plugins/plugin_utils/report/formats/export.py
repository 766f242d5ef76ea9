# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The further files of a report that other systems read, by the name of the format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.rampart.fleet.plugins.plugin_utils.json_text import readable
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.files import Content
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.formats import ocsf, oscal, sarif

Json = dict[str, Any]

_LEVELS = 5  # an observation of an OSCAL document is a line


def _oscal(report: Json) -> dict[str, Content]:
    return {
        name: Content(readable(document, depth=_LEVELS) + "\n") for name, document in oscal.documents(report).items()
    }


FORMATS: dict[str, Callable[[Json], dict[str, Content]]] = {
    "oscal": _oscal,
    "ocsf": lambda report: {"posture.ocsf.ndjson": Content(ocsf.render(report))},
    "sarif": lambda report: {"posture.sarif": Content(sarif.render(report))},
}


def contents(report: Json, formats: Sequence[str]) -> dict[str, Content]:
    """Return the files of the formats by name. KeyError for a format that is not in FORMATS."""
    return {name: content for each in formats for name, content in FORMATS[each](report).items()}

# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The report as one self-contained page. Data travels as JSON and becomes text nodes only, never markup."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import jinja2
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.summary import WORDS, failures, headline
from markupsafe import Markup

Json = dict[str, Any]

PAGE = Path(__file__).resolve().parent / "page"
VALUE_LIMIT = 6000  # characters of one observation, and of what the page shows of a longer one; posture.json has all
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


def embed(data: Any) -> str:
    """Return ``data`` as JSON that cannot end the script element that holds it, whatever the strings are."""
    text = _encode(data)
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class _Pool:
    """Values, each of them once: hosts of a fleet are alike, and what a page holds a hundred times opens slowly."""

    def __init__(self) -> None:
        self.values: list[Json] = []
        self._places: dict[str, int] = {}

    def place(self, value: Json) -> int:
        """Return where the value stands in `values`."""
        text = _encode(value)
        if text not in self._places:
            self._places[text] = len(self.values)
            self.values.append(value)
        return self._places[text]


def _short(observation: Json) -> Json:
    if len(_encode(observation.get("value"))) <= VALUE_LIMIT:
        return observation
    body = json.dumps(observation.get("value"), indent=2, ensure_ascii=False, default=str)
    return {**observation, "value": None, "cut": body[:VALUE_LIMIT], "size": len(body)}


def page_data(report: Json) -> Json:
    """Return the report as the page needs it: every result and every observation once, long observations cut.

    Hosts name theirs by their places in `results` and `observations`; `ms` are the times of the observations.
    """
    results, observations = _Pool(), _Pool()
    hosts = [
        {
            **host,
            "results": [results.place(result) for result in host["results"]],
            "observations": [
                observations.place({**seen, "key": key, "ms": None}) for key, seen in host["observations"].items()
            ],
            "ms": [seen.get("ms") for seen in host["observations"].values()],
        }
        for host in report["hosts"]
    ]
    controls = {
        name: {key: told for key, told in control.items() if key != "definition"}
        for name, control in report["controls"].items()
    }
    return {
        "report": {**report, "hosts": hosts, "controls": controls},
        "results": results.values,
        "observations": [_short(seen) for seen in observations.values],
    }


def _digest(text: str) -> str:
    """Return the hash of an inline element as a content security policy names it."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _script() -> str:
    parts = [path.read_text(encoding="utf-8") for path in sorted(PAGE.glob("*.js"))]
    return "(() => {\n" + "\n".join(parts) + "})();\n"


def render(report: Json) -> str:
    """Return the page; it loads nothing, and its policy lets no other script run."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    style, script = (PAGE / "report.css").read_text(encoding="utf-8"), _script()
    # Markup: our own files, and the JSON that embed() made safe.
    return environment.get_template("report.html.j2").render(
        report=report,
        verdict_word=WORDS[report["verdict"]["state"]],
        headline=headline(report),
        failures=failures(report)[:200],
        style=Markup(style),
        style_hash=_digest(style),
        script=Markup(script),
        script_hash=_digest(script),
        data=Markup(embed(page_data(report))),
    )

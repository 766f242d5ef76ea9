# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The quick yes or no about a report is the one that the library of JSON Schema gives."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.report import schema
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.shape import follows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

Json = dict[str, Any]

STRANGE = [None, True, False, 0, 1, -1, 1.0, 1.5, 101, "", "pass", "high", "zzz", [], [1], {}, {"a": 1}]
library = Draft202012Validator(schema.schema())
quick = follows(schema.schema())


def test_the_schema_itself_is_one() -> None:
    Draft202012Validator.check_schema(schema.schema())


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    return [path, *(place for key, one in members for place in places(one, (*path, key)))]


def small(report: Json) -> Json:
    """A report with two hosts, few results and few controls, as the comparison is repeated often."""
    told = copy.deepcopy(report)
    told["hosts"] = told["hosts"][:2]
    told["controls"] = dict(list(told["controls"].items())[:2])
    for host in told["hosts"]:
        host["results"] = host["results"][:3]
        host["observations"] = dict(list(host["observations"].items())[:2])
    return told


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_both_say_the_same_of_a_report_with_one_thing_altered(report: Json, data: st.DataObject) -> None:
    altered = small(report)
    path = data.draw(st.sampled_from(places(altered)[1:]))
    holder = altered
    for key in path[:-1]:
        holder = holder[key]
    what = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if what == "replace":
        holder[path[-1]] = data.draw(st.sampled_from(STRANGE))
    elif what == "remove":
        del holder[path[-1]]
    elif isinstance(holder, dict):
        holder["stranger"] = data.draw(st.sampled_from(STRANGE))
    assert quick(altered) == library.is_valid(altered)


def test_a_keyword_that_is_not_known_is_refused_and_not_passed_over() -> None:
    with pytest.raises(ValueError, match="uniqueItems"):
        follows({"type": "array", "uniqueItems": True})

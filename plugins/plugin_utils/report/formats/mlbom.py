# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A bill of materials of models (CycloneDX 1.6, ML-BOM): what a site serves, by the hashes of its files."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = dict[str, Any]

SPEC = "1.6"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://rampart.example/ns/mlbom")
_TEXTS = ("name", "version")
_OPTIONAL = ("supplier", "licenses", "task", "architecture", "datasets", "considerations", "url")


class ModelsInvalid(Exception):
    """A list of models cannot be used; names each entry and key."""


def render(models: Sequence[Json], title: str, made: str) -> str:
    """Return the bill as JSON; `made` is an RFC 3339 time.

    A model is {name, version, files: [{path, sha256}], supplier?, licenses?: [SPDX id], task?, architecture?,
    datasets?: [name], considerations?: text, url?}. Raises ModelsInvalid.
    """
    problems = list(_problems(models))
    if problems:
        raise ModelsInvalid("the list of models cannot be used:\n  " + "\n  ".join(problems))
    content = json.dumps([title, made, list(models)], sort_keys=True)
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, content)}",
        "version": 1,
        "metadata": {
            "timestamp": made,
            "component": {"type": "platform", "name": title, "bom-ref": "fleet"},
            "tools": {"components": [{"type": "application", "name": "Rampart"}]},
        },
        "components": [_component(model) for model in models],
        "dependencies": [{"ref": "fleet", "dependsOn": [_reference(model) for model in models]}],
    }
    return json.dumps(bom, indent=1, ensure_ascii=False) + "\n"


def _problems(models: Any) -> Iterator[str]:
    if not isinstance(models, list):
        yield f"found {type(models).__name__}, wanted a list of models"
        return
    seen: set[str] = set()
    for number, model in enumerate(models, start=1):
        if not isinstance(model, Mapping):
            yield f"model {number}: found {model!r}, wanted {{name, version, files: [{{path, sha256}}]}}"
            continue
        yield from (f"model {number}: {problem}" for problem in _model_problems(model))
        reference = f"{model.get('name')}@{model.get('version')}"
        if reference in seen:
            yield f"model {number}: {reference} stands twice"
        seen.add(reference)


def _model_problems(model: Mapping[str, Any]) -> Iterator[str]:
    for key in _TEXTS:
        if not isinstance(model.get(key), str) or not model[key]:
            yield f"key '{key}' is {model.get(key)!r}, wanted text"
    for key in sorted(set(model) - {*_TEXTS, *_OPTIONAL, "files"}):
        yield f"key '{key}' is not known, wanted one of {', '.join((*_TEXTS, 'files', *_OPTIONAL))}"
    files = model.get("files")
    if not isinstance(files, list) or not files:
        yield f"key 'files' is {files!r}, wanted a list of {{path, sha256}}"
        return
    for file in files:
        digest = str(file.get("sha256", "")) if isinstance(file, Mapping) else ""
        if len(digest) != 64 or set(digest) - set("0123456789abcdef") or not file.get("path"):
            yield f"file {file!r}, wanted {{path, sha256}} with 64 hexadecimal digits"


def _reference(model: Json) -> str:
    return f"model:{model['name']}@{model['version']}"


def _component(model: Json) -> Json:
    component: Json = {
        "type": "machine-learning-model",
        "bom-ref": _reference(model),
        "name": model["name"],
        "version": model["version"],
        "components": [
            {
                "type": "file",
                "bom-ref": f"{_reference(model)}#{file['path']}",
                "name": file["path"],
                "hashes": [{"alg": "SHA-256", "content": file["sha256"]}],
            }
            for file in model["files"]
        ],
    }
    if model.get("supplier"):
        component["supplier"] = {"name": model["supplier"]}
    if model.get("licenses"):
        component["licenses"] = [{"license": {"id": each}} for each in model["licenses"]]
    if model.get("url"):
        component["externalReferences"] = [{"type": "distribution", "url": model["url"]}]
    card = _card(model)
    return {**component, "modelCard": card} if card else component


def _card(model: Json) -> Json:
    parameters: Json = {}
    if model.get("task"):
        parameters["task"] = model["task"]
    if model.get("architecture"):
        parameters["modelArchitecture"] = model["architecture"]
    if model.get("datasets"):
        parameters["datasets"] = [{"type": "dataset", "name": name} for name in model["datasets"]]
    card: Json = {"modelParameters": parameters} if parameters else {}
    if model.get("considerations"):
        card["considerations"] = {"technicalLimitations": [model["considerations"]]}
    return card

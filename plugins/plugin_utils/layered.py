# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Merge the layers of a variable: role default, mode, site, group, host; later layers win.

A host changes one key of a dictionary, or one named item of a list, without copying the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LAYER_NAMES = ("default", "mode", "site", "group", "host")


class LayerError(ValueError):
    """A layer that cannot be merged; the message names the layer and the item."""


def layer_name(index: int, count: int) -> str:
    """Return what a person calls the layer at index of count layers."""
    return f"layer {LAYER_NAMES[index]!r}" if count == len(LAYER_NAMES) else f"layer {index + 1} of {count}"


def merge_layers(layers: Sequence[Any]) -> Any:
    """Return the layers merged; a dictionary or a list, as the first layer that is not empty.

    Dictionaries merge key by key, not deep: null removes a key. Lists of dictionaries merge by their key `name`, keep
    their order, and `state: absent` removes an item. An empty layer (null, {} or []) adds nothing to either kind.
    All empty: the first layer's own kind, a dictionary when it is null. Raises LayerError.
    """
    if isinstance(layers, (str, bytes)) or not isinstance(layers, Sequence):
        raise LayerError(
            f"layered wants a list of layers, found {_kind(layers)}; write [default, mode, site, group, host] | layered"
        )
    kind = _kind_of_all(layers)
    if kind is list:
        return _merge_lists(layers)
    return _merge_dicts(layers)


def _kind_of_all(layers: Sequence[Any]) -> type:
    found: tuple[type, str] | None = None
    for index, layer in enumerate(layers):
        name = layer_name(index, len(layers))
        kind = _layer_type(layer, name)
        if kind is None:
            continue
        if found and found[0] is not kind:
            raise LayerError(
                f"{name} is {_kind(layer)} but {found[1]} is {_article(found[0])}; give every layer the same kind"
            )
        found = found or (kind, name)
    if found:
        return found[0]
    return list if layers and isinstance(layers[0], list) else dict


def _layer_type(layer: Any, name: str) -> type | None:
    """Return dict or list, None for an empty layer; raise LayerError for anything else."""
    if layer is None or (isinstance(layer, (Mapping, list, tuple)) and not layer):
        return None
    if isinstance(layer, Mapping):
        return dict
    if isinstance(layer, (list, tuple)):
        return list
    raise LayerError(f"{name} is {_kind(layer)} ({layer!r}); wanted a dictionary or a list of dictionaries with a name")


def _merge_dicts(layers: Sequence[Any]) -> dict[Any, Any]:
    merged: dict[Any, Any] = {}
    for layer in layers:
        merged.update(layer or {})
    return {key: value for key, value in merged.items() if value is not None}


def _merge_lists(layers: Sequence[Any]) -> list[dict[Any, Any]]:
    merged: dict[str, dict[Any, Any]] = {}
    for index, layer in enumerate(layers):
        for name, item in _named_items(layer or [], layer_name(index, len(layers))).items():
            if item.get("state") == "absent":
                merged.pop(name, None)
            else:
                merged[name] = {k: v for k, v in {**merged.get(name, {}), **item}.items() if v is not None}
    return list(merged.values())


def _named_items(items: Sequence[Any], layer: str) -> dict[str, Mapping[Any, Any]]:
    named: dict[str, Mapping[Any, Any]] = {}
    for position, item in enumerate(items):
        if not isinstance(item, Mapping):
            raise LayerError(
                f"{layer}, item {position + 1} is {_kind(item)} ({item!r}); wanted a dictionary with a name"
            )
        name = item.get("name")
        if not isinstance(name, str) or not name:
            raise LayerError(
                f"{layer}, item {position + 1} has no name ({dict(item)!r}); items merge by their key 'name'"
            )
        if name in named:
            raise LayerError(f"{layer} has the item {name!r} twice; keep one of them")
        named[str(name)] = item
    return named


def _kind(value: Any) -> str:
    return "null" if value is None else _article(type(value))


def _article(kind: type) -> str:
    names = {"dict": "a dictionary", "list": "a list", "tuple": "a list", "str": "a string", "int": "a number"}
    for base in kind.__mro__:
        if base.__name__ in names:
            return names[base.__name__]
    return f"a {kind.__name__}"

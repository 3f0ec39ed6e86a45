# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import difflib
import inspect
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pydoc import locate
from typing import Any

from monai.bundle.config_item import ComponentLocator, ConfigComponent

from pipeline.utils import InputError

__all__ = ["argument_default", "check_keys", "nearest", "needed_by", "referenced_paths"]

_REFERENCE = re.compile(r"[@%](\w+(?:(?:#|::)\w+)*)")
_SEPARATOR = re.compile(r"#|::")


def check_keys(config: Mapping[str, Any], unreferenced: Collection[str]) -> None:
    """Refuse keys of a bundle's configuration that nothing uses, such as misspelled overrides.

    MONAI takes ``--max_epoch 3`` as a new key and trains with the old ``max_epochs``. A key counts as used if the
    configuration refers to it (``@key`` or ``%key``), or if it is one of ``unreferenced``; a key of a section, such as
    ``train#dataloader``, likewise. A key of a component must be an argument of its ``_target_``. One that is null may
    stand there unused: a file laid over another takes out in this way what does not concern it.

    Args:
        config: the merged configuration.
        unreferenced: top-level keys that are meant to be run or read from outside, such as ``"run"``.

    Raises:
        InputError: if there is such a key; the message names it and the nearest existing one.
    """
    paths = referenced_paths(config)
    top = {path[0] for path in paths} | set(unreferenced)
    for key, value in config.items():
        if key not in top and value is not None:
            raise InputError(f"--{key}: the configuration has no such setting{nearest(key, top & config.keys())}")
    whole = {path[0] for path in paths if len(path) == 1} | set(unreferenced)
    parts = {path[:2] for path in paths if len(path) > 1}
    for key, section in config.items():
        if isinstance(section, dict) and "_target_" not in section and key not in whole:
            known = {name for name in section if (key, name) in parts}
            for name in section:
                if name not in known and not _is_for_monai(name):
                    raise InputError(f"--{key}#{name}: '{key}' has no such key{nearest(name, known)}")
    locator = ComponentLocator()
    for path, component in _components(config, ()):
        _check_arguments("#".join(path), component, locator)


def referenced_paths(config: Mapping[str, Any]) -> set[tuple[str, ...]]:
    """Return what the configuration refers to: ``("train", "dataloader")`` for ``@train#dataloader``."""
    text = json.dumps(config, default=str, ensure_ascii=False)
    return {tuple(_SEPARATOR.split(path)) for path in _REFERENCE.findall(text)}


def needed_by(config: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a part of the configuration: ``key`` and all that it refers to, directly or not."""
    found = {key: config[key]}
    while missing := {path[0] for path in referenced_paths(found)} & config.keys() - found.keys():
        found |= {name: config[name] for name in sorted(missing)}
    return found


def nearest(key: str, known: Collection[str]) -> str:
    """Return the end of a sentence that a key does not exist: the nearest of those that do, if there is one."""
    near = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else "."


def _is_for_monai(name: str) -> bool:
    """``_target_``, ``_disabled_``, ``_desc_`` …"""
    return name.startswith("_") and name.endswith("_")


def _components(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    if isinstance(value, dict):
        if "_target_" in value:
            yield path, value
        for key, item in value.items():
            yield from _components(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _components(item, (*path, str(index)))


def argument_default(config: Mapping[str, Any], key: str) -> Any:
    """Return the default of the argument of a component that ``key`` sets; None if there is none or it is unknown."""
    *path, name = _SEPARATOR.split(key)
    component: Any = config
    for part in path:
        component = component[int(part)] if isinstance(component, list) else component[part]
    if not isinstance(component, dict) or "_target_" not in component:
        return None
    parameter = _parameters(_target("#".join(path), component, ComponentLocator()))[0].get(name)
    return None if parameter is None or parameter.default is parameter.empty else parameter.default


def _check_arguments(path: str, component: dict[str, Any], locator: ComponentLocator) -> None:
    known, takes_any = _parameters(_target(path, component, locator))
    for name in component:
        if not takes_any and name not in known and not _is_for_monai(name):
            raise InputError(f"--{path}#{name}: {component['_target_']} has no such argument{nearest(name, known)}")


def _target(path: str, component: dict[str, Any], locator: ComponentLocator) -> Any:
    """The class or function of a component; None where an expression gives it.

    Raises:
        InputError: if its name exists in no module that can be imported.
    """
    target = ConfigComponent(component, locator=locator).resolve_module_name()
    if not isinstance(target, str):
        return target
    if target.startswith(("$", "@")):
        return None
    found = locate(target)
    if found is None and not component.get("_disabled_"):
        module, _, name = target.rpartition(".")
        hint = nearest(name, vars(locate(module))) if module and locate(module) else "."
        raise InputError(f"--{path}#_target_: there is no {target}{hint}")
    return found


def _parameters(function: Any) -> tuple[dict[str, inspect.Parameter], bool]:
    """What a class or function takes by name, and whether it takes any other name too.

    A class that passes ``**kwargs`` on takes what the classes behind it take.
    """
    makers = (
        [vars(kind)["__init__"] for kind in function.__mro__ if "__init__" in vars(kind)]
        if inspect.isclass(function)
        else [function]
    )
    known: dict[str, inspect.Parameter] = {}
    for maker in makers:
        try:
            parameters = inspect.signature(maker).parameters.values()
        except (ValueError, TypeError):  # one that is written in C may not say
            return known, True
        named = [each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
        known = {each.name: each for each in named if each.name != "self"} | known
        if all(each.kind != each.VAR_KEYWORD for each in parameters):
            return known, False
    return known, True

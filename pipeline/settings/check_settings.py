# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

from monai.bundle.config_parser import ConfigParser

from pipeline.utils import InputError, is_first_process

from .bundle_settings import SETTINGS, optional_settings
from .kinds import SECTION, SWITCH, Kind, list_of, number, text, whole
from .running_bundle import command_line, running_parser, running_workflow
from .structure import argument_default, check_keys, nearest, referenced_paths
from .usage import find_run_ids, usage

__all__ = ["check_settings"]

_SETTING = re.compile(r"@(\w+)")
# what MONAI, Python or a file that is laid over reads, and nothing in a configuration need refer to
_READ_ELSEWHERE = {
    "bundle_root",
    "ckpt_dir",
    "dataset_dir",
    "finalize",
    "imports",
    "initialize",
    "network_def",
    "post_transforms",
    "processes",
    "robustness_assessment",
    "training",
    "variant",
}


def check_settings() -> None:
    """Check every setting of the running bundle before anything else of it runs, and bring each into its type.

    Whatever the value comes from (the command line, a file laid over, Python), it is held against the kind of the
    setting; ``false`` on the command line, which MONAI hands on as text, becomes false. Values of other keys are held
    against the default that they replace. ``--help`` prints the settings and ends the program.

    Raises:
        InputError: if a key does not exist, a value is not of the kind or out of range, or the run id does not exist;
            the message names the key, what is needed and what came.
    """
    parser = running_parser("check_settings")
    files, overrides = command_line()
    _restore_null(parser, overrides)
    config = {key: value for key, value in parser.get().items() if key != ConfigParser.meta_key}
    run_ids = find_run_ids(config)
    if config.pop("help", None) or config.pop("h", None):
        if is_first_process():
            print(usage(config, run_ids))
        sys.exit()
    described = _checked_overrides(parser, files, overrides)
    # a network or an optimizer of the user's own need not take what the bundle's takes, unless it is asked to
    known = {*_READ_ELSEWHERE, *optional_settings(config), *run_ids, *SETTINGS.keys() - overrides.keys()}
    check_keys(config, known)
    _check_run_id(run_ids)
    parser.update(_checked_settings(config))
    parser.update(described)
    parser.parse(reset=True)
    _check_computed(parser, config)
    parser.parse(reset=True)


def _checked_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """All keys of the configuration, those with a ``Setting`` in its type."""
    checked = {key: _without_text(value, key) for key, value in config.items()}
    used = {path[0] for path in referenced_paths(config)}
    for key in [key for key in SETTINGS if key in checked]:
        # one that is null and that nothing uses has been taken out
        if checked[key] is not None or key in used:
            checked[key] = _read(key, checked[key], SETTINGS[key].kind)
    return checked


def _check_computed(parser: ConfigParser, config: Mapping[str, Any]) -> None:
    """Hold what expressions and references give against the kind of their setting."""
    for key, value in config.items():
        # a device may be known only when the processes have found each other
        if key in SETTINGS and key != "device" and _is_evaluated(value):
            found, kind = _evaluate(parser, key), SETTINGS[key].kind
            # the text of a switch would be true, whatever it says
            if isinstance(found, str) and not isinstance(_read(key, found, kind), str):
                raise InputError(f"--{key} must be {kind.needed}, got the text {found!r} from {value}.")
            _read(key, found, kind)


def _check_run_id(run_ids: Collection[str]) -> None:
    workflow = running_workflow()
    if workflow is not None and workflow.run_id not in run_ids:
        hint = nearest(str(workflow.run_id), run_ids)
        raise InputError(f"The bundle has no run id '{workflow.run_id}'{hint} It has {', '.join(run_ids)}.")


def _without_text(value: Any, key: str = "") -> Any:
    """``true`` and ``false`` as text, at any depth, as booleans: no setting but a name or path has such text."""
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value if key in SETTINGS and SETTINGS[key].kind.is_text else SWITCH.read(value)
    if isinstance(value, dict):
        return {name: _without_text(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_text(item) for item in value]
    return value


def _read(key: str, value: Any, kind: Kind) -> Any:
    if _is_evaluated(value):
        return value
    try:
        return kind.read(value)
    except ValueError as error:
        # a name such as 2024.10, which the command line has made a number
        is_number = kind.is_text and isinstance(value, (int, float))
        hint = f" Quote it twice: --{key} \"'{_typed(key, value)}'\"." if is_number else ""
        raise InputError(f"--{key} must be {kind.needed}, got {value!r}.{hint}") from error


def _typed(key: str, value: Any) -> Any:
    """What the user typed: of 2024.10 the command line has made 2024.1."""
    return next((text for option, text in pairwise(sys.argv) if option == f"--{key}"), value)


def _is_evaluated(value: Any) -> bool:
    """Whether MONAI evaluates a value: an expression or a reference."""
    return isinstance(value, str) and value.startswith(("$", "@"))


def _evaluate(parser: ConfigParser, key: str) -> Any:
    try:
        return parser.get_parsed_content(key)
    # an expression may raise anything
    except Exception as error:
        cause = error.__cause__ or error
        raise InputError(f"--{key}: {parser[key]} cannot be evaluated ({cause}); correct it.") from error


def _restore_null(parser: ConfigParser, overrides: Mapping[str, Any]) -> None:
    """Set what the command line sets to None: MONAI drops it, and would run with the default."""
    for key in [key for key, value in overrides.items() if value is None]:
        if key not in parser:
            raise InputError(f"--{key}: the configuration has no such setting{nearest(key, parser.get())}")
        parser[key] = None


def _checked_overrides(parser: ConfigParser, files: Any, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides of the command line that no ``Setting`` describes, in the types of the defaults they replace."""
    defaults = ConfigParser()
    if overrides:
        defaults.read_config(files)
    checked = {}
    for key in overrides:
        if key not in SETTINGS and key in parser:
            kind = _kind_of(defaults[key] if key in defaults else argument_default(parser.get(), key))
            # an argument may be null; whether this one may, its component says
            if kind is not None and parser[key] is not None:
                checked[key] = _read(key, parser[key], kind)
    return checked


def _kind_of(default: Any) -> Kind | None:
    """What a value must be that replaces ``default``; None if that does not tell."""
    if isinstance(default, str):
        setting = _SETTING.fullmatch(default)
        if setting and setting[1] in SETTINGS:
            return SETTINGS[setting[1]].kind
        return None if default.startswith(("$", "@", "%")) else text(empty=True)
    if isinstance(default, list):
        kinds = {_kind_of(entry) for entry in default}
        return list_of(kinds.pop() if len(kinds) == 1 else None)
    kinds_by_type: Mapping[type, Kind] = {bool: SWITCH, int: whole(), float: number(), dict: SECTION}
    return kinds_by_type.get(type(default))

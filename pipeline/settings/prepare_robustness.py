# SPDX-License-Identifier: Apache-2.0
"""Lays the battery over the evaluator of any MONAI segmentation bundle."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.bundle.config_parser import ConfigParser
from monai.bundle.utils import DEFAULT_MLFLOW_SETTINGS

from pipeline.utils import InputError, error_chain, explain_input_errors, find_input_error, innermost_cause
from pipeline.weights import fingerprint_file

from .bundle_settings import SETTINGS, optional_settings
from .inferring_command import quoted
from .run_title import run_title
from .running_bundle import command_line, running_parser
from .structure import nearest

__all__ = ["prepare_robustness"]

_EVALUATOR = "validate#evaluator"
_TRACKING: dict[str, Any] = dict[str, Any](DEFAULT_MLFLOW_SETTINGS)["configs"]  # what MONAI adds for --tracking mlflow
_ASSESSMENT = "robustness_assessment"
_OWN = ("budget", "epsilons", "intensity_range", "robustness_dir")
# what the evaluator need not do: the battery scores the network's own output, and writes nothing into the bundle
_IDLE = {
    "iteration_update": "$lambda engine, batch: {}",
    "postprocessing": None,
    "key_val_metric": None,
    "additional_metrics": None,
}
_NEEDED = {
    "network": "the network",
    "ckpt_dir": "the folder of model.pt",
    "validate#dataloader": "the data to attack",
    _EVALUATOR: "MONAI's evaluator",
}


def prepare_robustness() -> None:
    """Replace what the running bundle's evaluator does by the battery, and tell that what the bundle knows.

    Handlers, metrics and postprocessing of the evaluator are replaced, so that nothing of the bundle is overwritten;
    the handler of MONAI's ``--tracking mlflow`` stays, and logs the worst case. A bundle's own code (``scripts``) is
    found. The battery is given, where the bundle has them: whether a sigmoid of its postprocessing makes the masks, and
    the names of what is in it, which the report calls not applied; its training data, for the best constant mask; its
    tracker.

    Call it first in ``bundles/robustness.json``'s ``robustness``.

    Raises:
        InputError: if the bundle lacks a key that is needed, has no data, or cuts at another threshold than 0.5; the
            message names it.
    """
    explain_input_errors()
    parser = running_parser("prepare_robustness")
    _check_settings(parser)
    needed = dict(_NEEDED)
    if "@ckpt_dir" not in str(_get(parser, "ckpt_path")):
        del needed["ckpt_dir"]
    for key, what in needed.items():
        if _get(parser, key) is None:
            raise InputError(
                f"robustness: the bundle has no '{key}', {what}; lay bundles/robustness.json over its train.json (and "
                "evaluate.json, if it has one), or add the key with a file of your own."
            )
    root = str(parser.get_parsed_content("bundle_root")) if "bundle_root" in parser else "."
    sys.path.insert(0, str(Path(root).resolve()))
    of_evaluator = _get(parser, f"{_EVALUATOR}#postprocessing")
    postprocessing = _get(parser, "validate#postprocessing") if of_evaluator is None else of_evaluator
    stated = _get(parser, _ASSESSMENT) or {}
    if "sigmoid" not in stated:
        _check_expressions(postprocessing, parser)
    sigmoid = any(_is_on(value) for value in _arguments("sigmoid", postprocessing, parser))
    # who says otherwise knows that the bundle decides otherwise
    if stated.get("sigmoid", sigmoid) == sigmoid:
        _check_thresholds(postprocessing, parser, sigmoid)
    facts = _facts(parser, Path(root)) | {
        "preprocessing": _transforms(_get(parser, "validate#preprocessing"), parser),
        "postprocessing": _transforms(postprocessing, parser),
        "configuration_sha256": {str(file): fingerprint_file(file) for file in _files()},
    }
    settings: dict[str, Any] = {"sigmoid": sigmoid, "facts": facts}
    if _get(parser, "train#dataset#data") is not None and _get(parser, "validate#preprocessing") is not None:
        settings["training_data"] = {
            "_target_": "monai.data.Dataset",
            "data": "@train#dataset#data",
            "transform": "@validate#preprocessing",
        }
    if _get(parser, "tracker") is not None:
        settings["tracker"] = "@tracker"
    if _get(parser, "tracker#kind") is not None:
        parser["tracker#kind"] = "robustness"
    for key, value in settings.items():
        if key not in stated:
            parser[f"{_ASSESSMENT}#{key}"] = value
    idle = _IDLE | {"val_handlers": [f"@{_ASSESSMENT}", *_tracking_handlers(parser)]}
    for key, value in idle.items():
        parser[f"{_EVALUATOR}#{key}"] = value
    parser.parse(reset=True)
    if not len(_made(parser, "validate#dataloader")):
        raise InputError(
            "robustness: the bundle's validate#dataloader has no images; check dataset_dir and the names of the data."
        )
    _made(parser, _EVALUATOR)  # what a bundle lacks is said before its weights are read


def _files() -> Sequence[str]:
    """The configuration files of the command line."""
    files, _ = command_line()
    if isinstance(files, (str, os.PathLike)):
        # as MONAI reads them
        return [str(files)] if Path(files).is_file() else str(files).split(",")
    return files


def _check_thresholds(postprocessing: Any, parser: ConfigParser, sigmoid: bool) -> None:
    """Refuse a threshold that decides otherwise than the battery does."""
    found = [value for each in _arguments("threshold", postprocessing, parser) for value in _listed(each)]
    for threshold in (value for value in found if value not in (None, 0.5)):
        if sigmoid:
            raise InputError(
                f"validate#postprocessing: the sigmoid's threshold is {threshold!r}, but the battery cuts at 0.5; set "
                "it to 0.5, and know that the scores are those at 0.5."
            )
        raise InputError(
            f"validate#postprocessing: the threshold is {threshold!r}, but where there is no sigmoid the battery takes "
            "the class with the highest output; set it to 0.5, and know that the scores are those of argmax; or, if a "
            "sigmoid belongs to the output, say --robustness_assessment#sigmoid true."
        )


def _check_expressions(postprocessing: Any, parser: ConfigParser) -> None:
    """Refuse expressions that may say whether a sigmoid makes the masks: they are not evaluated here."""
    of_sigmoid = _arguments("sigmoid", postprocessing, parser)
    unread = [each for each in of_sigmoid if isinstance(each, str) and each.startswith("$")]
    unread += [each for each in _expressions(postprocessing, parser) if "sigmoid" in each.lower()]
    if unread:
        raise InputError(
            f"validate#postprocessing: '{unread[0]}' may be a sigmoid, but expressions are not read; say "
            "--robustness_assessment#sigmoid true if one makes the masks, labels that may overlap, or false if not."
        )


def _expressions(config: Any, parser: ConfigParser) -> Iterator[str]:
    """The expressions in a configuration, and in what it refers to."""
    if isinstance(config, str) and config.startswith("$"):
        yield config
    elif isinstance(config, str) and config.startswith("@"):
        yield from _expressions(_get(parser, config[1:]), parser)
    elif isinstance(config, (Mapping, list)):
        for value in config.values() if isinstance(config, Mapping) else config:
            yield from _expressions(value, parser)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _transforms(postprocessing: Any, parser: ConfigParser) -> list[str]:
    """The names of the transforms of a postprocessing, of expressions their text."""
    postprocessing = _referred(postprocessing, parser)
    if isinstance(postprocessing, Mapping) and "transforms" in postprocessing:
        return _transforms(postprocessing["transforms"], parser)
    if isinstance(postprocessing, Mapping):
        return [str(postprocessing.get("_target_", "unnamed")).rpartition(".")[2]]
    if isinstance(postprocessing, list):
        return [name for each in postprocessing for name in _transforms(each, parser)]
    return [] if postprocessing is None else [str(postprocessing)]


def _tracking_handlers(parser: ConfigParser) -> list[Any]:
    """The handlers of MLflow that ``--tracking mlflow`` has added to the evaluator's: they log its metrics."""
    found = [_get(parser, key) for key in ("validate#handlers", f"{_EVALUATOR}#val_handlers")]
    handlers = [handler for each in found if isinstance(each, list) for handler in each]
    # MONAI leaves the run open, and the next one goes on in it
    return [handler | {"close_on_complete": True} for handler in handlers if handler == _TRACKING["validator"]]


def _made(parser: ConfigParser, key: str) -> Any:
    """What a key of the configuration makes."""
    try:
        return parser.get_parsed_content(key)
    # expressions, readers and transforms may raise anything
    except Exception as error:
        cause, missing = innermost_cause(error), _missing_key(error)
        if missing:
            raise InputError(
                f"robustness: the bundle's {key} refers to '{missing}', which the bundle does not have; lay all its "
                "configuration files under bundles/robustness.json, or add the key with a file of your own."
            ) from error
        if isinstance(cause, ImportError):
            # MONAI's own goes on with a traceback
            what = str(cause).strip().splitlines()[0].rstrip(".")
            raise InputError(
                f"robustness: the bundle's {key} cannot be made, since code that it needs is not there ({what}); "
                "install the package, or put the folder of the bundle's own code into PYTHONPATH."
            ) from error
        raise find_input_error(error) or InputError(
            f"robustness: the bundle's {key} cannot be made ({type(cause).__name__}: {' '.join(str(cause).split())}); "
            "check dataset_dir and the bundle's files."
        ) from error


def _missing_key(error: BaseException | None) -> str:
    """The key that a reference found nothing at, "" where no reference failed."""
    for link in error_chain(error):
        found = re.search(r"referring item .@?([^\s`'\"]+).", str(link))
        if isinstance(link, ValueError) and found:
            return found[1].replace("::", "#")
    return ""


def _check_settings(parser: ConfigParser) -> None:
    """Refuse settings of the command line that the files do not have, and ours with a wrong value."""
    files, overrides = command_line()
    if overrides and files:
        known = ConfigParser()
        known.read_config(files)
        of_tracking = _TRACKING if _tracking_handlers(parser) else {}
        for key in overrides:
            top = key.replace("::", "#").partition("#")[0]
            # a bundle may do without the first, which the command always has
            if top not in ("bundle_root", *known.get(), *optional_settings(known.get()), *of_tracking):
                raise InputError(f"--{top}: the configuration has no such setting{nearest(top, known.get())}")
    for key in _OWN:
        value, kind = _get(parser, key), SETTINGS[key].kind
        if not (isinstance(value, str) and value.startswith(("$", "@"))):
            try:
                kind.read(value)
            except ValueError as error:
                raise InputError(f"--{key} must be {kind.needed}, got {value!r}.") from error


def _facts(parser: ConfigParser, root: Path) -> dict[str, Any]:
    """What the bundle says of itself."""
    metadata = parser.get(ConfigParser.meta_key) or {}
    file = root / "configs" / "metadata.json"
    if not metadata and file.is_file():
        metadata = json.loads(file.read_text(encoding="utf-8"))
    name = run_title() if "tracker#kind" in parser else metadata.get("name")
    data = parser.get_parsed_content("dataset_dir") if "dataset_dir" in parser else None
    weights = parser.get_parsed_content("ckpt_path")
    facts = {
        "weights_sha256": fingerprint_file(weights) if Path(weights).is_file() else None,
        "network": name,
        "title": name,
        "data": data,
        "description": metadata.get("description"),
        "intended_use": metadata.get("intended_use"),
        "bundle_version": metadata.get("version"),
        "command": f"python -m monai.bundle {' '.join(map(quoted, sys.argv[1:]))}",
    }
    return {key: str(value) for key, value in facts.items() if value is not None}


def _get(parser: ConfigParser, key: str) -> Any:
    """What stands at a key, not evaluated; None where there is nothing."""
    value: Any = parser.get()
    for part in key.replace("::", "#").split("#"):
        if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            return None
    return value


def _arguments(name: str, config: Any, parser: ConfigParser) -> Iterator[Any]:
    """The values of all arguments of this name in a configuration, and in what it refers to."""
    if isinstance(config, str) and config.startswith("@"):
        yield from _arguments(name, _get(parser, config[1:]), parser)
    elif isinstance(config, Mapping):
        for key, value in config.items():
            if key == name:
                yield _referred(value, parser)
            yield from _arguments(name, value, parser)
    elif isinstance(config, list):
        for value in config:
            yield from _arguments(name, value, parser)


def _referred(value: Any, parser: ConfigParser) -> Any:
    """A value, or what stands where it refers to."""
    while isinstance(value, str) and value.startswith("@"):
        value = _get(parser, value[1:])
    return value


def _is_on(value: Any) -> bool:
    return value is True or (isinstance(value, list) and True in value)

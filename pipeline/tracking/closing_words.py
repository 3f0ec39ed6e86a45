# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from monai.bundle import ConfigParser
from monai.utils import ensure_tuple

from pipeline.settings.running_bundle import command_line

from .tracker import Tracker

__all__ = ["inferring_command", "print_closing_words"]

# settings of an inference that are not those of the training
_OWN = ("dataset_dir", "output_dir", "ckpt_path", "progress")


def print_closing_words(tracker: Tracker, weights: str | os.PathLike[str], command: str | None) -> None:
    """Print, at the end of a training, where everything is and what comes next; of several processes the first does.

    Args:
        tracker: the run's tracker.
        weights: the run's own copy of the weights.
        command: what comes next, of :func:`inferring_command`; None for nothing.
    """
    if idist.get_rank() > 0:
        return
    print(f"Run folder:  {tracker.run.path}")
    print(f"Weights:     {weights}")
    print(f"MLflow:      {_where_to_see(tracker.run.record['mlflow'])}")
    if command:
        own = f"--ckpt_path {_quoted(str(weights))} --dataset_dir <folder>"
        print(f"Try it on pictures of your own:\n  {command} {own}", flush=True)


def inferring_command() -> str | None:
    """Return the command that segments pictures with the network of a training, without the weights and the folder.

    Of the training's command it takes what defines the network: the files laid over that have a ``network_def``, and
    the settings that ``inference.json`` has too. MONAI knows that command only while it initializes a bundle, so call
    this in the bundle's ``initialize``.

    Returns:
        The command; None if there is no ``inference.json`` beside the first file, or MONAI's command line is not used.
    """
    config_file, settings = command_line()
    files = ensure_tuple(config_file)
    if not files or not (inference := Path(files[0]).with_name("inference.json")).is_file():
        return None
    known = ConfigParser.load_config_file(str(inference))
    overlays = [file for file in files[1:] if "network_def" in ConfigParser.load_config_file(file)]
    command = ["python -m monai.bundle run inferring --config_file"]
    command.append(_quoted(str([str(inference), *overlays]) if overlays else str(inference)))
    for key, value in settings.items():
        root = key.split("#")[0]
        # what is null there is used by other run ids only
        if known.get(root) is not None and root not in _OWN:
            command.append(f"--{key} {_quoted(str(value))}")
    return " ".join(command)


def _where_to_see(address: Mapping[str, Any]) -> str:
    """Where MLflow shows a run, by ``run.json``'s note of it, which has no passwords."""
    uri, experiment = address["tracking_uri"], address["experiment"]
    if uri.startswith("http"):
        return f"{uri}, experiment '{experiment}'"
    return f"python -m mlflow ui --backend-store-uri {_quoted(uri)}   (then http://127.0.0.1:5000, '{experiment}')"


def _quoted(text: str) -> str:
    """The text as a shell needs it: lists of names in double quotes, which are easier to read."""
    quoted = shlex.quote(text)
    return quoted if quoted == text or set(text) & set('"$`\\!') else f'"{text}"'

# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import shlex
from pathlib import Path

from monai.bundle import ConfigParser
from monai.utils import ensure_tuple

from .running_bundle import command_line

__all__ = ["inferring_command", "quoted"]

# settings of an inference that are not those of the training
_OWN = ("dataset_dir", "output_dir", "ckpt_path", "progress")


def inferring_command() -> str | None:
    """Return the command that segments pictures with the network of a training, without the weights and the folder.

    Of the training's command it takes what defines the network: the files laid over that have a ``network_def``, and
    the settings that ``inference.json`` has too.

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
    command.append(quoted(str([str(inference), *overlays]) if overlays else str(inference)))
    for key, value in settings.items():
        root = key.split("#")[0]
        # what is null there is used by other run ids only
        if known.get(root) is not None and root not in _OWN:
            command.append(f"--{key} {quoted(str(value))}")
    return " ".join(command)


def quoted(text: str) -> str:
    """Return the text as a shell needs it: lists of names in double quotes, which are easier to read."""
    single = shlex.quote(text)
    return single if single == text or set(text) & set('"$`\\!') else f'"{text}"'

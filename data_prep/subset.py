# SPDX-License-Identifier: Apache-2.0
"""Another data list over the same files: fewer of them, or a part of the training held out."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from pipeline.transforms import datalist_file, load_datalist
from pipeline.utils import InputError, atomic_path

__all__ = ["add_arguments", "prepare_subset"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``subset`` to its parser."""
    parser.add_argument(
        "--datalist", type=Path, required=True, help="folder that data_prep has written, or its data list"
    )
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write, in the same folder")
    parser.add_argument("--hold-out", metavar="N", type=int, help="hold out every N-th training picture as the test")
    parser.add_argument("--training", metavar="N", type=int, help="take the first N training pictures only")
    parser.add_argument("--test", metavar="N", type=int, help="take the first N test pictures only")


def prepare_subset(
    datalist: Path,
    output: Path,
    hold_out: int | None = None,
    training: int | None = None,
    test: int | None = None,
) -> str:
    """Write another data list over the same files: fewer of them, or a part of the training held out as the test.

    To choose settings, hold out a part of the training pictures: what is chosen on the test pictures says nothing of
    others.

    Returns:
        the line that closes the command.

    Raises:
        InputError: if the data list cannot be used, the file is in another folder or is the list itself, or an option
            is out of range.
        OSError: if the file cannot be written.
    """
    source = datalist_file(datalist)
    # whole, and all files there
    pictures = [os.path.realpath(entry["image"]) for entry in load_datalist(source, "training")]
    load_datalist(source, "test")
    if output.suffix != ".json" or output.absolute().parent != source.absolute().parent or output.name == source.name:
        raise InputError(f"--output: name another .json file in {source.parent}, where the names in the list hold.")
    if hold_out is not None and hold_out < 2:
        raise InputError(f"--hold-out: every second picture is the most that can be held out, got {hold_out}.")
    for name, count in (("training", training), ("test", test)):
        if count is not None and count < 1:
            raise InputError(f"--{name}: at least 1 picture is needed, got {count}.")
    content = json.loads(source.read_text(encoding="utf-8"))
    if hold_out is not None:
        # a picture with the masks of several readers has an entry for each, and goes as one
        held_out = set(list(dict.fromkeys(pictures))[hold_out - 1 :: hold_out])
        pairs = list(zip(content["training"], pictures, strict=True))
        content["training"] = [entry for entry, picture in pairs if picture not in held_out]
        content["test"] = [entry for entry, picture in pairs if picture in held_out]
    content["training"], content["test"] = content["training"][:training], content["test"][:test]
    if not content["test"]:
        raise InputError(f"--hold-out: {len(set(pictures))} training pictures are fewer than {hold_out}.")
    counts = f"{len(content['training'])} training and {len(content['test'])} test pictures"
    held = "" if hold_out is None else ", held out of the training"
    content["description"] = f"{content.get('description') or source.parent.name}: {counts}{held}"
    with atomic_path(output) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return f"{counts} in {output}; give it as --dataset_dir."

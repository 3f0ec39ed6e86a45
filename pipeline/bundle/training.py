# SPDX-License-Identifier: Apache-2.0
"""What a training does before its trainer, and after its evaluator, has run."""

from __future__ import annotations

from pipeline.handlers import check_training
from pipeline.settings import check_components, inferring_command, running_parser
from pipeline.tracking import print_closing_words
from pipeline.utils import check_folder

__all__ = ["finish_training", "start_training"]


def start_training() -> None:
    """Check what only a training needs, and start to track it. Call it first in ``training``.

    Raises:
        InputError: if something is wrong; the message names it, and nothing has been written.

    Example:
        ``"training": ["$bundle.start_training()", "$@train#trainer.run()"]``
    """
    parser = running_parser("start_training")
    get = parser.get_parsed_content
    defended = ["defence"] if "defence" in parser else []
    check_components("optimizer", "train#lr_scheduler", "train#dataloader", *defended)
    item = get("train#preprocessing")(get("train#dataset#data")[0])
    check_training(
        get("network"), get("train#inferer"), get("loss"), item, get("train#dataloader"), device=get("device")
    )
    check_folder(get("ckpt_dir"), "ckpt_dir")
    get("tracker").start()
    get("validate#evaluator")


def finish_training(register: str | None = None) -> None:
    """Register the trained network if it has a name, end the tracking, and say where all is and what comes next.

    Call it last in ``training``.

    Args:
        register: the name of the network in MLflow's registry.

    Example:
        ``"training": [..., "$bundle.finish_training(@register)"]``
    """
    get = running_parser("finish_training").get_parsed_content
    tracker = get("tracker")
    if register is not None:
        tracker.log_network(register, get("network"), [get("in_channels"), *get("image_size")])
    tracker.close()
    print_closing_words(tracker, tracker.run.path / "model.pt", inferring_command())

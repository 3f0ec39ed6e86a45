# SPDX-License-Identifier: Apache-2.0
"""What a training and an evaluation do before all else: find what is wrong while nothing has been written."""

from __future__ import annotations

from monai.utils import set_determinism

from pipeline.handlers import check_evaluation
from pipeline.settings import check_components, prepare_bundle, running_parser

__all__ = ["prepare_training"]


def prepare_training() -> None:
    """Check the running bundle's settings, attack, data and network. Call it in ``initialize``.

    Several processes find each other first, where the configuration has ``processes``. The seed is set before the
    network is made.

    Raises:
        InputError: if something is wrong; the message names it.

    Example:
        ``"initialize": ["$bundle.prepare_training()"]``
    """
    prepare_bundle()
    parser = running_parser("prepare_training")
    get = parser.get_parsed_content
    if "processes" in parser:
        get("processes")
    check_components("validate#attack")
    get("validate#attack").check(get("epsilons"))
    set_determinism(seed=get("seed"))
    get("train#dataset#data")
    item = get("validate#preprocessing")(get("validate#dataset#data")[0])
    check_evaluation(get("network"), get("validate#inferer"), item, get("device"))
    check_components("validate#dataloader")

# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import logging

from ignite.engine import Events
from monai.engines import Evaluator

from .readable_dataset import ReadableDataset

__all__ = ["segment_pictures"]


def segment_pictures(evaluator: Evaluator, dataset: ReadableDataset) -> None:
    """Run an evaluator over all pictures; one that it or its handlers cannot work on becomes a failure of the dataset.

    Args:
        evaluator: reads ``dataset``, one picture in a batch.
        dataset: the pictures.

    Raises:
        Exception: what the evaluator raises when no picture is being worked on.
    """

    def fail(error: BaseException) -> None:
        if dataset.current is None or not isinstance(error, Exception):
            raise error
        dataset.fail(dataset.current, error)

    logger = evaluator.logger
    level = logger.level
    # the engine would log each failure once more, with the names of files, which may be those of patients
    logger.setLevel(logging.CRITICAL)
    try:
        with evaluator.add_event_handler(Events.EXCEPTION_RAISED, fail):
            evaluator.run()
            while not dataset.is_done:
                evaluator.run()
    finally:
        logger.setLevel(level)

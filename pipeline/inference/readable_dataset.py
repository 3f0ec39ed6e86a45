# SPDX-License-Identifier: Apache-2.0
"""A data set that goes on after files that cannot be read."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ignite.engine import Events
from monai.data import IterableDataset
from monai.engines import Evaluator
from tqdm import tqdm

from pipeline.utils import Notes, Progress, find_input_error, innermost_cause, say_if_interrupted

__all__ = ["ReadableDataset", "segment_pictures"]


class ReadableDataset(IterableDataset):
    """A data set that leaves out what cannot be read, with one line each, and goes on with the rest.

    It has no length, since how many items it gives is known only at the end. A pass that an exception has ended is
    taken up again behind the item that it ended at, see :func:`segment_pictures`; the next one after a whole pass
    starts anew. What it keeps is that of the process that reads: use it with ``num_workers=0``.

    Args:
        data: the items of ``find_pictures``. A message says ``"shown"`` of an item, not the path of its ``"image"``.
        transform: what reads an item.
        progress: whether to show a progress bar.

    Attributes:
        current: the item that was given and is being worked on; None between items.
        failures: one message for each item that could not be read or, said by ``fail``, not be worked on.
        notes: what readers had to say of pictures that they could read (``"notes"`` in the metadata of ``"image"``).
    """

    def __init__(self, data: Sequence[Any], transform: Callable[[Any], Any], progress: bool = True) -> None:
        super().__init__(data)
        self._items = list(data)
        self.transform: Callable[[Any], Any] = transform
        self.progress = progress
        self.current: Any = None
        self.failures: list[str] = []
        self.notes = Notes()
        self._begun = 0

    def __iter__(self) -> Iterator[Any]:
        if self.is_done or self._begun == 0:
            self._begun = 0
            self.failures.clear()
            self.notes.clear()
        progress = Progress("inference", len(self._items), "picture", bar=self.progress, done=self._begun)
        try:
            for item in self._items[self._begun :]:
                self._begun += 1
                try:
                    transformed = self.transform(item)
                except Exception as error:  # a file may be wrong in any way, and the others are to be read
                    self.fail(item, error)
                else:
                    self._note(item, transformed)
                    self.current = item
                    yield transformed
                    self.current = None
                say_if_interrupted(
                    f"Interrupted after {self._begun} of {len(self._items)} pictures; their results are written. "
                    "The same command does all of them again."
                )
                progress.update()
        finally:
            progress.close()

    @property
    def is_done(self) -> bool:
        """Whether all items have been given or have failed."""
        return self._begun == len(self._items)

    def fail(self, item: Any, error: BaseException) -> None:
        """Keep and print the message of an item that failed with ``error``."""
        self.current = None
        cause = find_input_error(error)
        if cause is not None:
            text = str(cause).replace(str(item["image"]), item["shown"])
            # what is wrong with logits, for one, is said without knowing of which picture
            text = text if item["shown"] in text else f"{item['shown']}: {text}"
        else:
            # MONAI wraps what a transform raises; what is raised for a DICOM file may quote what it says of a patient
            first = innermost_cause(error)
            detail = f": {first}" if item["shown"] == item["image"] and str(first) else ""
            text = f"{item['shown']} could not be segmented ({type(first).__name__}{detail})."
        self.failures.append(" ".join(text.split()))
        tqdm.write(f"failed: {self.failures[-1]}", file=sys.stderr)

    def _note(self, item: Any, transformed: Any) -> None:
        picture = transformed.get("image") if isinstance(transformed, dict) else None
        self.notes.add(item["shown"], getattr(picture, "meta", {}).get("notes", ""))


def segment_pictures(evaluator: Evaluator, dataset: ReadableDataset) -> None:
    """Run an evaluator over all pictures; a picture on which it fails becomes a failure of the data set.

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

# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from monai.data import IterableDataset
from tqdm import tqdm

from pipeline.utils import find_input_error

__all__ = ["ReadableDataset"]


class ReadableDataset(IterableDataset):
    """Dataset that leaves out what cannot be read, says so in one line each, and goes on with the rest.

    It has no length, since how many items it gives is known only at the end. Its failures are those of the process
    that reads: use it with ``num_workers=0``.

    Args:
        data: the items of ``find_pictures``. A message says ``"shown"`` of an item, not the path of its ``"image"``.
        transform: what reads an item. Its ``InputError`` is a failure, any other exception is raised.
        progress: whether to show a progress bar.

    Attributes:
        failures: the messages of the failures of the last pass.
    """

    def __init__(self, data: Sequence[Any], transform: Callable[[Any], Any], progress: bool = True) -> None:
        super().__init__(data)
        self.transform: Callable[[Any], Any] = transform
        self.progress = progress
        self.failures: list[str] = []

    def __iter__(self) -> Iterator[Any]:
        self.failures.clear()
        for item in tqdm(self.data, desc="inference", unit="picture", disable=not self.progress):
            try:
                transformed = self.transform(item)
            except Exception as error:  # MONAI wraps what a transform raises in RuntimeError
                cause = find_input_error(error)
                if cause is None:
                    raise
                text = str(cause).replace(str(item["image"]), item["shown"])
                self.failures.append(" ".join(text.split()))
                tqdm.write(f"failed: {self.failures[-1]}", file=sys.stderr)
            else:
                yield transformed

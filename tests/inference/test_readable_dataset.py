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

from typing import Any

import pytest
from monai.transforms import Compose

from pipeline.inference import ReadableDataset
from pipeline.utils import InputError


def items(*numbers: int) -> list[dict[str, Any]]:
    return [{"image": f"/of/Doe/{number}.dcm", "shown": f"dicom_{number}", "number": number} for number in numbers]


def read(item: dict[str, Any]) -> int:
    if item["number"] == 2:
        raise InputError(f"The file {item['image']} is\ndamaged.")
    if item["number"] < 0:
        raise ValueError("a defect of the program")
    return 10 * int(item["number"])


def test_what_cannot_be_read_is_left_out_and_reported(capsys: pytest.CaptureFixture[str]) -> None:
    dataset = ReadableDataset(items(1, 2, 3), Compose([read]), progress=False)
    for _ in range(2):
        assert list(dataset) == [10, 30]
        assert dataset.failures == ["The file dicom_2 is damaged."]
        assert capsys.readouterr().err.splitlines()[-1] == "failed: The file dicom_2 is damaged."


def test_progress_counts_the_failures_too(capsys: pytest.CaptureFixture[str]) -> None:
    list(ReadableDataset(items(1, 2, 3), read))
    assert "inference: 100%" in (output := capsys.readouterr().err) and "3/3" in output


def test_other_exceptions_are_raised() -> None:
    with pytest.raises(ValueError, match="a defect of the program"):
        list(ReadableDataset(items(1, -1), read, progress=False))

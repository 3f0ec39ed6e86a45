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

from pathlib import Path

import pytest

from pipeline.inference import FoundPictures, summarize
from pipeline.utils import InputError

FOUND = FoundPictures(Path("pictures"), Path("results"), [{"image": "a"}, {"image": "b"}, {"image": "c"}], skipped=4)


def test_success_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    summarize(FOUND, [])
    assert capsys.readouterr().out == ("Pictures segmented: 3 of 3; other files skipped: 4; output folder: results\n")


def test_failures_raise_after_that_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError) as error:
        summarize(FOUND, ["The file b is damaged."])
    assert str(error.value) == "1 of 3 pictures could not be read; the lines that begin with 'failed' say why."
    assert capsys.readouterr().out == ("Pictures segmented: 2 of 3; other files skipped: 4; output folder: results\n")

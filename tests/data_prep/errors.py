# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.utils import InputError


def fails_with(prepare: Callable[[], object], output: Path, *lines: str) -> None:
    """Expect these lines of errors, and no data list in the output folder."""
    with pytest.raises(InputError) as caught:
        prepare()
    *found, last = str(caught.value).splitlines()
    assert found == list(lines)
    count = "1 file is" if len(lines) == 1 else f"{len(lines)} files are"
    assert last == f"{count} wrong; no data list was written. Correct this and run again."
    assert not (output / "datalist.json").exists()


def error_lines(text: str) -> list[str]:
    """What a command has said is wrong, without the last line, which counts it."""
    return [line.removeprefix("error: ") for line in text.splitlines() if line.startswith("error: ")][:-1]

# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pipeline.tracking.journal import Journal, read_journal, starts_line
from pipeline.utils import InputError


def test_entries_come_back_in_order_with_the_offset_behind_each(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append({"type": "params", "values": {"lr": "0.001"}})
    journal.append({"type": "metrics", "step": 3, "time": 5, "values": {"loss": 0.1 + 0.2, "ε": 1.0}})
    (first, middle), (second, end) = read_journal(path)
    assert first == {"type": "params", "values": {"lr": "0.001"}}
    assert second == {"type": "metrics", "step": 3, "time": 5, "values": {"loss": 0.1 + 0.2, "ε": 1.0}}
    assert end == path.stat().st_size
    assert [entry for entry, _ in read_journal(path, middle)] == [second]


def test_an_entry_is_on_file_when_append_returns(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    for number in range(3):
        journal.append({"type": "status", "value": str(number)})
        assert len(list(read_journal(tmp_path / "journal.jsonl"))) == number + 1


def test_not_a_number_and_infinity_survive(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append({"type": "metrics", "values": {"a": math.nan, "b": math.inf, "c": -math.inf}})
    (entry, _), *_ = read_journal(tmp_path / "journal.jsonl")
    assert math.isnan(entry["values"]["a"])
    assert (entry["values"]["b"], entry["values"]["c"]) == (math.inf, -math.inf)


@pytest.mark.parametrize("torn", [b'{"type": "met', b"x" * 200_000, b'{"type": "tags"}', b"\x00\x00"])
@pytest.mark.parametrize("whole", [b"", b'{"type": "first"}\n'])
def test_a_torn_last_line_is_ignored_and_cut_off_on_reopening(tmp_path: Path, whole: bytes, torn: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(whole + torn)
    assert len(list(read_journal(path))) == len(whole.splitlines())
    journal = Journal(path)
    assert path.read_bytes() == whole
    journal.append({"type": "second"})
    assert path.read_bytes() == whole + b'{"type": "second"}\n'


def test_a_damaged_line_is_an_error_that_says_where(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"type": "first"}\nnonsense\n{"type": "third"}\n')
    with pytest.raises(InputError) as error:
        list(read_journal(path))
    assert str(error.value) == f"{path}: the line at byte 18 is not JSON. Remove it to send the rest."


@pytest.mark.parametrize(("offset", "starts"), [(0, True), (1, False), (3, True), (4, False), (6, True), (7, False)])
def test_where_lines_start(tmp_path: Path, offset: int, starts: bool) -> None:
    path = tmp_path / "journal.jsonl"
    assert starts_line(path, offset) is (offset == 0)
    path.write_bytes(b"{}\n{}\n")
    assert starts_line(path, offset) is starts


def test_no_journal_is_an_empty_one(tmp_path: Path) -> None:
    assert list(read_journal(tmp_path / "none.jsonl")) == []

# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stderr

import pytest

from pipeline.utils import Progress, draws_bars, with_progress
from pipeline.utils import progress as module

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the time."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    def set_time(seconds: float) -> None:
        now[0] = 100.0 + seconds

    return set_time


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal() -> redirect_stderr[Terminal]:
    return redirect_stderr(Terminal())


def test_a_line_at_each_tenth_without_a_terminal(capsys: Capture, clock: Callable[[float], None]) -> None:
    progress = Progress("attack", 40, "gradient")
    for step in range(1, 41):
        clock(3 * step)
        progress.update()
    progress.close()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0] == "attack: 10% (4/40 gradients), 01:48 left"
    assert lines[4] == "attack: 50% (20/40 gradients), 01:00 left"
    assert lines[-1] == "attack: 100% (40/40 gradients)"


@pytest.mark.parametrize("total", [1, 3, 7])
def test_a_small_work_has_a_line_for_each_unit(capsys: Capture, total: int) -> None:
    assert list(with_progress(range(total), "pairs", "picture")) == list(range(total))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[2:4] for line in lines] == [[f"({n}/{total}", "pictures),"] for n in range(1, total)] + [
        [f"({total}/{total}", "pictures)"]
    ]


def test_several_batches_are_batches(capsys: Capture) -> None:
    Progress("images", 1, "batch", bar=False).update()
    assert "images: 100% (1/1 batches)" in capsys.readouterr().err


def test_units_that_come_many_at_a_time_make_one_line(capsys: Capture) -> None:
    progress = Progress("attack", 40, "gradient")
    progress.update(30)
    assert capsys.readouterr().err.startswith("attack: 75% (30/40 gradients), ")


def test_nothing_to_do(capsys: Capture) -> None:
    assert list(with_progress([], "pairs", "picture")) == []
    assert capsys.readouterr().err == ""


def test_what_was_done_before_makes_no_line_and_does_not_count_as_quick(
    capsys: Capture, clock: Callable[[float], None]
) -> None:
    progress = Progress("attack", 40, "gradient", done=8)
    progress.skip(12)
    assert capsys.readouterr().err == ""
    clock(50)
    # five in 50 seconds, and 15 are left
    progress.update(5)
    assert capsys.readouterr().err == "attack: 62% (25/40 gradients), 02:30 left\n"


def test_a_bar_on_a_terminal() -> None:
    with terminal() as stream:
        progress = Progress("attack", 5, "gradient")
        assert progress.has_bar
        progress.say("epoch 3")
        for _ in range(5):
            progress.update()
        progress.close()
    shown = stream.getvalue()
    # one line that is drawn over
    assert shown.count("\n") == 1 and shown.count("\r") >= 2
    last = shown.split("\r")[-1]
    assert last.startswith("attack: 100%") and "5/5" in last and "epoch 3" in last


def test_lines_on_a_terminal_where_no_bar_is_wanted() -> None:
    with terminal() as stream:
        assert list(with_progress([1], "pairs", "picture", bar=False)) == [1]
    assert stream.getvalue() == "pairs: 100% (1/1 pictures)\n"


@pytest.mark.parametrize("bar", [True, False])
def test_of_several_processes_the_first_shows(bar: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with terminal() as stream:
        progress = Progress("attack", 2, "gradient", bar)
        progress.update(2)
        progress.say("done")
        progress.close()
        assert not draws_bars(True)
    assert stream.getvalue() == ""


def test_whether_bars_are_drawn() -> None:
    with terminal():
        assert draws_bars(True) and not draws_bars(False)
    with redirect_stderr(io.StringIO()):
        assert not draws_bars(True)


def test_an_interrupted_work_closes_its_bar() -> None:
    with terminal() as stream:
        progress = Progress("attack", 5, "gradient")
        module.close_bars()
        shown = stream.getvalue()
        assert shown.endswith("\n")
        progress.close()
        assert stream.getvalue() == shown

# SPDX-License-Identifier: Apache-2.0
"""Progress as a bar or as lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar
from weakref import WeakSet

from tqdm import tqdm

from .first_process import is_first_process

__all__ = ["Progress", "close_bars", "draws_bars", "with_progress"]


Item = TypeVar("Item")

_LINES = 10


def draws_bars(wanted: bool) -> bool:
    """Return whether this process draws progress bars: they are wanted, and it is the first and has a terminal.

    A bar is drawn over and over. In a file, or wherever else stderr goes, each time would be a line.
    """
    return wanted and is_first_process() and sys.stderr.isatty()


class Progress:
    """Show the progress of some work: a bar on a terminal, elsewhere a line on stderr at each tenth.

    Of several processes only the first shows anything.

    Args:
        title: what is done.
        total: how many units there are to do, those done earlier included.
        unit: the name of one.
        bar: whether a bar is wanted; there are lines if not, and also where there is no terminal.
        done: how many units an earlier start has done.
        lines: whether to write a line at each tenth; without them only ``say`` writes lines.

    Attributes:
        has_bar: whether there is a bar.
        done: how many units are done.
    """

    def __init__(self, title: str, total: int, unit: str, bar: bool = True, done: int = 0, lines: bool = True) -> None:
        self.title = title
        self.total = total
        self.unit = unit
        self.done = done
        self.has_bar = draws_bars(bar)
        self._lines = lines and not self.has_bar
        self._shows = is_first_process()
        self._bar = tqdm(total=total, initial=done, desc=title, unit=unit, disable=not self.has_bar)
        self._start, self._skipped = time.monotonic(), done
        _open.add(self)

    def update(self, count: int = 1) -> bool:
        """Count units that were done; returns whether the bar was drawn anew."""
        before, self.done = self.done, self.done + count
        if self._lines and self.done * _LINES // self.total > before * _LINES // self.total:
            plural = "es" if self.unit.endswith("ch") else "s"
            self.say(f"{100 * self.done // self.total}% ({self.done}/{self.total} {self.unit}{plural})")
        return bool(self._bar.update(count))

    def skip(self, count: int) -> None:
        """Count units that an earlier start has done: without lines, and without a part in the time that is left."""
        self.done += count
        self._skipped += count
        self._bar.update(count)

    def say(self, text: str) -> None:
        """Show ``text``: beside the bar when it is drawn next, or as a line, with the time that is left."""
        if self.has_bar:
            self._bar.set_postfix_str(text, refresh=False)
        elif self._shows:
            print(f"{self.title}: {text}{self._time_left()}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the bar as it is, so that other lines can follow."""
        self._bar.close()
        _open.discard(self)

    def _time_left(self) -> str:
        """Nothing as long as nothing is known, and at the end."""
        worked, left = self.done - self._skipped, self.total - self.done
        if worked <= 0 or left <= 0:
            return ""
        return f", {tqdm.format_interval((time.monotonic() - self._start) / worked * left)} left"


def close_bars() -> None:
    """Close bars that an exception has left open, so that they do not follow the program's last words."""
    for progress in list(_open):
        progress.close()


_open: WeakSet[Progress] = WeakSet()


def with_progress(items: Sequence[Item], title: str, unit: str, bar: bool = True) -> Iterator[Item]:
    """Yield ``items``, and show by ``Progress`` how many of them are done.

    Args:
        items: what to do.
        title: what is done.
        unit: the name of one item.
        bar: whether a bar is wanted.
    """
    progress = Progress(title, len(items), unit, bar)
    try:
        for item in items:
            yield item
            progress.update()
    finally:
        progress.close()

# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

# a server that has imported what the tests need starts processes in no time


def start_processes(function: Callable[..., None], count: int, *arguments: Any) -> list[int | None]:
    """Run ``function(rank, *arguments)`` in processes of their own; return their exit codes, −9 for one killed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([function.__module__])
    processes = [context.Process(target=function, args=(rank, *arguments)) for rank in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        process.kill()
    return [process.exitcode for process in processes]

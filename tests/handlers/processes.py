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

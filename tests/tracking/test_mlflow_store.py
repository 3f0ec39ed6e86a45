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

from .interpreter import Interpreter

PROGRAM = """
from pipeline.tracking.mlflow_store import connect
print(connect("sqlite:///{folder}/new/mlruns.db", "experiment")[1])
"""


def test_processes_that_make_a_sqlite_store_at_the_same_moment_all_get_it(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    logs = [tmp_path / f"log_{number}.txt" for number in range(3)]
    processes = [interpreter.start(PROGRAM.format(folder=tmp_path), log) for log in logs]
    statuses = [interpreter.wait(process) for process in processes]
    assert statuses == [0, 0, 0], [log.read_text() for log in logs]
    assert [log.read_text() for log in logs] == ["1\n", "1\n", "1\n"]

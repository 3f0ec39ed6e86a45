# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

from tests.interpreter import Interpreter

PROGRAM = """
from pipeline.tracking import connect
print(connect("sqlite:///{folder}/new/mlruns.db", "experiment")[1])
"""


def test_processes_that_make_a_sqlite_store_at_the_same_moment_all_get_it(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    programs = [interpreter.start(PROGRAM.format(folder=tmp_path)) for _ in range(3)]
    assert [program.finish() for program in programs] == ["1\n", "1\n", "1\n"]
    assert [program.status for program in programs] == [0, 0, 0]

# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.tracking import find_or_create_run
from pipeline.tracking.store import open_client
from pipeline.utils import InputError
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


@pytest.mark.parametrize("run_id", [None, 32 * "0"])
def test_a_store_that_goes_away_at_the_start_is_named_without_its_password(run_id: str | None) -> None:
    with pytest.raises(InputError, match=r"store http://127.0.0.1:9 does not answer \(connection refused\)") as error:
        find_or_create_run(open_client("http://me:SECRET@127.0.0.1:9"), "1", "folder", run_id)
    assert "SECRET" not in str(error.value)

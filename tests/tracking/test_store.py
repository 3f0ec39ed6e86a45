# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.ddl.impl import DefaultImpl

from pipeline.tracking import connect, find_or_create_run
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


def test_a_start_that_is_killed_while_the_store_is_made_leaves_none_that_cannot_be_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupt(*arguments: object) -> None:
        create_table(*arguments)
        raise KeyboardInterrupt

    create_table = DefaultImpl.create_table
    uri = f"sqlite:///{tmp_path}/mlruns.db"
    with monkeypatch.context() as patch:
        patch.setattr(DefaultImpl, "create_table", interrupt)  # when one of many is there
        with pytest.raises(KeyboardInterrupt):
            open_client(uri)
    assert connect(uri, "experiment")[1] == "1"


@pytest.mark.parametrize("run_id", [None, 32 * "0"])
def test_a_store_that_goes_away_at_the_start_is_named_without_its_password(run_id: str | None) -> None:
    with pytest.raises(InputError, match=r"store http://127.0.0.1:9 does not answer \(connection refused\)") as error:
        find_or_create_run(open_client("http://me:SECRET@127.0.0.1:9"), "1", "folder", run_id)
    assert "SECRET" not in str(error.value)

# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from monai.utils.misc import path_to_sqlite_uri

from pipeline.tracking.store import open_client
from tests.interpreter import Interpreter


@pytest.fixture(scope="session")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interpreter]:
    with Interpreter(tmp_path_factory.mktemp("programs")) as interpreter:
        yield interpreter


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with its tables, which take seconds to make."""
    file = tmp_path_factory.mktemp("store") / "mlruns.db"
    open_client(path_to_sqlite_uri(file)).search_experiments()
    return file


@pytest.fixture
def store(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a SQLite store of this test alone."""
    file = tmp_path_factory.mktemp("store") / "mlruns.db"
    shutil.copyfile(empty_store, file)
    return path_to_sqlite_uri(file)

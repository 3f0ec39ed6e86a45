# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import requests

from pipeline.tracking.__main__ import main


def test_no_password_is_printed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    # nothing listens there
    monkeypatch.setattr("sys.argv", ["tracking", "ui", "--port", "0", "--store", "http://me:SECRET@127.0.0.1:9"])
    assert main() == 1
    said = capfd.readouterr()
    assert "http://127.0.0.1:9" in said.err and "SECRET" not in said.err + said.out

    def fail(folder: str) -> str:
        raise requests.HTTPError("503 for http://me:SECRET@host/x")

    monkeypatch.setattr("pipeline.tracking.__main__.upload_folder", fail)
    monkeypatch.setattr("sys.argv", ["tracking", "upload", "run"])
    assert main() == 1
    assert capfd.readouterr().err == "error: 503 for http://host/x\n"

# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import signal
import socket
import subprocess
import sys

import pytest
from mlflow import MlflowClient

from pipeline.tracking.ui import serve_ui
from pipeline.utils import InputError

COMMAND = [sys.executable, "-m", "pipeline.tracking", "ui"]


def test_a_port_that_there_is_not_is_not_called_taken() -> None:
    with pytest.raises(InputError, match=r"^port: 99999 cannot be had \(.*0-65535.*\); give another"):
        serve_ui("sqlite:///never.db", 99999)


@pytest.mark.slow
def test_the_address_of_the_newest_experiment_is_printed_when_the_server_answers(store: str) -> None:
    MlflowClient(store).create_experiment("older")
    newest = MlflowClient(store).create_experiment("newest")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = subprocess.run([*COMMAND, "--store", store, "--port", port], capture_output=True, text=True)
    assert refused.returncode == 1
    assert refused.stderr == f"error: port: {port} is taken; give another, such as PORT=5001.\n"

    process = subprocess.Popen(
        [*COMMAND, "--store", store, "--port", port], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None and process.stderr is not None
        table = f"http://127.0.0.1:{port}/#/experiments/{newest}/runs?workflowType=machine_learning"
        assert process.stdout.readline().decode() == f"Open {table}\n"
    finally:
        process.send_signal(signal.SIGTERM)
        said = process.communicate()[1].decode()
    assert "Warning" not in said and "deprecat" not in said
    socket.create_server(("127.0.0.1", int(port))).close()  # the server has ended, too

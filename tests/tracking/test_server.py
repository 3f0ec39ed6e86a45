# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.runs import open_run
from pipeline.tracking import Tracker, upload_folder
from pipeline.utils import InputError
from tests.interpreter import wait_until

from .store import artifacts, mlflow_run, points

NewTracker = Callable[..., Tracker]


class Door:
    """A TCP relay to the server on a port of its own: closed, it refuses connections, or takes them in silence."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = 0
        self._silent: socket.socket | None = None
        self.open()

    def open(self) -> None:
        if self._silent is not None:
            self._silent.close()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self, hangs: bool = False) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._sockets:
            end.close()
        if hangs:  # the kernel takes connections for whoever will accept them
            self._silent = socket.create_server(("127.0.0.1", self.port))

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                inner = listener.accept()[0]
            except OSError:
                return
            outer = socket.create_connection(("127.0.0.1", self.target))
            self._sockets += [inner, outer]
            for source, target in ((inner, outer), (outer, inner)):
                threading.Thread(target=self._relay, args=(source, target), daemon=True).start()

    @staticmethod
    def _relay(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def server(empty_store: Path) -> Iterator[int]:
    """The port of an MLflow server."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{empty_store.with_name('served.db')}"]
    command += ["--artifacts-destination", str(empty_store.parent / "artifacts")]
    empty_store.with_name("served.db").write_bytes(empty_store.read_bytes())
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = subprocess.Popen(command, start_new_session=True, env=environment, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        try:
            return bool(urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).status == 200)
        except OSError:
            return False

    try:
        wait_until(answers)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def door(server: int) -> Iterator[Door]:
    door = Door(server)
    yield door
    door.close()


@pytest.mark.parametrize("hangs", [False, True])
def test_after_a_failure_nothing_is_sent_until_the_close(
    new_tracker: NewTracker, door: Door, caplog: pytest.LogCaptureFixture, hangs: bool
) -> None:
    tracker = new_tracker(tracking_uri=f"http://127.0.0.1:{door.port}")
    door.close(hangs)
    begin = time.monotonic()
    for epoch in (1, 2, 3):
        tracker.log_metrics({"loss": epoch}, step=epoch)
        tracker.end_epoch()
        assert caplog.text.count("MLflow does not take the figures") == 1
    (tracker.run.path / "figure.txt").write_text("x")
    tracker.log_artifact(tracker.run.path / "figure.txt", "figures")
    tracker.close()
    assert time.monotonic() - begin < 10
    path = tracker.run.path
    assert (
        f"MLflow does not take the figures ({'no answer' if hangs else 'connection refused'}). They are in "
        f"{path}/journal.jsonl, and the next start, or `python -m pipeline.tracking upload {path}`, sends them."
    ) in caplog.text
    door.open()
    assert mlflow_run(tracker)[1].info.status == "RUNNING"
    assert upload_folder(path) == tracker.run.record["mlflow"]["run_id"]
    assert mlflow_run(tracker)[1].info.status == "FINISHED"
    assert points(tracker, "loss") == [(epoch, epoch) for epoch in (1, 2, 3)]
    assert artifacts(tracker, "figures") == ["figures/figure.txt"]


def test_a_server_that_is_back_at_the_close_gets_all(new_tracker: NewTracker, door: Door) -> None:
    tracker = new_tracker(tracking_uri=f"http://127.0.0.1:{door.port}")
    door.close()
    tracker.log_metrics({"loss": 1}, step=1)
    tracker.end_epoch()
    door.open()
    tracker.close()
    assert mlflow_run(tracker)[1].info.status == "FINISHED"
    assert points(tracker, "loss") == [(1, 1)]


def test_the_password_of_a_server_is_neither_kept_nor_printed(
    new_tracker: NewTracker, server: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "false")
    uri = f"http://me:secret@127.0.0.1:{server}"
    tracker = new_tracker(tracking_uri=uri, params={"tracking_uri": uri}, config={"tracking_uri": uri})
    tracker.close()
    for file in tracker.run.path.glob("*.json*"):
        assert "secret" not in file.read_text()
    assert tracker.run.record["mlflow"]["tracking_uri"] == f"http://127.0.0.1:{server}"
    assert "secret" not in "".join(capfd.readouterr())
    assert mlflow_run(tracker)[1].info.status == "FINISHED"


def test_a_server_that_is_down_at_the_start_is_an_error(new_tracker: NewTracker) -> None:
    uri = f"http://user:password@127.0.0.1:{free_port()}"
    begin = time.monotonic()
    with pytest.raises(InputError) as error:
        new_tracker(tracking_uri=uri)
    assert str(error.value) == (
        f"tracking_uri: the MLflow store {uri.replace('user:password@', '')} does not answer (connection refused). "
        "Start the server, give another tracking_uri, or unset MLFLOW_TRACKING_URI if it names the wrong one."
    )
    assert time.monotonic() - begin < 10  # MLflow by itself blocks for minutes


def test_a_server_that_takes_connections_but_never_answers_is_an_error(
    new_tracker: NewTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(InputError, match=r"\(no answer\)"):
        new_tracker(tracking_uri=f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_a_run_that_failed_to_start_is_the_one_that_starts_next(new_tracker: NewTracker, tmp_path: Path) -> None:
    run = open_run(tmp_path / "eval", "training", {})
    with pytest.raises(InputError):
        Tracker(run, "lungs", f"http://127.0.0.1:{free_port()}", {}).start()
    run.release()  # as the end of the process does
    tracker = new_tracker()
    assert tracker.run.path == run.path
    tracker.close()
    assert mlflow_run(tracker)[1].info.status == "FINISHED"

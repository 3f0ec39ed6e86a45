# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress

from pipeline.utils import InputError

from .store import open_client

__all__ = ["serve_ui"]

_QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}


def serve_ui(store: str, port: int) -> int:
    """Run MLflow's UI until it is ended, and print where it shows the newest experiment; returns its exit status.

    The plain address opens, in a browser that has not been there, an empty page for language models.
    """
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except (OSError, OverflowError) as error:
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        why = "is taken" if taken else f"cannot be had ({error})"
        raise InputError(f"port: {port} {why}; give another, such as PORT=5001.") from error
    (newest,) = open_client(store).search_experiments(order_by=["creation_time DESC"], max_results=1)
    command = [sys.executable, "-m", "mlflow", "ui", "--port", str(port), "--backend-store-uri", store]
    # one worker: each takes seconds to start
    command += ["--registry-store-uri", store, "--workers", "1", "--uvicorn-opts", "--log-level warning"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    server = subprocess.Popen(command, env=os.environ | _QUIET)
    address = f"http://127.0.0.1:{port}"
    try:
        while server.poll() is None and not _answers(address):
            time.sleep(0.2)
        if server.poll() is None:
            table = f"{address}/#/experiments/{newest.experiment_id}/runs?workflowType=machine_learning"
            print(f"Open {table}\nCtrl-C ends it.", flush=True)
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        server.terminate()
        server.wait()


def _answers(address: str) -> bool:
    with suppress(OSError):
        return bool(urllib.request.urlopen(f"{address}/health", timeout=1).status == 200)
    return False

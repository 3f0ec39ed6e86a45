# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from pipeline.utils import InputError

from .mlflow_store import hide_credentials
from .uploader import Uploader, upload_leftovers

__all__ = ["BackgroundUpload"]

logger = logging.getLogger(__name__)

_INTERVAL = 2.0  # seconds between two looks into the journal
_MAX_BACK_OFF = 30.0
_WARN_EVERY = 60.0


class BackgroundUpload:
    """Runs an uploader in a daemon thread, through all troubles of the store, until it is closed.

    It also sends, once, what earlier runs still owe to the same store.

    Args:
        uploader: what to run.
        output_dir: the folder of all runs.
        tracking_uri: the address of the store as ``run.json`` has it.
    """

    def __init__(self, uploader: Uploader, output_dir: Path, tracking_uri: str) -> None:
        self.uploader = uploader
        self.output_dir = output_dir
        self.tracking_uri = tracking_uri
        self._closing = threading.Event()
        self._abandoned = threading.Event()
        self._warned = float("-inf")
        self._thread = threading.Thread(target=self._run, name="mlflow-upload", daemon=True)
        self._thread.start()

    def close(self, timeout: float) -> bool:
        """Send the rest and return whether all of it has arrived within ``timeout`` seconds."""
        self._closing.set()
        self._thread.join(timeout)
        self._abandoned.set()
        return self.uploader.is_settled

    def _run(self) -> None:
        self._send_leftovers()
        failures = 0
        while not self._abandoned.is_set():
            # asked before sending: what comes into the journal before close() is sent by the last round
            last_round = self._closing.is_set()
            try:
                self.uploader.send(self._abandoned.is_set)
                if last_round:
                    return
                failures = 0
                self._closing.wait(_INTERVAL)
            except InputError as error:
                logger.warning("%s", error)
                return
            except Exception as error:
                failures += 1
                self._warn(error)
                if last_round:
                    self._abandoned.wait(1.0)
                else:
                    self._closing.wait(min(2.0**failures, _MAX_BACK_OFF))

    def _send_leftovers(self) -> None:
        try:
            upload_leftovers(self.output_dir, self.uploader.client, self.tracking_uri, self._closing.is_set)
        except Exception as error:
            logger.warning(
                "Figures of earlier runs in %s are not all in MLflow yet: %s", self.output_dir, _reason(error)
            )

    def _warn(self, error: Exception) -> None:
        if time.monotonic() - self._warned >= _WARN_EVERY:
            self._warned = time.monotonic()
            logger.warning(
                "MLflow does not take the figures (%s). They are kept in %s and sent as soon as it does.",
                _reason(error),
                self.uploader.folder,
            )


def _reason(error: Exception) -> str:
    lines = hide_credentials(str(error)).splitlines()
    return lines[0][:200] if lines else type(error).__name__

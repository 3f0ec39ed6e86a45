# SPDX-License-Identifier: Apache-2.0
"""Puts a report into MLflow, beside the runs of the cells: one run whose artifacts are the tables and figures."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterable
from pathlib import Path

from monai.utils.misc import path_to_sqlite_uri

from pipeline.tracking import connect, find_or_create_run, hide_credentials, resolve_tracking_uri
from pipeline.utils import atomic_path

from .matrix import ROOT
from .plan import Plan

__all__ = ["send_report"]

logger = logging.getLogger(__name__)


def send_report(plan: Plan, files: Iterable[Path]) -> None:
    """Log the files of a report to the run "report · <folder>" of the matrix's experiment, the same each time.

    The store is ``MLFLOW_TRACKING_URI`` or else ``mlruns.db`` in the repository. One that does not answer is no reason
    to fail: the files are in the folder of results, and a warning says so.
    """
    note = plan.results_dir / "report_run.json"
    try:
        uri = resolve_tracking_uri(path_to_sqlite_uri(ROOT / "mlruns.db"))
        known = json.loads(note.read_text()) if note.is_file() else {}
        client, experiment_id = connect(uri, plan.experiment)
        run_id = find_or_create_run(
            client,
            experiment_id,
            f"report_{secrets.token_hex(3)}",
            known.get(hide_credentials(uri)),
            f"report · {plan.results_dir.name}",
        )
        with atomic_path(note) as file:
            file.write_text(json.dumps({**known, hide_credentials(uri): run_id}, indent=1) + "\n")
        for path in files:
            folder = path.parent.relative_to(plan.results_dir).as_posix()
            client.log_artifact(run_id, str(path), None if folder == "." else folder)
        client.set_terminated(run_id, "FINISHED")
    # each kind of store has errors of its own
    except Exception as error:
        logger.warning("The report is in %s, but not in MLflow: %s", plan.results_dir, hide_credentials(str(error)))

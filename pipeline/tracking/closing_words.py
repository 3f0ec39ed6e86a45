# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os

from pipeline.settings.inferring_command import quoted
from pipeline.utils import is_first_process

from .tracker import Tracker

__all__ = ["print_closing_words"]


def print_closing_words(tracker: Tracker, weights: str | os.PathLike[str], command: str | None) -> None:
    """Print, at the end of a training, where all of it is and, of ``inferring_command``, what comes next."""
    if not is_first_process():
        return
    mlflow = tracker.run.record["mlflow"]
    uri, experiment = mlflow["tracking_uri"], mlflow["experiment"]
    served = uri.startswith("http")
    where = f"{uri}, experiment '{experiment}'" if served else f"python -m pipeline.tracking ui --store {quoted(uri)}"
    print(f"Run folder:  {tracker.run.path}\nWeights:     {weights}\nMLflow:      {where}")
    if command:
        own = f"--ckpt_path {quoted(str(weights))} --dataset_dir <folder>"
        print(f"Try it on pictures of your own:\n  {command} {own}", flush=True)

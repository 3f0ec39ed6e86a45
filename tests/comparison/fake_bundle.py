# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

# Stands for `python -m monai.bundle`: writes what a cell's run leaves, or misbehaves as FAKE_BUNDLE says, JSON from
# cell to behavior: "fail", "silent" (no result), "wait" (for SIGTERM, then save itself), "stop the runner" and
# "interrupt the runner" or "hang up the runner" (send it a signal, then wait) and "deaf" (stop the runner, but ignore
# SIGTERM).
options = dict(zip(sys.argv[3::2], sys.argv[4::2], strict=True))
runs, models = Path(options["--output_dir"]), Path(options["--ckpt_dir"])
name = runs.parent.name
with open(os.environ["FAKE_CALLS"], "a") as calls:
    calls.write(json.dumps({"name": name, "pid": os.getpid(), "argv": sys.argv[1:]}) + "\n")
behavior = json.loads(os.environ.get("FAKE_BUNDLE", "{}")).get(name, "")
if behavior == "fail":
    print("error: the network is tired", file=sys.stderr)
    print("and it rains")
    sys.exit(1)
if behavior == "silent":
    sys.exit(0)
if behavior:
    signal.signal(signal.SIGTERM, signal.SIG_IGN if behavior == "deaf" else lambda *_: sys.exit(143))
    if behavior != "wait":
        signals = {"interrupt the runner": signal.SIGINT, "hang up the runner": signal.SIGHUP}
        os.kill(os.getppid(), signals.get(behavior, signal.SIGTERM))
    time.sleep(100)  # not forever: a test that fails may forget it
    sys.exit("nobody came")
for setting in ("--initial_weights", "--ckpt_path", "--surrogate_weights"):
    if setting in options:
        assert Path(options[setting]).is_file(), f"{setting} {options[setting]}"
run = runs / f"{sys.argv[2]}_1"
run.mkdir(parents=True, exist_ok=True)
models.mkdir(exist_ok=True)
(models / "model.pt").write_text(name + os.environ.get("FAKE_WEIGHTS", ""))
rows = [f"{image},{epsilon},0.75,{0.5 + len(name) / 1000}" for image in ("001", "NA") for epsilon in (0.0, 0.5, 32.0)]
(run / "per_image.csv").write_text("\n".join(["image,epsilon,DIC,JSC", *rows]) + "\n")
result = {
    "network": "a title",
    "commit": os.environ.get("FAKE_COMMIT", "abc123"),
    "dirty": "FAKE_DIRTY" in os.environ,
    "data_fingerprint": os.environ.get("FAKE_DATA", "f00"),
    "parameters": 12,
    "gradients_per_image": 69,
    "evaluation_seconds": 1.5,
    "peak_memory_mb": 100.0,
    "device": "a processor",
    "iterations": {"0.5": 1, "32.0": 36},
}
if sys.argv[2] == "training":
    result["training_seconds"] = 2.5
(run / "result.json").write_text(json.dumps(result))
# what the tracker leaves: all is sent, or all but the last entry
entry = json.dumps({"type": "status", "value": "FINISHED"}) + "\n"
(run / "journal.jsonl").write_text(entry * 2)
sent = len(entry) if name in os.environ.get("FAKE_UNSENT", "") else 2 * len(entry)
(run / "upload.json").write_text(json.dumps({"run_id": "0", "offset": sent, "status": "FINISHED"}))

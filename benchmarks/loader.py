# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from monai.engines.utils import default_prepare_batch

from data_prep.phantoms import prepare_phantoms

from .figure import Figure, synchronize
from .options import Options
from .pictures import training_bundle

__all__ = ["run"]


def run(options: Options) -> list[Figure]:
    """How much of a step of the bundle's own training, after the first epoch, is the network's time."""
    with tempfile.TemporaryDirectory() as folder:
        # a quarter of the phantoms is the test set: three batches of training
        prepare_phantoms(Path(folder), count=4 * options.batch, size=options.size)
        bundle = training_bundle(options, dataset_dir=folder)
        keys = ("network", "loss", "optimizer", "train#dataloader")
        network, loss_function, optimizer, loader = (bundle.get_parsed_content(key) for key in keys)
        network.train()
        loading: list[float] = []
        whole: list[float] = []
        for epoch in range(1 + (options.repeats or 3)):
            loader.sampler.set_epoch(epoch)
            batches = iter(loader)
            for _ in range(len(loader)):
                start = time.perf_counter()
                image, label = default_prepare_batch(next(batches), options.device)
                synchronize(options.device)
                loaded = time.perf_counter()
                optimizer.zero_grad()
                loss_function(network(image), label).backward()
                optimizer.step()
                synchronize(options.device)
                if epoch > 0:
                    loading.append(loaded - start)
                    whole.append(time.perf_counter() - start)
    share = 100 * (1 - sum(loading) / sum(whole))
    return [
        Figure("batch loaded and moved", statistics.median(loading), "s", tuple(loading)),
        Figure("whole step", statistics.median(whole), "s", tuple(whole)),
        Figure("network's share of the step", share, "%", at_least=options.bound(95)),
    ]

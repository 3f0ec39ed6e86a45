# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import ignite.distributed as idist
from ignite.engine import Engine, Events
from monai.transforms import Randomizable
from monai.utils import set_determinism

__all__ = ["EpochSeed", "first_seed"]

_BETWEEN_PROCESSES = 10_007  # more than a training has epochs
_BETWEEN_TRAININGS = 1_000_003  # more than a training has epochs and processes


class EpochSeed:
    """Seed every source of randomness from the epoch's number, so that an epoch is the same after an interruption.

    Python, NumPy and torch are seeded with ``first_seed(seed) + epoch`` when an epoch starts, and so are the random
    transforms. Of several processes each has a seed of its own, so that they do not turn and drop the same. The order
    of the images comes from a ``DistributedSampler``, which MONAI's engines set to the epoch: give it
    ``first_seed(seed)`` too.

    Args:
        seed: seed of the whole training.
        transform: random transforms of the training data, if there are any.

    Example:
        >>> EpochSeed(seed=0).attach(trainer)
    """

    def __init__(self, seed: int, transform: Randomizable | None = None) -> None:
        self.seed = seed
        self.transform = transform

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: a trainer.
        """
        if not engine.has_event_handler(self, Events.EPOCH_STARTED):
            engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """
        Args:
            engine: a trainer.
        """
        seed = first_seed(self.seed) + engine.state.epoch + _BETWEEN_PROCESSES * idist.get_rank()
        set_determinism(seed=seed)
        if self.transform is not None:
            self.transform.set_random_state(seed=seed)


def first_seed(seed: int) -> int:
    """Return the seed before the first epoch of a training; two trainings have no epoch's seed in common.

    With ``seed`` itself the second epoch of seed 0 would be the first of seed 1, and trainings that count as
    independent would see the same orders and the same flips.
    """
    return seed * _BETWEEN_TRAININGS

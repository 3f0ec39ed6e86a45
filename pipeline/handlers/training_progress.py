# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

from __future__ import annotations

from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events
from torch.optim import Optimizer
from tqdm import tqdm

__all__ = ["TrainingProgress"]


class TrainingProgress:
    """Show one progress bar over all iterations of the training, with epoch, loss, learning rate and time left.

    Args:
        optimizer: the optimizer whose learning rate is shown.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: a trainer whose output holds ``"loss"``.
        """
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.advance)
        engine.add_event_handler(Events.COMPLETED, self.close)

    def start(self, engine: Engine) -> None:
        """Open the bar; a resumed training begins where it was interrupted."""
        state: Any = engine.state
        total = state.max_epochs * state.epoch_length
        self._bar = tqdm(
            total=total, initial=state.iteration, desc="training", unit="step", disable=idist.get_rank() > 0
        )

    def advance(self, engine: Engine) -> None:
        """Move the bar by one iteration; what it shows is read from the device only when it is drawn."""
        if self._bar.update():
            state: Any = engine.state
            loss, rate = state.output["loss"].item(), self.optimizer.param_groups[0]["lr"]
            epoch = f"{state.epoch}/{state.max_epochs}"
            self._bar.set_postfix({"epoch": epoch, "loss": f"{loss:.4f}", "lr": f"{rate:.2e}"}, refresh=False)

    def close(self) -> None:
        """Close the bar."""
        self._bar.close()

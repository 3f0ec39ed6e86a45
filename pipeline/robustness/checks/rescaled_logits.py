# SPDX-License-Identifier: Apache-2.0
"""Is the same attack stronger once the logits have a common scale?"""

from __future__ import annotations

import torch

from .check import CheckResult
from .evidence import Evidence
from .outputs import output_of
from .probe import CROSS_ENTROPY, descend, dic_of, margins

__all__ = ["RescaledLogits"]

STEPS = 10
CLEARLY = 0.1
# nats between two classes; trained networks had 3 to 18 (median), at 17 fp32 rounds the larger probability to 1
ODD = 40.0


class RescaledLogits:
    """The logits have an ordinary scale, or attacks by cross-entropy are no stronger on rescaled ones.

    Out of the ordinary are margins too large for the numbers (40 nats, the median) and those of probabilities (1 at
    most, all of them); between these, sure networks hide right pixels from the cross-entropy honestly. There 10 steps
    away from the mask are tried at up to three ε, on the logits as they are and with each image's logits divided by the
    mean size of its margins. The value is the largest gain, of which .1 is too much; None for an ordinary scale.

    Example:
        >>> RescaledLogits()(evidence).status
        'passed'
    """

    name = "rescaled logits"

    def __call__(self, evidence: Evidence) -> CheckResult:
        attacked, picture, label = evidence.attacked, evidence.picture, evidence.label
        size = margins(attacked, attacked.classes.logits(output_of(attacked, picture)), label).abs()
        median = size.median().item()
        if median <= ODD and size.max().item() > 1:
            return CheckResult(
                self.name, "passed", None, f"The logits have an ordinary scale (median margin {median:.3g})."
            )

        def rescaled(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
            scale = margins(attacked, logits.detach(), label).abs().mean(1).clamp(min=1e-12)
            scale = scale.repeat_interleave(len(logits) // len(label)).view(-1, *[1] * (logits.ndim - 1))
            return CROSS_ENTROPY(logits / scale, masks)

        gains = {}
        for epsilon in sorted(
            {evidence.epsilons[0], evidence.epsilons[len(evidence.epsilons) // 2], evidence.epsilons[-1]}
        ):
            plain, scaled = (
                dic_of(attacked, descend(attacked, picture, label, epsilon, loss, STEPS), label).mean().item()
                for loss in (CROSS_ENTROPY, rescaled)
            )
            gains[epsilon] = plain - scaled
        epsilon = max(gains, key=lambda each: gains[each])
        gain = gains[epsilon]
        said = f"At ε = {epsilon:g} rescaled logits lower DIC by {gain:.3f} more (median margin {median:.3g})"
        if gain < CLEARLY:
            return CheckResult(self.name, "passed", gain, f"{said}.")
        return CheckResult(
            self.name, "failed", gain, f"{said}: the scale of the output hides pixels from attacks by cross-entropy."
        )

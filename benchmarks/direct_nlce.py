# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from pipeline.networks import NLCE

__all__ = ["DirectNLCE"]


class DirectNLCE(nn.Module):
    """The equations of :class:`pipeline.networks.NLCE` as they are written, with the parameters of ``nlce``.

    It builds the N × N attention (equation 2) and the N × K × C″ residuals (equation 3), as the usual implementations
    of non-local blocks and context encoding do.

    Args:
        nlce: the module to lay it beside, with both halves and unscaled attention; its parameters are shared.
    """

    def __init__(self, nlce: NLCE) -> None:
        super().__init__()
        self.nlce = nlce

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        nlce = self.nlce
        theta, phi, g = (embed(x).flatten(2) for embed in (nlce.theta, nlce.phi, nlce.g))
        attention = torch.softmax(theta.transpose(1, 2) @ phi, dim=2)
        y = g @ attention.transpose(1, 2)
        z = nlce.w_z(y.unflatten(2, x.shape[2:])) + x
        features = nlce.reduce(z).flatten(2).transpose(1, 2)
        residuals = features.unsqueeze(2) - nlce.codewords
        assignment = torch.softmax(-nlce.smoothing * residuals.square().sum(3), dim=2)
        codes = (assignment.unsqueeze(3) * residuals).sum(1)
        gamma = torch.sigmoid(nlce.w_gamma(F.relu(nlce.norm(codes)).sum(1)))
        return z * gamma[:, :, None, None]

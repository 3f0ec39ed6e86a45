# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import nn

from pipeline.networks import NLCE

from .figure import Figure, interleave, median_seconds, ratio
from .options import Options
from .peak_memory import megabytes, peak_memory

__all__ = ["DirectNLCE", "case", "run"]


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


CHANNELS = 64
TOLERANCE = 1e-4


def case(name: str, options: Options) -> Callable[[], tuple[torch.Tensor, torch.Tensor]]:
    """One forward and backward pass of ``"ours"`` or ``"direct"`` at NLCEN's finest level, a quarter of the size.

    It returns the output and the gradient with respect to the input.
    """
    torch.manual_seed(0)
    nlce = NLCE(CHANNELS)
    # the weights of a start leave the attention uniform and hide the rest, so that equality would mean nothing
    for layer in (nlce.theta, nlce.phi, nlce.g, nlce.w_z, nlce.w_gamma):
        torch.nn.init.normal_(layer.weight, std=0.1)
    module = {"ours": nlce, "direct": DirectNLCE(nlce)}[name].to(options.device)
    # the layout that each is fastest in: ours as in NLCEN, the formula without copies at its reshapes
    layout = torch.channels_last if name == "ours" else torch.contiguous_format
    x = torch.randn(options.batch, CHANNELS, options.size // 4, options.size // 4)
    weight = torch.randn_like(x).to(options.device, memory_format=layout)
    x = x.to(options.device, memory_format=layout).requires_grad_()

    def one_pass() -> tuple[torch.Tensor, torch.Tensor]:
        module.zero_grad()
        x.grad = None
        output = module(x)
        output.backward(weight)
        return output.detach(), x.grad

    return one_pass


def run(options: Options) -> list[Figure]:
    """NLCE against the direct formula: equality first, then time, then peak memory, then the larger feature map."""
    variants = {name: case(name, options) for name in ("ours", "direct")}
    difference = _difference(*(one_pass() for one_pass in variants.values()))
    if not difference <= TOLERANCE:
        raise RuntimeError(f"NLCE and the direct formula differ by {difference:.1e}; their times mean nothing.")
    seconds = interleave(variants, options.repeats or 5, options.device)
    grid = f"{options.size // 4} x {options.size // 4}"
    return [
        Figure(f"{grid}: largest relative difference from the direct formula", difference, at_most=TOLERANCE),
        median_seconds(f"{grid}: forward + backward", seconds["ours"]),
        median_seconds(f"{grid}: direct formula", seconds["direct"]),
        ratio(f"{grid}: direct / ours", seconds["direct"], seconds["ours"], at_least=options.bound(2.5)),
        *_memory(grid, options),
        *_larger(replace(options, size=2 * options.size), options.direct_128),
    ]


def _memory(grid: str, options: Options) -> list[Figure]:
    ours, direct = peak_memory("nlce.ours", options), peak_memory("nlce.direct", options)
    share = ours.megabytes / direct.megabytes if ours and direct and direct.megabytes else None
    return [
        megabytes(f"{grid}: peak memory", ours),
        megabytes(f"{grid}: peak memory of the direct formula", direct),
        Figure(f"{grid}: peak memory, ours / direct", share, "x", at_most=options.bound(1 / 8)),
    ]


def _larger(options: Options, with_direct: bool) -> list[Figure]:
    grid = f"{options.size // 4} x {options.size // 4}"
    ours = peak_memory("nlce.ours", options)
    direct = f"{grid}: peak memory of the direct formula"
    matrix = 4 * options.batch * (options.size // 4) ** 4 / 1e9
    skipped = Figure(direct, None, note=f"skipped, each N x N matrix takes {matrix:.2g} GB; --direct-128 tries it")
    return [
        megabytes(f"{grid}: peak memory", ours),
        Figure(f"{grid}: forward + backward, one run", ours.seconds if ours else None, "s"),
        megabytes(direct, peak_memory("nlce.direct", options)) if with_direct else skipped,
    ]


def _difference(first: tuple[torch.Tensor, ...], second: tuple[torch.Tensor, ...]) -> float:
    """The largest difference, relative to the largest value of each tensor."""
    return max(((a - b).abs().amax() / b.abs().amax()).item() for a, b in zip(first, second, strict=True))

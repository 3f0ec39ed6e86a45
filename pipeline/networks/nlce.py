# SPDX-License-Identifier: Apache-2.0
"""The Non-Local Context Encoder, the paper's module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from monai.networks.layers.factories import Conv
from torch import nn

from pipeline.utils import InputError

__all__ = ["NLCE"]


@contextmanager
def _without_cudnn() -> Iterator[None]:
    """Leave out cuDNN's attention, torch's first choice on Hopper GPUs.

    Trainings in bfloat16 ended with NaN there, and its backward is known to give NaN where logits are far below zero
    and the number of positions leaves 64 when divided by 128, as 8 × 8 does (PyTorch #196678, there with a mask). The
    switch is the process's, not the thread's.
    """
    allowed = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(allowed)


class NLCE(nn.Module):
    """Non-Local Context Encoder (He et al., AAAI 2019, equations 1 to 3 and the channel attention after them).

    The feature map, seen as N = H·W (2D) or D·H·W (3D) features x_i of C channels, first attends to itself,

        y_i = Σ_j softmax_j(θ(x_i)ᵀ φ(x_j)) g(x_j),    z_i = W_z y_i + x_i,

    then its context is encoded against K learned codewords d_k with smoothing factors s_k,

        r_ik = reduce(z_i) − d_k,    e_k = Σ_i softmax_k(−s_k ‖r_ik‖²) r_ik,    e = Σ_k ReLU(BN(e_k)),

    and weighs its channels: the output is z ⊗ γ with γ = sigmoid(W_γ e).

    Neither the N × N attention nor the N × K × C″ residuals are ever built, so memory grows linearly with N, forward
    and backward (on CUDA in float16, bfloat16 and float32; float64 has no such kernel there).

    At the start W_γ is zero, and so is W_z unless ``zero_init`` is False: the non-local part is the identity and γ is
    exactly 1/2, so the module halves its input. Where the paper is silent, ``docs/paper_reading.md`` says what was
    chosen and why.

    Args:
        in_channels: C, channels of the input and of the output.
        inter_channels: C′, channels of θ, φ and g. Defaults to C / 2 (at least 1), as in Wang et al. 2018.
        code_channels: C″, channels of the codewords. Defaults to C, at most 512, as in Zhang et al. 2018.
        num_codes: K, number of codewords.
        spatial_dims: 2 or 3.
        non_local: whether to model the global dependencies; without them z = x (the paper's "w/o NL").
        context: whether to encode the context; without it the output is z (the paper's "w/o CE").
        scaled: whether to divide the attention's logits by √C′, which the paper does not.
        zero_init: whether W_z starts at zero, so that the non-local part starts as the identity; else as any of torch's
            convolutions.

    Shape:
        input and output: (B, C, H, W) or (B, C, D, H, W), any floating type, any value.

    Raises:
        InputError: if a number is below 1, ``spatial_dims`` is neither 2 nor 3, or both halves are switched off.

    Example:
        >>> NLCE(in_channels=16)(torch.rand(2, 16, 8, 8)).shape
        torch.Size([2, 16, 8, 8])
    """

    # TorchScript leaves out the branches of the parts that are switched off
    __constants__ = ["non_local", "context", "scaled"]

    def __init__(
        self,
        in_channels: int,
        inter_channels: int | None = None,
        code_channels: int | None = None,
        num_codes: int = 32,
        spatial_dims: int = 2,
        non_local: bool = True,
        context: bool = True,
        scaled: bool = False,
        zero_init: bool = True,
    ) -> None:
        super().__init__()
        inter_channels = max(in_channels // 2, 1) if inter_channels is None else inter_channels
        code_channels = min(in_channels, 512) if code_channels is None else code_channels
        sizes = {
            "in_channels": in_channels,
            "inter_channels": inter_channels,
            "code_channels": code_channels,
            "num_codes": num_codes,
        }
        for name, size in sizes.items():
            if size < 1:
                raise InputError(f"NLCE: {name} must be at least 1, got {size}.")
        if spatial_dims not in (2, 3):
            raise InputError(f"NLCE: spatial_dims must be 2 or 3, got {spatial_dims}.")
        if not (non_local or context):
            raise InputError("NLCE: non_local and context are both False, which leaves nothing; switch on one of them.")
        self.non_local = non_local
        self.context = context
        self.scaled = scaled
        self.zero_init = zero_init
        conv = Conv[Conv.CONV, spatial_dims]
        if non_local:
            self.theta = conv(in_channels, inter_channels, kernel_size=1, bias=False)
            self.phi = conv(in_channels, inter_channels, kernel_size=1, bias=False)
            self.g = conv(in_channels, inter_channels, kernel_size=1, bias=False)
            self.w_z = conv(inter_channels, in_channels, kernel_size=1, bias=False)
        if context:
            self.reduce = conv(in_channels, code_channels, kernel_size=1, bias=False)
            self.codewords = nn.Parameter(torch.empty(num_codes, code_channels))
            self.smoothing = nn.Parameter(torch.empty(num_codes))
            self.norm = nn.BatchNorm1d(num_codes)
            self.w_gamma = nn.Linear(code_channels, in_channels, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize as Wang et al. 2018 (θ, φ, g, W_z) and Zhang et al. 2018 (codewords, smoothing), with W_γ = 0."""
        if self.non_local:
            for embedding in (self.theta, self.phi, self.g):
                nn.init.normal_(embedding.weight, std=0.01)
            if self.zero_init:
                nn.init.zeros_(self.w_z.weight)
            else:
                self.w_z.reset_parameters()
        if self.context:
            self.reduce.reset_parameters()
            bound = self.codewords.numel() ** -0.5
            nn.init.uniform_(self.codewords, -bound, bound)
            nn.init.uniform_(self.smoothing, 0.0, 1.0)
            self.norm.reset_parameters()
            nn.init.zeros_(self.w_gamma.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = self._non_local(x) if self.non_local else x
        if self.context:
            gamma = self._channel_attention(z)
            z = z * gamma.reshape(gamma.shape + (1,) * (z.ndim - 2))
        return z

    def _non_local(self, x: torch.Tensor) -> torch.Tensor:
        """Equations 1 and 2 and the residual: z of the shape of x."""
        # (B, 1, N, C′), contiguous: with a strided last dimension the attention silently takes the quadratic path
        query = self._positions_first(self.theta(x)).unsqueeze(1)
        key = self._positions_first(self.phi(x)).unsqueeze(1)
        value = self._positions_first(self.g(x)).unsqueeze(1)
        y = self._attend(query, key, value)
        y = y.squeeze(1).transpose(1, 2).reshape(x.shape[:1] + (y.shape[-1],) + x.shape[2:])
        # x first: the sum has its layout, and what follows rounds as without the NLCE
        return x + self.w_z(y)

    def _attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Equation 1 for the embeddings θ(x), φ(x) and g(x)."""
        scale = None if self.scaled else 1.0
        if not torch.jit.is_scripting() and query.is_cuda:
            with _without_cudnn():
                return F.scaled_dot_product_attention(query, key, value, scale=scale)
        return F.scaled_dot_product_attention(query, key, value, scale=scale)

    def _channel_attention(self, z: torch.Tensor) -> torch.Tensor:
        """Equation 3 and γ of shape (B, C)."""
        features = self._positions_first(self.reduce(z))
        # ‖r‖² = ‖z′‖² − 2 z′ᵀd + ‖d‖² and Σ_i a_ik r_ik = Σ_i a_ik z′_i − (Σ_i a_ik) d_k need no N × K × C″ tensor
        distance = features.square().sum(2, keepdim=True) - 2 * features @ self.codewords.t()
        distance = distance + self.codewords.square().sum(1)
        assignment = torch.softmax(-self.smoothing * distance, dim=2)
        codes = assignment.transpose(1, 2) @ features - assignment.sum(1).unsqueeze(2) * self.codewords
        context = F.relu(self.norm(codes)).sum(1)
        return torch.sigmoid(self.w_gamma(context))

    def _positions_first(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, *spatial) to contiguous (B, N, C); no copy where x is channels-last already."""
        if x.shape[1] == 1:
            # contiguous() leaves a dimension of size 1 as it is, here with a stride of N
            return x.reshape(x.shape[0], -1, 1)
        return x.flatten(2).transpose(1, 2).contiguous()

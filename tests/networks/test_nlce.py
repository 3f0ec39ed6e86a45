# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from pipeline.networks import NLCE


def randomized(module: NLCE, seed: int = 0) -> NLCE:
    """In float64, with all parameters and running statistics drawn: W_z and W_γ start at 0 and would hide the rest."""
    generator = torch.Generator().manual_seed(seed)
    module.double()
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if tensor.is_floating_point():
                drawn = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
                tensor.copy_(drawn.abs() + 0.1 if name in ("smoothing", "norm.running_var") else 0.6 * drawn)
    return module


def direct_formula(module: NLCE, x: torch.Tensor) -> torch.Tensor:
    """Equations 1 to 3 as they stand, with the N × N attention and the N × K × C″ residuals."""
    p = {
        name: parameter.flatten(1) if parameter.ndim > 2 else parameter for name, parameter in module.named_parameters()
    }
    features = x.flatten(2)
    z = features
    if module.non_local:
        theta, phi, g = (torch.einsum("dc,bcn->bdn", p[f"{name}.weight"], features) for name in ("theta", "phi", "g"))
        logits = torch.einsum("bdi,bdj->bij", theta, phi)
        f = torch.exp(logits / theta.shape[1] ** 0.5 if module.scaled else logits)
        y = torch.einsum("bij,bdj->bdi", f / f.sum(2, keepdim=True), g)
        z = torch.einsum("cd,bdi->bci", p["w_z.weight"], y) + features
    if module.context:
        reduced = torch.einsum("dc,bcn->bnd", p["reduce.weight"], z)
        r = reduced[:, :, None, :] - p["codewords"]
        weight = torch.exp(-p["smoothing"] * (r**2).sum(3))
        e = ((weight / weight.sum(2, keepdim=True))[..., None] * r).sum(1)
        if module.training:
            mean, var = e.mean((0, 2)), e.var((0, 2), unbiased=False)
        else:
            mean, var = module.norm.running_mean, module.norm.running_var
        e = (e - mean[:, None]) / torch.sqrt(var[:, None] + 1e-5)
        e = e * p["norm.weight"][:, None] + p["norm.bias"][:, None]
        gamma = 1 / (1 + torch.exp(-torch.einsum("cd,bd->bc", p["w_gamma.weight"], e.clamp(min=0).sum(1))))
        z = z * gamma[:, :, None]
    return z.reshape(x.shape)


def assert_equal_to_1e_10(ours: torch.Tensor, reference: torch.Tensor) -> None:
    assert ours.shape == reference.shape
    assert (ours - reference).abs().max() <= 1e-10 * reference.abs().max().clamp(min=1e-3)


CASES = {
    "full": ({}, (2, 6, 7, 5)),
    "scaled": ({"scaled": True}, (2, 6, 7, 5)),
    "non_local": ({"context": False}, (2, 6, 7, 5)),
    "context": ({"non_local": False}, (2, 6, 7, 5)),
    "widths": ({"inter_channels": 5, "code_channels": 9, "num_codes": 3}, (2, 4, 4, 9)),
    "one_channel": ({"code_channels": 2}, (2, 1, 5, 5)),
    "one_inter_channel": ({}, (2, 3, 5, 6)),
    "one_code": ({"num_codes": 1}, (2, 4, 3, 3)),
    "one_image": ({}, (1, 6, 3, 11)),
    "one_position": ({}, (1, 6, 1, 1)),
    "one_row": ({}, (3, 4, 1, 13)),
    "volume": ({"spatial_dims": 3}, (2, 4, 3, 2, 5)),
    "volume_scaled": ({"spatial_dims": 3, "scaled": True, "num_codes": 5}, (1, 4, 2, 3, 1)),
}


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_equations_with_all_gradients(case: str, training: bool) -> None:
    arguments, shape = CASES[case]
    module = randomized(NLCE(shape[1], **arguments)).train(training)
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    weight = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    inputs = [x, *module.parameters()]
    # the reference first: a forward pass in training mode moves the running statistics
    expected = direct_formula(module, x)
    expected_gradients = torch.autograd.grad((expected * weight).sum(), inputs)
    output = module(x)
    gradients = torch.autograd.grad((output * weight).sum(), inputs)
    assert_equal_to_1e_10(output, expected)
    for ours, reference in zip(gradients, expected_gradients, strict=True):
        assert_equal_to_1e_10(ours, reference)


@pytest.mark.parametrize(
    "layout",
    [
        lambda x: x.to(memory_format=torch.channels_last),
        lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
        lambda x: torch.cat([x, x], dim=3)[..., : x.shape[3]],
        lambda x: x[:1].expand(2, -1, -1, -1),
    ],
    ids=["channels_last", "transposed", "slice", "expanded"],
)
def test_every_memory_layout_gives_the_same(layout) -> None:
    module = randomized(NLCE(6)).eval()
    x = layout(torch.randn(2, 6, 5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))
    assert_equal_to_1e_10(module(x), direct_formula(module, x))


def test_training_updates_the_running_statistics_of_the_codes() -> None:
    module = randomized(NLCE(4, num_codes=3))
    before = module.norm.running_mean.clone()
    module(torch.randn(2, 4, 5, 5, dtype=torch.float64))
    assert not torch.equal(module.norm.running_mean, before)


@pytest.mark.parametrize("arguments, factor", [({}, 0.5), ({"non_local": False}, 0.5), ({"context": False}, 1.0)])
def test_at_the_start_the_input_is_halved_exactly(arguments: dict[str, bool], factor: float) -> None:
    x = torch.randn(2, 8, 6, 7)
    for module in (NLCE(8, **arguments).train(), NLCE(8, **arguments).eval()):
        assert torch.equal(module(x), factor * x)


def test_without_the_zero_start_the_non_local_part_acts_at_once() -> None:
    x = torch.randn(2, 8, 6, 7)
    torch.manual_seed(0)
    module = NLCE(8, context=False, zero_init=False).double().eval()
    # the embeddings start small, and the attention nearly even: y is close to the mean of g(x)
    expected = x.double() + module.w_z(module.g(x.double()).mean((2, 3), keepdim=True))
    assert torch.allclose(module(x.double()), expected, atol=1e-4)
    assert not torch.equal(module(x.double()), x.double())


def test_parameters_carry_the_papers_symbols() -> None:
    shapes = {name: tuple(parameter.shape) for name, parameter in NLCE(12, 5, 7, num_codes=3).named_parameters()}
    assert shapes == {
        "theta.weight": (5, 12, 1, 1),
        "phi.weight": (5, 12, 1, 1),
        "g.weight": (5, 12, 1, 1),
        "w_z.weight": (12, 5, 1, 1),
        "reduce.weight": (7, 12, 1, 1),
        "codewords": (3, 7),
        "smoothing": (3,),
        "norm.weight": (3,),
        "norm.bias": (3,),
        "w_gamma.weight": (12, 7),
    }
    non_local = [name for name, _ in NLCE(12, context=False).named_parameters()]
    assert non_local == ["theta.weight", "phi.weight", "g.weight", "w_z.weight"]
    assert "theta.weight" not in dict(NLCE(12, non_local=False).named_parameters())
    assert NLCE(4, spatial_dims=3).theta.weight.shape == (2, 4, 1, 1, 1)


@pytest.mark.parametrize("channels, inter, code", [(64, 32, 64), (1024, 512, 512), (1, 1, 1)])
def test_default_widths(channels: int, inter: int, code: int) -> None:
    module = NLCE(channels)
    assert module.theta.out_channels == inter
    assert module.codewords.shape == (32, code)


def test_initialization() -> None:
    torch.manual_seed(0)
    module = NLCE(64)
    for embedding in (module.theta, module.phi, module.g):
        assert embedding.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert module.codewords.abs().max() <= (32 * 64) ** -0.5
    assert module.codewords.std().item() == pytest.approx((32 * 64) ** -0.5 / 3**0.5, rel=0.1)
    assert 0 <= module.smoothing.min() < module.smoothing.max() <= 1
    assert not module.w_z.weight.any() and not module.w_gamma.weight.any()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            {"in_channels": 4, "non_local": False, "context": False},
            "NLCE: non_local and context are both False, which leaves nothing; switch on one of them.",
        ),
        ({"in_channels": 0}, "NLCE: in_channels must be at least 1, got 0."),
        ({"in_channels": 4, "inter_channels": 0}, "NLCE: inter_channels must be at least 1, got 0."),
        ({"in_channels": 4, "code_channels": -1}, "NLCE: code_channels must be at least 1, got -1."),
        ({"in_channels": 4, "num_codes": 0}, "NLCE: num_codes must be at least 1, got 0."),
        ({"in_channels": 4, "spatial_dims": 1}, "NLCE: spatial_dims must be 2 or 3, got 1."),
    ],
)
def test_bad_arguments(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        NLCE(**arguments)


def peak_memory(module: nn.Module, x: torch.Tensor) -> int:
    """The most bytes that forward and backward pass hold at one moment above what was there before."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        module(x).sum().backward()
    allocations = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(allocations, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


@pytest.mark.parametrize(
    "channels, layout",
    [
        (4, lambda x: x),
        (4, lambda x: x.to(memory_format=torch.channels_last)),
        (4, lambda x: x.transpose(2, 3)),
        # C′ = 1: contiguous() leaves the stride of a dimension of size 1 alone
        (2, lambda x: x),
    ],
    ids=["contiguous", "channels_last", "transposed", "one_inter_channel"],
)
def test_memory_grows_linearly_with_the_positions(channels: int, layout) -> None:
    module = NLCE(channels, num_codes=4)
    small, large = (peak_memory(module, layout(torch.randn(1, channels, s, s)).requires_grad_()) for s in (48, 96))
    attention = (96 * 96) ** 2 * 4
    assert small <= large <= 5 * small
    assert large < attention / 50


def test_the_residuals_are_never_built() -> None:
    module = NLCE(32, num_codes=64, non_local=False)
    residuals = 64 * 64 * 64 * 32 * 4
    assert 0 < peak_memory(module, torch.randn(1, 32, 64, 64, requires_grad=True)) < residuals / 2


def test_the_memory_test_sees_the_attention_matrix() -> None:
    class Quadratic(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            features = x.flatten(2)
            return torch.softmax(features.transpose(1, 2) @ features, dim=2) @ features.transpose(1, 2)

    assert peak_memory(Quadratic(), torch.randn(1, 4, 24, 24, requires_grad=True)) > 2 * (24 * 24) ** 2 * 4


@pytest.mark.parametrize("arguments", [{}, {"non_local": False}, {"context": False}, {"scaled": True}])
def test_scripts(arguments: dict[str, bool]) -> None:
    module = randomized(NLCE(6, **arguments)).eval()
    x = torch.randn(2, 6, 5, 4, dtype=torch.float64)
    assert torch.equal(torch.jit.script(module)(x), module(x))


def test_cudnn_attention_is_left_out_on_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its backward may give NaN at 8 × 8 positions; what the GPU itself gives is tested in tests/gpu."""
    allowed = []

    def attention(*tensors: torch.Tensor, scale: float | None) -> torch.Tensor:
        allowed.append((torch.backends.cuda.cudnn_sdp_enabled(), torch.backends.cuda.flash_sdp_enabled()))
        return tensors[2]

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", attention)
    before = torch.backends.cuda.cudnn_sdp_enabled()
    module = NLCE(4, context=False)
    module(torch.rand(1, 4, 8, 8))
    monkeypatch.setattr(torch.Tensor, "is_cuda", True, raising=False)
    module(torch.rand(1, 4, 8, 8))
    assert allowed == [(before, True), (False, True)]
    assert torch.backends.cuda.cudnn_sdp_enabled() == before


@pytest.mark.parametrize("training", [True, False])
def test_gradcheck(training: bool) -> None:
    module = randomized(NLCE(4, num_codes=3)).train(training)
    x = torch.randn(2, 4, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3), requires_grad=True)
    assert torch.autograd.gradcheck(module, (x,))

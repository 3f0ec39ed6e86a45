# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from pipeline.attacks import PAPER_EPSILONS, AttackedNetwork, IterativeFGSM, shared_sweep
from pipeline.networks import NLCE, NLCEN
from pipeline.utils import parallel_network

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


@pytest.fixture
def exact() -> Iterator[None]:
    """Deterministic algorithms, where there are such, and full float32."""
    # the cross-entropy of every pixel has no reduction, and yet torch knows no deterministic one on CUDA
    torch.use_deterministic_algorithms(True, warn_only=True)
    tf32 = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = tf32
    torch.use_deterministic_algorithms(False)


def test_logits_agree_with_the_cpu(exact: None) -> None:
    torch.manual_seed(0)
    network = NLCEN(1).eval()
    image = torch.rand(2, 1, 96, 80)
    with torch.no_grad():
        expected = network(image)
        logits = network.cuda()(image.cuda()).cpu()
    torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-4)


def test_sweep_is_bitwise_equal_to_separate_attacks(exact: None) -> None:
    torch.manual_seed(0)
    network = NLCEN(1).cuda()
    image = 255 * torch.rand(2, 1, 64, 64, device="cuda")
    label = (torch.rand(2, 1, 64, 64, device="cuda") > 0.5).float()
    gradient = IterativeFGSM().gradient(AttackedNetwork(network), label)
    adversarial = shared_sweep(gradient, image, PAPER_EPSILONS)
    for epsilon in PAPER_EPSILONS:
        assert torch.equal(adversarial[epsilon], shared_sweep(gradient, image, [epsilon])[epsilon]), epsilon


def test_gradients_of_nlce_are_finite_where_logits_are_far_below_zero() -> None:
    """A guard, not a reproduction: cuDNN's attention is known to give NaN at 8 × 8 positions with a mask."""
    torch.manual_seed(0)
    module = NLCE(128, context=False).cuda()
    with torch.no_grad():
        module.w_z.weight.normal_()
        module.theta.weight.zero_()
        module.phi.weight.zero_()
        module.theta.weight[0, 0], module.phi.weight[0, 0] = 1.0, -120.0  # every logit is about −120
    x = torch.rand(2, 128, 8, 8, device="cuda")
    x[:, 0] = 1.0
    x.requires_grad_()
    with torch.autocast("cuda", torch.bfloat16):
        module(x).square().sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()


def test_memory_of_nlce_grows_linearly() -> None:
    module = NLCE(64).cuda()

    def peak(size: int) -> int:
        x = torch.rand(2, 64, size, size, device="cuda", requires_grad=True)
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        module(x).sum().backward()
        return torch.cuda.max_memory_allocated() - before

    peak(64)
    assert peak(256) < 20 * peak(64)


def test_a_process_group_trains_with_synchronized_statistics(tmp_path: Path) -> None:
    torch.distributed.init_process_group("nccl", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    try:
        torch.manual_seed(0)
        network = NLCEN(1).cuda()
        names = set(network.state_dict())
        parallel = parallel_network(network)
        outputs = parallel(torch.rand(2, 1, 64, 64, device="cuda"))
        sum(output.sum() for output in outputs).backward()
        assert any(isinstance(module, torch.nn.SyncBatchNorm) for module in network.modules())
        assert set(network.state_dict()) == names
        assert all(parameter.grad is not None for parameter in network.parameters())
    finally:
        torch.distributed.destroy_process_group()

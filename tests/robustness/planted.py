# SPDX-License-Identifier: Apache-2.0
"""Networks with a planted defect that hides their gradients, honest ones beside them, and tables of their attacks."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

import pandas as pd
import torch
import torch.nn.functional as F
from monai.losses import DiceLoss
from monai.networks.nets import UNet
from torch import nn

from data_prep.phantom_image import make_phantom
from pipeline.attacks import PGD, AttackedNetwork, IterativeFGSM, UniformNoise, inverse_mask
from pipeline.losses import GrowLoss, Margin, PixelCrossEntropy, ShrinkLoss
from pipeline.networks import NLCEN
from pipeline.robustness import CLEAN, COLUMNS, NOISE
from pipeline.robustness.checks import Check, Evidence

__all__ = [
    "EPSILONS",
    "PLANTED",
    "Around",
    "clean_table",
    "evidence_of",
    "failing",
    "phantoms",
    "several_losses",
    "table_of",
    "towards_the_inverse_mask",
    "train",
    "trained_nlcen",
    "trained_unet",
]

EPSILONS = (2.0, 8.0, 32.0)
Attacked = Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]


def phantoms(indices: Sequence[int], size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures in grey levels and masks (B, 1, size, size)."""
    pairs = [make_phantom(0, index, size) for index in indices]
    picture = torch.stack([torch.from_numpy(image) for image, _ in pairs])
    label = torch.stack([torch.from_numpy(mask) for _, mask in pairs])
    return picture.unsqueeze(1).float(), (label.unsqueeze(1) > 0).float()


def train(network: nn.Module, steps: int, attacked: Attacked | None = None, rate: float = 5e-3, size: int = 32) -> None:
    """Train on 48 phantoms, on what ``attacked`` makes of each batch if it is given."""
    picture, label = phantoms(range(48), size)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps)
    generator = torch.Generator().manual_seed(0)
    loss_function = PixelCrossEntropy()
    for _ in range(steps):
        chosen = torch.randint(48, (8,), generator=generator)
        x, mask = picture[chosen], label[chosen]
        if attacked is not None:
            x = attacked(network, x, mask)
        output = network.train()(x / 255)
        loss = loss_function(output[0] if isinstance(output, list) else output, mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    network.eval()


def trained_unet(steps: int = 100, attacked: Attacked | None = None, norm: str = "batch") -> nn.Module:
    torch.manual_seed(0)
    network = UNet(2, 1, 2, channels=(8, 16, 32), strides=(2, 2), num_res_units=1, norm=norm)
    train(network, steps, attacked)
    return network


def trained_nlcen(steps: int = 160) -> nn.Module:
    torch.manual_seed(0)
    network = NLCEN(1)
    train(network, steps, rate=1e-3)
    return network


def several_losses(epsilon: float = 16.0, steps: int = 4) -> Attacked:
    """Adversarial training with one loss of several drawn for each batch."""
    generator = torch.Generator().manual_seed(1)
    losses = (PixelCrossEntropy(), DiceLoss(include_background=False, to_onehot_y=True, softmax=True), ShrinkLoss())

    def attacked(network: nn.Module, picture: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        reach = epsilon * torch.rand((), generator=generator).item() + 0.1
        loss = losses[int(torch.randint(len(losses), (), generator=generator))]
        return _descend(network, picture, label, reach, steps, lambda z: -loss(z, label))

    return attacked


def towards_the_inverse_mask(epsilon: float = 32.0, steps: int = 4) -> Attacked:
    """Adversarial training with the paper's loss alone, which no other loss is withstood by."""
    loss = PixelCrossEntropy("sum")

    def attacked(network: nn.Module, picture: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return _descend(network, picture, label, epsilon, steps, lambda z: loss(z, inverse_mask(label)))

    return attacked


def _descend(
    network: nn.Module,
    picture: torch.Tensor,
    label: torch.Tensor,
    reach: float,
    steps: int,
    loss: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    attacked = AttackedNetwork(network)
    delta = reach * (2 * torch.rand_like(picture) - 1)
    for _ in range(steps):
        gradient = attacked.value_and_gradient((picture + delta).clamp(0, 255), loss)[1]
        delta = (delta - 1.6 * reach / steps * gradient.sign()).clamp(-reach, reach)
    return (picture + delta).clamp(0, 255)


class Around(nn.Module):
    """A network with something before it and behind it."""

    def __init__(
        self,
        network: nn.Module,
        before: Callable[[torch.Tensor], torch.Tensor] = lambda x: x,
        behind: Callable[[torch.Tensor], torch.Tensor] = lambda z: z,
    ) -> None:
        super().__init__()
        self.network = network
        self.before = before
        self.behind = behind

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.behind(self.network(self.before(x)))


class BatchStatistics(Around):
    """Batch normalization stays in training mode."""

    def train(self, mode: bool = True) -> BatchStatistics:
        return super().train(True)


class Detached(Around):
    """Nine tenths of the logits have no gradient."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 0.1 * self.network(x) + 0.9 * self.network(x.detach())


class OtherWithGradients(Around):
    """A blurred picture is taken where a gradient is asked for."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(F.avg_pool2d(x, 7, 1, 3) if x.requires_grad else x)


def round_input(x: torch.Tensor) -> torch.Tensor:
    return (x * 8).round() / 8


def round_straight_through(x: torch.Tensor) -> torch.Tensor:
    return x + (round_input(x) - x).detach()


def resize(x: torch.Tensor) -> torch.Tensor:
    size = int(torch.randint(24, 41, ()))
    return F.interpolate(F.interpolate(x, size=size, mode="bilinear"), size=x.shape[2:], mode="bilinear")


def noise_of_content(x: torch.Tensor) -> torch.Tensor:
    seed = hashlib.sha256(x.detach().cpu().numpy().tobytes()).digest()[:4]
    generator = torch.Generator().manual_seed(int.from_bytes(seed, "little"))
    return x + 0.1 * torch.randn(x.shape, generator=generator, dtype=x.dtype)


class Remembering(Around):
    """Knows the first pictures that it sees, those of the test, and gives its answer to them for all that are near."""

    known: tuple[torch.Tensor, torch.Tensor] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = self.network(x)
        if self.known is None:
            self.known = x.detach(), 10 * z.detach().sign()
        pictures, answers = (each.to(z) for each in self.known)
        distances = (x.detach()[:, None] - pictures[None]).abs().flatten(2).amax(2)
        nearest = distances.min(1)
        near = (nearest.values < 0.2).view(-1, 1, 1, 1)
        return torch.where(near, answers[nearest.indices] + 0.1 * z, z)


class Knowing(Remembering):
    """The same, which was shown the pictures beforehand."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        with torch.no_grad():
            self(phantoms(range(1000, 1004))[0] / 255)


class SometimesBlurred(Around):
    """A picture is blurred in one call of four."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(F.avg_pool2d(x, 5, 1, 2) if torch.rand(()) < 0.25 else x)


class SlowlyDrifting(Around):
    """Each call shifts the grey levels of the next a little."""

    calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.network(x + 1e-4 * self.calls)


def flip_gradients(x: torch.Tensor) -> torch.Tensor:
    if x.requires_grad:
        pattern = torch.ones_like(x)
        pattern[..., ::2] = -1
        x.register_hook(lambda gradient: gradient * pattern)
    return x


def flip_gradients_of_bright_pictures(x: torch.Tensor) -> torch.Tensor:
    if x.requires_grad:
        bright = x.detach().flatten(1).mean(1) > x.detach().mean()
        pattern = torch.ones_like(x)
        pattern[bright, ..., ::2] = -1
        x.register_hook(lambda gradient: gradient * pattern)
    return x


def flip_gradients_that_differ(z: torch.Tensor) -> torch.Tensor:
    """Gradients of logits stay where all have one size, as those of a mean margin, and of single pixels."""

    def flipped(gradient: torch.Tensor) -> torch.Tensor:
        size = gradient.abs().flatten(1)
        differ = ((size.amax(1) - size.amin(1) > 0.01 * size.amax(1)) & (size > 0).all(1)).view(-1, 1, 1, 1)
        pattern = torch.ones_like(gradient)
        pattern[..., ::2, :] = -1
        return torch.where(differ, gradient * pattern, gradient)

    if z.requires_grad:
        z.register_hook(flipped)
    return z


def has_no_slope(x: torch.Tensor) -> torch.Tensor:
    """A filter of edges whose gradient is no number where the picture is flat."""
    edges = F.pad(x[..., 1:] - x[..., :-1], (0, 1))
    return x + 0.01 * (edges * edges).sqrt()


PLANTED: dict[str, Callable[[nn.Module], nn.Module]] = {
    "batch normalization in training mode": BatchStatistics,
    "dropout at test time": lambda network: Around(network, before=lambda x: F.dropout(x, 0.1, training=True)),
    "random noise before the network": lambda network: Around(network, before=lambda x: x + 0.1 * torch.randn_like(x)),
    "random resizing before the network": lambda network: Around(network, before=resize),
    "noise seeded by the picture": lambda network: Around(network, before=noise_of_content),
    "logits × 100": lambda network: Around(network, behind=lambda z: 100 * z),
    "softmax inside": lambda network: Around(network, behind=lambda z: z.softmax(1)),
    "sigmoid inside": lambda network: Around(network, behind=torch.sigmoid),
    "scaled softmax inside": lambda network: Around(network, behind=lambda z: 10 * z.softmax(1)),
    "ReLU before the logits": lambda network: Around(network, behind=F.relu),
    "clamped logits": lambda network: Around(network, behind=lambda z: z.clamp(-1, 1)),
    "saturated tanh": lambda network: Around(network, behind=lambda z: torch.tanh(20 * z)),
    "rounding": lambda network: Around(network, before=round_input),
    "rounding to whole grey levels": lambda network: Around(network, before=lambda x: (x * 255).round() / 255),
    "thresholding": lambda network: Around(network, before=lambda x: (x > 0.5).to(x.dtype) + 0 * x),
    "shattered gradients": lambda network: Around(network, before=lambda x: x + 0.02 * torch.sin(2000 * x)),
    "straight-through rounding": lambda network: Around(network, before=round_straight_through),
    "detached branch": Detached,
    "changed gradients": lambda network: Around(network, before=flip_gradients),
    "changed gradients of some pictures": lambda network: Around(network, before=flip_gradients_of_bright_pictures),
    "changed gradients of unequal pixels": lambda network: Around(network, behind=flip_gradients_that_differ),
    "gradients that are no numbers": lambda network: Around(network, before=has_no_slope),
    "blurred in some calls": SometimesBlurred,
    "each call shifts the next": SlowlyDrifting,
    "answers kept for near pictures": Remembering,
    "test pictures known by heart": Knowing,
    "another network where gradients are asked for": OtherWithGradients,
}


def table_of(
    attacked: AttackedNetwork, picture: torch.Tensor, label: torch.Tensor, images: Sequence[str]
) -> pd.DataFrame:
    """A small battery's scores: what the checks of tables are given."""
    dice = DiceLoss(include_background=False, to_onehot_y=True, softmax=True, reduction="sum")
    attacks = {
        "paper": IterativeFGSM(),
        "cross-entropy": PGD(10, loss_function=PixelCrossEntropy("sum"), target=None),
        "inversion": PGD(10, target=inverse_mask),
        "margin": PGD(10, loss_function=Margin(), target=None),
        "dice": PGD(10, loss_function=dice, target=None),
        "shrink": PGD(10, loss_function=ShrinkLoss(), target=None),
        "grow": PGD(10, loss_function=GrowLoss(), target=None),
        NOISE: UniformNoise(),
    }
    found = {(CLEAN, 0.0): picture}
    for name, attack in attacks.items():
        found |= {(name, epsilon): x for epsilon, x in attack(attacked, picture, label, EPSILONS).items()}
    return _scored(attacked, label, images, found)


def clean_table(
    attacked: AttackedNetwork, picture: torch.Tensor, label: torch.Tensor, images: Sequence[str]
) -> pd.DataFrame:
    """The scores of the untouched pictures alone."""
    return _scored(attacked, label, images, {(CLEAN, 0.0): picture})


def _scored(
    attacked: AttackedNetwork,
    label: torch.Tensor,
    images: Sequence[str],
    found: Mapping[tuple[str, float], torch.Tensor],
) -> pd.DataFrame:
    rows = []
    for (name, epsilon), pictures in found.items():
        scores = attacked.scores(attacked.predict(pictures, label), label)
        # what was tried moved by ε, whatever was kept
        moved = 0.0 if name == CLEAN else 1.0
        rows += [
            (image, epsilon, name, dic, jsc, float("nan"), float("nan"), moved)
            for image, (dic, jsc) in zip(images, scores.tolist(), strict=True)
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def failing(evidence: Evidence, checks: Iterable[Check]) -> set[str]:
    """The names of the checks that fail."""
    return {check.name for check in checks if check(evidence).status == "failed"}


def evidence_of(network: nn.Module, count: int = 4, size: int = 32) -> Evidence:
    picture, label = phantoms(range(1000, 1000 + count), size)
    images = tuple(f"phantom_{index}" for index in range(count))
    attacked, fresh = AttackedNetwork(network, keep_going=True), copy.deepcopy(network)
    table = table_of(attacked, picture, label, images)
    return Evidence(attacked, picture, label, images, table, EPSILONS, fresh=fresh)

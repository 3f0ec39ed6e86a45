# SPDX-License-Identifier: Apache-2.0
"""An NLCE inside any network."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import nn

from pipeline.utils import InputError

from .nlce import NLCE

__all__ = ["insert_nlce"]

# edges of the images that are tried until one passes the network
TRIAL_SIZES = (64, 32, 96, 128, 256)
LISTED_CANDIDATES = 8


def insert_nlce(
    network: nn.Module,
    layer: str | Sequence[str],
    *,
    num_codes: int = 32,
    non_local: bool = True,
    context: bool = True,
    scaled: bool = False,
) -> nn.Module:
    """Insert an NLCE behind one or several layers of any segmentation network, in place.

    He et al. do so with five other networks (section "Generalization"): one NLCE "between the last downsampling layer
    and the first upsampling layer", and in NWCN one in each of its two subnetworks. Its time grows with the square of
    the layer's positions, its memory with their number.

    The NLCE takes the layer's output and everything after the layer sees what the NLCE makes of it. It becomes the
    child ``nlce`` of the layer: of an ``nn.Sequential`` the last element, of any other module one that a forward hook
    calls (``torch.export`` takes both, TorchScript the first only). The network's own names in the state dict stay as
    they are, so that a state dict of the bare network loads with ``strict=False`` and lacks the NLCE's names only.
    Mode, device and dtype are the layer's, the memory format is the network's.

    The channels are found with one forward pass of a copy in evaluation mode on the meta device, which computes
    nothing (on the network's own device where the network cannot do that).

    At the start an NLCE halves the layer's output exactly; with ``context=False`` it changes nothing, and the network's
    output is the same to the bit.

    Args:
        network: a network of 2D or 3D images, whose first convolution tells which.
        layer: name, or names, of the layers, as in ``network.named_modules()``.
        num_codes: ``NLCE``'s number of codewords K.
        non_local: ``NLCE``'s (False: the paper's "w/o NL").
        context: ``NLCE``'s (False: the paper's "w/o CE").
        scaled: ``NLCE``'s division of the attention's logits by √C′.

    Returns:
        The network itself.

    Raises:
        InputError: if there is no such layer, it is named twice, has an NLCE already, is not called exactly once in a
            forward pass, or its output is not a feature map; nothing has been inserted then.

    Example:
        >>> type(insert_nlce(network, "0").get_submodule("0.nlce")).__name__
        'NLCE'
    """
    names = [layer] if isinstance(layer, str) else list(layer)
    dims = _spatial_dims(network)
    calls = _trace(network, dims)
    places = [_place(network, name, calls, dims) for name in names]
    for index, (name, place) in enumerate(zip(names, places, strict=True)):
        if place in places[:index]:
            raise InputError(f"insert_nlce: the layer '{name}' is named twice; name it once.")
    # all of them are built before the first is inserted, so that a bad argument leaves the network as it was
    modules = [
        NLCE(
            calls[name].shape[1],
            num_codes=num_codes,
            spatial_dims=dims,
            non_local=non_local,
            context=context,
            scaled=scaled,
        )
        for name in names
    ]
    for place, nlce in zip(places, modules, strict=True):
        _adopt(nlce, place, network)
        place.add_module("nlce", nlce)
        if type(place).forward is not nn.Sequential.forward:
            place.register_forward_hook(_call_nlce)
    return network


def _call_nlce(module: nn.Module, inputs: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
    return module.get_submodule("nlce")(output)


@dataclass
class _Calls:
    """How often a layer was called in a forward pass, and its last output: the shape is () if no float tensor."""

    count: int = 0
    shape: tuple[int, ...] = ()
    kind: str = ""

    def note(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self.count += 1
        self.kind = type(output).__name__
        self.shape = tuple(output.shape) if isinstance(output, torch.Tensor) and output.is_floating_point() else ()


def _spatial_dims(network: nn.Module) -> int:
    for module in network.modules():
        for dims, kinds in ((2, (nn.Conv2d, nn.ConvTranspose2d)), (3, (nn.Conv3d, nn.ConvTranspose3d))):
            if isinstance(module, kinds):
                return dims
    raise InputError(f"insert_nlce: {type(network).__name__} has no 2D or 3D convolution; name a segmentation network.")


def _trace(network: nn.Module, dims: int) -> dict[str, _Calls]:
    """The calls of every layer in one forward pass; of a layer with several names, under each of them."""
    device = next(network.parameters()).device
    error: Exception | None = None
    for where in ("meta", device):
        twin = copy.deepcopy(network).eval().to(where)
        own = {module: _Calls() for module in twin.modules()}
        for module, calls in own.items():
            module.register_forward_hook(calls.note)
        for size, channels in product(TRIAL_SIZES, _trial_channels(network)):
            for calls in own.values():
                calls.count = 0
            image = torch.zeros((1, channels) + (size,) * dims, dtype=next(twin.parameters()).dtype, device=where)
            try:
                with torch.no_grad():
                    twin(image)
            except Exception as failure:  # what a network raises for an image that does not suit it can be anything
                error = failure
            else:
                return {name: own[module] for name, module in twin.named_modules(remove_duplicate=False)}
    raise InputError(
        f"insert_nlce: no image passed {type(network).__name__}, which shows the sizes of its layers; it must take one "
        f"tensor (B, C{', D' * (dims - 2)}, H, W) ({error})."
    ) from error


def _trial_channels(network: nn.Module) -> list[int]:
    """Possible numbers of image channels, the likeliest first, each once."""
    first = next(module for module in network.modules() if isinstance(module, nn.modules.conv._ConvNd))
    known = getattr(network, "in_channels", None)
    # a network that makes its own channels of the image's (other colors) has another number in its first convolution
    return list(dict.fromkeys([*([known] if isinstance(known, int) else []), first.in_channels, 1, 3]))


def _place(network: nn.Module, name: str, calls: dict[str, _Calls], dims: int) -> nn.Module:
    """The layer of that name, which can have an NLCE behind it."""
    if name not in calls or name == "":
        raise InputError(
            f"insert_nlce: {type(network).__name__} has no layer '{name}'; {_candidates(network, name, calls, dims)}"
        )
    place = network.get_submodule(name)
    inside = [network.get_submodule(name.rsplit(".", up)[0]) for up in range(name.count(".") + 1)]
    if hasattr(place, "nlce") or any(isinstance(module, NLCE) for module in inside):
        raise InputError(f"insert_nlce: there is an NLCE at '{name}' already; name another layer.")
    if calls[name].count != 1:
        times = f"{calls[name].count} times" if calls[name].count else "never"
        raise InputError(
            f"insert_nlce: the layer '{name}' is called {times} in a forward pass, and must be called exactly once; "
            f"{_candidates(network, name, calls, dims)}"
        )
    if len(calls[name].shape) != dims + 2:
        what = f"has the shape {calls[name].shape}" if calls[name].shape else f"is a {calls[name].kind}"
        raise InputError(
            f"insert_nlce: the output of the layer '{name}' {what} and is not a feature map (B, C{', D' * (dims - 2)}, "
            f"H, W); {_candidates(network, name, calls, dims)}"
        )
    return place


def _candidates(network: nn.Module, name: str, calls: dict[str, _Calls], dims: int) -> str:
    """Names of layers that could be meant, the nearest first."""
    unique = [other for other, _ in network.named_modules() if other]
    possible = [other for other in unique if calls[other].count == 1 and len(calls[other].shape) == dims + 2]
    nearest = difflib.get_close_matches(name, possible, n=LISTED_CANDIDATES, cutoff=0.0)
    more = len(possible) - len(nearest)
    return f"the nearest that can be named: {', '.join(nearest)}{f' (and {more} more)' if more else ''}."


def _adopt(nlce: NLCE, place: nn.Module, network: nn.Module) -> None:
    """Give the NLCE the mode, device, dtype and memory format of its place."""
    parameters = [*place.parameters(), *network.parameters()]
    like = next(parameter for parameter in parameters if parameter.is_floating_point())
    nlce.train(place.training).to(device=like.device, dtype=like.dtype)
    for parameter in network.parameters():
        for rank, layout in ((4, torch.channels_last), (5, torch.channels_last_3d)):
            if parameter.ndim == rank and not parameter.is_contiguous():
                if parameter.is_contiguous(memory_format=layout):
                    nlce.to(memory_format=layout)  # type: ignore[call-overload]
                return

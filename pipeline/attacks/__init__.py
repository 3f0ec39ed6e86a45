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

from .attack import Attack
from .attacked_network import GREY_LEVELS, AttackedNetwork
from .evaluation_mode import evaluation_mode
from .grey_levels import check_intensity_range
from .identity import attack_identity, describe
from .iterative_fgsm import IterativeFGSM
from .objective import inverse_mask, objective
from .output_classes import OutputClasses, Sigmoid, Softmax
from .pgd import PGD
from .shared_sweep import PAPER_EPSILONS, num_gradients, num_iterations, shared_sweep
from .uniform_noise import UniformNoise

__all__ = [
    "GREY_LEVELS",
    "PAPER_EPSILONS",
    "PGD",
    "Attack",
    "AttackedNetwork",
    "IterativeFGSM",
    "OutputClasses",
    "Sigmoid",
    "Softmax",
    "UniformNoise",
    "attack_identity",
    "check_intensity_range",
    "describe",
    "evaluation_mode",
    "inverse_mask",
    "num_gradients",
    "num_iterations",
    "objective",
    "shared_sweep",
]

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

import torch
from monai.metrics import compute_dice, compute_iou

__all__ = ["dic_jsc"]


def dic_jsc(prediction: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Return DIC and JSC (equations 7 and 8: Dice and intersection over union) of each image, (B, 2).

    An empty mask scores 1 where nothing is predicted, and 0 otherwise.

    Args:
        prediction: one map (B, F, *spatial) of 0 and 1 for each class but the background; the mean over them counts.
        label: the true maps, of the same shape.
    """
    dic = compute_dice(prediction.float(), label.float(), ignore_empty=False)
    jsc = compute_iou(prediction.float(), label.float(), ignore_empty=False)
    return torch.stack([dic.mean(1), jsc.mean(1)], 1)

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

from collections.abc import Hashable, Mapping

from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform
from monai.utils import ImageMetaKey

from pipeline.utils import InputError

__all__ = ["CheckMaskd"]


class CheckMaskd(MapTransform):
    """Check that masks have the size of their image; put it right after loading, before any resizing.

    Args:
        keys: keys of the masks, channel-first.
        image_key: key of the image, channel-first.
        allow_missing_keys: do not raise if a key is missing.

    Raises:
        InputError: if a mask is of another size than its image.
    """

    def __init__(self, keys: KeysCollection, image_key: str = "image", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        image = data[self.image_key]
        for key in self.key_iterator(data):
            mask = data[key]
            if mask.shape[1:] != image.shape[1:]:
                raise InputError(
                    f"The mask {_name(mask, str(key))} has {_size(mask)} pixels (rows × columns), but its image "
                    f"{_name(image, self.image_key)} has {_size(image)}."
                )
        return dict(data)


def _name(array: NdarrayOrTensor, key: str) -> str:
    return str(getattr(array, "meta", {}).get(ImageMetaKey.FILENAME_OR_OBJ, f"'{key}'"))


def _size(array: NdarrayOrTensor) -> str:
    return " × ".join(str(int(size)) for size in array.shape[1:])

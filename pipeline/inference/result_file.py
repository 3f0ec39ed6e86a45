# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.utils import InputError, atomic_path

__all__ = ["result_file"]


@contextmanager
def result_file(output_dir: Path, name: str, ending: str) -> Iterator[Path]:
    """Write one of the results of a picture, atomically, see ``atomic_path``.

    Args:
        output_dir: the folder of all results.
        name: the picture's name, relative to it.
        ending: what follows the name, such as ``"_mask.png"``.

    Raises:
        InputError: if the file cannot be written.
    """
    try:
        with atomic_path(output_dir / f"{name}{ending}") as temporary:
            yield temporary
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise InputError(f"The name of {name} is too long for the files of its results; rename it.") from error
        raise InputError(
            f"output_dir: the results of {name} cannot be written to {output_dir} ({error.strerror or error}); make "
            "room there, or name another folder with --output_dir."
        ) from error

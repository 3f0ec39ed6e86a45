# SPDX-License-Identifier: Apache-2.0
"""What several packages need."""

from __future__ import annotations

from .contract import (
    check_finite,
    check_images,
    check_logits,
    check_mask_size,
    check_masks,
    describe_output,
    explain_misfits,
    network_output,
    rounding,
    short_number,
)
from .errors import (
    InputError,
    OutOfMemory,
    error_chain,
    explain_input_errors,
    find_input_error,
    innermost_cause,
    say_if_interrupted,
)
from .extras import check_extra
from .file_names import file_name, named_by, why_no_id
from .files import atomic_path, check_folder
from .first_process import is_first_process
from .notes import Notes, note_kind
from .processes import batch_size_per_process, parallel_network
from .progress import Progress, draws_bars, with_progress

__all__ = [
    "InputError",
    "Notes",
    "OutOfMemory",
    "Progress",
    "atomic_path",
    "batch_size_per_process",
    "check_extra",
    "check_finite",
    "check_folder",
    "check_images",
    "check_logits",
    "check_mask_size",
    "check_masks",
    "describe_output",
    "draws_bars",
    "error_chain",
    "explain_input_errors",
    "explain_misfits",
    "file_name",
    "find_input_error",
    "innermost_cause",
    "is_first_process",
    "named_by",
    "network_output",
    "note_kind",
    "parallel_network",
    "rounding",
    "say_if_interrupted",
    "short_number",
    "why_no_id",
    "with_progress",
]

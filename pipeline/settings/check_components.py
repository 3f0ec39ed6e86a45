# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pipeline.utils import InputError, find_input_error, innermost_cause

from .running_bundle import running_parser

__all__ = ["check_components"]


def check_components(*keys: str) -> None:
    """Make components of the running bundle, so that one that cannot be made is found before anything is written.

    Call it in an expression of the bundle: ``"$check_components('optimizer', 'train#dataloader')"``. What refers to one
    of them later gets what was made here.

    Args:
        keys: of the components.

    Raises:
        InputError: if one cannot be made; the message names it and the reason.
    """
    parser = running_parser("check_components")
    for key in keys:
        try:
            parser.get_parsed_content(key)
        # a component may raise anything
        except Exception as error:
            cause = find_input_error(error) or innermost_cause(error)
            if isinstance(cause, InputError):
                raise cause from error
            name = key.replace("::", "#")  # MONAI has replaced it in the expression
            what = f"{type(cause).__name__}: {' '.join(str(cause).split())}"
            raise InputError(f"{name} cannot be made ({what}); correct what the files or --{name}#... say.") from error

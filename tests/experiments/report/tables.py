# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable, Iterable

import pandas as pd

TITLES = {"nlcen": "NLCEN w/o NLCE", "unet": "UNet", "cdnn": "CDNN"}
Score = Callable[[int, float, int], float]


def cell_rows(
    score: Score,
    *,
    data: str = "jsrt",
    network: str = "nlcen",
    nlce: bool = True,
    stage: str = "",
    variant: str = "",
    reading: str = "",
    seeds: Iterable[int] = (0, 1, 2),
    epsilons: Iterable[float] = (0.0, 32.0),
    images: Iterable[int] = (0, 1),
) -> pd.DataFrame:
    """Rows of the table of results, of one condition; ``score`` is DIC by seed, ε and image."""
    name = "-".join(filter(None, (data, network + "_nlce" * nlce, stage, variant, reading)))
    labels = {"data": data, "network": network, "nlce": nlce, "stage": stage, "variant": variant, "reading": reading}
    title = TITLES.get(network, network)
    labels["title"] = title if not nlce else "NLCEN" if network == "nlcen" else f"{title} + NLCE"
    return pd.DataFrame(
        [
            {
                **labels,
                "seed": seed,
                "epsilon": epsilon,
                "image": f"image{image}",
                "DIC": score(seed, epsilon, image),
                "JSC": score(seed, epsilon, image) / (2 - score(seed, epsilon, image)),
                "iterations": 1,
                "commit": "abc1234",
                "data_fingerprint": "f",
                "cell": f"{name}-seed{seed}",
            }
            for seed in seeds
            for epsilon in epsilons
            for image in images
        ]
    )


def join(*parts: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)

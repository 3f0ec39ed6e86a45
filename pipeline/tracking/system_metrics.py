# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import logging

import torch
from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor

__all__ = ["SystemMetrics"]

logger = logging.getLogger(__name__)


class SystemMetrics:
    """MLflow's system metrics, taken when asked for: MLflow's own thread would send them whether a server is there."""

    def __init__(self) -> None:
        self._monitors: list[BaseMetricsMonitor] = [CPUMonitor()]
        if torch.cuda.is_available():
            try:
                self._monitors.append(GPUMonitor())
            except RuntimeError as error:  # no NVML, as for GPUs of others than NVIDIA
                logger.warning("%s", error)
        self.sample()  # the use of the processor is that since the call before

    def sample(self) -> dict[str, float]:
        """Return the metrics of now, by the names under which MLflow's UI groups them."""
        values: dict[str, float] = {}
        for monitor in self._monitors:
            monitor.collect_metrics()
            values |= {f"system/{key}": value for key, value in monitor.aggregate_metrics().items()}
            monitor.clear_metrics()
        return values

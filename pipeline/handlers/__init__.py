# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from .adversarial_evaluation import AdversarialEvaluation, epsilon_name
from .epoch_seed import EpochSeed, first_seed
from .first_batch import check_evaluation, check_training
from .network_wise_training import NetworkWiseTraining
from .robustness_assessment import RobustnessAssessment
from .run_cost import RunCost
from .stop_at_divergence import StopAtDivergence
from .sweep_report import SweepReport
from .track_run import TrackRun
from .tracked_sweep import TrackedSweep, overlap_metrics
from .tracked_training import TrackedTraining, step_on_loss
from .training_checkpoint import TrainingCheckpoint
from .training_masks import TrainingMasks
from .training_progress import TrainingProgress
from .weight_average import WeightAverage

__all__ = [
    "AdversarialEvaluation",
    "EpochSeed",
    "NetworkWiseTraining",
    "RobustnessAssessment",
    "RunCost",
    "StopAtDivergence",
    "SweepReport",
    "TrackRun",
    "TrackedSweep",
    "TrackedTraining",
    "TrainingCheckpoint",
    "TrainingMasks",
    "TrainingProgress",
    "WeightAverage",
    "check_evaluation",
    "check_training",
    "epsilon_name",
    "first_seed",
    "overlap_metrics",
    "step_on_loss",
]

"""The one table of all rules: id -> rule.  A rule that is not here does not run."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Final

from analyzers.rule import Rule
from analyzers.rules.architecture.batch_normalization_after_activation import (
    BatchNormalizationAfterActivation,
)
from analyzers.rules.architecture.batch_normalization_lag import BatchNormalizationLag
from analyzers.rules.architecture.collapsed_feature_map import CollapsedFeatureMap
from analyzers.rules.architecture.deep_plain_network import DeepPlainNetwork
from analyzers.rules.architecture.degenerate_initializer import DegenerateInitializer
from analyzers.rules.architecture.disconnected_layer import DisconnectedLayer
from analyzers.rules.architecture.dropout_before_batch_normalization import DropoutBeforeBatchNormalization
from analyzers.rules.architecture.excessive_dropout import ExcessiveDropout
from analyzers.rules.architecture.excessive_regularization import ExcessiveRegularization
from analyzers.rules.architecture.frozen_random_layers import FrozenRandomLayers
from analyzers.rules.architecture.ignored_mask import IgnoredMask
from analyzers.rules.architecture.initializer_activation_mismatch import InitializerActivationMismatch
from analyzers.rules.architecture.low_precision_output import LowPrecisionOutput
from analyzers.rules.architecture.missing_nonlinearity import MissingNonlinearity
from analyzers.rules.architecture.oversized_dense_head import OversizedDenseHead
from analyzers.rules.architecture.recurrent_instability import RecurrentInstability
from analyzers.rules.architecture.redundant_bias import RedundantBias
from analyzers.rules.architecture.saturating_activations import SaturatingActivations
from analyzers.rules.architecture.under_capacity import UnderCapacity
from analyzers.rules.architecture.weak_embedding import WeakEmbedding
from analyzers.rules.inputs.bypassed_preprocessing import BypassedPreprocessing
from analyzers.rules.inputs.channel_order_mismatch import ChannelOrderMismatch
from analyzers.rules.inputs.destructive_augmentation import DestructiveAugmentation
from analyzers.rules.inputs.fixed_batch_size import FixedBatchSize
from analyzers.rules.inputs.missing_input_normalization import MissingInputNormalization
from analyzers.rules.inputs.normalization_after_weights import NormalizationAfterWeights
from analyzers.rules.inputs.normalization_constants_mismatch import NormalizationConstantsMismatch
from analyzers.rules.inputs.repeated_normalization import RepeatedNormalization
from analyzers.rules.inputs.unadapted_normalization import UnadaptedNormalization
from analyzers.rules.optimizer_state.recorded_exploding_gradient import RecordedExplodingGradient
from analyzers.rules.optimizer_state.recorded_flatline import RecordedFlatline
from analyzers.rules.optimizer_state.recorded_vanishing_gradient import RecordedVanishingGradient
from analyzers.rules.optimizer_state.recorded_zero_gradient import RecordedZeroGradient
from analyzers.rules.outputs.bounded_output_for_regression import BoundedOutputForRegression
from analyzers.rules.outputs.double_softmax import DoubleSoftmax
from analyzers.rules.outputs.missing_flatten import MissingFlatten
from analyzers.rules.outputs.output_bottleneck import OutputBottleneck
from analyzers.rules.outputs.output_loss_mismatch import OutputLossMismatch
from analyzers.rules.outputs.relu_before_output_activation import ReluBeforeOutputActivation
from analyzers.rules.outputs.single_unit_softmax import SingleUnitSoftmax
from analyzers.rules.outputs.wrong_loss_for_output import WrongLossForOutput
from analyzers.rules.probe.activation_scale_drift import ActivationScaleDrift
from analyzers.rules.probe.cannot_overfit_small_batch import CannotOverfitSmallBatch
from analyzers.rules.probe.constant_output_collapse import ConstantOutputCollapse
from analyzers.rules.probe.diverging_loss import DivergingLoss
from analyzers.rules.probe.exploding_gradient import ExplodingGradient
from analyzers.rules.probe.gradient_path_cut import GradientPathCut
from analyzers.rules.probe.high_initial_loss import HighInitialLoss
from analyzers.rules.probe.initialization_sensitivity import InitializationSensitivity
from analyzers.rules.probe.input_scale_sensitivity import InputScaleSensitivity
from analyzers.rules.probe.learns_without_input import LearnsWithoutInput
from analyzers.rules.probe.loss_stuck_at_chance import LossStuckAtChance
from analyzers.rules.probe.oscillating_loss import OscillatingLoss
from analyzers.rules.probe.saturated_activations import SaturatedActivations
from analyzers.rules.probe.slow_convergence import SlowConvergence
from analyzers.rules.probe.train_inference_gap import TrainInferenceGap
from analyzers.rules.probe.update_ratio_out_of_range import UpdateRatioOutOfRange
from analyzers.rules.probe.vanishing_gradient import VanishingGradient
from analyzers.rules.training.learning_rate_collapsed import LearningRateCollapsed
from analyzers.rules.training.learning_rate_too_high import LearningRateTooHigh
from analyzers.rules.training.learning_rate_too_low import LearningRateTooLow
from analyzers.rules.training.missing_gradient_clipping import MissingGradientClipping
from analyzers.rules.training.missing_training_config import MissingTrainingConfig
from analyzers.rules.training.undertrained import Undertrained
from analyzers.rules.training.unsuitable_optimizer import UnsuitableOptimizer
from analyzers.rules.weights.batch_normalization_saturated import BatchNormalizationSaturated
from analyzers.rules.weights.batch_normalization_untouched import BatchNormalizationUntouched
from analyzers.rules.weights.collapsed_filters import CollapsedFilters
from analyzers.rules.weights.constant_output import ConstantOutput
from analyzers.rules.weights.dead_relu_units import DeadReluUnits
from analyzers.rules.weights.exploded_weights import ExplodedWeights
from analyzers.rules.weights.noisy_first_filters import NoisyFirstFilters
from analyzers.rules.weights.non_finite_weights import NonFiniteWeights
from analyzers.rules.weights.raw_input_statistics import RawInputStatistics
from analyzers.rules.weights.stalled_layers import StalledLayers
from analyzers.rules.weights.untrained_weights import UntrainedWeights

_ALL: Final[tuple[Rule, ...]] = (
    MissingInputNormalization(),
    BypassedPreprocessing(),
    NormalizationConstantsMismatch(),
    UnadaptedNormalization(),
    FixedBatchSize(),
    RepeatedNormalization(),
    NormalizationAfterWeights(),
    ChannelOrderMismatch(),
    DestructiveAugmentation(),
    OutputLossMismatch(),
    SingleUnitSoftmax(),
    DoubleSoftmax(),
    ReluBeforeOutputActivation(),
    WrongLossForOutput(),
    BoundedOutputForRegression(),
    MissingFlatten(),
    OutputBottleneck(),
    DeepPlainNetwork(),
    InitializerActivationMismatch(),
    ExcessiveDropout(),
    BatchNormalizationAfterActivation(),
    BatchNormalizationLag(),
    OversizedDenseHead(),
    FrozenRandomLayers(),
    MissingNonlinearity(),
    SaturatingActivations(),
    DegenerateInitializer(),
    DisconnectedLayer(),
    ExcessiveRegularization(),
    RecurrentInstability(),
    DropoutBeforeBatchNormalization(),
    CollapsedFeatureMap(),
    UnderCapacity(),
    WeakEmbedding(),
    IgnoredMask(),
    LowPrecisionOutput(),
    RedundantBias(),
    LearningRateTooHigh(),
    LearningRateTooLow(),
    MissingTrainingConfig(),
    UnsuitableOptimizer(),
    LearningRateCollapsed(),
    MissingGradientClipping(),
    Undertrained(),
    NonFiniteWeights(),
    ExplodedWeights(),
    UntrainedWeights(),
    StalledLayers(),
    DeadReluUnits(),
    ConstantOutput(),
    CollapsedFilters(),
    NoisyFirstFilters(),
    BatchNormalizationUntouched(),
    BatchNormalizationSaturated(),
    RawInputStatistics(),
    RecordedFlatline(),
    RecordedVanishingGradient(),
    RecordedExplodingGradient(),
    RecordedZeroGradient(),
    LossStuckAtChance(),
    VanishingGradient(),
    ExplodingGradient(),
    ConstantOutputCollapse(),
    CannotOverfitSmallBatch(),
    LearnsWithoutInput(),
    DivergingLoss(),
    InputScaleSensitivity(),
    TrainInferenceGap(),
    UpdateRatioOutOfRange(),
    ActivationScaleDrift(),
    SaturatedActivations(),
    GradientPathCut(),
    OscillatingLoss(),
    SlowConvergence(),
    InitializationSensitivity(),
    HighInitialLoss(),
)

RULES: Final[Mapping[str, Rule]] = {rule.id: rule for rule in _ALL}

HEADINGS: Final = (
    "What it checks",
    "Why training suffers",
    "Bad example",
    "Fixed example",
    "How sure we are",
    "Known limitations",
    "References",
)
"""Headings of every rule's docstring, in order."""

_HEADING: Final = re.compile(rf"^({'|'.join(HEADINGS)}):?$")


def documentation(rule: Rule) -> tuple[str, Mapping[str, str]]:
    """A rule's docstring, taken apart.

    Returns:
        Its first line, and its sections: heading -> Markdown text, in the docstring's order.
    """
    lines = (inspect.getdoc(type(rule)) or "").splitlines()
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines[1:]:
        heading = _HEADING.match(line)
        if heading:
            current = sections.setdefault(heading.group(1), [])
        else:
            current.append(line.removeprefix("    "))
    return "".join(lines[:1]), {name: "\n".join(text).strip() for name, text in sections.items()}

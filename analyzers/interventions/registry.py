"""The one explicit table of interventions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from analyzers.interventions.add_batch_normalization import AddBatchNormalization
from analyzers.interventions.add_layer_normalization import AddLayerNormalization
from analyzers.interventions.add_missing_activations import AddMissingActivations
from analyzers.interventions.add_skip_connections import AddSkipConnections
from analyzers.interventions.base import Intervention
from analyzers.interventions.change_optimizer import ChangeOptimizer
from analyzers.interventions.clip_gradients import ClipGradients
from analyzers.interventions.fix_loss import FixLoss
from analyzers.interventions.fix_output_activation import FixOutputActivation
from analyzers.interventions.global_pooling_head import GlobalPoolingHead
from analyzers.interventions.he_initialization import HeInitialization
from analyzers.interventions.leaky_relu import LeakyRelu
from analyzers.interventions.lower_batch_normalization_momentum import LowerBatchNormalizationMomentum
from analyzers.interventions.lower_learning_rate import LowerLearningRate
from analyzers.interventions.raise_learning_rate import RaiseLearningRate
from analyzers.interventions.reconnect_preprocessing import ReconnectPreprocessing
from analyzers.interventions.reduce_dropout import ReduceDropout
from analyzers.interventions.reinitialize_dead_layers import ReinitializeDeadLayers
from analyzers.interventions.remove_double_normalization import RemoveDoubleNormalization
from analyzers.interventions.remove_regularization import RemoveRegularization
from analyzers.interventions.reorder_dropout_and_normalization import ReorderDropoutAndNormalization
from analyzers.interventions.rescale_inputs import RescaleInputs
from analyzers.interventions.standardize_inputs import StandardizeInputs
from analyzers.interventions.unfreeze_layers import UnfreezeLayers

INTERVENTIONS: Final[Mapping[str, Callable[..., Intervention]]] = MappingProxyType(
    {
        "lower-learning-rate": LowerLearningRate,
        "raise-learning-rate": RaiseLearningRate,
        "clip-gradients": ClipGradients,
        "fix-loss": FixLoss,
        "change-optimizer": ChangeOptimizer,
        "reconnect-preprocessing": ReconnectPreprocessing,
        "remove-double-normalization": RemoveDoubleNormalization,
        "rescale-inputs": RescaleInputs,
        "standardize-inputs": StandardizeInputs,
        "fix-output-activation": FixOutputActivation,
        "he-initialization": HeInitialization,
        "reduce-dropout": ReduceDropout,
        "reorder-dropout-and-normalization": ReorderDropoutAndNormalization,
        "lower-batch-normalization-momentum": LowerBatchNormalizationMomentum,
        "remove-regularization": RemoveRegularization,
        "unfreeze-layers": UnfreezeLayers,
        "add-missing-activations": AddMissingActivations,
        "leaky-relu": LeakyRelu,
        "add-batch-normalization": AddBatchNormalization,
        "add-layer-normalization": AddLayerNormalization,
        "add-skip-connections": AddSkipConnections,
        "global-pooling-head": GlobalPoolingHead,
        "reinitialize-dead-layers": ReinitializeDeadLayers,
    }
)
"""Id -> class; every one can be made without arguments, the least invasive first."""

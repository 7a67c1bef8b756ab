"""What a file remembers of its own training, for the probe to start from."""

from __future__ import annotations

from collections.abc import Mapping

from analyzers.probe.own_numbers import Recorded
from analyzers.rules.input_scale import recorded_scales
from analyzers.rules.slots import GradientMemory, gradient_averages
from analyzers.spec import Array, ModelSpec
from analyzers.spec.graph import Graph
from analyzers.spec.model_inputs import model_inputs
from analyzers.spec.output_heads import Head, heads


def recorded(spec: ModelSpec) -> Recorded:
    """Mean errors of its outputs and sizes of its inputs, where the optimizer's state and the weights tell them."""
    graph = Graph(spec)
    found = recorded_scales(graph).values()
    known = {one.input.node for one in found} == {one.node for one in model_inputs(graph)}
    return Recorded(_errors(graph), tuple(one.scale for one in found) if known else ())


def _errors(graph: Graph) -> Mapping[int, Array]:
    """The mean error of each linear output under mean squared error: (units,) answer minus target.

    The gradient of such an output's bias is twice its mean error over the number of units, times the loss weight.

    Returns:
        By the output's position; empty where the optimizer averages no gradients.
    """
    memory, training = gradient_averages(graph), graph.flat.training
    if memory is None:
        return {}
    weights = training.loss_weights if training else None
    found = {}
    for index, head in enumerate(heads(graph, training)):
        gradient = _bias_gradient(memory, head)
        weight = weights[index] if weights else 1.0
        if gradient is not None and weight:
            found[index] = gradient * len(gradient) / (2 * float(weight))
    return found


def _bias_gradient(memory: GradientMemory, head: Head) -> Array | None:
    if head.loss is None or head.loss.kind != "MeanSquaredError" or head.activation != "linear":
        return None
    if memory.graph.layer(head.producer).kind != "Dense" or len(head.shape) != 2:
        return None
    return memory.average(head.producer.path, "bias")

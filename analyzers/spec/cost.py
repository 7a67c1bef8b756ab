"""What a model costs, counted from the spec alone: parameters, activations, multiply-adds.

The probe's plan rests on these counts, so they are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analyzers.spec.flatten import flatten
from analyzers.spec.layer_weights import layer_weights
from analyzers.spec.layer_work import elements, multiply_adds
from analyzers.spec.model import ModelSpec, Shape
from analyzers.spec.shape_rules import Shapes
from analyzers.spec.shapes import infer_shapes, input_shapes_of


@dataclass(frozen=True)
class Cost:
    """Counts for one forward pass.

    Attributes:
        parameters: elements of all weights, statistics of normalisations included, as Keras counts.
        trainable_parameters: those that training would change.
        activation_elements: elements of the outputs of all calls, inputs included, for the whole batch.
        multiply_adds: those of layers with kernels (convolutions, Dense, recurrent, attention) in one
            forward pass of the whole batch; a training step takes about three times as many.
        largest_tensor: elements of the largest single weight or activation.
        unknown: paths of layers whose output shapes are unknown; they and what follows count nothing.
    """

    parameters: int
    trainable_parameters: int
    activation_elements: int
    multiply_adds: int
    largest_tensor: int
    unknown: tuple[str, ...] = ()


def estimate(spec: ModelSpec, input_shapes: Mapping[str, Shape] | None = None, batch: int = 1) -> Cost:
    """Count what one forward pass of ``batch`` samples costs.

    Args:
        spec: nested or flat.
        input_shapes: batch shapes to take in place of those of the named InputLayers.
        batch: samples; takes the place of the first dimension, also where the file fixes it.

    Returns:
        The counts.  Open dimensions other than the batch count as 1.

    Raises:
        InputError: the graph itself cannot be followed (``analyzers.spec.flatten``).
    """
    flat = flatten(spec)
    return cost_of(flat, infer_shapes(flat, input_shapes), batch)


def cost_of(flat: ModelSpec, shapes: Mapping[tuple[str, int], Shapes], batch: int = 1) -> Cost:
    """`estimate` of a flat spec whose output shapes (`infer_shapes`) are known already."""
    by_name = {
        (layer.name, number): shapes[layer.path, number]
        for layer in flat.layers
        for number in range(max(len(layer.inbound), 1))
    }
    weights, activations, work = [], [], 0
    trainable = 0
    unknown = []
    for layer in flat.layers:
        for number, call in enumerate(layer.inbound):
            inputs = input_shapes_of(call, by_name) or ()
            if number == 0:
                own = layer_weights(layer.kind, layer.config, inputs)
                weights += [weight.size for weight in own]
                trainable += sum(weight.size for weight in own if weight.trainable and layer.trainable)
            if outputs := by_name[layer.name, number]:
                work += batch * multiply_adds(layer.kind, layer.config, inputs, outputs[0])
        for number in range(max(len(layer.inbound), 1)):
            outputs = by_name[layer.name, number]
            activations += [batch * elements(shape[1:]) for shape in outputs]
            if not outputs:
                unknown.append(layer.path)
    return Cost(
        parameters=sum(weights),
        trainable_parameters=trainable,
        activation_elements=sum(activations),
        multiply_adds=work,
        largest_tensor=max([0, *weights, *activations]),
        unknown=tuple(dict.fromkeys(unknown)),
    )

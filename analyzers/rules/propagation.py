"""The scale of signal and gradient that fresh initialisers predict at each depth of the graph.

Forward, the mean square of the activations is carried from inputs of mean square 1 through every
node; backward, the energy of the gradient (its square, summed over a layer's whole output) is carried
from outputs of energy 1.  Independent branches add; normalisation resets the signal to mean square 1
and divides the gradient by the scale that it removed.  Pooling is taken as neutral.  This is mean-field
theory for wide layers (Schoenholz et al. 2017): right within a small factor a layer, so that only
orders of magnitude are read from it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from analyzers.rules.training_math import activation_gain, channels, kernels, weight_variance
from analyzers.spec import LayerSpec, kinds
from analyzers.spec.graph import Graph, Node, once
from analyzers.spec.roles import activation, core, is_scaling, is_weighted, normalizes

_RESETS: Final = kinds.RECURRENT | kinds.ATTENTION | {"Embedding", "EinsumDense"}
"""Weighted layers whose scale is their own (gates, attention weights, tables): taken as mean square 1."""

LOWEST: Final = 1e-300
"""Smallest mean square that is carried on, so that very deep chains stay above zero."""


@dataclass(frozen=True)
class Level:
    """What is predicted at one node of a weighted layer.

    Attributes:
        run: weighted layers in a row up to and including this one, on the way with the fewest since
            the input or the last normalisation.
        signal: root mean square of the layer's output.
        gradient: root of the gradient energy at the layer's output, relative to the model's output.
        kernel_gradient: norm of the kernel's gradient relative to the norm of the kernel.
        gain: factor on the signal's root mean square by this layer with its activation.
        reset: the layer's scale is its own (recurrent, attention) or not known.
    """

    run: int
    signal: float
    gradient: float
    kernel_gradient: float
    gain: float
    reset: bool


@dataclass(frozen=True)
class _Step:
    """A node's factors: on the signal's mean square and on the gradient's energy; None resets."""

    signal: float | None
    gradient: float
    kernel: float = 0.0
    reset: bool = False


class Propagation:
    """Predictions for every weighted node of a model.

    Args:
        graph: the flat graph.

    Attributes:
        graph: the same.
        levels: predictions per weighted node, producers first.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._signal: dict[Node, float] = {}
        self._steps: dict[Node, _Step] = {}
        self._incoming: dict[Node, float] = {}
        for node in self.graph.nodes:
            self._forward(node)
        self._run = _runs(self.graph)
        self._gradient = self._backward()
        self.levels: Mapping[Node, Level] = {
            node: self._level(node) for node in self.graph.nodes if is_weighted(self.graph.layer(node))
        }

    def incoming(self, node: Node) -> float:
        """Predicted root mean square of what a node takes in."""
        return math.sqrt(self._incoming[node])

    def _forward(self, node: Node) -> None:
        layer, before = self.graph.layer(node), self.graph.before(node)
        signals = [self._signal[producer] for producer in before]
        incoming = self._merged(layer, before, signals) if before else 1.0
        step = self._step(node, layer, incoming)
        self._incoming[node] = incoming
        self._steps[node] = step
        outgoing = incoming * step.signal if step.signal is not None else 1.0
        self._signal[node] = min(max(outgoing, LOWEST), 1 / LOWEST)

    def _merged(self, layer: LayerSpec, before: tuple[Node, ...], signals: list[float]) -> float:
        if len(signals) == 1 or layer.kind not in kinds.MERGES:
            return signals[0]
        if layer.kind == "Concatenate":
            widths = [channels(self.graph.output_shape(node), {}) or 1 for node in before]
            return sum(w * s for w, s in zip(widths, signals, strict=True)) / sum(widths)
        if layer.kind in ("Add", "Subtract"):
            return sum(signals)
        if layer.kind == "Average":
            return sum(signals) / len(signals) ** 2
        return math.prod(signals) if layer.kind in ("Multiply", "Dot") else max(signals)

    def _step(self, node: Node, layer: LayerSpec, incoming: float) -> _Step:
        if not layer.known or is_scaling(self.graph, node):
            return _Step(None, 1.0, reset=True)
        if normalizes(layer):
            return _Step(None, 1.0 / incoming)
        if layer.kind in kinds.DROPOUTS:
            rate = layer.config.get("rate", 0.0)
            kept = 1.0 - (float(rate) if isinstance(rate, int | float) else 0.0)
            return _Step(1 / kept, 1 / kept) if 0 < kept < 1 else _Step(1.0, 1.0)
        if is_weighted(layer):
            return self._weighted_step(node, layer, incoming)
        gain = activation_gain(activation(layer) or "linear", incoming, _slope(layer))
        return _Step(gain.signal, gain.gradient) if gain else _Step(None, 1.0)

    def _weighted_step(self, node: Node, layer: LayerSpec, incoming: float) -> _Step:
        shape = self.graph.output_shape(self.graph.before(node)[0]) if self.graph.before(node) else ()
        found = kernels(layer, shape)
        variances = [weight_variance(kernel) for kernel in found]
        known = [(k, v) for k, v in zip(found, variances, strict=True) if v]
        if core(layer).kind in _RESETS or not found or len(known) != len(found):
            return _Step(None, 1.0, reset=True)
        linear = math.prod(kernel.connections * variance for kernel, variance in known)
        kernel = 1.0 / math.prod(kernel.outputs * variance for kernel, variance in known[-1:])
        gain = activation_gain(activation(layer) or "linear", max(incoming * linear, LOWEST), _slope(layer))
        if gain is None:
            return _Step(linear, linear, kernel)
        return _Step(linear * gain.signal, linear * gain.gradient, kernel * gain.gradient)

    def _backward(self) -> dict[Node, float]:
        """Energy of the gradient at each node's output."""
        energy = {node: 1.0 if node in self.graph.outputs else 0.0 for node in self.graph.nodes}
        for node in reversed(self.graph.nodes):
            passed = min(energy[node] * self._steps[node].gradient, 1 / LOWEST)
            before = self.graph.before(node)
            shared = len(before) if self.graph.layer(node).kind == "Concatenate" else 1
            for producer in before:
                energy[producer] = min(energy[producer] + passed / shared, 1 / LOWEST)
        return energy

    def _level(self, node: Node) -> Level:
        step, incoming = self._steps[node], self._incoming[node]
        energy = self._gradient[node]
        return Level(
            run=self._run[node],
            signal=math.sqrt(self._signal[node]),
            gradient=math.sqrt(energy),
            kernel_gradient=math.sqrt(min(energy * step.kernel * incoming, 1 / LOWEST)),
            gain=math.sqrt(step.signal) if step.signal is not None else 1.0,
            reset=step.reset,
        )


@once
def propagation_of(graph: Graph) -> Propagation:
    """The predictions for a graph."""
    return Propagation(graph)


def _slope(layer: LayerSpec) -> float | None:
    """The slope of a leaky ReLU's negative side, where the layer or its activation gives one."""
    activation_config = layer.config.get("activation")
    config = layer.config
    if isinstance(activation_config, dict) and isinstance(inner := activation_config.get("config"), dict):
        config = inner
    value = config.get("negative_slope")
    return float(value) if isinstance(value, int | float) and value else None


@once
def _runs(graph: Graph) -> dict[Node, int]:
    """Weighted layers in a row since the last normalisation, on the shortest way to each node."""
    runs: dict[Node, int] = {}
    for node in graph.nodes:
        layer = graph.layer(node)
        if normalizes(layer) or core(layer).kind in _RESETS or not layer.known:
            runs[node] = 0
        else:
            shortest = min((runs[producer] for producer in graph.before(node)), default=0)
            runs[node] = shortest + int(is_weighted(layer))
    return runs


@once
def plain_stretch(graph: Graph) -> tuple[Node, ...]:
    """The weighted nodes of the longest stretch without normalisation or shortcut, first to last.

    Followed backwards from the node with the longest run, at every merge along the shorter way.
    """
    runs = _runs(graph)
    node: Node | None = max(graph.nodes, key=lambda n: runs[n], default=None)
    stretch: list[Node] = []
    while node is not None and runs[node] > 0:
        if is_weighted(graph.layer(node)):
            stretch.append(node)
        node = min(graph.before(node), key=lambda n: runs[n], default=None)
    return tuple(reversed(stretch))

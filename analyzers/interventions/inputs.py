"""Where pixels leave the preprocessing of a model: the place for another scaling step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from analyzers.spec import LayerSpec, ModelSpec, Shape, TensorRef, kinds
from analyzers.spec.graph import Graph, Node
from analyzers.spec.model_inputs import Kind, model_inputs
from analyzers.spec.roles import CONSTANT_ARITHMETIC, is_scaling, reached


@dataclass(frozen=True)
class Exit:
    """A tensor of the top model that leaves the preprocessing.

    Attributes:
        path: the layer whose output it is.
        consumers: the top-level layers beyond that carry it on to weights on its own scale.
        shape: batch shape of the input that it comes from.
        kind: what that input looks like.
        dtype: dtype policy that the new layer should have.
    """

    path: str
    consumers: frozenset[str]
    shape: Shape
    kind: Kind
    dtype: str


IMAGES: Final[frozenset[Kind]] = frozenset({"image"})
NUMBERS: Final[frozenset[Kind]] = frozenset({"image", "sequence", "table"})
"""Kinds of inputs whose numbers have a scale."""


def unscaled_exits(
    spec: ModelSpec, *, behind_scaling: bool, of: frozenset[Kind] = IMAGES
) -> tuple[Exit, ...]:
    """The tensors that bring pixels, or other numbers, to weighted layers with no scaling on the way.

    The walk starts at every such input and goes through augmentation and geometry layers (and nested
    models of nothing else), so that these keep working on the pixels that they were made for.

    Args:
        spec: the nested model.
        behind_scaling: let Rescaling, Normalization and arithmetic with constants count as
            preprocessing to go through, not as the scaling that is looked for.
        of: kinds of inputs to start from.
    """
    graph = Graph(spec)
    scaling = (
        frozenset(node for node in graph.nodes if is_scaling(graph, node)) if behind_scaling else frozenset()
    )
    exits: dict[str, Exit] = {}
    for ref, given in zip(spec.inputs, model_inputs(graph), strict=True):
        if given.kind not in of:
            continue
        region = _region(spec, ref, behind_scaling)
        for name in region:
            if found := _consumers(spec, graph, name, region, scaling):
                layer = spec.layer(name)
                exits[layer.path] = Exit(layer.path, found, given.shape, given.kind, _policy(spec, found))
    return tuple(exits.values())


def _region(spec: ModelSpec, start: TensorRef, behind_scaling: bool) -> dict[str, None]:
    """Names of the top-level layers that only prepare the pixels of one input, the input included."""
    allowed = kinds.PREPROCESSING if behind_scaling else kinds.AUGMENTATIONS | kinds.GEOMETRY
    region = {start.layer: None}
    for layer in spec.layers:
        sources = {ref.layer for call in layer.inbound for ref in call.inputs}
        if (
            sources
            and sources <= set(region)
            and len(layer.inbound) == 1
            and _prepares(layer, allowed, behind_scaling)
        ):
            region[layer.name] = None
    return region


def _prepares(layer: LayerSpec, allowed: frozenset[str], arithmetic: bool) -> bool:
    if layer.model is not None:
        inner = [one for one in layer.model.layers if one.inbound]
        return bool(inner) and all(_prepares(one, allowed, arithmetic) for one in inner)
    if arithmetic and layer.kind in CONSTANT_ARITHMETIC and len(layer.inbound[0].inputs) == 1:
        return True
    return layer.kind in allowed


def _consumers(
    spec: ModelSpec, graph: Graph, name: str, region: Mapping[str, None], scaling: frozenset[Node]
) -> frozenset[str]:
    """The layers outside ``region`` that take the output of ``name`` and bring it to weights unscaled."""
    node = Graph(replace(spec, outputs=(TensorRef(name),))).outputs[0]
    beyond = [one for one in graph.after(node) if _top(one) not in region]
    return frozenset(_top(one) for one in beyond if reached(graph, one, scaling))


def _top(node: Node) -> str:
    return node.path.partition("/")[0]


def _policy(spec: ModelSpec, consumers: frozenset[str]) -> str:
    """The dtype policy of the first consumer that states one."""
    stated = (spec.layer(name).config.get("dtype") for name in sorted(consumers))
    return next((dtype for dtype in stated if isinstance(dtype, str)), "float32")


def preprocessed(spec: ModelSpec, path: str) -> str | None:
    """The last scaling layer of the top model that prepares the pixels which leave the layer at ``path``.

    None where the model holds none, or where it changes the shape.
    """
    region = next(
        (found for ref in spec.inputs if path in (found := _region(spec, ref, behind_scaling=True))), {}
    )
    behind = {path}
    for layer in spec.layers:
        if layer.name in region and {ref.layer for call in layer.inbound for ref in call.inputs} & behind:
            behind.add(layer.name)
    graph = Graph(spec)
    shape = _shape(graph, spec, path)
    scaling = [name for name in region if name in behind - {path} and _scales(spec.layer(name))]
    return next((name for name in reversed(scaling) if _shape(graph, spec, name) == shape), None)


def _scales(layer: LayerSpec) -> bool:
    if layer.model is not None:
        return any(_scales(inner) for inner in layer.model.layers)
    return layer.kind in kinds.SCALING or (layer.kind in CONSTANT_ARITHMETIC and len(layer.inbound) == 1)


def _shape(graph: Graph, spec: ModelSpec, name: str) -> Shape:
    """Output shape of a layer of the top model, a nested model included."""
    return graph.output_shape(Graph(replace(spec, outputs=(TensorRef(name),))).outputs[0])

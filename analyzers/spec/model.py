"""The ModelSpec: everything a model file says, as one plain frozen value.

Legacy names and arguments are upgraded before a spec is made (``analyzers.reading``), so whoever
reads a spec meets today's Keras names only.  Nothing here imports Keras or TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

from analyzers.spec.weights import NO_WEIGHTS, Weights

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A plain JSON value."""

Shape: TypeAlias = "tuple[int | None, ...]"
"""A tensor shape with the batch axis first; ``None`` marks a dimension that the file leaves open."""


@dataclass(frozen=True)
class ObjectSpec:
    """A nested Keras object: optimizer, loss, schedule.  ``kind`` is today's class name."""

    kind: str
    config: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class TensorRef:
    """One tensor of the graph: output ``index`` of call number ``call`` of the layer ``layer``.

    ``layer`` is a name within the same (sub)model.  Calls count from 0 for every layer, nested
    models included.
    """

    layer: str
    call: int = 0
    index: int = 0


Argument: TypeAlias = (
    "bool | int | float | str | TensorRef | tuple[Argument, ...] | Mapping[str, Argument] | None"
)
"""An argument of a layer call: plain values with :class:`TensorRef` leaves."""


@dataclass(frozen=True)
class Call:
    """One use of a layer in the graph.  ``args[0]`` is a TensorRef, or a tuple of them for merges."""

    args: tuple[Argument, ...]
    kwargs: Mapping[str, Argument] = field(default_factory=dict)

    @cached_property
    def inputs(self) -> tuple[TensorRef, ...]:
        """Every tensor that the call consumes, in order of appearance."""
        return tuple(_tensor_refs((self.args, tuple(self.kwargs.values()))))


def _tensor_refs(value: Argument) -> Iterator[TensorRef]:
    if isinstance(value, TensorRef):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _tensor_refs(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensor_refs(item)


@dataclass(frozen=True)
class LayerSpec:
    """One layer.

    ``kind`` is today's Keras class name (``Conv2D``, ``InputLayer``; ``Functional``/``Sequential``
    for nested models, whose content is ``model``).  ``config`` holds constructor arguments of today's
    class, without ``name``, ``trainable``; nested objects are ``{"kind": ..., "config": {...}}`` dicts
    (initialisers, regularisers, constraints, wrapped layers, activations that are layers), a plain
    activation is its lower-case name (``"relu"``, ``"linear"``, ``"hard_sigmoid"``), ``dtype`` a
    policy name (``"float32"``, ``"mixed_bfloat16"``).  InputLayer keeps ``batch_shape`` (list) and
    ``dtype``.  ``inbound`` are the calls (one for most layers, none for an InputLayer).  ``path`` is
    the names from the top model down, joined with ``/``; a top-level layer's path is its name.
    ``known`` is False for a layer outside the reader's table (custom, Lambda, unsafe): then ``config``
    is what the file says, cut to plain JSON, ``problem`` says why it is not known, and ``declared`` are the
    shapes of its outputs where the file tells them, so that what follows it is judged all the same.
    """

    name: str
    kind: str
    config: Mapping[str, Json]
    inbound: tuple[Call, ...]
    trainable: bool = True
    path: str = ""
    model: ModelSpec | None = None
    known: bool = True
    problem: str | None = None
    declared: tuple[Shape, ...] = ()


@dataclass(frozen=True)
class TrainingSpec:
    """The compile settings of the file, as data.

    ``losses`` has one entry per model output (None: no loss given for it).  A loss is today's class
    name with its config (``CategoricalCrossentropy``, ``{"from_logits": False, ...}``), also when the
    file gave a string; a custom loss has ``custom=True`` semantics by a kind that is in no table.
    ``learning_rate`` is the configured constant rate, or a schedule's peak (``schedule`` is then set).
    ``rate_in_force`` is the rate in the saved optimizer state, ``steps_taken`` its iteration count;
    None when the file does not hold them.
    """

    losses: tuple[ObjectSpec | None, ...]
    loss_weights: tuple[float, ...] | None
    optimizer: ObjectSpec | None
    learning_rate: float | None
    schedule: ObjectSpec | None = None
    rate_in_force: float | None = None
    steps_taken: int | None = None
    metrics: tuple[str, ...] = ()


Format = Literal["keras-v3", "keras-v3-hdf5", "keras-legacy-hdf5", "keras-weights"]


@dataclass(frozen=True)
class Provenance:
    """Where the spec came from.  ``saved_at`` is ISO 8601 as the file says it."""

    format: Format
    keras_version: str | None = None
    backend: str | None = None
    saved_at: str | None = None
    sha256: str = ""
    size_bytes: int = 0


@dataclass(frozen=True)
class ModelSpec:
    """A network's graph, its layers' settings, its training settings and a handle on its weights.

    ``kind`` is ``functional`` or ``sequential``; a Sequential's calls are written out, with an
    explicit InputLayer first, so its graph reads like any other.  ``layers`` are in topological order.
    ``inputs``/``outputs`` are the model's tensors.  Nested models carry neither training settings nor
    weights of their own: a nested layer's tensors are found under its path in the top spec's weights.
    """

    name: str
    kind: Literal["functional", "sequential"]
    layers: tuple[LayerSpec, ...]
    inputs: tuple[TensorRef, ...]
    outputs: tuple[TensorRef, ...]
    training: TrainingSpec | None = None
    weights: Weights = field(default=NO_WEIGHTS, compare=False, repr=False)
    provenance: Provenance | None = None

    @property
    def has_graph(self) -> bool:
        """Whether the file says how the layers are connected; weights alone do not, nor does a Python subclass."""
        return bool(self.outputs)

    def layer(self, name: str) -> LayerSpec:
        """The layer of that name in this (sub)model.

        Raises:
            KeyError: there is none.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def walk(self) -> Iterator[LayerSpec]:
        """Every layer, nested models opened in place (the nested model's own entry comes first)."""
        for layer in self.layers:
            yield layer
            if layer.model is not None:
                yield from layer.model.walk()

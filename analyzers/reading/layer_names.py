"""The names of a model's layers: as its file writes them, and as the spec has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from analyzers.errors import InputError
from analyzers.reading.plain import short, shown
from analyzers.spec.model import Shape, TensorRef


@dataclass(frozen=True)
class Place:
    """A layer's name in the file, the name that Keras allows, and its path."""

    original: str
    legal: str
    path: str


class Names:
    """Layer names of one model: as the file writes them, and as today's Keras allows (no ``/``), cut short.

    ``shapes`` collects what the model's nodes say about its tensors.
    """

    def __init__(self, originals: Iterator[str]) -> None:
        self.originals = tuple(originals)
        self.shapes: dict[TensorRef, Shape] = {}
        self.legal: dict[str, str] = {}
        taken = {name for name in self.originals if "/" not in name}
        for original in self.originals:
            if original in self.legal:
                raise InputError("invalid-config", f"two layers are named {shown(original)}")
            legal = short(original.replace("/", "_"))
            while "/" in original and legal in taken:
                legal += "_"
            taken.add(legal)
            self.legal[original] = legal

    def place(self, original: str, prefix: str) -> Place:
        """Where a layer stands."""
        legal = self.legal[original]
        return Place(original, legal, prefix + legal)

    def added(self, place: Place, what: str) -> Place:
        """Where a layer stands that the file does not hold, beside one that it does."""
        name = self.free(f"{place.legal}_{what}")
        while name in self.legal:
            name += "_"
        self.legal[name] = name
        return Place(name, name, place.path.removesuffix(place.legal) + name)

    def free(self, name: str) -> str:
        """``name``, or one like it that no layer has."""
        while name in self.legal.values():
            name += "_"
        return name

    def renamed(self, ref: TensorRef) -> TensorRef:
        """``ref`` under the legal name."""
        if ref.layer not in self.legal:
            raise InputError("invalid-config", f"unknown layer {shown(ref.layer)}")
        return replace(ref, layer=self.legal[ref.layer])

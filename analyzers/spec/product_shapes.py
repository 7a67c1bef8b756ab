"""Shape rules of products and of operations on matrices and spectra.

They raise as those of ``analyzers.spec.operation_shapes`` do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from analyzers.spec.model import Shape
from analyzers.spec.shape_rules import Config, Rule, Shapes, broadcast, listed, reduced
from analyzers.spec.windows import axis_in, whole


def einsum_terms(config: Config, inputs: Shapes) -> tuple[dict[str, int | None], str]:
    """The size of every axis of an einsum, and the letters of its output.

    Axes that an ellipsis stands for are called ``0``, ``1`` ... from the last.
    """
    left, arrow, output = str(config["subscripts"]).replace(" ", "").partition("->")
    terms = left.split(",")
    sizes: dict[str, int | None] = {}
    widest = 0
    for term, shape in zip(terms, inputs, strict=True):
        more = len(shape) - len(term.replace("...", ""))
        if more and "..." not in term:
            raise ValueError("an axis without a letter")
        widest = max(widest, more)
        for letter, dim in zip(term.replace("...", _ellipsis(more)), shape, strict=True):
            known = sizes.get(letter)
            if known in (None, 1):
                sizes[letter] = dim
            elif dim not in (None, 1, known):
                raise ValueError(f"axis {letter} is {known} and {dim}")
    if not arrow:
        once = Counter(left.replace("...", "").replace(",", ""))
        output = "..." * ("..." in left) + "".join(sorted(x for x, times in once.items() if times == 1))
    return sizes, output.replace("...", _ellipsis(widest))


def _ellipsis(axes: int) -> str:
    return "".join(str(axis) for axis in reversed(range(axes)))


def _einsum(config: Config, inputs: Shapes) -> Shape:
    sizes, output = einsum_terms(config, inputs)
    return tuple(sizes[letter] for letter in output)


def _tensordot(config: Config, inputs: Shapes) -> Shape:
    first, second = inputs
    axes = config.get("axes", 2)
    if isinstance(axes, list | tuple):
        ones, twos = (
            {axis_in(axis, shape) for axis in listed(given)}
            for given, shape in zip(axes, inputs, strict=True)
        )
    else:
        ones = set(range(len(first) - whole(axes), len(first)))
        twos = set(range(whole(axes)))
    left = (dim for axis, dim in enumerate(first) if axis not in ones)
    return (*left, *(dim for axis, dim in enumerate(second) if axis not in twos))


def _inner(_: Config, inputs: Shapes) -> Shape:
    first, second = inputs
    return (*first[:-1], *second[:-1])


def _cross(config: Config, inputs: Shapes) -> Shape:
    names = ("axisa", "axisb", "axisc")
    one, two, made = (
        whole(config.get("axis") if config.get("axis") is not None else config.get(x, -1)) for x in names
    )
    first, second = inputs
    rest = broadcast(
        [tuple(dim for at, dim in enumerate(shape) if at != axis % len(shape)) for shape, axis in ((first, one), (second, two))],
        trusting=True,
    )  # fmt: skip
    vector = max(first[one] or 0, second[two] or 0)
    if vector != 3:
        return rest
    shape = list(rest)
    shape.insert(made % (len(rest) + 1), vector)
    return tuple(shape)


def _distances(_: Config, inputs: Shapes) -> Shape:
    first, second = inputs
    return (*broadcast([first[:-2], second[:-2]], trusting=True), first[-2], second[-2])


def _norm(config: Config, inputs: Shapes) -> Shape:
    return reduced(config, inputs)


def _without_matrix(_: Config, inputs: Shapes) -> Shape:
    return inputs[0][:-2]


def _solved(_: Config, inputs: Shapes) -> Shape:
    return inputs[1]


def _attended(_: Config, inputs: Shapes) -> Shape:
    return (*inputs[0][:-1], inputs[2][-1])


def _signal(config: Config, inputs: Shapes) -> Shape:
    length, points = config.get("fft_length"), inputs[0][-1]
    if length is not None:
        return (*inputs[0][:-1], whole(length))
    return (*inputs[0][:-1], None if points is None else 2 * (points - 1))


PRODUCT_RULES: Final[Mapping[str, Rule]] = {
    "CDist": _distances,
    "Cross": _cross,
    "Det": _without_matrix,
    "DotProductAttention": _attended,
    "Einsum": _einsum,
    "IRFFT": _signal,
    "Inner": _inner,
    "Logdet": _without_matrix,
    "Norm": _norm,
    "Solve": _solved,
    "SolveTriangular": _solved,
    "Tensordot": _tensordot,
}
"""Operation -> its shape rule."""

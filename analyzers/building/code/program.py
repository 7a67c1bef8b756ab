"""A whole program, and the difference between two of them."""

from __future__ import annotations

import difflib
from typing import Final

from analyzers.building.code.arguments import imports, quoted
from analyzers.building.code.body import RESERVED, Body
from analyzers.building.code.text import MARK, Identifiers, statement
from analyzers.building.code.training import compile_lines
from analyzers.building.graph import is_chain
from analyzers.building.parts import Unbuildable, is_operation, problems
from analyzers.spec import ModelSpec

COMPILE: Final = "compile"
"""The name in ``marked`` that stands for the compile settings."""

_CONTEXT: Final = 1
"""Unchanged lines around each change of a diff."""


def program(spec: ModelSpec, *, marked: frozenset[str] = frozenset()) -> str:
    """A complete Python program whose ``build_model()`` builds, compiles and returns the model.

    Nested models get functions of their own; arguments at Keras's defaults are left out; a batch size
    that the file fixes is kept.

    Args:
        spec: the nested model.
        marked: names or paths of layers whose lines end with ``# <-- changed``; ``"compile"`` marks the
            compile call.

    Raises:
        Unbuildable: the model holds something that is not in the builder's tables.
    """
    if found := problems(spec):
        raise Unbuildable(found)
    names = Identifiers(RESERVED)
    functions: dict[str, str] = {}
    nested: list[tuple[str, ModelSpec]] = []
    for path, model in _inner_first(spec):
        functions[path] = names.make(f"build_{model.name}")
        nested.append((functions[path], model))
    parts = [_imports(spec), *quoted(spec)]
    parts += [_function(name, model, functions, marked) for name, model in nested]
    parts.append(_function("build_model", spec, functions, marked, top=True))
    parts.append('if __name__ == "__main__":\n    build_model().summary()\n')
    return "\n\n\n".join(parts)


def _inner_first(spec: ModelSpec) -> list[tuple[str, ModelSpec]]:
    """Path and content of every nested model, those inside others first."""
    found: list[tuple[str, ModelSpec]] = []
    for layer in spec.layers:
        if layer.model is not None:
            found += [*_inner_first(layer.model), (layer.path, layer.model)]
    return found


def _imports(spec: ModelSpec) -> str:
    layers = [layer for layer in spec.walk() if layer.inbound and layer.model is None]
    needed = ["layers"] if any(not is_operation(layer) for layer in layers) else []
    needed += ["ops"] if any(is_operation(layer) for layer in layers) else []
    lines = ["import keras"]
    if needed:
        lines.append(f"from keras import {', '.join(needed)}")
    return "\n".join([*lines, *imports(frozenset(layer.kind for layer in layers))])


def _function(
    name: str, spec: ModelSpec, functions: dict[str, str], marked: frozenset[str], *, top: bool = False
) -> str:
    body = Body(spec, functions, marked)
    model = body.sequential() if is_chain(spec) else body.functional()
    compiled = compile_lines(spec.training, changed=COMPILE in marked) if top else []
    head = f"def {name}() -> keras.Model:"
    if not compiled:
        return "\n".join([head, *body.lines, statement("return ", model)])
    return "\n".join([head, *body.lines, statement("model = ", model), *compiled, "    return model"])


def diff(before: str, after: str) -> str:
    """A short unified diff of two programs, ``original`` against ``repaired``, without the marks."""
    old, new = (text.replace(MARK, "").splitlines() for text in (before, after))
    lines = difflib.unified_diff(old, new, "original", "repaired", lineterm="", n=_CONTEXT)
    return "\n".join(lines)

"""weak-embedding: a table of word vectors that cannot tell words apart, or has the wrong size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed, subject
from analyzers.spec import TensorInfo, by_layer
from analyzers.spec.graph import Graph, Node

SMALL_TABLE: Final = 2
"""Rows up to which a single number tells them apart."""

CONFIDENCE_NARROW: Final = 0.4
CONFIDENCE_SIZE: Final = 0.8
"""One number orders the words at most; a table of another size cannot be loaded at all."""


class WeakEmbedding(Rule):
    """A table of word vectors that cannot tell words apart.

    What it checks:
        Embedding layers with one number a word that are the only embedding of their input, tables of
        a single row, and saved tables whose size is not that of the layer's settings.

    Why training suffers:
        With one number a word, all words lie on a line: what the layers behind can learn about a word
        is whether it lies left or right of another. With one row, all words are the same.

    Bad example:
        ```python
        x = layers.Embedding(10000, 1)(tokens)
        ```

    Fixed example:
        ```python
        x = layers.Embedding(10000, 64)(tokens)
        ```

    How sure we are:
        The sizes are facts. One number is right for a bias beside another embedding of the same input,
        as recommenders have it, which is not told.

    Known limitations:
        Whether the words of the data fit into the table does not show: an index beyond it is read as
        anything or stops training, depending on the device.

    References:
        https://keras.io/api/layers/core_layers/embedding/
    """

    id: ClassVar[str] = "weak-embedding"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "An embedding that cannot tell words apart"
    optional: ClassVar[frozenset[Fact]] = frozenset({"weights"})
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/api/layers/core_layers/embedding/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Read the sizes of every embedding, in its settings and as saved."""
        graph = facts.graph
        nodes = [node for node in graph.nodes if graph.layer(node).kind == "Embedding"]
        if not nodes:
            return NotApplicable("the model has no Embedding")
        saved = by_layer(facts.spec.weights.tensors) if facts.has("weights") else {}
        rows = {node.path: _row(graph, node, saved.get(node.path, ())) for node in nodes}
        widths = [row["width"] for row in rows.values() if row["width"]]
        return Measurement(float(min(widths, default=0)), "numbers a word", rows)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """A warning for tables that are too small, one for tables of another size."""
        rows = measurement.layers
        narrow = {
            p: r
            for p, r in rows.items()
            if r["rows"] == 1 or (r["width"] == 1 and r["alone"] and r["rows"] > SMALL_TABLE)
        }
        other = {p: r for p, r in rows.items() if r["saved"] and r["saved"] != [r["rows"], r["width"]]}
        found = []
        if narrow:
            found.append(
                self._told(
                    narrow, CONFIDENCE_NARROW,
                    f"{subject(narrow, 'gives', 'give')} every word a single number, or all words the same: they cannot be told "
                    "apart by more than their order.",
                    f"Give {listed(narrow)} 16 numbers a word or more, and a row for every word.",
                )
            )  # fmt: skip
        if other:
            row = next(iter(other.values()))
            found.append(
                self._told(
                    other, CONFIDENCE_SIZE,
                    f"The saved table of {listed(other)} has size {row['saved']}, its settings say "
                    f"{[row['rows'], row['width']]}: one of them belongs to another vocabulary.",
                    f"Set input_dim and output_dim of {listed(other)} to the table's size, or build the table anew.",
                )
            )  # fmt: skip
        return found

    def _told(
        self, rows: Mapping[str, Mapping[str, Any]], confidence: float, explanation: str, fix: str
    ) -> Finding:
        evidence = {"layers": len(rows), "sizes": [[row["rows"], row["width"]] for row in rows.values()]}
        return self.finding(
            "warning",
            layers=tuple(rows),
            evidence=evidence,
            explanation=explanation,
            fix=fix,
            confidence=confidence,
        )


def _row(graph: Graph, node: Node, tensors: Sequence[TensorInfo]) -> dict[str, Any]:
    config = graph.layer(node).config
    source = graph.before(node)
    others = [
        one for one in graph.nodes
        if one.path != node.path and graph.layer(one).kind == "Embedding" and set(graph.before(one)) & set(source)
        and graph.layer(one).config.get("output_dim") != 1
    ]  # fmt: skip
    table = next((list(tensor.shape) for tensor in tensors if tensor.role == "embeddings"), [])
    return {
        "rows": config.get("input_dim"),
        "width": config.get("output_dim"),
        "alone": not others,
        "saved": table,
    }

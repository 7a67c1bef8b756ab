"""recurrent-instability: recurrent layers whose state explodes or fades over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from analyzers.report import Severity
from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.training_math import initializer_name
from analyzers.rules.words import listed, subject
from analyzers.spec import LayerSpec, kinds
from analyzers.spec.graph import Graph, Node
from analyzers.spec.learning_rates import clipping
from analyzers.spec.roles import recurrent_parts

UNBOUNDED: Final = kinds.RELU_LIKE | {"linear", "elu", "selu", "leaky_relu", "softplus", "gelu", "silu"}
"""Activations with which a state can grow from step to step without bound."""

LONG: Final = 100
"""Steps from which a plain recurrent layer hardly learns what lies at the beginning: dependencies over
10 to 20 steps are hard already (Bengio et al. 1994, section 3)."""

SHORT: Final = 50
"""Steps under which the gates of LSTM and GRU hold an unbounded state back: next-frame and forecast
models of 3 to 20 steps are published with ReLU cells."""

CONFIDENCE_UNBOUNDED: Final = 0.4
CONFIDENCE_LONG: Final = 0.3
CONFIDENCE_STEPS: Final = 0.2
"""Short sequences train with any of these; the probe decides where it has a task."""


class RecurrentInstability(Rule):
    """Recurrent layers whose state explodes or fades over the steps.

    What it checks:
        Unbounded activations (ReLU and its kin, or none) in SimpleRNN, GRU, LSTM and ConvLSTM, inside
        Bidirectional too, together with gradient clipping; plain recurrent layers over a hundred steps
        or more; and a last recurrent layer that returns every step in front of a dense head of one
        answer.

    Why training suffers:
        The same kernel multiplies the state at every step. With a ReLU nothing bounds it, and the
        gradient grows by the same factor a step: one long sequence is enough for a NaN. With tanh it
        shrinks by a factor a step, so that the beginning of a long sequence is not learnt.

    Bad example:
        ```python
        x = layers.LSTM(64, activation="relu")(x)
        model.compile(optimizer=keras.optimizers.Adam(1e-3))
        ```

    Fixed example:
        ```python
        x = layers.LSTM(64)(x)
        model.compile(optimizer=keras.optimizers.Adam(1e-3, clipnorm=1.0))
        ```

    How sure we are:
        Many such models train on short sequences, so these are suspicions. Gates over fewer than 50
        steps, clipping, or a recurrent kernel that starts as the identity (Le et al. 2015) make a ReLU
        information.

    Known limitations:
        The probe has no task for sequences yet, so that nothing confirms or refutes it. Custom cells
        are not read.

    References:
        Bengio et al., Learning long-term dependencies with gradient descent is difficult, 1994.
        Pascanu et al., On the difficulty of training recurrent neural networks, 2013,
        https://arxiv.org/abs/1211.5063
        Le et al., A Simple Way to Initialize Recurrent Networks of Rectified Linear Units, 2015,
        https://arxiv.org/abs/1504.00941
    """

    id: ClassVar[str] = "recurrent-instability"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "Recurrent state that explodes or fades"
    optional: ClassVar[frozenset[Fact]] = frozenset({"training"})
    interventions: ClassVar[tuple[str, ...]] = ("clip-gradients", "add-layer-normalization")
    specific: ClassVar[frozenset[str]] = frozenset({"clip-gradients"})
    references: ClassVar[tuple[str, ...]] = (
        "https://arxiv.org/abs/1211.5063",
        "https://arxiv.org/abs/1504.00941",
    )

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Read activation, steps and head of every recurrent layer, and the optimizer's clipping."""
        graph = facts.graph
        recurrent = [node for node in graph.nodes if recurrent_parts(graph.layer(node))]
        if not recurrent:
            return NotApplicable("the model has no recurrent layer")
        optimizer = facts.training.optimizer if facts.has("training") else None
        layers = {node.path: _row(graph, node) for node in recurrent}
        steps = max(row["steps"] or 0 for row in layers.values())
        for row in layers.values():  # where a shape is not known, the other layers' steps are the best guess
            row["steps"] = row["steps"] or steps or None
            row["held"] = not row["plain"] and 0 < (row["steps"] or 0) < SHORT
        return Measurement(float(steps), "steps", layers, {"clipped": clipping(optimizer) is not None})

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Unbounded states, long plain layers, a head that answers at every step."""
        rows, clipped = measurement.layers, measurement.details["clipped"]
        unbounded = {path: row for path, row in rows.items() if row["unbounded"]}
        long = [
            p
            for p, row in rows.items()
            if row["plain"] and (row["steps"] or 0) >= LONG and p not in unbounded
        ]
        every_step = [path for path, row in rows.items() if row["every_step"]]
        findings = []
        if unbounded:
            findings.append(self._unbounded(unbounded, clipped=clipped))
        if long:
            findings.append(
                self.finding(
                    "warning",
                    title="Plain recurrent layer over many steps",
                    layers=long,
                    evidence={"steps": max(rows[path]["steps"] for path in long)},
                    explanation=f"{subject(long, 'is', 'are each')} a SimpleRNN over {rows[long[0]]['steps']} steps: its gradient shrinks by "
                    "a factor at every step, so that what stands at the beginning is hardly learnt.",
                    fix=f"Use LSTM or GRU in place of {listed(long)}, or shorten the sequence.",
                    confidence=CONFIDENCE_LONG,
                    despite_learning=True,  # the probe's sequences tell their answer at the end, too
                )
            )
        if every_step:
            findings.append(
                self.finding(
                    "info",
                    title="A head that answers at every step",
                    layers=every_step,
                    evidence={"layers": len(every_step)},
                    explanation=f"{subject(every_step, 'returns', 'return')} every step (return_sequences=True), and the output has one "
                    "answer a step. If the labels are one a sequence, the shapes do not fit.",
                    fix=f"Set return_sequences=False on {listed(every_step)} where there is one label a sequence.",
                    confidence=CONFIDENCE_STEPS,
                )
            )
        return findings

    def _unbounded(self, rows: Mapping[str, Mapping[str, Any]], *, clipped: bool) -> Finding:
        names = sorted({row["activation"] for row in rows.values()})
        tame = clipped or all(row["identity"] or row["held"] for row in rows.values())
        severity: Severity = "info" if tame else "warning"
        return self.finding(
            severity,
            layers=tuple(rows),
            evidence={"activations": names, "clipped": clipped,
                      "steps": max((row["steps"] or 0 for row in rows.values()), default=0)},
            explanation=f"The state of {listed(rows)} goes through {listed(names)} at every step, which does not bound it"
            + (", but gates over few steps, clipping or an identity kernel hold it back." if tame
               else ", and the optimizer clips no gradient: one long sequence can blow both up."),
            fix=f'Leave the activation of {listed(rows)} at tanh, or clip: optimizer=Adam(..., clipnorm=1.0).',
            confidence=CONFIDENCE_UNBOUNDED,
        )  # fmt: skip


def _row(graph: Graph, node: Node) -> dict[str, Any]:
    parts = recurrent_parts(graph.layer(node))
    names = [str(part.config.get("activation", "tanh")) for part in parts]
    shape = graph.output_shape(graph.before(node)[0]) if graph.before(node) else ()
    return {
        "activation": next((name for name in names if name in UNBOUNDED), names[0]),
        "unbounded": any(name in UNBOUNDED for name in names),
        "identity": all(
            initializer_name(part.config.get("recurrent_initializer")) == "Identity" for part in parts
        ),
        "plain": any(part.kind == "SimpleRNN" for part in parts),
        "steps": shape[1] if len(shape) > 2 else None,
        "every_step": all(part.config.get("return_sequences") for part in parts)
        and _answers_per_step(graph, node),
    }


def _answers_per_step(graph: Graph, node: Node) -> bool:
    """Whether dense layers alone lead from the node to an output of one unit or a softmax a step."""
    following = graph.after(node)
    if len(following) != 1:
        return False
    while len(following) == 1:
        node, following = following[0], graph.after(following[0])
        if not _is_dense_head(graph.layer(node)):
            return False
    return node in graph.outputs and len(graph.output_shape(node)) == 3


def _is_dense_head(layer: LayerSpec) -> bool:
    return layer.kind in {"Dense", "Activation", "Softmax"} | kinds.DROPOUTS

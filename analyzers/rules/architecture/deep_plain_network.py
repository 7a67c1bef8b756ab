"""deep-plain-network: many weighted layers in a row with nothing that keeps the scale."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.initializers import UNSUITED, activation_behind
from analyzers.rules.propagation import plain_stretch, propagation_of
from analyzers.rules.words import listed, number

DEEP: Final = 8
"""Weighted layers in a row from which a wrong factor a layer adds up: VGG's authors could train their
11-layer network from random weights and needed it to start the deeper ones (Simonyan & Zisserman
2015, section 3.1); one order of magnitude is lost after 7 Glorot+ReLU layers (2**-3.5 < 0.1)."""

DEGRADING: Final = 20
"""Weighted layers in a row from which plain networks train worse the deeper they are, however they
are initialised (He et al. 2016, figure 1: 56 layers are worse than 20)."""

FADED: Final = 0.1
"""Predicted signal or gradient scale below which it counts as faded, and over whose inverse as grown."""

GONE: Final = 0.01
"""The same from which a network seldom trains with usual rates: two orders of magnitude."""

SATURATING: Final = frozenset({"sigmoid", "hard_sigmoid", "softmax"})
"""Activations whose slope of a quarter or less no initialiser makes up for (Glorot & Bengio 2010, section 3.1)."""

CONFIDENCE_FADED: Final = 0.4
CONFIDENCE_GONE: Final = 0.6
CONFIDENCE_DEPTH_ALONE: Final = 0.2
"""Depth without a predicted loss of scale is a weak suspicion: He initialisation carries 30 layers
(He et al. 2015, figure 3)."""


class DeepPlainNetwork(Rule):
    """Many weighted layers in a row without normalisation or shortcuts.

    What it checks:
        The longest stretch of weighted layers, through nested models and along the shorter way at
        every merge, without a normalisation. For each layer of the stretch the initialiser, the
        connections of its kernel and its activation predict by which factor signal and gradient
        change; the factors are multiplied along the stretch.

    Why training suffers:
        A factor below one in every layer multiplies up. Glorot's initialiser is made for activations
        that keep the variance; ReLU halves it, so after 16 layers the signal is 2**-8 of what came in.
        The outputs then hardly depend on the input, the biases learn the class frequencies, and the
        loss sits at chance. A factor above one explodes in the same way.

    Bad example:
        ```python
        for _ in range(16):
            x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)  # glorot_uniform
        ```

    Fixed example:
        ```python
        for _ in range(16):
            x = layers.Conv2D(64, 3, padding="same", kernel_initializer="he_normal")(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        ```

    How sure we are:
        The prediction is right within a small factor for wide layers, so orders of magnitude count.
        A change by more than ten is a warning, by more than a hundred an error once the probe has
        confirmed it; until then it is a suspicion, for some such networks train with a low rate.

    Known limitations:
        It speaks of freshly initialised weights; saved weights that were trained have another scale.
        Pooling is taken as neutral, biases and the correlation between neighbouring pixels are left
        out. Recurrent and attention layers and layers that are not known end a stretch, since their
        scale is their own.

    References:
        Glorot and Bengio, Understanding the difficulty of training deep feedforward networks, 2010.
        He et al., Delving Deep into Rectifiers, 2015, https://arxiv.org/abs/1502.01852
        He et al., Deep Residual Learning, 2016, https://arxiv.org/abs/1512.03385
        Schoenholz et al., Deep Information Propagation, 2017, https://arxiv.org/abs/1611.01232
    """

    id: ClassVar[str] = "deep-plain-network"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "Deep network with nothing that keeps the signal's scale"
    interventions: ClassVar[tuple[str, ...]] = (
        "he-initialization", "add-batch-normalization", "add-skip-connections",
    )  # fmt: skip
    specific: ClassVar[frozenset[str]] = frozenset(
        {"he-initialization", "add-batch-normalization", "add-skip-connections"}
    )
    references: ClassVar[tuple[str, ...]] = (
        "https://arxiv.org/abs/1502.01852",
        "https://arxiv.org/abs/1512.03385",
        "https://arxiv.org/abs/1611.01232",
    )

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Predict signal and gradient along the longest plain stretch."""
        propagation = propagation_of(facts.graph)
        stretch = plain_stretch(propagation.graph)
        if not stretch:
            return NotApplicable("no weighted layer follows another without normalisation")
        start = before = propagation.incoming(stretch[0])
        layers: dict[str, dict[str, Any]] = {}
        for node in stretch:
            level = propagation.levels[node]
            layers[node.path] = {
                "activation": activation_behind(propagation.graph, node),
                "depth": level.run,
                "gain": _bounded(level.signal / before),
                "predicted_signal": _bounded(level.signal / start),
                "predicted_gradient": _bounded(level.gradient),
                "predicted_kernel_gradient": _bounded(level.kernel_gradient),
            }
            before = level.signal
        first, last = (propagation.levels[node].gradient for node in (stretch[0], stretch[-1]))
        return Measurement(
            float(len(stretch)),
            "weighted layers in a row",
            layers,
            {
                "signal_scale": _bounded(before / start),
                "gradient_scale": _bounded(first / last) if last > 0 else 1.0,
            },
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Deep and faded is a warning, gone is an error, depth alone from 20 layers a warning."""
        depth = int(measurement.value)
        if depth < DEEP:
            return ()
        signal, gradient = measurement.details["signal_scale"], measurement.details["gradient_scale"]
        worst = max((signal, gradient), key=lambda scale: abs(math.log10(scale)))
        loss = abs(math.log10(worst))
        if loss < -math.log10(FADED) and depth < DEGRADING:
            return ()
        gone = loss >= -math.log10(GONE)
        confidence = CONFIDENCE_DEPTH_ALONE if loss < -math.log10(FADED) else CONFIDENCE_FADED
        names = list(measurement.layers)
        return (
            self.finding(
                "error" if gone else "warning",
                layers=names,
                evidence={"layers_in_a_row": depth, "predicted_signal_scale": signal,
                          "predicted_gradient_scale": gradient},
                explanation=f"{depth} weighted layers follow each other from {names[0]} to {names[-1]} without "
                f"normalisation or shortcut. With their initialisers and activations the signal that reaches "
                f"the last is {number(signal)} times, the gradient that comes back to the first "
                f"{number(gradient)} times its size at the start"
                + _steepest(measurement) + ".",
                fix=_fix(measurement),
                confidence=CONFIDENCE_GONE if gone else confidence,
            ),
        )  # fmt: skip


def _bounded(value: float) -> float:
    """A scale within what JSON and people can read: 1e-30 to 1e30."""
    return min(max(value, 1e-30), 1e30)


def _fix(measurement: Measurement) -> str:
    """What keeps the scale between layers with the activation that most of them have."""
    rows = measurement.layers
    activations = Counter(row["activation"] for row in list(rows.values())[:-1])  # the last is the output's
    common = activations.most_common(1)[0][0] if activations else None
    if common is None:
        first = f"Initialise {listed(rows)} for the activation that follows"
    elif common in SATURATING:
        first = f"Replace {common} behind {listed(rows)} by relu, with he_normal"
    else:
        first = f"Initialise {listed(rows)} with {UNSUITED.get(common, UNSUITED['relu'])[1]}"
    return f"{first}, or put BatchNormalization between them."


def _steepest(measurement: Measurement) -> str:
    """The layer with the most extreme factor, in words; nothing where no layer stands out."""
    rows = measurement.layers
    path = max(rows, key=lambda name: abs(math.log10(rows[name]["gain"])) if rows[name]["gain"] > 0 else 0.0)
    gain = rows[path]["gain"]
    return f" (the steepest is {path}, with a factor of {number(gain)})" if gain < 1 / 2 or gain > 2 else ""

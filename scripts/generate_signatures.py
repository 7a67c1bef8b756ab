"""Write ``analyzers/reading/signatures.py``: what the installed Keras's constructors take.

python scripts/generate_signatures.py           # rewrite the table
python scripts/generate_signatures.py --check   # exit 1 when the table is out of date
"""

from __future__ import annotations

import argparse
import inspect
import sys
from pathlib import Path
from types import ModuleType

import keras

TARGET = Path(__file__).parents[1] / "analyzers" / "reading" / "signatures.py"

LEFT_OUT = frozenset(
    {"Layer", "Wrapper", "Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer",
     "StringLookup", "IntegerLookup", "TextVectorization", "HashedCrossing", "FeatureSpace"}
)  # fmt: skip
"""Bases, layers that hold code of their author, and layers that hold vocabularies."""

BASES = frozenset({"Initializer", "Regularizer", "Constraint", "Loss", "Optimizer", "LearningRateSchedule",
                   "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"})  # fmt: skip

OUTSIDE: dict[str, tuple[str, ...]] = {
    "CustomScaleLayer": ("scale",),
    "InstanceNormalization": (
        "axis",
        "epsilon",
        "center",
        "scale",
        "beta_initializer",
        "gamma_initializer",
        "beta_regularizer",
        "gamma_regularizer",
        "beta_constraint",
        "gamma_constraint",
    ),
    "LayerScale": ("init_values", "projection_dim"),
    "RandomHeight": ("factor", "interpolation", "seed"),
    "RandomWidth": ("factor", "interpolation", "seed"),
    "StochasticDepth": ("drop_path_rate",),
}
"""Layers of keras.applications, of Keras 2 alone and of keras-contrib, that ``keras.layers`` does not export."""

UNWANTED = frozenset(
    {"name", "kwargs", "args", "weights", "trainable", "input_tensor", "quantization_config"}
)

HEADER = '''"""Constructor arguments of Keras's own classes, written by ``scripts/generate_signatures.py``.

Configs from files are cut to these names; a class that is not here is not one of Keras's.
Generated with Keras {version}.
"""

from __future__ import annotations

from typing import Final

'''

DOCUMENTED = {
    "LAYERS": "Layer kind -> argument names; every layer also takes a dtype.",
    "CELLS": "Recurrent cell kind -> argument names.",
    "INITIALIZERS": "Initialiser kind -> argument names.",
    "REGULARIZERS": "Regulariser kind -> argument names.",
    "CONSTRAINTS": "Constraint kind -> argument names.",
    "LOSSES": "Loss kind -> argument names.",
    "OPTIMIZERS": "Optimizer kind -> argument names.",
    "SCHEDULES": "Learning rate schedule kind -> argument names.",
}


def arguments(cls: type) -> tuple[str, ...]:
    """The argument names of a constructor that a config may set."""
    names = list(inspect.signature(cls.__init__).parameters)[1:]
    return tuple(name for name in names if name not in UNWANTED)


def classes(module: ModuleType, base: type) -> dict[str, type]:
    """Exported name -> class, the longest CamelCase export of each class."""
    found: dict[type, str] = {}
    for name in sorted(dir(module)):
        cls = getattr(module, name)
        if not inspect.isclass(cls) or not issubclass(cls, base) or name in BASES or name[0].islower():
            continue
        if name == cls.__name__ or cls not in found:
            found[cls] = name
    return {name: cls for cls, name in sorted(found.items(), key=lambda item: item[1])}


def tables() -> dict[str, dict[str, tuple[str, ...]]]:
    """Every table by name."""
    layers = {
        name: arguments(cls)
        for name, cls in classes(keras.layers, keras.layers.Layer).items()
        if name not in LEFT_OUT and not name.endswith(("Cell", "Cells"))
    }
    cells = {
        name: arguments(cls)
        for name, cls in classes(keras.layers, keras.layers.Layer).items()
        if name.endswith(("Cell", "Cells"))
    }
    sources = {
        "INITIALIZERS": (keras.initializers, keras.initializers.Initializer),
        "REGULARIZERS": (keras.regularizers, keras.regularizers.Regularizer),
        "CONSTRAINTS": (keras.constraints, keras.constraints.Constraint),
        "LOSSES": (keras.losses, keras.losses.Loss),
        "OPTIMIZERS": (keras.optimizers, keras.optimizers.Optimizer),
        "SCHEDULES": (keras.optimizers.schedules, keras.optimizers.schedules.LearningRateSchedule),
    }
    others = {
        table: {name: arguments(cls) for name, cls in classes(module, base).items()}
        for table, (module, base) in sources.items()
    }
    return {"LAYERS": dict(sorted({**layers, **OUTSIDE}.items())), "CELLS": cells, **others}


def render() -> str:
    """The text of the module."""
    parts = [HEADER.format(version=keras.__version__)]
    for table, entries in tables().items():
        lines = [f"{table}: Final[dict[str, frozenset[str]]] = {{"]
        for name, names in entries.items():
            value = (
                "frozenset({" + ", ".join(f'"{n}"' for n in sorted(names)) + "})" if names else "frozenset()"
            )
            lines.append(f'    "{name}": {value},')
        lines += ["}  # fmt: skip", f'"""{DOCUMENTED[table]}"""', ""]
        parts.append("\n".join(lines) + "\n")
    return "".join(parts).rstrip() + "\n"


def main() -> int:
    """Write or check the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        return int(TARGET.read_text(encoding="utf-8") != render())
    TARGET.write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Files that want code to be run: bytecode, functions by name, gadgets in every slot that takes an object."""

from __future__ import annotations

import base64
import io
import marshal
import pickle
import zipfile
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from tests.hostile.case import Case, Refused, Served, Static, Trap, made
from tests.hostile.files import (
    COMPILED,
    Json,
    archive,
    called,
    changed,
    entered,
    graph,
    hdf5,
    inputs,
    layer,
    model,
    no_weights,
    sequential,
    tensor,
)

IMAGE: Final = inputs(8, 8, 3)
HEAD: Final = (layer("Flatten", "f"), layer("Dense", "d", units=2, activation="softmax"))
CONV: Final = layer("Conv2D", "evil", filters=4, kernel_size=3)
UNBUILT: Final = Static("evil: ")
"""Every layer that must not be built is called ``evil``; the report says why it was not."""


def classifier(*middle: Json, **config: Any) -> bytes:
    """An image classifier with something in its middle; everything else about it can be trained."""
    return model(IMAGE, *middle, *HEAD, **config)


def _bytecode(trap: Trap) -> str:
    """A function that writes the marker, as Keras stores lambdas."""
    function = eval(f"lambda x: [open({str(trap.marker)!r}, 'w').write('ran'), x][1]")  # noqa: S307 - never called
    return base64.b64encode(marshal.dumps(function.__code__)).decode()


def _function(trap: Trap) -> Json:
    return {
        "class_name": "__lambda__",
        "config": {"code": _bytecode(trap), "defaults": None, "closure": None},
    }


def _lambda(trap: Trap, **config: Any) -> Json:
    return layer("Lambda", "evil", **{"function": _function(trap), **config})


def _legacy(*layers: Json) -> bytes:
    first = {**layers[0], "config": {**layers[0]["config"], "batch_input_shape": [None, 8, 8, 3]}}
    return hdf5(
        {"class_name": "Sequential", "config": {"name": "s", "layers": [first, *layers[1:], *HEAD[:1], LAST]}}
    )


LAST: Final = layer("Dense", "dd", units=2, activation="softmax")


def _compiled(**settings: Any) -> bytes:
    return archive(
        {**sequential(inputs(3), HEAD[1]), "compile_config": {**COMPILED, **settings}}, no_weights()
    )


def _rnn(trap: Trap) -> bytes:
    cell = {"class_name": "ResidualWrapper", "config": {
        "cell": {"class_name": "GRUCell", "config": {"units": 2}}, "residual_fn": [_bytecode(trap), None, None],
        "residual_fn_type": "lambda", "residual_fn_module": "os"}}  # fmt: skip
    return model(
        inputs(8, 3), layer("RNN", "evil", cell=cell), layer("Dense", "d", units=2, activation="softmax")
    )


def _operation(kind: str, **config: Any) -> bytes:
    """A graph with an operation that nobody uses."""
    item = {
        "module": "keras.src.ops.core",
        "class_name": kind,
        "config": {"name": "evil", **config},
        "registered_name": kind,
    }
    head = called(changed(HEAD[0], name="d"), "x")
    return archive(
        graph(entered(IMAGE), called(item, tensor("x", shape=(None, 8, 8, 3))), head), no_weights()
    )


def _file_operation(trap: Trap) -> bytes:
    layers = [
        {"class_name": "InputLayer", "name": "x", "config": {"name": "x", "batch_input_shape": [None, 8, 8, 3]},
         "inbound_nodes": []},
        {"class_name": "TFOpLambda", "name": "evil", "config": {"name": "evil", "function": "io.write_file"},
         "inbound_nodes": [["x", 0, 0, {"contents": "ran", "filename": str(trap.marker)}]]},
        {"class_name": "Dense", "name": "d", "config": {"name": "d", "units": 2},
         "inbound_nodes": [[["evil", 0, 0, {}]]]},
    ]  # fmt: skip
    config = {
        "name": "g",
        "layers": layers,
        "input_layers": [["x", 0, 0]],
        "output_layers": [["d", 0, 0]],
    }
    return hdf5({"class_name": "Functional", "config": config})


def _spawner(trap: Trap) -> Json:
    """A module and a function that would write the marker if they were imported and called."""
    return {
        "module": "os",
        "class_name": "system",
        "config": f"touch {trap.marker}",
        "registered_name": "os>system",
    }


def _wrapped(kind: str, key: str) -> Callable[[Trap], bytes]:
    return lambda trap: classifier(changed(layer(kind, "evil"), **{key: _lambda(trap)}))


def _holder(kind: str) -> Callable[[Trap], bytes]:
    """A layer that holds a pickle or a path."""

    def make(trap: Trap) -> bytes:
        pickled = base64.b64encode(pickle.dumps(_Runs(str(trap.marker)))).decode()
        return classifier(changed(layer(kind, "evil"), filepath=str(trap.secret), module=pickled))

    return make


def _slot(argument: str) -> Callable[[Trap], bytes]:
    return lambda trap: classifier(changed(CONV, **{argument: _spawner(trap)}))


def _gadget(argument: str, module: str, name: str) -> Callable[[Trap], bytes]:
    function = {"module": module, "class_name": "function", "config": name, "registered_name": name}
    return made(lambda: classifier(changed(CONV, **{argument: function})))


def _numpy_objects() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, weights=np.array([{"a": 1}], dtype=object))
    return buffer.getvalue()


class _Runs:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path, "w")


def _zip(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, content)
    return buffer.getvalue()


_INNER: Final = {
    "TimeDistributed": "layer",
    "Bidirectional": "layer",
    "RNN": "cell",
    "SpectralNormalization": "layer",
}

_SLOTS: Final = (
    "activation", "kernel_initializer", "bias_initializer", "kernel_regularizer", "activity_regularizer",
    "kernel_constraint", "dtype",
)  # fmt: skip
_GADGETS: Final = (
    ("activation", "keras.utils", "get_file"),
    ("activation", "keras.models", "load_model"),
    ("activation", "keras.config", "enable_unsafe_deserialization"),
    ("activation", "keras.config", "set_floatx"),
    ("kernel_initializer", "keras.layers", "TFSMLayer"),
    ("kernel_regularizer", "keras.applications", "ResNet50"),
    ("activation", "builtins", "eval"),
)

CASES: Final[tuple[Case, ...]] = (
    Case("bytecode in .h5", lambda t: _legacy({"class_name": "Lambda", "config": {
        "name": "evil", "function": [_bytecode(t), None, None], "function_type": "lambda", "arguments": {}}}), UNBUILT),
    Case("bytecode in .keras", lambda t: classifier(_lambda(t)), UNBUILT),
    Case("bytecode as output shape", lambda t: classifier(_lambda(t, function="relu", output_shape=_function(t))), UNBUILT),
    Case("bytecode as mask", lambda t: classifier(_lambda(t, mask=_function(t))), UNBUILT),
    Case("bytecode in a submodel", lambda t: classifier(
        {**sequential(IMAGE, _lambda(t)), "config": {**sequential(IMAGE, _lambda(t))["config"], "name": "inner"}}),
        Static("inner/evil: ")),
    *(Case(f"bytecode in {kind}", _wrapped(kind, key), UNBUILT) for kind, key in _INNER.items()),
    Case("bytecode in a cell's wrapper", _rnn, Static("")),
    Case("bytecode as loss", lambda t: _compiled(loss=_function(t)), Served("loss")),
    Case("bytecode as metric", lambda t: _compiled(metrics=[_function(t)]), Served()),
    Case("function of another module", lambda t: classifier(layer(
        "Lambda", "evil", function="system", function_type="function", module="os", arguments={"command": f"touch {t.marker}"})),
        UNBUILT),
    Case("TensorFlow operation that writes a file", _file_operation, Served("evil")),
    Case("operation over a function", lambda t: _operation("VectorizedMap", function=_function(t)), UNBUILT),
    Case("unused branch operation", lambda t: _operation("Switch", branches=[_spawner(t)]), UNBUILT),
    Case("unused map operation", lambda t: _operation("Map", f=_function(t)), UNBUILT),
    *(Case(f"module in {slot}", _slot(slot), UNBUILT) for slot in _SLOTS),
    *(Case(f"{module}.{name} as {slot}", _gadget(slot, module, name), UNBUILT) for slot, module, name in _GADGETS),
    Case("gadget by its string", made(lambda: classifier(changed(CONV, activation="keras.utils.get_file"))), UNBUILT),
    Case("module as layer", lambda t: classifier({**_spawner(t), "config": {"name": "evil"}}), UNBUILT),
    Case("module as optimizer", lambda t: _compiled(optimizer=_spawner(t)), Served()),
    Case("module as loss", lambda t: _compiled(loss=_spawner(t)), Served("loss")),
    Case("gadget as loss", made(lambda: _compiled(loss="keras.config.set_floatx")), Served("loss")),
    Case("class of TensorFlow in a type spec", lambda t: classifier(changed(CONV, dtype={
        "class_name": "__typespec__", "config": ["os.system", f"touch {t.marker}"], "spec_name": "os.system"})), UNBUILT),
    Case("module in a build config", lambda t: classifier({**CONV, "build_config": {"input_shape": _spawner(t)}}), Served()),
    Case("somebody else's Dense", made(lambda: classifier({**CONV, "module": "evil_package.layers"})), UNBUILT),
    Case("registered under another name", made(lambda: classifier({**CONV, "registered_name": "evil>Lambda"})), UNBUILT),
    Case("registered in another package", made(lambda: classifier({**CONV, "registered_name": "evil>Conv2D"})), UNBUILT),
    *(Case(kind, _holder(kind), UNBUILT) for kind in ("TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer")),
    Case("pickle", lambda t: pickle.dumps(_Runs(str(t.marker)), protocol=4), Refused("pickle-file")),
    Case("PyTorch's zip", lambda t: _zip("archive/data.pkl", pickle.dumps(_Runs(str(t.marker)))), Refused("pytorch-file")),
    Case("old PyTorch", made(lambda: pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)), Refused("pytorch-file")),
    Case("NumPy objects", made(_numpy_objects), Refused("not-a-model")),
)  # fmt: skip

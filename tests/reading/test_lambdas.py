"""Lambda layers: arithmetic is told from bytecode of every Python, and no bytecode is ever run."""

from __future__ import annotations

import base64
import marshal
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analyzers.reading import lambdas, marshalled, open_model
from analyzers.reading.lambdas import Affine
from tests.reading.old_files import layer, numbers, sequential, write
from tests.support import SHARED_MODELS

AFFINE: dict[str, tuple[Callable[[Any], Any], tuple[float, float]]] = {
    "x / 255 - 0.5": (lambda x: x / 255 - 0.5, (1 / 255, -0.5)),
    "x / 127.5 - 1": (lambda x: x / 127.5 - 1.0, (1 / 127.5, -1.0)),
    "2 * (x + 3)": (lambda x: 2 * (x + 3), (2.0, 6.0)),
    "1 - x": (lambda x: 1 - x, (-1.0, 1.0)),
    "-(x - 4) / 2": (lambda x: -(x - 4) / 2, (-0.5, 2.0)),
    "x + x": (lambda x: x + x, (2.0, 0.0)),
}
OTHERS: dict[str, Callable[..., Any]] = {
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "slice": lambda x: x[:, 0],
    "call": lambda x: abs(x) + 1,
    "global": lambda x: x * SHARED_MODELS,
    "two": lambda x, y: x,
    "constant": lambda _: 3.0,
    "nothing": lambda x: x * 0,
    "branch": lambda x: x if x else 2 * x,
    "default": lambda x, y=2: x * y,
    "division by zero": lambda x: x / 0,
    "text": lambda x: x + "a",
}


def config(function: Callable[..., Any]) -> dict[str, Any]:
    """A Lambda's config as tf.keras 2 writes it."""
    code = base64.b64encode(marshal.dumps(function.__code__)).decode()
    return {"function": [code, function.__defaults__, None], "function_type": "lambda", "arguments": {}}


@pytest.mark.parametrize("text", AFFINE)
def test_arithmetic_of_this_python_is_told(text: str) -> None:
    function, expected = AFFINE[text]
    inner: dict[str, Any] = {"code": config(function)["function"][0], "defaults": None, "closure": None}
    current: dict[str, Any] = {"function": {"class_name": "__lambda__", "config": inner}}
    for written in (config(function), current):
        found = lambdas.affine(written)
        assert found is not None
        assert (found.scale, found.offset) == pytest.approx(expected)


@pytest.mark.parametrize("name", OTHERS)
def test_whatever_else_a_lambda_does_is_not(name: str) -> None:
    assert lambdas.affine(config(OTHERS[name])) is None


def _assembled(layout: str, code: bytes, constants: bytes) -> bytes:
    """A marshalled ``lambda x`` of an older Python, put together by hand."""
    empty = b"(" + struct.pack("<i", 0) if layout == "2.7" else b")\0"
    text = b"t" + struct.pack("<i", 1) + b"x" if layout == "2.7" else b"z\1x"
    objects = {"*code": b"s" + struct.pack("<i", len(code)) + code, "*consts": constants, "*names": empty}
    parts = [b"c"]
    for field in marshalled.LAYOUTS[layout]:
        if not field.startswith("*"):
            parts.append(struct.pack("<i", 1 if field == "argcount" else 0))
        else:
            parts.append(objects.get(field, text))
    return b"".join(parts)


_DOUBLES = b"g" + struct.pack("<d", 127.5) + b"g" + struct.pack("<d", 1.0)
_SHORT = b"|\0\0d\1\0%bd\2\0\x18S"
"""LOAD_FAST 0, LOAD_CONST 1, an operation, LOAD_CONST 2, BINARY_SUBTRACT, RETURN_VALUE until 3.5."""
_WORDS = b"|\0d\1\x1b\0d\2\x18\0S\0"
OLD: dict[str, bytes] = {
    "2.7": _assembled("2.7", _SHORT % b"\x15", b"(" + struct.pack("<i", 3) + b"N" + _DOUBLES),
    "3.5": _assembled("3.0-3.7", _SHORT % b"\x1b", b")\3N" + _DOUBLES),
    "3.7": _assembled("3.0-3.7", _WORDS, b")\3N" + _DOUBLES),
    "3.8": _assembled("3.8-3.10", _WORDS, b")\3N" + _DOUBLES),
    "3.13": _assembled("3.11+", bytes([149, 0, 85, 0, 83, 1, 45, 11, 0, 0, 83, 2, 45, 10, 0, 0, 36, 0]),
                       b")\3N" + _DOUBLES),
}  # fmt: skip
"""Python -> ``lambda x: x / 127.5 - 1.0``."""


WRITTEN: dict[str, tuple[str, tuple[float, float]]] = {
    "2.7": (
        "YwEAAAABAAAAAwAAAEMgAQBzDAAAAGQBAHwAAGQCABcUUygDAAAATmkCAAAAaQMAAAAoAAAAACgBAAAAdAEAAAB4KAAAAAAoAAAAAHMHAAAAPHN0ZGluPnQIAAAAPGxhbWJkYT4DAAAAdAAAAAA=",
        (2.0, 6.0),
    ),
    "3.6": (
        "4wEAAAAAAAAAAQAAAAMAAABDAAAAcwwAAABkAXwAZAIXABQAUwApA07pAgAAAOkDAAAAqQApAdoBeHIDAAAAcgMAAAD6BzxzdGRpbj7aCDxsYW1iZGE+AwAAAHMAAAAA",
        (2.0, 6.0),
    ),
    "3.8": (
        "4wEAAAAAAAAAAAAAAAEAAAADAAAAQwAAAHMMAAAAZAF8AGQCFwAUAFMAKQNO6QIAAADpAwAAAKkAqQHaAXhyAwAAAHIDAAAA+gc8c3RkaW4+2gg8bGFtYmRhPgMAAADzAAAAAA==",
        (2.0, 6.0),
    ),
    "3.10": (
        "4wEAAAAAAAAAAAAAAAEAAAADAAAAQwAAAHMMAAAAZAF8AGQCFwAUAFMAKQNO6QIAAADpAwAAAKkAqQHaAXhyAwAAAHIDAAAA+gc8c3RkaW4+2gg8bGFtYmRhPgMAAADzAgAAAAwA",
        (2.0, 6.0),
    ),
    "3.12": (
        "4wEAAAAAAAAAAAAAAAMAAAADAAAA8xIAAACXAGQBfABkAnoAAAB6BQAAUwApA07pAgAAAOkDAAAAqQCpAdoBeHMBAAAAIPoHPHN0ZGluPvoIPGxhbWJkYT5yCAAAAAMAAABzEwAAAIAA0G5v0HN00Hd40XN40W55gADzAAAAAA==",
        (2.0, 6.0),
    ),
    "3.13": (
        "4wEAAAAAAAAAAAAAAAMAAAADAAAA8xIAAACVAFMBVQBTAi0AAAAtBQAAJAApA07pAgAAAOkDAAAAqQCpAdoBeHMBAAAAINoHPHN0ZGluPtoIPGxhbWJkYT5yCAAAAAMAAABzEQAAAIAA0G5v0HN00Hd40XN40m558wAAAAA=",
        (2.0, 6.0),
    ),
    "3.13 twice": (
        "4wEAAAAAAAAAAAAAAAIAAAADAAAA8woAAACVAFgALQAAACQAqQFOqQCpAdoBeHMBAAAAINoHPHN0ZGluPtoIPGxhbWJkYT5yBwAAAAMAAABzBgAAAIAAuGG6ZfMAAAAA",
        (2.0, 0.0),
    ),
}  # fmt: skip
"""CPython -> what it marshalled ``lambda x: 2 * (x + 3)``, or ``x + x``, to; and scale and offset."""


@pytest.mark.parametrize("python", WRITTEN)
def test_arithmetic_that_another_python_wrote_is_told(python: str) -> None:
    text, expected = WRITTEN[python]
    assert lambdas.affine({"function": [text, None, None]}) == Affine(*expected)


_SUBSCRIPT = 26
"""Argument of BINARY_OP that is no arithmetic, from 3.14 on."""


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ([86, 0, 94, 255, 44, 11, *[0] * 10, 82, 0, 44, 10, *[0] * 10, 35, 0], (1 / 255, -127.5)),
        ([87, 0, 44, 0, *[0] * 10, 41, 0, 35, 0], (-2.0, 0.0)),
        ([84, 0, 94, 3, 44, 5, *[0] * 10, 35, 0], (3.0, 0.0)),
        ([86, 0, 94, 1, 44, _SUBSCRIPT, *[0] * 10, 35, 0], None),
        ([87, 1, 44, 0, *[0] * 10, 35, 0], None),
        ([27, 0, 86, 0, 35, 0], None),
    ],
    ids=["x / 255 - 127.5", "-(x + x)", "x * 3", "x[1]", "x + y", "another instruction"],
)
def test_arithmetic_of_python_3_14_is_told(code: list[int], expected: tuple[float, float] | None) -> None:
    """Put together by hand from the instructions' numbers: RESUME, LOAD_FAST_BORROW, LOAD_SMALL_INT, BINARY_OP ..."""
    data = _assembled("3.11+", bytes([128, 0, *code]), b")\2" + _DOUBLES)
    found = lambdas.affine({"function": [base64.b64encode(data).decode(), None, None]})
    assert found == (None if expected is None else Affine(*expected))


def test_instructions_of_a_python_to_come_are_not_guessed() -> None:
    data = _assembled("3.11+", bytes([127, 0, 86, 0, 94, 255, 44, 11, 0, 0, 35, 0]), b")\2" + _DOUBLES)
    assert lambdas.affine({"function": [base64.b64encode(data).decode(), None, None]}) is None


@pytest.mark.parametrize("python", OLD)
@pytest.mark.parametrize("raw", [False, True])
def test_arithmetic_of_older_and_newer_pythons_is_told(python: str, raw: bool) -> None:
    text = OLD[python].decode("latin-1") if raw else base64.encodebytes(OLD[python]).decode()
    assert lambdas.affine({"function": [text, None, None]}) == Affine(1 / 127.5, -1.0)


@pytest.mark.parametrize("cut", range(0, len(OLD["3.7"]), 3))
def test_broken_bytecode_is_no_arithmetic(cut: int) -> None:
    text = base64.b64encode(OLD["3.7"][:cut]).decode()
    assert lambdas.affine({"function": [text, None, None]}) is None


def test_real_files_of_keras_1_scale_their_pixels() -> None:
    for name in ("9773c3d64ffcdb53.h5", "cad4f7c3b837e2b3.h5"):
        with open_model(SHARED_MODELS / name) as spec:
            first = next(one for one in spec.layers if one.inbound)
            assert first.kind == "Rescaling"
            assert first.config["scale"] == pytest.approx(1 / 127.5)
            assert first.config["offset"] == -1.0


def test_a_lambda_is_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    function = eval(f"lambda x: [x, open({str(marker)!r}, 'w')][0]")  # noqa: S307 - ours
    written = layer("Lambda", "one", batch_input_shape=[None, 4], output_shape=None, **config(function))
    dense = layer("Dense", "two", units=2)
    arrays = {"one": [], "two": [("two/kernel:0", numbers(4, 2)), ("two/bias:0", numbers(2))]}
    path = write(tmp_path / "lambda.h5", sequential(written, dense), arrays, version="2.2.4")
    with open_model(path) as spec:
        assert not spec.layer("one").known
        assert spec.layer("two").known
        assert [tensor.role for tensor in spec.weights.tensors] == ["kernel", "bias"]
    assert not marker.exists()

"""Files that point outside themselves: at paths, addresses, links and other files."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Callable
from typing import Any, Final

import h5py

from tests.hostile.case import Case, Refused, Static, Trap, made
from tests.hostile.cases.code import UNBUILT, classifier
from tests.hostile.files import METADATA, archive, hdf5, inputs, layer, model, weights

_KERNEL: Final = "layers/dense/vars/0"


def _lookup(kind: str, vocabulary: Any) -> bytes:
    return model(
        inputs(1, dtype="string"), layer(kind, "evil", vocabulary=vocabulary), layer("Dense", "d", units=2)
    )


def _path(kind: str) -> Callable[[Trap], bytes]:
    return lambda trap: _lookup(kind, str(trap.secret))


def _external(trap: Trap, name: str) -> bytes:
    def fill(file: h5py.File) -> None:
        if name in file:
            del file[name]
        file.create_dataset(name, (3, 2), "float32", external=[(str(trap.secret), 0, 24)])

    return archive(stored=weights(fill))


def _linked(link: Any) -> bytes:
    def fill(file: h5py.File) -> None:
        file["layers/other"] = link

    return archive(stored=weights(fill))


def _kernel_linked(link: Any) -> bytes:
    def fill(file: h5py.File) -> None:
        del file["model_weights/d/d/kernel:0"]
        file["model_weights/d/d/kernel:0"] = link

    return hdf5(fill=fill)


def _soft_cycle(file: h5py.File) -> None:
    file["layers/a"] = h5py.SoftLink("/layers/b")
    file["layers/b"] = h5py.SoftLink("/layers/a")


def _virtual(trap: Trap) -> bytes:
    def fill(file: h5py.File) -> None:
        layout = h5py.VirtualLayout((3, 2), "float32")
        layout[:] = h5py.VirtualSource(str(trap.secret), "x", (3, 2))
        del file[_KERNEL]
        file.create_virtual_dataset(_KERNEL, layout)

    return archive(stored=weights(fill))


def _reference(file: h5py.File) -> None:
    file.create_dataset("layers/dense/vars/2", data=file["layers"].ref, dtype=h5py.ref_dtype)


def _member(name: str, mode: int = 0o600, content: bytes = b"x") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for plain, text in (("metadata.json", json.dumps(METADATA)), ("config.json", "{}")):
            file.writestr(plain, text)
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        info.external_attr = mode << 16
        file.writestr(info, content)
    return buffer.getvalue()


def _nul_member() -> bytes:
    return _member("config.jsonX../evil").replace(b"config.jsonX", b"config.json\0")


UNSAFE: Final = Refused("unsafe-file")

CASES: Final[tuple[Case, ...]] = (
    *(Case(f"vocabulary of {kind} that is a path", _path(kind), Static(""))
      for kind in ("StringLookup", "IntegerLookup", "TextVectorization")),
    Case("vocabulary that is an address", made(lambda: _lookup("StringLookup", "gs://bucket/words.txt")), Static("")),
    Case("vocabulary that is a local address", lambda t: _lookup("StringLookup", f"http://127.0.0.1:{t.port}/"), Static("")),
    Case("weights of an application that are a path", lambda t: classifier(
        layer("ResNet50", "evil", module="keras.applications", weights=str(t.secret))), UNBUILT),
    Case("weights stored in another file", lambda t: _external(t, _KERNEL), UNSAFE),
    Case("only the optimizer stored in another file", lambda t: _external(t, "optimizer/vars/0"), UNSAFE),
    Case("external link", lambda t: _linked(h5py.ExternalLink(str(t.secret), "/")), UNSAFE),
    Case("external link to a pipe", lambda t: _linked(h5py.ExternalLink(str(t.fifo), "/")), UNSAFE),
    Case("kernel behind an external link", lambda t: _kernel_linked(h5py.ExternalLink(str(t.secret), "/x")), UNSAFE),
    Case("soft link", made(lambda: _linked(h5py.SoftLink("/layers"))), UNSAFE),
    Case("dangling soft link", made(lambda: _kernel_linked(h5py.SoftLink("/nowhere"))), UNSAFE),
    Case("cycle of soft links", made(lambda: archive(stored=weights(_soft_cycle))), UNSAFE),
    Case("virtual array over another file", _virtual, UNSAFE),
    Case("object reference as an array", made(lambda: archive(stored=weights(_reference))), UNSAFE),
    Case("zip member above", made(lambda: _member("../evil")), UNSAFE),
    Case("zip member above, further in", made(lambda: _member("assets/../../evil")), UNSAFE),
    Case("absolute zip member", made(lambda: _member("/tmp/evil")), UNSAFE),  # noqa: S108
    Case("zip member with a drive", made(lambda: _member("C:evil")), UNSAFE),
    Case("zip member with a backslash", made(lambda: _member("assets\\evil")), UNSAFE),
    Case("zip member with a zero in its name", made(_nul_member), UNSAFE),
    Case("zip member that is a symbolic link", lambda t: _member("assets/words", stat.S_IFLNK | 0o777, str(t.secret).encode()), UNSAFE),
    Case("vocabulary among the assets is a link", lambda t: _member("assets/layers/words/vocabulary.txt", stat.S_IFLNK | 0o777,
                                                                    str(t.secret).encode()), UNSAFE),
)  # fmt: skip

"""Read the tensors of a PyTorch checkpoint without PyTorch, in both of its file formats.

Only tensors: anything else in the file, a byte too many or too few, is refused with `ModelError`.
Nothing of the file is executed (see `pickled`). Layouts: the stream format has four pickles (magic,
version, system, object), one with the storage keys, then for each key in that order an int64
element count and the raw little-endian data, unaligned. The zip format, torch 1.6 and later,
stores `<root>/data.pkl` and one entry `<root>/data/<key>` a storage, uncompressed.
"""

from __future__ import annotations

import hashlib
import io
import math
import struct
import zipfile
from collections.abc import Mapping
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from cinescrub.errors import ModelError
from cinescrub_export.pickled import Global, Storage, Tensor, Value, read_pickle, refuse

__all__ = ["Tensors", "parse_checkpoint"]

Tensors: TypeAlias = dict[str, npt.NDArray[np.generic]]
"""Name in the state dict, without DataParallel's `module.`, to an owned C-contiguous array."""

_MAGIC: Final = 0x1950A86A20F9469CFC6C
"""First value of the stream format (torch/serialization.py)."""
_STREAM_VERSION: Final = 1001
_ZIP_SIGNATURE: Final = b"PK\x03\x04"
_DTYPES: Final[dict[Global, np.dtype[np.generic]]] = {
    Global.FLOAT: np.dtype("<f4"),
    Global.DOUBLE: np.dtype("<f8"),
    Global.HALF: np.dtype("<f2"),
    Global.LONG: np.dtype("<i8"),  # whatever `type_sizes` of the file's header says
    Global.INT: np.dtype("<i4"),
}
_ZIP_EXTRAS: Final = frozenset(
    {"version", "byteorder", ".format_version", ".storage_alignment", ".data/serialization_id"}
)
"""Entries beside the pickle and the storages, by torch version."""


def parse_checkpoint(data: bytes, *, sha256: str | None = None) -> Tensors:
    """Return every tensor of a checkpoint.

    Parameters
    ----------
    data : bytes
        The whole file, borrowed.
    sha256 : str, optional
        Hex digest it must have; checked before anything is parsed.

    Returns
    -------
    Tensors
        Owned arrays; no memory of `data` is kept.

    Raises
    ------
    ModelError
        The hash differs, or the file is anything but well-formed tensors.
    """
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        refuse("its SHA-256 differs from the pinned one")
    if data.startswith(_ZIP_SIGNATURE):
        value, raw = _read_zip(data)
    else:
        value, raw = _read_stream(data)
    return _materialise(_state(value), raw, limit=2 * len(data))


def _read_stream(data: bytes) -> tuple[Value, Mapping[str, memoryview]]:
    magic, at = read_pickle(data)
    if magic != _MAGIC:
        refuse("it is in neither of the two formats")
    version, at = read_pickle(data, at)
    system, at = read_pickle(data, at)
    if version != _STREAM_VERSION or not isinstance(system, dict):
        refuse("unknown version of the stream format")
    if system.get("little_endian") is not True:
        refuse("not little endian")
    value, at = read_pickle(data, at)
    keys, at = read_pickle(data, at)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        refuse("malformed list of storages")
    storages = _storages(_state(value))
    # The order of the list, not of the state dict, is the order of the data.
    if len(set(keys)) != len(keys) or set(keys) != set(storages):
        refuse("storages listed and used differ")
    return value, _stream_data(data, at, {key: storages[key] for key in keys})


def _stream_data(data: bytes, at: int, storages: Mapping[str, Storage]) -> dict[str, memoryview]:
    """Slice the storages, which follow one another from byte `at` to the end."""
    view = memoryview(data)
    raw: dict[str, memoryview] = {}
    for key, storage in storages.items():
        size = storage.count * _DTYPES[storage.kind].itemsize
        if at + 8 + size > len(data):
            refuse("truncated")
        (count,) = struct.unpack_from("<q", data, at)
        if count != storage.count:
            refuse("a storage's length differs from its header")
        raw[key] = view[at + 8 : at + 8 + size]
        at += 8 + size
    if at != len(data):
        refuse("trailing bytes")
    return raw


def _read_zip(data: bytes) -> tuple[Value, Mapping[str, memoryview]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            root, keys = _entries(archive, len(data))
            pickle = archive.read(f"{root}/data.pkl")
            raw = {key: memoryview(archive.read(f"{root}/data/{key}")) for key in keys}
            if f"{root}/byteorder" in archive.namelist():
                order = archive.read(f"{root}/byteorder")
            else:
                order = b"little"  # files before torch 2.1 have no such entry
    except (
        zipfile.BadZipFile, EOFError, KeyError, ValueError, OSError, RuntimeError,
        NotImplementedError, struct.error,
    ) as error:  # fmt: skip
        raise ModelError("checkpoint refused, malformed zip: use the published file") from error
    if order != b"little":
        refuse("not little endian")
    value, end = read_pickle(pickle)
    if end != len(pickle):
        refuse("trailing bytes in its pickle")
    if set(raw) != set(_storages(_state(value))):
        refuse("storages stored and used differ")
    return value, raw


def _entries(archive: zipfile.ZipFile, size: int) -> tuple[str, list[str]]:
    """Return the root folder and the storage keys, refusing any entry that has no place."""
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if len(set(names)) != len(names):
        refuse("a zip entry is there twice")
    if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in infos):
        refuse("a zip entry is compressed or encrypted")
    if sum(info.file_size for info in infos) > size:
        refuse("zip entries overlap")
    roots = [name.removesuffix("/data.pkl") for name in names if name.endswith("/data.pkl")]
    if len(roots) != 1 or "/" in roots[0]:
        refuse("zip without one data.pkl")
    keys = []
    for name in names:
        inner = name.removeprefix(f"{roots[0]}/")
        if inner.startswith("data/") and inner.removeprefix("data/").isalnum():
            keys.append(inner.removeprefix("data/"))
        elif inner != "data.pkl" and inner not in _ZIP_EXTRAS:
            refuse("a zip entry is neither pickle nor storage")
    return roots[0], keys


def _state(value: Value) -> dict[str, Tensor]:
    """Check that the object is a flat state dict of tensors."""
    if not isinstance(value, dict) or not value:
        refuse("it is not a state dict")
    for key, tensor in value.items():
        if not isinstance(key, str) or not isinstance(tensor, Tensor):
            refuse("it holds something other than tensors")
    return value


def _storages(state: Mapping[str, Tensor]) -> dict[str, Storage]:
    storages: dict[str, Storage] = {}
    for tensor in state.values():
        storage = tensor.storage
        if storage.kind not in _DTYPES:
            refuse("storage of an unsupported type")
        if storages.setdefault(storage.key, storage) != storage:
            refuse("one storage is declared in two ways")
    return storages


def _materialise(
    state: Mapping[str, Tensor], raw: Mapping[str, memoryview], *, limit: int
) -> Tensors:
    """Copy each view out of its storage: the file's data is unaligned and borrowed.

    `limit` bounds the bytes of all copies together, as many tensors may view one storage.
    """
    tensors: Tensors = {}
    total = 0
    for name, tensor in state.items():
        dtype = _DTYPES[tensor.storage.kind]
        data = raw[tensor.storage.key]
        if len(data) != tensor.storage.count * dtype.itemsize:
            refuse("a storage's length differs from its header")
        count = math.prod(tensor.shape)
        total += count * dtype.itemsize
        if total > limit:
            refuse("its tensors are larger than the file")
        short = name.removeprefix("module.")
        if short in tensors:
            refuse("a tensor is there twice")
        start = tensor.offset * dtype.itemsize
        flat = np.frombuffer(data[start : start + count * dtype.itemsize], dtype)
        tensors[short] = flat.reshape(tensor.shape).copy()
    return tensors

"""Files that a run must not be brought down by, and what must become of each.

They are made by breaking small made cines, byte by byte. Nothing here reads them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cinescrub.testing.cine import make_cine
from cinescrub.testing.spec import CineSpec, Photometric, Syntax

__all__ = ["Expected", "malformed_files"]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a run must say of one file."""

    path: Path
    status: str
    """`skipped` (it is no DICOM instance) or `refused` (failed or quarantined: no output)."""
    why: str
    """What is wrong with it, for people."""


def malformed_files(folder: Path) -> dict[str, Expected]:
    """Write one file of each kind.

    Parameters
    ----------
    folder : Path
        Where; made if it isn't there.

    Returns
    -------
    dict of str to Expected
        By a short name that is also the file's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    native = _made(folder, CineSpec(seed=1, frames=4, rows=96, columns=128, planted=False))
    jpeg_spec = CineSpec(
        seed=2,
        frames=4,
        rows=96,
        columns=128,
        planted=False,
        syntax=Syntax.JPEG_BASELINE,
        photometric=Photometric.YBR_FULL_422,
    )
    jpeg = _made(folder, jpeg_spec)
    files: dict[str, Expected] = {}
    for name, (status, why, encapsulated, breaker) in _KINDS.items():
        path = folder / name
        path.write_bytes(breaker(jpeg if encapsulated else native))
        files[name] = Expected(path, status, why)
    return files


def _made(folder: Path, spec: CineSpec) -> bytes:
    path = folder / "whole.tmp"
    make_cine(spec, path)
    raw = path.read_bytes()
    path.unlink()
    return raw


def _us(keyword_tag: tuple[int, int], value: int) -> Callable[[bytes], bytes]:
    """Return a breaker that writes another unsigned short into an explicit little endian file."""

    def breaker(raw: bytes) -> bytes:
        start = _find(raw, keyword_tag)
        return raw[: start + 8] + struct.pack("<H", value) + raw[start + 10 :]

    return breaker


def _without(keyword_tag: tuple[int, int]) -> Callable[[bytes], bytes]:
    """Return a breaker that leaves out one element with a short length."""

    def breaker(raw: bytes) -> bytes:
        start = _find(raw, keyword_tag)
        (length,) = struct.unpack_from("<H", raw, start + 6)
        return raw[:start] + raw[start + 8 + length :]

    return breaker


def _find(raw: bytes, tag: tuple[int, int]) -> int:
    """Return where an element of the data set starts; the last place, as groups are in order."""
    return raw.rindex(struct.pack("<HH", *tag), 0, _pixels(raw) + 4)


def _pixels(raw: bytes) -> int:
    return raw.index(struct.pack("<HH", 0x7FE0, 0x0010))


def _frames_text(text: bytes) -> Callable[[bytes], bytes]:
    def breaker(raw: bytes) -> bytes:
        start = _find(raw, (0x0028, 0x0008))
        (length,) = struct.unpack_from("<H", raw, start + 6)
        value = text.ljust(len(text) + len(text) % 2)
        header = raw[start : start + 6] + struct.pack("<H", len(value))
        return raw[:start] + header + value + raw[start + 8 + length :]

    return breaker


def _huge(raw: bytes) -> bytes:
    # 65535 is the most that the standard's VR for Rows and Columns, US, can hold.
    rows = _us((0x0028, 0x0010), 65535)(raw)
    return _frames_text(b"100000")(_us((0x0028, 0x0011), 65535)(rows))


def _huge_ul(raw: bytes) -> bytes:
    """Declare 100,000 x 100,000 with VR UL, as a careless writer would."""
    for element in (0x0010, 0x0011):
        start = _find(raw, (0x0028, element))
        value = struct.pack("<HH2sHI", 0x0028, element, b"UL", 4, 100_000)
        raw = raw[:start] + value + raw[start + 10 :]
    return raw


def _pixel_length(add: int) -> Callable[[bytes], bytes]:
    def breaker(raw: bytes) -> bytes:
        start = _pixels(raw) + 8
        (length,) = struct.unpack_from("<I", raw, start)
        return raw[:start] + struct.pack("<I", length + add) + raw[start + 4 :]

    return breaker


def _odd_fragment(raw: bytes) -> bytes:
    """Give the first fragment a length beyond the file's end."""
    start = _pixels(raw) + 12 + 8
    return raw[: start + 4] + struct.pack("<I", 0x7FFFFFF0) + raw[start + 8 :]


def _drop_fragment(raw: bytes) -> bytes:
    start = _pixels(raw) + 12 + 8
    (length,) = struct.unpack_from("<I", raw, start + 4)
    return raw[:start] + raw[start + 8 + length :]


def _double_fragment(raw: bytes) -> bytes:
    start = _pixels(raw) + 12 + 8
    (length,) = struct.unpack_from("<I", raw, start + 4)
    return raw[:start] + raw[start : start + 8 + length] + raw[start:]


def _spoiled_stream(raw: bytes) -> bytes:
    """Overwrite the middle of the first frame's entropy-coded data."""
    start = _pixels(raw) + 12 + 16
    (length,) = struct.unpack_from("<I", raw, start - 4)
    size = int(length) // 3
    middle = start + size
    return raw[:middle] + b"\xff\xc4" * (size // 2) + raw[middle + size // 2 * 2 :]


def _dicomdir(raw: bytes) -> bytes:
    instance = b"1.2.840.10008.5.1.4.1.1.3.1\0"
    directory = b"1.2.840.10008.1.3.10".ljust(len(instance), b"\0")
    return raw.replace(instance, directory)


def _cut(raw: bytes) -> bytes:
    return raw[: int(len(raw) * 0.6)]


_KINDS: Final[dict[str, tuple[str, str, bool, Callable[[bytes], bytes]]]] = {
    "truncated-native.dcm": ("refused", "pixel data ends early", False, _cut),
    "truncated-jpeg.dcm": ("refused", "fragments end early", True, _cut),
    "truncated-header.dcm": ("refused", "ends within the header", False, lambda r: r[:600]),
    "only-preamble.dcm": ("refused", "ends behind its preamble", False, lambda r: r[:132]),
    "pixel-length-short.dcm": ("refused", "pixel data too short", False, _pixel_length(-3000)),
    "pixel-length-long.dcm": ("refused", "pixel data past the end", False, _pixel_length(1 << 20)),
    "no-rows.dcm": ("refused", "Rows is missing", False, _without((0x0028, 0x0010))),
    "no-photometric.dcm": ("refused", "no photometric", False, _without((0x0028, 0x0004))),
    "no-bits.dcm": ("refused", "Bits Allocated is missing", False, _without((0x0028, 0x0100))),
    "no-pixels.dcm": ("refused", "no pixel data", False, lambda r: r[: _pixels(r)]),
    "zero-rows.dcm": ("refused", "Rows is 0", False, _us((0x0028, 0x0010), 0)),
    "zero-frames.dcm": ("refused", "Number of Frames is 0", False, _frames_text(b"0")),
    "word-frames.dcm": ("refused", "Number of Frames is no number", False, _frames_text(b"four")),
    "more-frames.dcm": ("refused", "5 frames declared, 4 there", False, _frames_text(b"5")),
    "huge.dcm": ("refused", "65535 x 65535 x 100000 declared", False, _huge),
    "huge-ul.dcm": ("refused", "100000 x 100000 declared", False, _huge_ul),
    "bits-12.dcm": ("refused", "12 bits allocated", False, _us((0x0028, 0x0100), 12)),
    "fragments-missing.dcm": ("refused", "3 fragments, 4 frames", True, _drop_fragment),
    "fragments-extra.dcm": ("refused", "5 fragments, 4 frames", True, _double_fragment),
    "fragment-length.dcm": ("refused", "a fragment beyond the file", True, _odd_fragment),
    "jpeg-spoiled.dcm": ("refused", "corrupt JPEG data", True, _spoiled_stream),
    "unknown-syntax.dcm": (
        "refused",
        "transfer syntax of no standard",
        False,
        lambda r: r.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0", 1),
    ),
    "DICOMDIR": ("skipped", "a directory", False, _dicomdir),
    "text.dcm": ("skipped", "a text file", False, lambda _: b"patient list, not an image\n" * 40),
    "picture.dcm": ("skipped", "a PNG file", False, lambda r: b"\x89PNG\r\n\x1a\n" + r[300:900]),
    "empty.dcm": ("skipped", "no bytes at all", False, lambda _: b""),
    "zeros.dcm": ("skipped", "nothing but zeros", False, lambda _: bytes(4096)),
}  # fmt: skip

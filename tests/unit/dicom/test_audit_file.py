"""The audit of a written file: one byte that no rule accounts for, and it says where."""

from __future__ import annotations

import os
import re
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmarks.headers_only import scrub_headers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cinescrub.dicom.audit import audit_file
from cinescrub.dicom.options import Option
from cinescrub.dicom.profile import basic_profile
from cinescrub.dicom.search import IdentifierSearch
from cinescrub.policy.identifiers import HeaderIdentifier
from cinescrub.testing import CineSpec, Photometric, Syntax, make_cine
from cinescrub.types import PhiKind

NAME = HeaderIdentifier(PhiKind.PERSON, "NIGHTINGALE^FLORENCE")
ODD = 97
"""Columns, so that native frames have an odd length."""

SPECS = {
    "native": CineSpec(seed=1, frames=1, rows=97, columns=ODD, photometric=Photometric.MONOCHROME2),
    "implicit": CineSpec(seed=1, frames=2, rows=96, columns=96, syntax=Syntax.IMPLICIT_LITTLE),
    "big": CineSpec(seed=1, frames=2, rows=96, columns=96, syntax=Syntax.EXPLICIT_BIG),
    "deflated": CineSpec(seed=1, frames=2, rows=96, columns=96, syntax=Syntax.DEFLATED),
    "jpeg": CineSpec(
        seed=2,
        frames=3,
        rows=96,
        columns=96,
        syntax=Syntax.JPEG_BASELINE,
        photometric=Photometric.YBR_FULL_422,
    ),
    "rle": CineSpec(seed=3, frames=2, rows=96, columns=96, syntax=Syntax.RLE),
    "jpegls": CineSpec(seed=4, frames=2, rows=96, columns=96, syntax=Syntax.JPEG_LS),
    "j2k": CineSpec(seed=5, frames=2, rows=96, columns=96, syntax=Syntax.JPEG_2000_LOSSLESS),
}

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A clean output of each kind, as bytes."""
    folder = tmp_path_factory.mktemp("clean")
    files = {}
    for name, spec in SPECS.items():
        make_cine(spec, folder / f"{name}.dcm")
        scrub_headers(folder / f"{name}.dcm", folder / f"{name}-out.dcm")
        files[name] = (folder / f"{name}-out.dcm").read_bytes()
    return files


def findings(raw: bytes, folder: Path, *identifiers: HeaderIdentifier) -> tuple[str, ...]:
    path = folder / "audited"
    path.write_bytes(raw)
    return audit_file(path, IdentifierSearch(identifiers), profile=basic_profile())


@pytest.mark.parametrize("kind", SPECS)
def test_an_output_is_clean(clean: Files, tmp_path: Path, kind: str) -> None:
    assert findings(clean[kind], tmp_path, NAME) == ()


def pixels_at(raw: bytes) -> int:
    return raw.rindex(b"\xe0\x7f\x10\0O")


ANCHORS = (0x00280303, 0x00282110, 0x00340007, 0x300600C2, 0x7FE00010)
"""Elements that every clean output here ends with."""


def before_pixels(element: bytes) -> Callable[[bytes], bytes]:
    """Insert an element where its tag belongs among the last ones."""
    group, number = struct.unpack_from("<HH", element)

    def change(raw: bytes) -> bytes:
        anchor = next(tag for tag in ANCHORS if tag > (group << 16 | number))
        at = raw.rindex(struct.pack("<HH", anchor >> 16, anchor & 0xFFFF), 0, pixels_at(raw) + 4)
        return raw[:at] + element + raw[at:]

    return change


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    if vr in (b"OB", b"OV", b"UN", b"SQ", b"UT"):
        return head + b"\0\0" + struct.pack("<L", len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def of_meta(extra: bytes) -> Callable[[bytes], bytes]:
    def change(raw: bytes) -> bytes:
        (length,) = struct.unpack_from("<L", raw, 140)
        end = 144 + length
        return raw[:140] + struct.pack("<L", length + len(extra)) + raw[144:end] + extra + raw[end:]

    return change


def swapped(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda raw: raw.replace(old, new, 1)


def at(offset: int, value: int) -> Callable[[bytes], bytes]:
    def change(raw: bytes) -> bytes:
        edited = bytearray(raw)
        edited[offset] = value
        return bytes(edited)

    return change


def item(*elements: bytes) -> bytes:
    body = b"".join(elements)
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(body)) + body


ROWS = struct.pack("<HH", 0x0028, 0x0010) + b"US\x02\0"
COLOURS = 0x00282000  # ICC Profile: kept, and just before the pixel data
NAMED = b"NIGHTINGALE "

HEADER = {
    "preamble": (at(5, 1), "the preamble is not zero"),
    "prefix": (at(130, 0), "no DICOM prefix"),
    "AE title": (of_meta(element(0x00020016, b"AE", b"SITE")), r"\(0002,0016\)"),
    "private information": (of_meta(element(0x00020102, b"OB", b"\1\2")), r"\(0002,0102\)"),
    "group length of the meta": (at(140, 3), "file meta|after the last|ends with|no value repr"),
    "implementation": (swapped(b"2.25.3220", b"2.25.3221"), "not of this implementation"),
    "version": (swapped(b"CINESCRUB_", b"SOMETHING_"), r"\(0002,0013\)"),
    "another instance in the meta": (
        lambda raw: raw.replace(b"2.25.", b"2.26.", 1),
        r"\(0002,0003\)",
    ),
    "private": (before_pixels(element(0x00290010, b"LO", b"CREATOR ")), r"\(0029,0010\)"),
    "unknown": (before_pixels(element(0x00289998, b"LO", b"text")), r"\(0028,9998\)"),
    "removed": (before_pixels(element(0x00284000, b"LT", b"text")), r"\(0028,4000\)"),
    "overlay": (before_pixels(element(0x60003000, b"OB", b"text")), r"\(6000,3000\)"),
    "twice": (swapped(ROWS, ROWS + b"\x61\0" + ROWS), "out of order or there twice"),
    "out of order": (before_pixels(element(0x00280002, b"US", b"\1\0")), "out of order"),
    "no such representation": (before_pixels(element(0x00284010, b"ZZ", b"text")), "standard"),
    "foreign representation": (
        before_pixels(element(0x00281050, b"UT", b"text" * 5)),
        "can hold anything",
    ),
    "reserved field": (
        before_pixels(b"\x28\0\0\x20OB\1\2\2\0\0\0\0\0"),
        "reserved field",
    ),
    "odd length": (before_pixels(element(COLOURS, b"OB", b"odd")), "odd length"),
    "undefined length": (
        before_pixels(struct.pack("<HH2sHL", 0x0028, 0x2000, b"OB", 0, 0xFFFFFFFF)),
        "undefined length",
    ),
    "cut value": (
        before_pixels(struct.pack("<HH2sHL", 0x0028, 0x2000, b"OB", 0, 1 << 24)),
        "ends with the file",
    ),
    "huge value": (
        before_pixels(struct.pack("<HH2sHL", 0x0028, 0x2000, b"OB", 0, 0xFFFFFFFE)),
        "longer than",
    ),
    "sequence without items": (
        before_pixels(element(0x00283010, b"SQ", b"textTEXT")),
        "something else than items|no value representation",
    ),
    "bytes after an item": (
        before_pixels(element(0x00283010, b"SQ", item() + b"\0\0")),
        "no value representation|else than items",
    ),
    "an element that leaves its item": (
        before_pixels(
            element(0x00283010, b"SQ", item(b"\x08\0\0\x01SH\x40\0" + bytes(4)))
        ),
        "leaves",
    ),
    "an item that leaves its sequence": (
        before_pixels(element(0x00283010, b"SQ", struct.pack("<HHL", 0xFFFE, 0xE000, 100))),
        "leaves",
    ),
    "something nested": (
        before_pixels(element(0x00283010, b"SQ", item(element(0x00284000, b"LT", b"text")))),
        r"\(0028,3010\) .*\[0\]\(0028,4000\)",
    ),
    "not in its character set": (
        before_pixels(element(0x00283010, b"SQ", item(element(0x00080104, b"LO", b"\xff\xfe")))),
        r"\(0008,0104\).*representation",
    ),
    "a claim that is not ours, nested": (
        before_pixels(element(0x00283010, b"SQ", item(element(0x00120062, b"CS", b"YES ")))),
        r"\(0012,0062\)",
    ),
    "text instead of a dummy": (
        swapped(b"PN\x00\x00", b"PN\x04\x00JANE"),
        "the profile replaces",
    ),
    "after the pixels": (lambda raw: raw + element(0xFFFCFFFC, b"OB", bytes(2)), "bytes follow"),
    "one byte after the pixels": (lambda raw: raw + b"\0", "bytes follow"),
    "one byte missing": (lambda raw: raw[:-1], "ends with the file|padding"),
    "padding": (lambda raw: raw[:-1] + b"\1", "padding that is not zero"),
    "name in a kept value": (
        before_pixels(element(0x00283010, b"SQ", item(element(0x00080104, b"LO", NAMED)))),
        r"identifier .*\(0028,3010\)",
    ),
    "name in bytes": (
        before_pixels(element(COLOURS, b"OB", b"\1Florence Nightingale\1")),
        "identifier",
    ),
    "name in grey levels": (lambda raw: raw[:-40] + b"FLORENCE NIGHTINGALE" + raw[-20:], "raw"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "said"), HEADER.values(), ids=HEADER.keys())
def test_every_byte_of_a_native_file_is_accounted_for(
    clean: Files, tmp_path: Path, change: Callable[[bytes], bytes], said: str
) -> None:
    changed = change(clean["native"])
    assert changed != clean["native"]

    found = findings(changed, tmp_path, NAME)

    assert found
    assert any(re.search(said, line) for line in found), found
    assert not any("NIGHTINGALE" in line.upper() for line in found)


def fragments(raw: bytes) -> tuple[int, list[bytes]]:
    """Return where the first fragment's item starts, and the fragments."""
    start = pixels_at(raw) + 12
    (table,) = struct.unpack_from("<L", raw, start + 4)
    place = first = start + 8 + table
    frames = []
    while raw[place : place + 4] == b"\xfe\xff\0\xe0":
        (length,) = struct.unpack_from("<L", raw, place + 4)
        frames.append(raw[place + 8 : place + 8 + length])
        place += 8 + length
    return first, frames


def with_frames(
    raw: bytes, edit: Callable[[list[bytes]], list[bytes]], *, table: bool = True
) -> bytes:
    """Write other fragments, with an offset table that is right for them."""
    _, frames = fragments(raw)
    frames = edit(frames)
    offsets, items, place = [], b"", 0
    for frame in frames:
        offsets.append(place)
        items += b"\xfe\xff\0\xe0" + struct.pack("<L", len(frame)) + frame
        place += 8 + len(frame)
    packed = struct.pack(f"<{len(offsets)}L", *offsets) if table else b""
    head = raw[: pixels_at(raw) + 12] + b"\xfe\xff\0\xe0" + struct.pack("<L", len(packed)) + packed
    return head + items + b"\xfe\xff\xdd\xe0\0\0\0\0"


def first(change: Callable[[bytes], bytes]) -> Callable[[list[bytes]], list[bytes]]:
    return lambda frames: [change(frames[0]), *frames[1:]]


def even(data: bytes) -> bytes:
    return data + b"\0" * (len(data) % 2)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def inserted(data: bytes, at: int) -> Callable[[bytes], bytes]:
    return lambda frame: even(frame[:at] + data + frame[at:])


def rle_tail(frame: bytes) -> bytes:
    return frame + b"\x03JANE" + b"\0"


def rle_offset(frame: bytes) -> bytes:
    return frame[:60] + b"JANE" + frame[64:]


def j2k_comment(frame: bytes) -> bytes:
    qcd = frame.index(b"\xff\x5c")
    return even(frame[:qcd] + b"\xff\x64\0\x08\0\1JANE" + frame[qcd:])


STREAMS = {
    "comment": ("jpeg", first(inserted(segment(0xFE, b"JANE"), 2)), "comments, application"),
    "application data": ("jpeg", first(inserted(segment(0xED, b"JANE"), 2)), "comments"),
    "behind the end": ("jpeg", first(lambda f: even(f.rstrip(b"\0") + b"JANE")), "behind its end"),
    "in the last frame": (
        "jpeg",
        lambda frames: [*frames[:-1], inserted(segment(0xFE, b"JANE"), 2)(frames[-1])],
        "comments",
    ),
    "a frame more": ("jpeg", lambda frames: [*frames, frames[0]], "4 fragments for 3 frames"),
    "a frame less": ("jpeg", lambda frames: frames[:-1], "2 fragments for 3 frames"),
    "an empty fragment": ("jpeg", lambda frames: [*frames, b""], "cut, odd or empty"),
    "no stream": ("jpeg", first(lambda _: b"JANE DOE"), "no stream of its syntax"),
    "JPEG-LS comment": ("jpegls", first(inserted(segment(0xFE, b"JANE"), 2)), "comments"),
    "JPEG 2000 comment": ("j2k", first(j2k_comment), "comments"),
    "JPEG 2000 behind the end": ("j2k", first(lambda f: even(f.rstrip(b"\0") + b"JANE")), "behind"),
    "RLE segment that goes on": ("rle", first(rle_tail), "bytes behind|no stream"),
    "RLE offset of no segment": ("rle", first(rle_offset), "bytes behind"),
}  # fmt: skip


def with_private(creator: bytes, value: bytes) -> Callable[[bytes], bytes]:
    # (2001,xx03) of `Philips Imaging DD 001` is a safe FL of Table E.3.10-1.
    block = element(0x20010010, b"LO", creator + b" " * (len(creator) % 2))
    return before_pixels(block + element(0x20011003, b"FL", value))


def test_safe_private_elements_are_known_by_their_creator(clean: Files, tmp_path: Path) -> None:
    path = tmp_path / "audited"
    safe = with_private(b"Philips Imaging DD 001", bytes(4))
    asked = basic_profile().with_options(frozenset({Option.RETAIN_SAFE_PRIVATE}))

    path.write_bytes(safe(clean["rle"]))
    assert audit_file(path, IdentifierSearch(()), profile=asked) == ()
    assert len(audit_file(path, IdentifierSearch(()), profile=basic_profile())) == 2
    path.write_bytes(with_private(b"SOMEBODY ELSE", bytes(4))(clean["rle"]))
    assert len(audit_file(path, IdentifierSearch(()), profile=asked)) == 2


@pytest.mark.parametrize(("kind", "edit", "said"), STREAMS.values(), ids=STREAMS.keys())
def test_every_byte_of_compressed_frames_is_accounted_for(
    clean: Files,
    tmp_path: Path,
    kind: str,
    edit: Callable[[list[bytes]], list[bytes]],
    said: str,
) -> None:
    found = findings(with_frames(clean[kind], edit), tmp_path)

    assert any(re.search(said, line) for line in found), found


def test_an_offset_table_must_be_that_of_the_fragments(clean: Files, tmp_path: Path) -> None:
    raw = clean["jpeg"]
    offset = pixels_at(raw) + 12 + 8 + 4

    assert findings(with_frames(raw, lambda frames: frames), tmp_path) == ()
    wrong = raw[:offset] + struct.pack("<L", 2) + raw[offset + 4 :]
    missing = with_frames(raw, lambda frames: frames, table=False)
    for changed in (wrong, missing):
        assert any("offset table" in line for line in findings(changed, tmp_path))


def test_an_extended_offset_table_must_be_that_of_the_fragments(
    clean: Files, tmp_path: Path
) -> None:
    raw = with_frames(clean["jpeg"], lambda frames: frames, table=False)
    lengths = [len(frame) for frame in fragments(raw)[1]]
    offsets = [sum(lengths[:k]) + 8 * k for k in range(len(lengths))]

    def tables(*numbers: int) -> Callable[[bytes], bytes]:
        packed = struct.pack(f"<{len(numbers)}Q", *numbers)
        half = len(packed) // 2
        both = element(0x7FE00001, b"OV", packed[:half]) + element(0x7FE00002, b"OV", packed[half:])
        return lambda raw: raw[: pixels_at(raw)] + both + raw[pixels_at(raw) :]

    assert findings(tables(*offsets, *lengths)(raw), tmp_path) == ()
    for wrong in ((*offsets[:-1], 2, *lengths), (*offsets, *lengths[:-1], 2), (1, 2)):
        assert any("offset table" in line for line in findings(tables(*wrong)(raw), tmp_path))
    with_both = tables(*offsets, *lengths)(clean["jpeg"])
    assert any("offset table" in line for line in findings(with_both, tmp_path))


def test_a_delimiter_has_no_length(clean: Files, tmp_path: Path) -> None:
    raw = clean["jpeg"]

    assert any("delimiter" in line for line in findings(raw[:-4] + b"\1\0\0\0", tmp_path))


def test_a_name_in_compressed_data_is_found(clean: Files, tmp_path: Path) -> None:
    start, _ = fragments(clean["jpeg"])
    place = clean["jpeg"].index(b"\xff\xda", start) + 40
    raw = clean["jpeg"][:place] + b"Nightingale" + clean["jpeg"][place + 11 :]

    assert findings(raw, tmp_path, NAME) == (
        "the raw bytes of the pixel data hold an identifier of this file",
    )


def deflated(raw: bytes, edit: Callable[[bytes], bytes], behind: bytes = b"") -> bytes:
    """Edit the inflated dataset of a deflated file."""
    start = 144 + struct.unpack_from("<L", raw, 140)[0]
    inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw[start:])
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = deflater.compress(edit(inflated)) + deflater.flush() + behind
    return raw[:start] + packed + b"\0" * (len(packed) % 2)


def test_a_deflated_file_is_audited_inflated(clean: Files, tmp_path: Path) -> None:
    raw = clean["deflated"]
    private = element(0x00290010, b"LO", b"CREATOR ")
    name = element(COLOURS, b"OB", b"\1Florence Nightingale\1")

    assert findings(deflated(raw, lambda data: data), tmp_path, NAME) == ()
    for edit, behind, said in (
        (before_pixels(private), b"", "(0029,0010)"),
        (before_pixels(name), b"", "identifier"),
        (lambda data: data + b"\0\0", b"", "bytes follow the pixel data"),
        (lambda data: data, b"JANE", "bytes follow the deflated dataset"),
        (lambda data: data[:-200], b"", "ends with the file"),
    ):
        found = findings(deflated(raw, edit, behind), tmp_path, NAME)
        assert any(said in line for line in found), found
    assert findings(raw[:-20], tmp_path)


@pytest.mark.parametrize("kind", SPECS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_change_is_found_or_changes_nothing_but_values(
    clean: Files, tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    """No change makes the audit fail in another way than by a finding."""
    raw = bytearray(clean[kind])
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, min(len(raw), 3000) - 1))] = data.draw(st.integers(0, 255))

    for line in findings(bytes(raw[: data.draw(st.integers(1, len(raw)))]), tmp_path, NAME):
        assert "\n" not in line


def test_bits_above_those_stored_are_accounted_for(tmp_path: Path) -> None:
    make_cine(CineSpec(seed=1, frames=2, rows=96, columns=96, photometric=Photometric.PALETTE,
                       palette_bits=16), tmp_path / "in.dcm")  # fmt: skip
    raw = (tmp_path / "in.dcm").read_bytes()
    for tag, value in ((0x0101, 15), (0x0102, 14)):
        head = struct.pack("<HH2sH", 0x0028, tag, b"US", 2)
        place = raw.index(head) + len(head)
        raw = raw[:place] + struct.pack("<H", value) + raw[place + 2 :]
    start, size = pixels_at(raw) + 12, 2 * 96 * 96 * 2
    pixels = np.frombuffer(raw[start : start + size], "<u2")
    used = raw[:start] + (pixels & 0x7FFF).tobytes() + raw[start + size :]
    (tmp_path / "in.dcm").write_bytes(used)

    scrub_headers(tmp_path / "in.dcm", tmp_path / "out.dcm")

    out = (tmp_path / "out.dcm").read_bytes()
    assert findings(out, tmp_path) == ()
    dirty = out[:-1] + bytes([out[-1] | 0x80])
    assert findings(dirty, tmp_path) == ("(7FE0,0010) PixelData has bits set above BitsStored",)


def test_memory_does_not_grow_with_the_pixel_data(clean: Files, tmp_path: Path) -> None:
    raw = clean["native"]
    start = pixels_at(raw)
    frames = struct.pack("<HH", 0x0028, 0x0008) + b"IS\x04\x005000"
    head = raw[:start].replace(ROWS, frames + ROWS)
    size = 5000 * 97 * ODD
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.write(head + raw[start : start + 8] + struct.pack("<L", size))
        file.truncate(len(head) + 12 + size)

    tracemalloc.start()
    found = audit_file(path, IdentifierSearch([NAME]), profile=basic_profile())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found == ()
    assert size > 40 << 20
    assert peak < 8 << 20


def test_a_named_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    found = audit_file(tmp_path / "pipe", IdentifierSearch(()), profile=basic_profile())

    assert found == ("not a regular file",)

"""Damaged streams are refused or give a picture; they never crash, hang or leave another error.

A short seeded run. `CINESCRUB_FUZZ=15000 pytest --timeout=0 tests/property/test_pixels_fuzz.py`
makes that many random cases of each test instead.
"""

from __future__ import annotations

import contextlib
import os
import resource
import struct
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cinescrub.dicom.source import Source, open_source
from cinescrub.errors import InputError, NotDicomError, RedactionError
from cinescrub.pixels import rle
from cinescrub.pixels.apply import clean, redact, snap
from cinescrub.pixels.compare import check_frame
from cinescrub.pixels.decode import Viewer
from cinescrub.pixels.registry import check, output_photometric, output_syntax
from cinescrub.types import CineInfo

ROOT = "1.2.840.10008.1.2"
H, W = 24, 40
IMAGE = (
    (np.random.default_rng(2).integers(-9, 10, (H, W, 3)).cumsum(axis=1) + 128)
    .clip(0, 255)
    .astype(np.uint8)
)
DEEP = IMAGE[..., 0].astype(np.uint16) << 4
COLOUR = CineInfo(ROOT + ".5", 1, H, W, 3, "RGB", 8, 8, 7, False, 0)
GRAY = replace(
    COLOUR, samples=1, photometric="MONOCHROME2", bits_allocated=16, bits_stored=12, high_bit=11
)

STREAMS = {
    "jpeg": (".4.50", COLOUR, imagecodecs.jpeg8_encode(IMAGE, 80, subsampling="420")),
    "jpeg lossless": (".4.70", COLOUR, imagecodecs.jpeg8_encode(IMAGE, lossless=True, predictor=1)),
    "jpeg-ls": (".4.80", COLOUR, imagecodecs.jpegls_encode(IMAGE)),
    "jpeg-ls 16": (".4.80", GRAY, imagecodecs.jpegls_encode(DEEP)),
    "j2k": (
        ".4.90",
        GRAY,
        imagecodecs.jpeg2k_encode(
            DEEP, reversible=True, codecformat="j2k", mct=False, bitspersample=12
        ),
    ),
    "htj2k": (".4.201", COLOUR, imagecodecs.htj2k_encode(IMAGE, reversible=True)),
    "rle": (".5", COLOUR, rle.encode(IMAGE)),
    "rle 16": (".5", GRAY, rle.encode(DEEP)),
}
MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(["set", "cut", "drop", "insert"]),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=3,
)


def damaged(frame: bytes, mutations: list[tuple[str, float, bytes]]) -> bytes:
    data = bytearray(frame)
    for kind, where, values in mutations:
        at = int(where * where * len(data))  # heads are short and matter most
        if kind == "set":
            data[at : at + len(values)] = values
        elif kind == "cut":
            del data[at:]
        elif kind == "drop":
            del data[at : at + len(values)]
        else:
            data[at:at] = values
    return bytes(data)


CASES = int(os.environ.get("CINESCRUB_FUZZ", "0"))
fuzzed = settings(
    max_examples=CASES or 60,
    derandomize=not CASES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MEMORY_BYTES = 1 << 30
"""No case may make the process grow by this much."""


@pytest.mark.parametrize("kind", STREAMS)
@fuzzed
@given(MUTATIONS)
def test_a_damaged_stream_is_refused_or_gives_a_picture(
    kind: str, mutations: list[tuple[str, float, bytes]]
) -> None:
    suffix, layout, stream = STREAMS[kind]
    info = replace(layout, transfer_syntax=ROOT + suffix)
    frame = damaged(bytes(stream), mutations)
    viewer = Viewer(info)
    out = np.empty(viewer.shape, np.uint8)
    rectangle = np.array([[3, 3, 20, 12]], np.int32)

    started = time.process_time()
    for act in (
        lambda: viewer.decode(frame, out),
        lambda: redact(frame, info, rectangle),
        lambda: clean(frame, info),
        lambda: snap(frame, info, rectangle),
    ):
        with contextlib.suppress(InputError, RedactionError):
            act()

    # A frame of this size takes milliseconds: seconds would be a loop over declared sizes.
    assert time.process_time() - started < 5


CUTS = st.lists(st.floats(0, 1), max_size=4)
FRAGMENTS = st.lists(
    st.tuples(
        st.sampled_from(["stream", "part", "damaged", "zeros", "empty", "bytes"]),
        CUTS,
        MUTATIONS,
        st.binary(max_size=8),
    ),
    max_size=5,
)
SIZES = st.sampled_from([0, 1, 2, 3, H, W, 255, 256, 4096, 65535])
FIELDS = {
    0x00280002: st.sampled_from([0, 1, 2, 3, 4]),
    0x00280010: SIZES,
    0x00280011: SIZES,
    0x00280100: st.sampled_from([0, 1, 8, 12, 16, 32, 64]),
    0x00280101: st.sampled_from([0, 1, 8, 12, 16, 17]),
    0x00280102: st.sampled_from([0, 7, 11, 15]),
    0x00280103: st.sampled_from([0, 1, 2]),
    0x60000100: st.sampled_from([1, 8, 16]),
    0x60000102: st.sampled_from([0, 7, 12, 15, 40]),
}
LENGTHS = st.sampled_from([0, 1, 2, 7, 8, 100, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF])


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Draw a file: a header that fits or nearly, and fragments and lengths of every kind."""
    kind = draw(st.sampled_from(sorted(STREAMS)))
    suffix, layout, stream = STREAMS[kind]
    values = {
        0x00280002: layout.samples,
        0x00280010: H,
        0x00280011: W,
        0x00280100: layout.bits_allocated,
        0x00280101: layout.bits_stored,
        0x00280102: layout.high_bit,
        0x00280103: 0,
    }
    for tag in draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=2, unique=True)):
        values[tag] = draw(FIELDS[tag])
    frames = draw(st.sampled_from([1, 1, 2, 3, 2**31 - 1]))
    parts: list[bytes] = []
    for shape, cuts, mutations, some in draw(FRAGMENTS):
        whole = bytes(stream) if shape in ("stream", "part") else damaged(bytes(stream), mutations)
        if shape == "part":
            at = sorted({0, len(whole), *(int(c * len(whole)) for c in cuts)})
            parts += [whole[a:b] for a, b in pairwise(at)]
        else:
            parts.append({"zeros": bytes(len(some)), "empty": b"", "bytes": some}.get(shape, whole))
    if draw(st.booleans()):
        native = draw(st.sampled_from(["", ".1", ".2", ".1.99"]))
        suffix = draw(st.sampled_from([suffix, suffix, suffix, native]))
    table = draw(st.just(b"") | st.binary(max_size=16))
    items = [struct.pack("<HHL", 0xFFFE, 0xE000, len(table)) + table]
    for part in parts:
        length = draw(st.just(len(part)) | st.just(len(part)) | LENGTHS)
        items.append(struct.pack("<HHL", 0xFFFE, 0xE000, length) + part)
    items += draw(st.sampled_from([[struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)], []]))
    length = draw(st.just(0xFFFFFFFF) | st.just(0xFFFFFFFF) | LENGTHS)
    tables = draw(st.just(b"") | st.binary(min_size=8, max_size=24))
    return encoded_file(
        ROOT + suffix, layout.photometric, values, frames, tables, length, b"".join(items)
    )


def encoded_file(
    syntax: str,
    photometric: str,
    values: dict[int, int],
    frames: int,
    tables: bytes,
    length: int,
    pixels: bytes,
) -> bytes:
    def element(tag: int, vr: str, value: bytes) -> bytes:
        value += b"\0" * (len(value) % 2)
        return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value

    meta = element(0x00020010, "UI", syntax.encode())
    texts = {
        0x00080016: ("UI", "1.2.840.10008.5.1.4.1.1.3.1"),
        0x00080018: ("UI", "2.25.1"),
        0x00280004: ("CS", f"{photometric:<16}"),
        0x00280008: ("IS", f"{frames:<12}"),
    }
    body = {tag: element(tag, vr, text.encode()) for tag, (vr, text) in texts.items()}
    body |= {tag: element(tag, "US", struct.pack("<H", value)) for tag, value in values.items()}
    if values[0x00280002] == 3:
        body[0x00280006] = element(0x00280006, "US", b"\0\0")
    for tag in (0x7FE00001, 0x7FE00002):
        if tables:
            head = struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, b"OV", 0, len(tables))
            body[tag] = head + tables
    return b"".join(
        [
            bytes(128) + b"DICM",
            element(0x00020000, "UL", struct.pack("<L", len(meta))) + meta,
            *(body[tag] for tag in sorted(body)),
            struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, length),
            pixels,
        ]
    )


@fuzzed
@given(raw=files())
def test_fragments_and_lengths_of_every_kind_are_read_or_refused(
    tmp_path: Path, raw: bytes
) -> None:
    path = tmp_path / "in.dcm"
    path.write_bytes(raw)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    started = time.process_time()
    with (
        contextlib.suppress(InputError, NotDicomError, RedactionError),
        open_source(path) as source,
    ):
        exercise(source)

    assert time.process_time() - started < 5
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < MEMORY_BYTES
    assert path.read_bytes() == raw


def exercise(source: Source) -> None:
    info = source.info
    check(info)
    rectangle = np.array([[3, 3, 20, 12]], np.int32)
    viewer = Viewer(info)
    out = np.empty(viewer.shape, np.uint8)
    for k in range(min(info.frames, 3)):
        frame = bytes(source.frame(k))
        viewer.decode(frame, out)
        target = replace(
            info, transfer_syntax=output_syntax(info), photometric=output_photometric(info)
        )
        boxes = snap(frame, info, rectangle)
        check_frame(frame, redact(frame, info, boxes), info, target, boxes)
        clean(frame, info)

"""Damaged streams are refused or give a picture; they never crash, hang or leave another error."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinescrub.errors import InputError, RedactionError
from cinescrub.pixels import rle
from cinescrub.pixels.apply import clean, redact, snap
from cinescrub.pixels.decode import Viewer
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


@pytest.mark.parametrize("kind", STREAMS)
@settings(max_examples=60, deadline=None)
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

    started = time.monotonic()
    for act in (
        lambda: viewer.decode(frame, out),
        lambda: redact(frame, info, rectangle),
        lambda: clean(frame, info),
        lambda: snap(frame, info, rectangle),
    ):
        with contextlib.suppress(InputError, RedactionError):
            act()

    # A frame of this size takes milliseconds: seconds would be a loop over declared sizes.
    assert time.monotonic() - started < 5

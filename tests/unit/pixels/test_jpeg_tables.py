"""Tables of JPEG streams that nothing refers to: a place to hide text."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np
import pytest

from cinescrub.errors import InputError
from cinescrub.pixels import jpeg
from cinescrub.pixels.jpeg_markers import clean
from cinescrub.types import CineInfo

TEXT = b"Zorbax"
IMAGE = np.random.default_rng(1).integers(0, 255, (32, 48), np.uint8)
FRAME = bytes(imagecodecs.jpeg8_encode(IMAGE, level=90))
LOSSLESS = bytes(imagecodecs.jpeg8_encode(IMAGE, lossless=True, predictor=1))
INFO = CineInfo("1.2.840.10008.1.2.4.50", 1, 32, 48, 1, "MONOCHROME2", 8, 8, 7, False, 0)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def quantisation(number: int) -> bytes:
    return bytes([number]) + (TEXT * 11)[:64]


def huffman(number: int) -> bytes:
    return bytes([number, 0, 0, 0, 0, 0, 0, 0, 12, *[0] * 8]) + TEXT * 2


HIDDEN = {
    "quantisation": segment(0xDB, quantisation(3)),
    "16 bits": segment(0xDB, b"\x13" + (TEXT * 22)[:128]),
    "two in one": segment(0xDB, quantisation(2) + quantisation(3)),
    "redefined": segment(0xDB, quantisation(0)),
    "DC": segment(0xC4, huffman(0x03)),
    "AC": segment(0xC4, huffman(0x13)),
    "arithmetic": segment(0xCC, TEXT),
}


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN.keys())
@pytest.mark.parametrize("frame", [FRAME, LOSSLESS], ids=["baseline", "lossless"])
def test_tables_that_nothing_refers_to_are_gone(frame: bytes, hidden: bytes) -> None:
    plain = bytes(clean(frame))

    for dirty in (frame[:2] + hidden + frame[2:], frame[:-2] + hidden + frame[-2:]):
        cleaned = bytes(clean(dirty))

        assert cleaned == plain
        assert clean(cleaned) is cleaned


@pytest.mark.parametrize("kind", sorted(HIDDEN.keys() - {"arithmetic"}))  # which is refused
def test_they_are_gone_from_redacted_frames_too(kind: str) -> None:
    box = np.array([[0, 0, 16, 16]], np.int32)
    hidden = HIDDEN[kind]
    meant = bytes(jpeg.redact(FRAME, INFO, box))

    for dirty in (FRAME[:2] + hidden + FRAME[2:], FRAME[:-2] + hidden + FRAME[-2:]):
        assert bytes(jpeg.redact(dirty, INFO, box)) == meant


def test_a_used_table_stays_without_its_neighbour() -> None:
    at = FRAME.index(b"\xff\xdb")
    length = FRAME[at + 2] << 8 | FRAME[at + 3]
    both = segment(0xDB, FRAME[at + 4 : at + 2 + length] + quantisation(3))

    assert clean(FRAME[:at] + both + FRAME[at + 2 + length :]) == clean(FRAME)


def test_a_table_that_leaves_its_segment_is_refused() -> None:
    with pytest.raises(InputError, match="a table is longer than its segment"):
        clean(FRAME[:2] + segment(0xDB, b"\x00abc") + FRAME[2:])

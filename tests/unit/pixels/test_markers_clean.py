from __future__ import annotations

import struct
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest

from cinescrub.errors import InputError
from cinescrub.pixels.apply import clean
from cinescrub.pixels.decode import decode_stored
from cinescrub.types import CineInfo

ROOT = "1.2.840.10008.1.2"
NEEDLE = b"DOE^JANE"
IMAGE = np.random.default_rng(1).integers(0, 256, (24, 32, 3), dtype=np.uint8)
INFO = CineInfo(ROOT + ".4.50", 1, 24, 32, 3, "YBR_FULL_422", 8, 8, 7, False, 0)
RGB = replace(INFO, photometric="RGB")

FRAMES = {
    "jpeg": (INFO, bytes(imagecodecs.jpeg8_encode(IMAGE, 80, subsampling="422"))),
    "jpeg lossless": (
        replace(RGB, transfer_syntax=ROOT + ".4.70"),
        bytes(imagecodecs.jpeg8_encode(IMAGE, lossless=True, predictor=1)),
    ),
    "jpeg-ls": (
        replace(RGB, transfer_syntax=ROOT + ".4.80"),
        bytes(imagecodecs.jpegls_encode(IMAGE)),
    ),
    "jpeg 2000": (
        replace(RGB, transfer_syntax=ROOT + ".4.90"),
        bytes(imagecodecs.jpeg2k_encode(IMAGE, reversible=True, codecformat="j2k", mct=False)),
    ),
    "htj2k": (
        replace(RGB, transfer_syntax=ROOT + ".4.201"),
        bytes(imagecodecs.htj2k_encode(IMAGE, reversible=True, rgb=False)),
    ),
}


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">HH", marker, len(body) + 2) + body


def with_text(kind: str, frame: bytes) -> bytes:
    """Plant text wherever a stream of this kind takes it, and behind its end."""
    if kind in ("jpeg 2000", "htj2k"):
        at = frame.index(b"\xff\x52")
        return frame[:at] + segment(0xFF64, b"\0\1" + NEEDLE) + frame[at:] + NEEDLE
    extra = segment(0xFFFE, NEEDLE) + segment(0xFFE1, b"Exif\0" + NEEDLE)
    return frame[:2] + extra + segment(0xFFEF, NEEDLE) + frame[2:] + NEEDLE


@pytest.mark.parametrize("kind", FRAMES)
def test_text_in_a_stream_goes_and_the_picture_stays(kind: str) -> None:
    info, frame = FRAMES[kind]

    cleaned = bytes(clean(with_text(kind, frame), info))

    assert NEEDLE not in cleaned
    assert len(cleaned) % 2 == 0
    assert np.array_equal(decode_stored(cleaned, info), decode_stored(frame, info))


@pytest.mark.parametrize("kind", FRAMES)
def test_a_clean_frame_is_returned_itself(kind: str) -> None:
    info, frame = FRAMES[kind]
    cleaned = clean(frame, info)

    assert clean(cleaned, info) is cleaned


@pytest.mark.parametrize("kind", FRAMES)
def test_a_truncated_head_is_refused(kind: str) -> None:
    info, frame = FRAMES[kind]

    with pytest.raises(InputError):
        clean(frame[:20], info)


def test_text_between_two_scans_goes() -> None:
    info, frame = FRAMES["jpeg"]
    planted = frame.removesuffix(b"\xff\xd9") + segment(0xFFE0, b"JFIF\0" + NEEDLE) + b"\xff\xd9"

    cleaned = bytes(clean(planted, info))

    assert NEEDLE not in cleaned
    assert cleaned == bytes(clean(frame, info)) + bytes(len(frame) % 2)


def test_a_jfif_header_loses_its_thumbnail_and_stays() -> None:
    info, frame = FRAMES["jpeg"]
    body = b"JFIF\0\1\1\0\0\1\0\1\2\2" + NEEDLE + bytes(4)
    end = frame.index(b"\xff\xdb")
    planted = b"\xff\xd8" + segment(0xFFE0, body) + frame[end:]

    cleaned = bytes(clean(planted, info))

    assert cleaned[2:20] == segment(0xFFE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    assert NEEDLE not in cleaned


def test_an_adobe_marker_is_kept_because_colours_depend_on_it() -> None:
    frame = bytes(imagecodecs.jpeg8_encode(IMAGE, 80, colorspace="RGB", outcolorspace="RGB"))
    adobe = segment(0xFFEE, b"Adobe\0\x64\0\0\0\0\0" + NEEDLE)
    at = frame.index(b"\xff\xdb")

    cleaned = bytes(clean(b"\xff\xd8" + adobe + frame[at:], RGB))

    assert cleaned[2:18] == segment(0xFFEE, b"Adobe\0\x64\0\0\0\0\0")


def test_a_comment_in_a_tile_part_goes_with_the_lengths_put_right() -> None:
    info, frame = FRAMES["jpeg 2000"]
    sot = frame.index(b"\xff\x90")
    (length,) = struct.unpack_from(">I", frame, sot + 6)
    comment = segment(0xFF64, b"\0\1" + NEEDLE)
    head = frame[: sot + 6] + struct.pack(">I", length + len(comment)) + frame[sot + 10 : sot + 12]
    planted = head + comment + frame[sot + 12 :]

    cleaned = bytes(clean(planted, info))

    assert NEEDLE not in cleaned
    assert cleaned == bytes(clean(frame, info))


def test_the_boxes_of_a_jp2_file_go() -> None:
    info, frame = FRAMES["jpeg 2000"]
    boxes = b"\0\0\0\x0cjP  \r\n\x87\n" + struct.pack(">I4s", 8 + len(NEEDLE), b"xml ") + NEEDLE
    planted = boxes + struct.pack(">I4s", 0, b"jp2c") + frame

    cleaned = bytes(clean(planted, info))

    assert cleaned == bytes(clean(frame, info))
    assert np.array_equal(decode_stored(planted, info), decode_stored(frame, info))


def test_a_marker_of_no_known_kind_is_refused() -> None:
    info, frame = FRAMES["jpeg"]

    with pytest.raises(InputError, match="0xF0"):
        clean(frame[:2] + segment(0xFFF0, b"x") + frame[2:], info)


@pytest.mark.parametrize("at", ["before its scan", "behind it"])
def test_a_line_count_that_holds_more_than_a_number_is_refused(at: str) -> None:
    info, frame = FRAMES["jpeg"]
    place = frame.index(b"\xff\xda") if at == "before its scan" else len(frame) - 2

    with pytest.raises(InputError, match="DNL"):
        clean(frame[:place] + segment(0xFFDC, NEEDLE) + frame[place:], info)


@pytest.mark.parametrize("marker", [0xFF63, 0xFF6F, 0xFF74, 0xFF99])
@pytest.mark.parametrize("kind", ["jpeg 2000", "htj2k"])
def test_what_no_decoder_needs_goes_from_a_codestream(kind: str, marker: int) -> None:
    info, frame = FRAMES[kind]
    at = frame.index(b"\xff\x52")

    cleaned = bytes(clean(frame[:at] + segment(marker, NEEDLE) + frame[at:], info))

    assert cleaned == bytes(clean(frame, info))


def test_what_follows_an_open_last_tile_part_goes() -> None:
    info, commented = FRAMES["jpeg 2000"]
    frame = bytes(clean(commented, info))
    sot = frame.index(b"\xff\x90")
    opened = frame[: sot + 6] + bytes(4) + frame[sot + 10 :]

    cleaned = bytes(clean(opened + NEEDLE + b"\xff\xd9", info))

    assert cleaned == opened
    assert np.array_equal(decode_stored(cleaned, info), decode_stored(frame, info))

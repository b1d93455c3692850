from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest

from cinescrub.errors import InputError
from cinescrub.pixels import jpeg, jpeg_core, jpeg_markers
from cinescrub.pixels.apply import redact, snap
from cinescrub.pixels.decode import Viewer
from cinescrub.pixels.jpeg import mcu_size
from cinescrub.testing.jpeg_reader import read_coefficients
from cinescrub.types import CineInfo

U8 = npt.NDArray[np.uint8]

H, W = 45, 70
GRAY = CineInfo("1.2.840.10008.1.2.4.50", 1, H, W, 1, "MONOCHROME2", 8, 8, 7, False, 0)
COLOUR = replace(GRAY, samples=3, photometric="YBR_FULL_422")
SAMPLING = {
    "4:4:4": 0x111111,
    "4:2:2": 0x211111,
    "4:2:0": 0x221111,
    "4:4:0": 0x121111,
    "4:1:1": 0x411111,
}


@pytest.fixture(autouse=True, params=["compiled", "pure"])
def core(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test with both cores."""
    if request.param == "pure":
        monkeypatch.setattr(jpeg_core, "COMPILED", False)
    elif not jpeg_core.COMPILED:
        pytest.skip("built without a compiler")


def picture(seed: int = 0) -> U8:
    generator = np.random.default_rng(seed)
    smooth = cv2.GaussianBlur(generator.integers(0, 256, (H, W, 3), dtype=np.uint8), (0, 0), 2)
    return np.clip((smooth.astype(np.int16) - 128) * 4 + 128, 0, 255).astype(np.uint8)


def coded(image: U8, **options: int) -> bytes:
    flags = [part for key, value in options.items() for part in (getattr(cv2, key), value)]
    return bytes(cv2.imencode(".jpg", image, flags)[1])


def components(frame: bytes) -> U8:
    """Decode without colour conversion: each component as coded."""
    stack: U8 = imagecodecs.jpeg8_decode(frame, colorspace="RGB", outcolorspace="RGB")
    return stack


def mask(frame: bytes, info: CineInfo, rectangles: Any, ring: int = 0) -> npt.NDArray[np.bool_]:
    covered = np.zeros((info.rows, info.columns), np.bool_)
    for x0, y0, x1, y1 in snap(frame, info, rectangles).tolist():
        covered[max(0, y0 - ring) : y1 + ring, max(0, x0 - ring) : x1 + ring] = True
    return covered


def boxes(*rows: tuple[int, int, int, int]) -> npt.NDArray[np.int32]:
    return np.array(rows, np.int32).reshape(-1, 4)


RECTANGLES = [
    pytest.param(boxes((20, 10, 41, 22)), id="inside"),
    pytest.param(boxes((0, 0, W, 9)), id="banner on top"),
    pytest.param(boxes((0, H - 3, W, H)), id="banner at the bottom"),
    pytest.param(boxes((0, 0, W, H)), id="everything"),
    pytest.param(boxes((0, 0, 1, 1), (W - 1, H - 1, W, H)), id="first and last pixel"),
    pytest.param(boxes((8, 8, 16, 40), (33, 1, 35, 44), (60, 20, 61, 21)), id="scattered"),
]


@pytest.mark.parametrize("rectangles", RECTANGLES)
@pytest.mark.parametrize("restart", [0, 1, 3], ids=lambda n: f"restart {n}")
@pytest.mark.parametrize("sampling", SAMPLING)
def test_covered_blocks_become_black_and_no_other_coefficient_changes(
    sampling: str, restart: int, rectangles: npt.NDArray[np.int32]
) -> None:
    frame = coded(
        picture(),
        IMWRITE_JPEG_SAMPLING_FACTOR=SAMPLING[sampling],
        IMWRITE_JPEG_RST_INTERVAL=restart,
        IMWRITE_JPEG_QUALITY=92,
    )

    result = bytes(redact(frame, COLOUR, rectangles))

    before, after = components(frame), components(result)
    covered = mask(frame, COLOUR, rectangles)
    assert np.array_equal(after[~covered][:, 0], before[~covered][:, 0])
    assert not after[covered][:, 0].any()
    # Decoders smooth subsampled chroma over the edge of a covered block, by one pixel: less than
    # the margin that boxes get (masks.padded), so that no text lies in it.
    edge = 0 if sampling == "4:4:4" else 1
    far = ~mask(frame, COLOUR, rectangles, ring=edge)
    assert np.array_equal(after[far], before[far])
    kept, filled = coefficients(frame, result, rectangles)
    assert kept
    assert filled


def coefficients(frame: bytes, result: bytes, rectangles: Any) -> tuple[bool, bool]:
    """Say whether all coefficients outside of the covered MCUs are the same, and flat inside.

    Both streams are read by an independent reader.
    """
    width, height = mcu_size(frame, COLOUR)
    covered = mask(frame, COLOUR, rectangles)[::height, ::width]
    kept = filled = True
    pairs = zip(read_coefficients(frame), read_coefficients(result), strict=True)
    for before, after in pairs:
        inside = np.repeat(np.repeat(covered, before.v, axis=0), before.h, axis=1)
        kept &= np.array_equal(after.blocks[~inside], before.blocks[~inside])
        filled &= not after.blocks[inside][:, 1:].any()
        filled &= len(np.unique(after.blocks[inside][:, 0])) == 1
    return kept, filled


@pytest.mark.parametrize("sampling", SAMPLING)
def test_nothing_of_what_was_covered_reaches_the_output(sampling: str) -> None:
    """Two frames that differ under the rectangle only are the same bytes once redacted."""
    plain, text = picture(), picture()
    text[16:32, 32:64] = (255, 40, 10)
    cv2.putText(text, "X", (34, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 255), 2)
    options = {"IMWRITE_JPEG_SAMPLING_FACTOR": SAMPLING[sampling], "IMWRITE_JPEG_QUALITY": 75}
    rectangle = boxes((32, 16, 64, 32))

    results = [redact(coded(image, **options), COLOUR, rectangle) for image in (plain, text)]

    assert results[0] == results[1]


@pytest.mark.parametrize("sampling", SAMPLING)
def test_redacting_twice_is_redacting_once(sampling: str) -> None:
    frame = coded(picture(), IMWRITE_JPEG_SAMPLING_FACTOR=SAMPLING[sampling])
    once = redact(frame, COLOUR, boxes((20, 10, 41, 22)))

    assert redact(once, COLOUR, boxes((20, 10, 41, 22))) == once


@pytest.mark.parametrize("quality", [1, 10, 50, 90, 100])
@pytest.mark.parametrize(("photometric", "black"), [("MONOCHROME2", 0), ("MONOCHROME1", 255)])
def test_gray_is_filled_with_what_shows_black(photometric: str, black: int, quality: int) -> None:
    info = replace(GRAY, photometric=photometric)
    frame = bytes(imagecodecs.jpeg8_encode(picture()[..., 0].copy(), quality))

    result = bytes(redact(frame, info, boxes((20, 10, 41, 22))))

    before, after = imagecodecs.jpeg8_decode(frame), imagecodecs.jpeg8_decode(result)
    covered = mask(frame, info, boxes((20, 10, 41, 22)))
    assert (after[covered] == black).all()
    assert np.array_equal(after[~covered], before[~covered])


def test_rgb_in_jpeg_is_filled_with_zero_in_every_component() -> None:
    frame = bytes(imagecodecs.jpeg8_encode(picture(), 90, colorspace="RGB", outcolorspace="RGB"))
    info = replace(COLOUR, photometric="RGB")

    result = bytes(redact(frame, info, boxes((20, 10, 41, 22))))

    out = np.empty((H, W, 3), np.uint8)
    Viewer(info).decode(result, out)
    covered = mask(frame, info, boxes((20, 10, 41, 22)))
    assert not out[covered].any()
    assert np.array_equal(out[~covered], components(frame)[~covered])


@pytest.mark.parametrize("quality", [5, 60, 100])
def test_tables_made_for_one_picture_are_extended(quality: int) -> None:
    image = np.full((H, W, 3), 128, np.uint8)
    image[:, :30] = 131  # so flat that the optimal tables have next to no symbol
    frame = coded(image, IMWRITE_JPEG_OPTIMIZE=1, IMWRITE_JPEG_QUALITY=quality)

    result = bytes(redact(frame, COLOUR, boxes((20, 10, 41, 22))))

    covered = mask(frame, COLOUR, boxes((20, 10, 41, 22)))
    before, after = components(frame), components(result)
    assert not after[covered][:, 0].any()
    assert np.array_equal(after[~covered][:, 0], before[~covered][:, 0])


def segments(frame: bytes) -> list[tuple[int, bytes]]:
    """Split a one-scan stream into (marker, segment), the scan with its data."""
    position, out = 2, []
    while frame[position + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", frame, position + 2)
        out.append((frame[position + 1], frame[position : position + 2 + length]))
        position += 2 + length
    out.append((0xDA, frame[position:-2]))
    return out


def one_scan_a_component(planes: list[U8], sampling: tuple[int, ...], restart: int) -> bytes:
    """Join gray JPEG streams to one stream of non-interleaved scans (T.81 A.2.2)."""
    flags = [cv2.IMWRITE_JPEG_RST_INTERVAL, restart, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    head, scans = b"", b""
    for index, plane in enumerate(planes):
        for marker, body in segments(bytes(cv2.imencode(".jpg", plane, flags)[1])):
            if marker == 0xDB and not index:
                head += body
            elif marker in (0xC4, 0xDD):
                scans += body
            elif marker == 0xDA:
                scans += body[:5] + bytes([index + 1]) + body[6:]
    parts = b"".join(bytes([i + 1, factors, 0]) for i, factors in enumerate(sampling))
    head += struct.pack(">HHBHHB", 0xFFC0, 17, 8, H, W, 3) + parts
    return b"\xff\xd8" + head + scans + b"\xff\xd9"


@pytest.mark.parametrize("restart", [0, 2], ids=["no restarts", "restarts"])
@pytest.mark.parametrize(
    ("sampling", "shrink"),
    [((0x11, 0x11, 0x11), (1, 1)), ((0x21, 0x11, 0x11), (2, 1)), ((0x22, 0x11, 0x11), (2, 2))],
    ids=["4:4:4", "4:2:2", "4:2:0"],
)
def test_a_scan_for_each_component(
    sampling: tuple[int, ...], shrink: tuple[int, int], restart: int
) -> None:
    image = picture()
    small = (-(-W // shrink[0]), -(-H // shrink[1]))
    chroma = [
        cv2.resize(image[..., i], small, interpolation=cv2.INTER_AREA).astype(np.uint8)
        for i in (1, 2)
    ]
    frame = one_scan_a_component([image[..., 0].copy(), *chroma], sampling, restart)
    rectangle = boxes((20, 10, 41, 22))

    result = bytes(redact(frame, COLOUR, rectangle))

    before, after = components(frame), components(result)
    covered = mask(frame, COLOUR, rectangle)
    assert np.array_equal(after[~covered][:, 0], before[~covered][:, 0])
    assert not after[covered][:, 0].any()
    if restart == 0 and sampling == (0x11, 0x11, 0x11):  # else blocks that pad an MCU aren't coded
        assert coefficients(frame, result, rectangle) == (True, True)
    inner = mask(frame, COLOUR, boxes((24, 12, 36, 16)), ring=-4)
    assert (after[inner & covered][:, 1:] == 128).all()


def test_a_rectangle_grows_to_whole_mcus() -> None:
    frame = coded(picture(), IMWRITE_JPEG_SAMPLING_FACTOR=SAMPLING["4:2:0"])

    assert mcu_size(frame, COLOUR) == (16, 16)
    assert snap(frame, COLOUR, boxes((17, 15, 33, 16))).tolist() == [[16, 0, 48, 16]]
    assert snap(frame, COLOUR, boxes((60, 40, 99, 99))).tolist() == [[48, 32, W, H]]


def test_a_missing_end_is_added_and_what_lies_behind_it_is_cut() -> None:
    frame = coded(picture())
    rectangle = boxes((20, 10, 41, 22))
    expected = redact(frame, COLOUR, rectangle)

    assert redact(frame[:-2], COLOUR, rectangle) == expected
    assert redact(frame + b"\0", COLOUR, rectangle) == expected
    assert redact(frame + b"NAME OF A PATIENT", COLOUR, rectangle) == expected


def test_fill_bytes_in_front_of_markers_are_no_data() -> None:
    frame = coded(picture(), IMWRITE_JPEG_RST_INTERVAL=3)
    padded = frame.replace(b"\xff\xd0", b"\xff\xff\xd0")[:-2] + b"\xff\xff\xff\xd9"

    result = bytes(redact(padded, COLOUR, boxes((20, 10, 41, 22))))

    expected = bytes(redact(frame, COLOUR, boxes((20, 10, 41, 22))))
    assert np.array_equal(components(result), components(expected))


def longer(frame: bytes, marker: bytes) -> bytes:
    """Add bytes, which might be text, to the end of a segment."""
    at = frame.index(marker)
    (length,) = struct.unpack_from(">H", frame, at + 2)
    end = at + 2 + length
    return (
        frame[: at + 2]
        + struct.pack(">H", length + 4)
        + frame[at + 4 : end]
        + b"NAME"
        + frame[end:]
    )


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        pytest.param(
            coded(picture(), IMWRITE_JPEG_PROGRESSIVE=1), "progressive JPEG", id="progressive"
        ),
        pytest.param(
            bytes(imagecodecs.jpeg8_encode(picture(), lossless=True, predictor=1)),
            "lossless JPEG",
            id="lossless",
        ),
        pytest.param(
            coded(picture()).replace(b"\xff\xc0", b"\xff\xc9", 1), "arithmetic", id="arithmetic"
        ),
        pytest.param(
            coded(picture()).replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc1\x00\x11\x0c", 1),
            "allocates",
            id="12 bit",
        ),
        pytest.param(longer(coded(picture()), b"\xff\xc0"), "its length", id="longer frame header"),
        pytest.param(
            longer(coded(picture()), b"\xff\xda"), "sequential scan", id="longer scan header"
        ),
        pytest.param(bytes(100), "not a JPEG", id="zeros"),
        pytest.param(b"", "not a JPEG", id="empty"),
        pytest.param(coded(picture())[:300], "leaves the frame", id="head only"),
        pytest.param(coded(picture())[:-400], "truncated", id="truncated"),
        pytest.param(
            coded(picture(), IMWRITE_JPEG_RST_INTERVAL=3).replace(b"\xff\xd1", b"\xff\xd2", 1),
            "out of order",
            id="restart markers",
        ),
        pytest.param(coded(picture()[:40]), "70 x 40", id="other size"),
        pytest.param(coded(picture()[..., 0]), "1 components", id="other components"),
    ],
)
def test_a_stream_that_cannot_be_redacted_is_refused(frame: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        redact(frame, COLOUR, boxes((0, 0, W, H)))


def test_fill_bytes_take_linear_time() -> None:
    """A search that starts again at each 0xFF would take hours for this frame."""
    frame = coded(picture(), IMWRITE_JPEG_RST_INTERVAL=3)
    padded = frame.replace(b"\xff\xd0", b"\xff" * 300_000 + b"\xd0")

    result = redact(padded, COLOUR, boxes((0, 0, W, H)))

    assert redact(frame, COLOUR, boxes((0, 0, W, H))) == result


def test_a_run_of_0xff_that_is_no_marker_takes_linear_time() -> None:
    frame = coded(picture(), IMWRITE_JPEG_RST_INTERVAL=3)
    padded = frame.replace(b"\xff\xd0", b"\xff" * 300_000 + b"\x00\xff\xd0")

    with pytest.raises(InputError, match="corrupt"):
        redact(padded[:-400], COLOUR, boxes((0, 0, W, H)))


@pytest.mark.parametrize("restart", [0, 3], ids=lambda n: f"restart {n}")
@pytest.mark.parametrize("sampling", SAMPLING)
def test_another_colour_than_black(sampling: str, restart: int) -> None:
    frame = coded(
        picture(),
        IMWRITE_JPEG_SAMPLING_FACTOR=SAMPLING[sampling],
        IMWRITE_JPEG_RST_INTERVAL=restart,
        IMWRITE_JPEG_QUALITY=100,  # a DC level is an eighth of a sample value
    )
    rectangle = boxes((20, 10, 41, 22))

    result = bytes(jpeg.redact(frame, COLOUR, rectangle, (70, 90, 200)))

    before, after = components(frame), components(result)
    covered = mask(frame, COLOUR, rectangle)
    assert np.array_equal(after[~covered][:, 0], before[~covered][:, 0])
    assert (after[covered][:, 0] == 70).all()
    assert (after[12:20, 24:36] == (70, 90, 200)).all()


def remembered() -> None:
    """Forget the heads that were read."""
    jpeg_markers._remembered.cache_clear()
    jpeg._opened.cache_clear()


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:0"])
def test_a_head_that_is_remembered_gives_the_same_bytes(sampling: str) -> None:
    """Frames of one head, of another quality, and of tables that lack the fill's codes, in turn."""
    factor = {"IMWRITE_JPEG_SAMPLING_FACTOR": SAMPLING[sampling]}
    frames = [
        *(coded(picture(k), IMWRITE_JPEG_QUALITY=80, **factor) for k in range(2)),
        coded(picture(), IMWRITE_JPEG_QUALITY=40, **factor),
        coded(np.full((H, W, 3), 128, np.uint8), IMWRITE_JPEG_OPTIMIZE=1, **factor),
    ]
    rectangles = [boxes((20, 10, 41, 22)), boxes((0, 0, W, 9)), boxes((W, H, W + 9, H + 9))]
    pairs = [(frame, box) for box in rectangles for frame in frames] * 2
    alone = []
    for frame, box in pairs:
        remembered()
        alone.append(redact(frame, COLOUR, box))

    remembered()

    assert [redact(frame, COLOUR, box) for frame, box in pairs] == alone


def test_a_head_is_remembered_for_one_header_only() -> None:
    frame = coded(picture())
    redact(frame, COLOUR, boxes((20, 10, 41, 22)))

    with pytest.raises(InputError, match="header says 70 x 46"):
        redact(frame, replace(COLOUR, rows=H + 1), boxes((20, 10, 41, 22)))


def test_a_frame_that_is_too_short_is_refused_though_its_head_is_known() -> None:
    frame = coded(np.zeros((800, 800), np.uint8))
    info = replace(GRAY, rows=800, columns=800)
    redact(frame, info, boxes((0, 0, 16, 16)))

    with pytest.raises(InputError, match="too short"):
        redact(frame[:400], info, boxes((0, 0, 16, 16)))


@pytest.mark.parametrize("extra", [b"\xff\xda", b"\xff\xda\x00\x04", b"\xff\xda" + bytes(5000)])
def test_bytes_that_look_like_a_scan_are_none(extra: bytes) -> None:
    frame = coded(picture())
    planted = frame[:2] + b"\xff\xe1" + struct.pack(">H", len(extra) + 2) + extra + frame[2:]

    for _ in range(2):
        result = redact(planted, COLOUR, boxes((20, 10, 41, 22)))
        assert result == redact(frame, COLOUR, boxes((20, 10, 41, 22)))

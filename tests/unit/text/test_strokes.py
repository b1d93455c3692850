"""What counts as drawn, and what as tissue, ticks and bars."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from cinescrub.testing.fonts import TextStyle, draw_text
from cinescrub.testing.speckle import Probe, Scene, scene_frames
from cinescrub.text.strokes import Shape, Strokes
from cinescrub.types import Frame

ROWS, COLUMNS = 240, 320


def box(*corners: int) -> npt.NDArray[np.int32]:
    return np.array(corners, np.int32)


def screen(level: int = 0) -> Frame:
    return np.full((ROWS, COLUMNS, 3), level, np.uint8)


def tissue(probe: Probe = Probe.LINEAR) -> Frame:
    scene = Scene(ROWS, COLUMNS, probe=probe, seed=1)
    return np.repeat(next(scene_frames(scene))[..., None], 3, axis=2)


def write(frame: Frame, text: str, style: TextStyle, colour: tuple[int, int, int]) -> np.ndarray:
    """Draw a line in the middle of the frame and return its box, four pixels around it."""
    ink = draw_text(text, style)
    y, x = (ROWS - ink.shape[0]) // 2, (COLUMNS - ink.shape[1]) // 2
    part = frame[y : y + ink.shape[0], x : x + ink.shape[1]]
    share = ink[..., None] / np.float32(255)
    part[:] = np.rint(part * (1 - share) + np.array(colour) * share)
    return box(x - 4, y - 4, x + ink.shape[1] + 4, y + ink.shape[0] + 4)


@pytest.mark.parametrize("height", [8, 12, 30, 60, 100])
@pytest.mark.parametrize("text", ["RB", "W", "Né", "LI", "78"])
@pytest.mark.parametrize(
    ("ground", "colour"),
    [(0, (230, 230, 230)), (0, (40, 40, 40)), (230, (10, 10, 10)), (0, (0, 0, 160))],
    ids=["white on black", "dim", "black on white", "blue"],
)
def test_letters_are_drawn(
    height: int, text: str, ground: int, colour: tuple[int, int, int]
) -> None:
    frame = screen(ground)

    where = write(frame, text, TextStyle(height), colour)

    assert Strokes(frame).shape(where) is Shape.STROKES


@pytest.mark.parametrize("probe", list(Probe))
def test_letters_over_tissue_are_drawn(probe: Probe) -> None:
    frame = tissue(probe)

    where = write(frame, "AB 12", TextStyle(14), (255, 255, 255))

    assert Strokes(frame).shape(where) is Shape.STROKES


def test_what_covers_letters_is_a_panel_and_not_their_end() -> None:
    frame = screen()
    frame[100:140, 60:260] = 14

    where = write(frame, "AB 12", TextStyle(12), (180, 180, 180))

    assert Strokes(frame).shape(box(60, 100, 260, 140)) is Shape.STROKES
    assert Strokes(frame).shape(where) is Shape.STROKES


@pytest.mark.parametrize(
    "size", [(4, 4), (10, 3), (3, 10), (20, 6)], ids=["dot", "dash", "bar", "block"]
)
def test_a_solid_mark_by_itself_is_no_letter(size: tuple[int, int]) -> None:
    frame = screen()
    frame[100 : 100 + size[1], 100 : 100 + size[0]] = 220

    assert Strokes(frame).shape(box(96, 96, 126, 116)) is not Shape.STROKES


def test_two_bars_may_be_letters() -> None:
    frame = screen()
    frame[100:110, 100:102] = frame[100:110, 106:108] = 220

    assert Strokes(frame).shape(box(96, 96, 112, 114)) is Shape.STROKES


@pytest.mark.parametrize("text", ["RB", "Né", "78", "DOE JANE"])
@pytest.mark.parametrize("height", [12, 20, 40])
def test_letters_of_one_level_on_plain_ground_are_plainly_drawn(text: str, height: int) -> None:
    frame = screen()

    where = write(frame, text, TextStyle(height), (200, 200, 200))

    assert Strokes(frame).is_drawn(where)


@pytest.mark.parametrize("probe", list(Probe))
@pytest.mark.parametrize("colour", [(255, 170, 60), (0, 255, 0), (120, 160, 255)])
def test_coloured_letters_over_gray_tissue_are_written(
    probe: Probe, colour: tuple[int, int, int]
) -> None:
    frame = tissue(probe)

    where = write(frame, "hb", TextStyle(20, rotation=270), colour)

    assert Strokes(frame).is_coloured(where)


def test_colour_flow_is_not_written() -> None:
    frame, rng = tissue(), np.random.default_rng(3)
    flow = cv2.resize(rng.integers(0, 256, (20, 30, 3), np.uint8), (120, 80))
    frame[80:160, 100:220] = flow

    drawn = [
        Strokes(frame).is_coloured(box(x, y, x + 40, y + 30))
        for x in range(104, 176, 12)
        for y in range(84, 128, 11)
    ]
    assert not any(drawn)


@pytest.mark.parametrize(("rows", "written"), [(0, True), (30, False)])
def test_coloured_letters_stand_in_one_row(rows: int, written: bool) -> None:
    frame, colour = tissue(), (0, 40, 200)
    write(frame, "h", TextStyle(20), colour)
    frame = np.roll(frame, (rows, 24), axis=(0, 1))
    b = write(frame, "b", TextStyle(20), colour)

    assert Strokes(frame).is_coloured(box(b[0], b[1], b[2] + 24, b[3] + rows)) is written


@pytest.mark.parametrize(("reach", "written"), [(0, True), (26, False)])
def test_fringes_of_an_area_of_their_colour_are_not_written(reach: int, written: bool) -> None:
    frame, colour = tissue(), (0, 40, 200)
    b = write(frame, "hb", TextStyle(20), colour)
    frame[b[1] - 4 : b[3] + 4, b[2] + 2 : b[2] + 2 + reach] = colour

    assert Strokes(frame).is_coloured(box(b[0], b[1], b[2] + reach, b[3])) is written


@pytest.mark.parametrize("probe", list(Probe))
@pytest.mark.parametrize("level", [190, 240])
def test_bright_letters_over_tissue_are_of_one_level(probe: Probe, level: int) -> None:
    frame = tissue(probe)

    where = write(frame, "ROUX", TextStyle(34), (level,) * 3)

    assert Strokes(frame).is_of_one_level(where)


@pytest.mark.parametrize("probe", list(Probe))
def test_echoes_are_of_many(probe: Probe) -> None:
    strokes = Strokes(tissue(probe))
    boxes = [
        box(x, y, x + width, y + height)
        for width, height in ((40, 20), (90, 40), (60, 60))
        for x in range(8, COLUMNS - width, 23)
        for y in range(8, ROWS - height, 19)
    ]
    over_tissue = [where for where in boxes if strokes.is_textured(where)]

    assert len(over_tissue) > len(boxes) // 4
    assert not any(map(strokes.is_of_one_level, over_tissue))


def test_one_letter_is_no_word_of_one_level() -> None:
    frame = tissue()

    assert not Strokes(frame).is_of_one_level(write(frame, "L", TextStyle(34), (240,) * 3))


def test_echoes_one_letter_and_letters_over_tissue_are_not_plainly_drawn() -> None:
    echoes, one, over = screen(), screen(), tissue()
    blurred = write(echoes, "DOE JANE", TextStyle(20), (200, 200, 200))
    echoes = np.asarray(cv2.GaussianBlur(echoes, (0, 0), 2.5), np.uint8)

    assert not Strokes(echoes).is_drawn(blurred)
    assert not Strokes(one).is_drawn(write(one, "R", TextStyle(20), (200, 200, 200)))
    assert not Strokes(over).is_drawn(write(over, "DOE JANE", TextStyle(20), (255, 255, 255)))


@pytest.mark.parametrize("size", [9, 13, 21])
def test_a_caliper_is_no_letter_though_a_dotted_line_hangs_on_it(size: int) -> None:
    frame = screen()
    middle, thick = 100 + size // 2, max(1, size // 8)
    frame[100 : 100 + size, middle : middle + thick] = 255
    frame[middle : middle + thick, 100 : 100 + size] = 255
    frame[middle + 2, 100 + size] = frame[middle + 3, 100 + size + 1] = 255

    assert Strokes(frame).shape(box(96, 96, 108 + size, 104 + size)) is Shape.MARK


@pytest.mark.parametrize("text", ["t", "T", "4", "f", "+J", "H"])
@pytest.mark.parametrize("height", [8, 12, 24])
@pytest.mark.parametrize("face", ["sans", "bitmap"])
def test_no_letter_is_a_caliper(text: str, height: int, face: str) -> None:
    frame = screen()

    where = write(frame, text, TextStyle(height, face=face), (255, 255, 255))

    assert Strokes(frame).shape(where) is Shape.STROKES


@pytest.mark.parametrize("quality", [70, 85, 95])
def test_what_compression_leaves_around_a_tick_makes_it_no_letter(quality: int) -> None:
    frame = screen()
    frame[102:105, 100:109] = (255, 255, 120)
    how = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x211111]  # 4:2:2
    _, coded = cv2.imencode(".jpg", frame, how)
    seen = np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)

    assert Strokes(seen).shape(box(97, 97, 112, 110)) is Shape.MARK


def test_dim_letters_beside_a_bright_tick_are_letters() -> None:
    frame = screen()
    where = write(frame, "DOE", TextStyle(12), (30, 30, 30))
    frame[where[1] + 8 : where[1] + 11, where[0] - 24 : where[0] - 14] = 255

    assert Strokes(frame).shape(where - box(28, 0, 0, 0)) is Shape.STROKES


def test_a_trace_is_no_text() -> None:
    frame = screen()
    xs = np.arange(20, 300)
    ys = 120 - np.rint(30 * np.exp(-(((xs % 70) - 35) ** 2) / 8)).astype(int)
    points = np.stack([xs, ys], axis=1).astype(np.int32)
    cv2.polylines(frame, [points.reshape(-1, 1, 2)], isClosed=False, color=(0, 220, 0))

    assert Strokes(frame).shape(box(15, 80, 305, 130)) is Shape.MARK
    assert Strokes(frame).is_trace(box(15, 80, 305, 130))


def test_a_part_of_a_trace_is_no_letter() -> None:
    frame = screen()
    xs = np.arange(20, 300)
    ys = 120 - np.rint(30 * np.exp(-(((xs % 70) - 35) ** 2) / 8)).astype(int)
    points = np.stack([xs, ys], axis=1).astype(np.int32)
    cv2.polylines(frame, [points.reshape(-1, 1, 2)], isClosed=False, color=(0, 220, 0))

    assert Strokes(frame).shape(box(95, 85, 120, 125)) is Shape.MARK


@pytest.mark.parametrize("quality", [50, 70, 95])
def test_what_compression_leaves_around_a_trace_is_no_letter(quality: int) -> None:
    frame = screen()
    xs = np.arange(20, 300)
    ys = 120 - np.rint(30 * np.exp(-(((xs % 70) - 35) ** 2) / 8)).astype(int)
    points = np.stack([xs, ys], axis=1).astype(np.int32)
    cv2.polylines(frame, [points.reshape(-1, 1, 2)], isClosed=False, color=(90, 220, 160))
    _, coded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    seen = np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)

    assert Strokes(seen).shape(box(95, 90, 140, 124)) is Shape.MARK


def test_dim_letters_beside_a_trace_are_letters() -> None:
    frame = screen()
    where = write(frame, "QR", TextStyle(14), (40, 40, 40))
    frame[where[3], :] = 220

    assert Strokes(frame).shape(where + box(0, 0, 0, 2)) is Shape.STROKES


def test_a_letter_on_a_rule_is_drawn_though_the_rule_goes_on() -> None:
    frame = screen()
    where = write(frame, "QR", TextStyle(14), (255, 255, 255))
    frame[where[3] - 2, :] = 255

    assert Strokes(frame).shape(where) is Shape.STROKES


def test_the_ends_of_a_colour_bar_are_no_letters() -> None:
    frame = screen()
    frame[40:48, 20:40] = frame[112:120, 20:40] = 230

    assert Strokes(frame).shape(box(15, 35, 45, 125)) is Shape.MARK


def test_the_halves_of_a_colour_bar_are_no_letters() -> None:
    frame = screen()
    frame[40:70, 20:27] = (200, 0, 0)
    frame[76:110, 20:27] = (0, 0, 200)

    assert Strokes(frame).shape(box(15, 35, 32, 115)) is Shape.MARK


def test_between_a_gray_and_a_colour_bar_there_are_no_dark_letters() -> None:
    frame = screen()
    fading = np.linspace(250, 20, 60).astype(np.uint8)
    frame[40:100, 20:29] = fading[:, None, None]
    frame[40:100, 32:47] = np.stack([fading, fading // 2, 0 * fading], axis=1)[:, None]
    frame[70:72, 20:28] = (90, 250, 180)

    assert Strokes(frame).shape(box(16, 36, 50, 98)) is Shape.MARK


def test_the_steps_of_a_colour_bar_on_a_white_screen_are_no_letters() -> None:
    frame = screen(244)
    fading = np.linspace(200, 20, 76).astype(np.uint8)
    frame[60:136, 40:64] = np.stack([fading, fading // 2, 0 * fading], axis=1)[:, None]
    frame[80:92, 44:47] += np.uint8(18)
    frame[89:92, 44:52] += np.uint8(18)

    assert Strokes(frame).shape(box(36, 58, 68, 138)) is Shape.MARK


def test_a_letter_beside_a_bar_is_one() -> None:
    frame = screen()
    where = write(frame, "QR", TextStyle(14), (200, 200, 200))
    frame[where[1] : where[1] + 50, where[2] + 4 : where[2] + 14] = 230

    assert Strokes(frame).shape(where + box(0, 0, 18, 30)) is Shape.STROKES


@pytest.mark.parametrize("text", ["Page 1/3", "THI On", "DOE"])
@pytest.mark.parametrize("strip", [8, 9, 14, 20])
def test_dark_letters_on_a_light_strip_are_letters(text: str, strip: int) -> None:
    frame = screen()
    top = (ROWS - strip) // 2
    frame[top : top + strip] = 210
    where = write(frame, text, TextStyle(8 if "P" in text else 10), (40, 40, 40))

    assert Strokes(frame).shape(where) is Shape.STROKES


def test_an_outline_as_large_as_a_body_mark_is_no_letter() -> None:
    frame = screen()
    mark = np.array([[20, 20], [70, 20], [58, 60], [66, 110], [24, 110], [32, 60]], np.int32)
    cv2.polylines(frame, [mark.reshape(-1, 1, 2)], isClosed=True, color=(220, 220, 220))

    assert Strokes(frame).shape(box(15, 15, 75, 115)) is Shape.MARK
    assert Strokes(frame).shape(box(18, 17, 72, 58)) is Shape.MARK, "its upper part"


def test_a_word_that_blur_makes_one_piece_is_no_outline() -> None:
    frame = screen()
    where = write(frame, "KESTREL BAY", TextStyle(12), (255, 255, 255))
    frame[:] = cv2.GaussianBlur(frame, (0, 0), 1.6)

    assert Strokes(frame).shape(where) is Shape.STROKES


@pytest.mark.parametrize("scale", [0.4, 0.5, 0.6, 0.8])
@pytest.mark.parametrize("text", ["Quisenberry4", "Hagenbeck7", "Dr Okonkwo Ngozi"])
def test_letters_that_touch_are_no_trace(text: str, scale: float) -> None:
    frame = screen()
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    cv2.putText(frame, text, (20, 80), cv2.FONT_HERSHEY_SIMPLEX, scale, (220, 220, 220), 1)

    assert not Strokes(frame).is_trace(box(18, 78 - height, 22 + width, 82 + below))


@pytest.mark.parametrize(
    "text", ["JILL LILLI J. JEJLI", "lllIIIlll LLLL JJJ", "___ _ ____ ___ mmmmm"]
)
def test_no_text_is_a_trace(text: str) -> None:
    frame = screen()

    where = write(frame, text, TextStyle(14), (255, 255, 255))

    assert not Strokes(frame).is_trace(where)


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_plain_area_holds_nothing(level: int) -> None:
    strokes = Strokes(screen(level))

    assert strokes.shape(box(50, 50, 120, 100)) is Shape.NOTHING
    assert not strokes.is_textured(box(50, 50, 120, 100))


def test_a_colour_bar_holds_no_letters() -> None:
    frame = screen()
    frame[60:180, 40:60, 0] = np.linspace(0, 255, 120).astype(np.uint8)[:, None]

    assert Strokes(frame).shape(box(36, 56, 64, 184)) is not Shape.STROKES


def test_tissue_is_textured_and_a_screen_full_of_text_is_not() -> None:
    frame = screen()
    for y in range(20, 230, 16):
        cv2.putText(frame, "LV 42 mm DOE^JANE", (10, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255,) * 3)
    boxes = [box(x, y, x + 40, y + 16) for y in range(80, 160, 20) for x in range(80, 200, 45)]

    over_tissue = [Strokes(tissue()).is_textured(each) for each in boxes]
    over_text = [Strokes(frame).is_textured(each) for each in boxes]

    assert np.mean(over_tissue) > 0.7
    assert not any(over_text)


def test_the_frame_is_not_changed() -> None:
    frame = tissue()
    before = frame.copy()

    Strokes(frame).shape(box(0, 0, 320, 240))

    assert np.array_equal(frame, before)


def test_a_fill_is_no_part_of_what_is_around_a_box() -> None:
    frame = tissue()
    inner = box(50, 50, 90, 70)
    fills = np.stack([box(20, 20, 120, 47), box(20, 73, 120, 100), box(20, 47, 48, 73)])
    for x0, y0, x1, y1 in fills:
        frame[y0:y1, x0:x1] = 0

    assert not Strokes(frame).is_textured(inner)
    assert Strokes(frame, fills).is_textured(inner)

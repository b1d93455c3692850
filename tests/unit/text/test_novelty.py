"""What a survey of a cine calls new, on made frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import pytest

from cinescrub.text.novelty import Novelty, SeenFrames, Survey
from cinescrub.text.parts import differing
from cinescrub.types import Boxes, Frame

ROWS, COLUMNS = 240, 320
SECTOR = (slice(64, 208), slice(96, 288))


def speckle(frames: int, seed: int = 0) -> list[Frame]:
    rng = np.random.default_rng(seed)
    cine = []
    for _ in range(frames):
        noise = cv2.GaussianBlur(rng.normal(0, 1, (144, 192)).astype(np.float32), (0, 0), 1.6)
        frame = np.zeros((ROWS, COLUMNS, 3), np.uint8)
        frame[SECTOR] = np.clip(70 + 140 * noise, 0, 255).astype(np.uint8)[..., None]
        cine.append(frame)
    return cine


def still(frames: int) -> list[Frame]:
    frame = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    write(frame, "GAIN 82", (8, 20))
    return [frame.copy() for _ in range(frames)]


def write(
    frame: Frame, text: str, at: tuple[int, int], colour: tuple[int, int, int] = (230, 230, 230)
) -> None:
    cv2.putText(frame, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)


def lossy(frames: Iterable[Frame], quality: int) -> list[Frame]:
    cine = []
    for frame in frames:
        _, stream = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
        cine.append(np.asarray(cv2.imdecode(stream, cv2.IMREAD_COLOR), np.uint8))
    return cine


def survey(cine: Sequence[Frame]) -> Novelty:
    rows, columns, channels = cine[0].shape
    looking = Survey(rows, columns, channels, len(cine))
    for frame in cine:
        looking.add(frame)
    return looking.result()


def looked_at(novelty: Novelty, frame: int, box: tuple[int, int, int, int]) -> bool:
    x0, y0, x1, y1 = box
    return any(
        part[0] <= x0 and part[1] <= y0 and part[2] >= x1 and part[3] >= y1
        for number, parts in novelty.looks
        if number == frame
        for part in parts.tolist()
    )


def cost(novelty: Novelty, frames: int) -> float:
    return novelty.pixels / (frames * ROWS * COLUMNS)


def area(parts: Boxes) -> int:
    return int((parts[:, 2:] - parts[:, :2]).prod(axis=1).sum())


def test_first_frame_is_looked_at_whole() -> None:
    novelty = survey(still(40))

    assert novelty.looks[0][0] == 0
    assert novelty.looks[0][1].tolist() == [[0, 0, COLUMNS, ROWS]]


def test_frozen_cine_costs_its_spread_frames_only() -> None:
    novelty = survey(still(120))

    assert [number for number, _ in novelty.looks] == [0, 119]
    assert not novelty.composites
    assert not novelty.moving.any()


def test_cine_of_few_frames_is_looked_at_frame_by_frame() -> None:
    novelty = survey(speckle(5))

    assert [number for number, _ in novelty.looks] == [0, 1, 2, 3, 4]
    assert all(boxes.tolist() == [[0, 0, COLUMNS, ROWS]] for _, boxes in novelty.looks)


def test_a_short_cine_that_moves_is_averaged_as_well() -> None:
    assert len(survey(speckle(4)).composites) == 1
    assert not survey(speckle(2)).composites
    assert not survey(still(4)).composites


@pytest.mark.parametrize("quality", [None, 70, 30], ids=["lossless", "q70", "q30"])
def test_static_overlay_beside_moving_sector_costs_little(quality: int | None) -> None:
    cine = speckle(120)
    for frame in cine:
        write(frame, "GAIN 82", (8, 20))
        write(frame, "DOE^JANE", (8, 230))
    cine = cine if quality is None else lossy(cine, quality)

    novelty = survey(cine)

    assert cost(novelty, 120) <= 0.05
    assert novelty.moving[SECTOR].mean() > 0.9
    assert not novelty.moving[:32].any()


@pytest.mark.parametrize("quality", [None, 70, 30], ids=["lossless", "q70", "q30"])
@pytest.mark.parametrize(
    ("at", "colour"),
    [
        ((8, 20), (230, 230, 230)),
        ((8, 20), (44, 44, 44)),
        ((110, 150), (250, 250, 250)),
        ((110, 150), (240, 230, 20)),
    ],
    ids=["outside", "outside-dim", "over-speckle", "over-speckle-yellow"],
)
def test_text_in_one_single_frame_is_looked_at_in_it(
    at: tuple[int, int], colour: tuple[int, int, int], quality: int | None
) -> None:
    cine = speckle(90)
    write(cine[47], "DOE^JANE", at, colour)
    cine = cine if quality is None else lossy(cine, quality)

    novelty = survey(cine)

    assert looked_at(novelty, 47, (at[0], at[1] - 12, at[0] + 80, at[1]))


def test_known_state_that_returns_is_not_looked_at_again() -> None:
    cine = still(120)
    for k in range(120):
        if k % 6 > 2:
            write(cine[k], "DOE^JANE", (8, 120))

    novelty = survey(cine)

    assert [number for number, _ in novelty.looks] == [0, 3, 119]


def test_slow_fade_is_looked_at_in_each_of_its_states() -> None:
    cine = still(90)
    for k in range(90):
        level = min(k * 2, 90)
        write(cine[k], "DOE^JANE", (8, 120), (level, level, level))

    novelty = survey(cine)

    assert looked_at(novelty, 45, (8, 108, 88, 122))


def test_text_that_stays_over_speckle_is_in_a_composite() -> None:
    cine = speckle(64)
    for frame in cine[20:]:
        write(frame, "DOE^JANE", (110, 150), (250, 250, 250))

    novelty = survey(cine)
    strokes = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    write(strokes, "DOE^JANE", (110, 150))
    ink = strokes[..., 0] > 200

    assert any(picture[ink].mean() > 160 for picture, _ in novelty.composites)


def lies_in(box: tuple[int, int, int, int], parts: Boxes) -> bool:
    x0, y0, x1, y1 = box
    return bool(((parts[:, :2] <= (x0, y0)) & (parts[:, 2:] >= (x1, y1))).all(axis=1).any())


def test_of_a_later_composite_only_the_parts_in_which_something_new_stays_are_looked_at() -> None:
    cine = speckle(192)
    for frame in cine[128:]:
        write(frame, "DOE^JANE", (110, 150))

    (_, first), (_, second) = survey(cine).composites

    assert first.tolist() == [[0, 0, COLUMNS, ROWS]]
    assert lies_in((110, 138, 190, 152), second)
    assert area(second) <= 0.4 * ROWS * COLUMNS


def test_all_of_a_word_is_looked_at_that_is_bright_in_part_only() -> None:
    cine = speckle(192)
    for frame in cine[128:]:
        write(frame, "DOE", (110, 150))
        write(frame, "^JANE", (142, 150), (120, 120, 120))

    (_, second) = survey(cine).composites[1]

    assert lies_in((110, 138, 190, 152), second)


def test_what_grows_from_one_average_to_the_next_is_compared_with_what_was_looked_at() -> None:
    cine = speckle(256)
    for k, frame in enumerate(cine):
        level = 60 + 30 * (k // 64)
        write(frame, "DOE^JANE", (110, 150), (level, level, level))
        if k >= 128:
            write(frame, "HP", (240, 100))

    novelty = survey(cine)

    assert any(lies_in((110, 138, 190, 152), parts) for _, parts in novelty.composites[1:])


def test_new_patient_in_the_banner_is_looked_at() -> None:
    cine = speckle(64)
    for k, frame in enumerate(cine):
        write(frame, "DOE^JANE" if k < 31 else "ROE^JOHN", (8, 20))

    assert looked_at(survey(cine), 31, (8, 8, 88, 22))


def test_page_of_another_kind_is_looked_at_whole() -> None:
    cine = speckle(64)
    for frame in cine[30:40]:
        frame[...] = 215
        for line in range(8):
            write(frame, "SMITH JOHN 12345678", (16, 24 + 24 * line), (10, 10, 10))

    novelty = survey(cine)

    assert dict(novelty.looks)[30].tolist() == [[0, 0, COLUMNS, ROWS]]


def test_text_in_a_sector_that_was_frozen_before_is_looked_at() -> None:
    moving = speckle(20)
    cine = [moving[0].copy() for _ in range(100)] + moving
    write(cine[110], "DOE^JANE", (110, 150), (250, 250, 250))

    assert looked_at(survey(cine), 110, (110, 138, 190, 152))


def test_clock_is_looked_at_in_each_state() -> None:
    cine = speckle(60)
    for k, frame in enumerate(cine):
        write(frame, f"10:21:{k:02}", (8, 20))

    novelty = survey(cine)

    assert all(looked_at(novelty, k, (8, 8, 80, 22)) for k in range(60))


def test_scrolling_line_is_looked_at_wherever_it_is() -> None:
    cine = speckle(60)
    for k, frame in enumerate(cine):
        write(frame, "DOE^JANE", (8 + 3 * k, 230))

    novelty = survey(cine)

    assert all(looked_at(novelty, k, (8 + 3 * k, 218, 88 + 3 * k, 232)) for k in range(60))


def test_known_states_that_never_met_are_looked_at_together() -> None:
    cine = still(40)
    left, right = (slice(160, 176), slice(160, 164)), (slice(160, 176), slice(176, 180))
    for k, parts in ((10, (left,)), (14, (right,)), (18, (left, right)), (22, (left, right))):
        for part in parts:
            cine[k][part] = 200

    novelty = survey(cine)

    assert [number for number, _ in novelty.looks] == [0, 10, 14, 18, 39]


@pytest.mark.parametrize("at", [(112, 150), (119, 157)], ids=["in-tiles", "across-tiles"])
def test_initials_in_one_single_frame_over_speckle_are_looked_at(at: tuple[int, int]) -> None:
    cine = speckle(64)
    write(cine[40], "HP", at, (255, 255, 255))

    assert looked_at(survey(cine), 40, (at[0], at[1] - 11, at[0] + 20, at[1]))


def test_text_in_the_scene_after_a_cut_is_looked_at() -> None:
    cine = speckle(32) + speckle(32, seed=5)
    write(cine[32], "DOE^JANE", (110, 150), (250, 250, 250))

    assert looked_at(survey(cine), 32, (110, 138, 190, 152))


def test_shaking_footage_is_looked_at_in_every_frame() -> None:
    rng = np.random.default_rng(1)
    screen = speckle(1)[0]
    for line in range(6):
        write(screen, "DOE^JANE 12345678", (8, 16 + 30 * line))
    cine = []
    for dx, dy in rng.normal(0, 2, (40, 2)):
        matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
        cine.append(np.asarray(cv2.warpAffine(screen, matrix, (COLUMNS, ROWS)), np.uint8))

    novelty = survey(cine)

    assert all(looked_at(novelty, k, (8, 4, 160, 180)) for k in range(40))


def test_more_frames_than_declared_are_judged_as_well() -> None:
    cine = speckle(100) * 4
    cine[333] = cine[333].copy()
    write(cine[333], "DOE^JANE", (110, 150), (250, 250, 250))
    looking = Survey(ROWS, COLUMNS, 3, 10)
    for frame in cine:
        looking.add(frame)

    novelty = looking.result()

    assert looked_at(novelty, 333, (110, 138, 190, 152))
    assert all(50 < picture[SECTOR].mean() < 110 for picture, _ in novelty.composites)


def test_gray_frames_of_odd_size_are_read() -> None:
    cine = [np.zeros((37, 51, 1), np.uint8) for _ in range(30)]
    cine[12][30:36, 45:50] = 200

    novelty = survey(cine)

    assert looked_at(novelty, 12, (45, 30, 50, 36))


def test_same_pixels_are_seen() -> None:
    seen = SeenFrames()
    frame = np.zeros((4, 4, 1), np.uint8)

    assert seen.is_new(frame)
    assert not seen.is_new(frame.copy())


def test_where_two_frames_of_a_cine_differ_beside_what_moves() -> None:
    cine = speckle(40)
    for number, frame in enumerate(cine):
        write(frame, "GAIN 82", (8, 20))
        write(frame, "DOE^JANE" if number < 20 else "ROE^ANNA", (8, 230))
    novelty = survey(cine)

    parts = differing(cine[0], cine[39], novelty.moving_at(0))

    assert len(parts) == 1
    x0, y0, x1, y1 = parts[0]
    assert (x0, y1) == (0, ROWS)  # with context
    assert x1 >= 90
    assert 150 < y0 <= 215  # without `GAIN 82`
    assert not len(differing(cine[0], cine[1], novelty.moving_at(0)))


def test_what_can_not_be_seen_is_no_difference() -> None:
    frame, _ = still(2)
    dim = frame.copy()
    dim[100:140, 100:200] += 3

    assert not len(differing(dim, frame, np.zeros((15, 20), np.bool_)))


def test_a_frame_that_differs_in_most_of_its_tiles_does_so_as_a_whole() -> None:
    first, second = speckle(2)

    parts = differing(first, second, np.zeros((15, 20), np.bool_))

    assert parts.tolist() == [[0, 0, COLUMNS, ROWS]]


def test_of_the_opening_only_what_the_average_does_not_show_is_new() -> None:
    cine = speckle(40)
    for frame in cine:
        write(frame, "GAIN 82", (8, 20))
    steady = survey(cine)
    for frame in cine[:10]:
        write(frame, "DOE^JANE", (8, 230))
    changing = survey(cine)

    assert not len(steady.opening)
    assert len(changing.opening) == 1
    assert changing.opening[0, 1] > 150


def test_without_an_average_the_opening_is_the_first_frame() -> None:
    assert survey(still(40)).opening.tolist() == [[0, 0, COLUMNS, ROWS]]
    assert survey(speckle(1)).opening.tolist() == [[0, 0, COLUMNS, ROWS]]


def test_each_window_tells_where_it_moves() -> None:
    cine = speckle(40) + still(40)

    novelty = survey(cine)

    assert novelty.moving_at(0)[4:13, 6:18].mean() > 0.9
    assert not novelty.moving_at(79).any()
    assert novelty.moving[SECTOR].mean() > 0.9


def test_frames_that_are_looked_at_anyway_are_told_from_those_that_are_new() -> None:
    cine = still(40)
    for frame in cine[20:]:
        frame[:] = 255 - frame
        for y in range(20, ROWS, 16):
            write(frame, "WORKSHEET OF MEASUREMENTS", (4, y), (0, 0, 0))

    novelty = survey(cine)

    assert novelty.regular == {0, 39}
    assert [number for number, _ in novelty.looks] == [0, 20, 39]
    assert not survey(still(4)).regular

"""Scores tell a redaction from a leak, whatever colour it is filled with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from cinescrub.testing import (
    CineSpec,
    CineTruth,
    Dynamic,
    Photometric,
    Syntax,
    TextItem,
    Tier,
    draw_frames,
    plan_drawing,
)
from cinescrub.testing.areas import Area, AreaMap
from cinescrub.testing.graphics import Canvas
from cinescrub.testing.score import CineScore, score_frames, score_missing, total
from cinescrub.types import PhiKind

_SPEC = CineSpec(seed=5, frames=4, rows=360, columns=480)
Edit = Callable[[Canvas, tuple[int, int, int, int]], None]


def _edited(spec: CineSpec, edit: Edit, *, phi: bool = True) -> CineScore:
    """Score a cine in which `edit` was made on each identifying (or each clinical) box."""
    drawing = plan_drawing(spec)
    truth = drawing.truth

    def edited_frames() -> list[Canvas]:
        frames = [frame.copy() for frame in draw_frames(drawing)]
        for index, frame in enumerate(frames):
            for item in truth.at(index):
                if item.phi == phi:
                    edit(frame, item.box)
        return frames

    return score_frames(draw_frames(drawing), edited_frames(), truth)


def _fill(colour: tuple[int, int, int], margin: int = 0) -> Edit:
    def edit(frame: Canvas, box: tuple[int, int, int, int]) -> None:
        x0, y0, x1, y1 = box
        frame[max(0, y0 - margin) : y1 + margin, max(0, x0 - margin) : x1 + margin] = colour

    return edit


def _nothing(_frame: Canvas, _box: tuple[int, int, int, int]) -> None:
    """Leave the text."""


def _half(frame: Canvas, box: tuple[int, int, int, int]) -> None:
    x0, y0, x1, y1 = box
    frame[y0:y1, x0 : x0 + (x1 - x0) * 3 // 4] = 0


def _silhouette(frame: Canvas, box: tuple[int, int, int, int]) -> None:
    """Make all letters darker than a flat background: another colour, as readable."""
    x0, y0, x1, y1 = box
    part = frame[y0:y1, x0:x1]
    ink = part.max(axis=2) > 150
    part[...] = 128
    part[ink] = 0


def _faint(frame: Canvas, box: tuple[int, int, int, int]) -> None:
    x0, y0, x1, y1 = box
    frame[y0:y1, x0:x1] = (frame[y0:y1, x0:x1] * 0.5).astype(np.uint8)


def _smeared(frame: Canvas, box: tuple[int, int, int, int]) -> None:
    x0, y0, x1, y1 = box
    frame[y0:y1, x0:x1] = cv2.resize(frame[y0:y1, x0:x1].mean(axis=(0, 1))[None, None], (1, 1))


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(_fill((0, 0, 0)), id="black"),
        pytest.param(_fill((255, 255, 255)), id="white"),
        pytest.param(_fill((90, 20, 160), margin=4), id="coloured, with a margin"),
        pytest.param(_smeared, id="its own mean"),
    ],
)
@pytest.mark.parametrize("dynamic", [Dynamic.STATIC, Dynamic.SCROLL, Dynamic.WORKSHEET])
def test_a_plain_fill_leaks_nothing(edit: Edit, dynamic: Dynamic) -> None:
    score = _edited(replace(_SPEC, dynamic=dynamic), edit)

    assert score.items > 0
    assert score.misses == ()
    assert score.item_recall == score.item_frame_recall == 1.0
    assert score.kept == 1.0
    assert score.changed_elsewhere == 0.0


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(_nothing, id="left"),
        pytest.param(_half, id="last quarter left"),
        pytest.param(_silhouette, id="silhouette"),
        pytest.param(_faint, id="at half brightness"),
    ],
)
def test_readable_text_leaks(edit: Edit) -> None:
    score = _edited(_SPEC, edit)

    assert score.items_leaked >= 0.9 * score.items
    assert score.item_frame_recall < 0.1
    assert {miss.name for miss in score.misses} <= {item.name for item in _truth(_SPEC).phi}


def test_low_contrast_text_that_is_left_leaks() -> None:
    score = _edited(replace(_SPEC, tier=Tier("low", contrast=40)), _nothing)

    assert score.items > 0
    assert score.item_recall == 0.0


def test_one_frame_that_leaks_is_a_leak_of_its_item() -> None:
    drawing = plan_drawing(_SPEC)
    truth = drawing.truth
    item = truth.phi[0]
    frames = [frame.copy() for frame in draw_frames(drawing)]
    for frame in frames[:3]:
        for each in truth.phi:
            _fill((0, 0, 0))(frame, each.box)
    for each in truth.phi[1:]:
        _fill((0, 0, 0))(frames[3], each.box)

    score = score_frames(draw_frames(drawing), frames, truth)

    assert [miss.name for miss in score.misses] == [item.name]
    assert score.misses[0].frames == 1
    assert score.item_frames_leaked == 1


def test_clinical_text_that_is_filled_is_not_kept() -> None:
    score = _edited(_SPEC, _fill((0, 0, 0)), phi=False)

    assert score.clinical == len(_truth(_SPEC).clinical)
    assert score.clinical_kept == 0


def _with_a_patch(spec: CineSpec, where: tuple[int, int, int, int], frame: int = 2) -> CineScore:
    """Score a cine in which one rectangle of one frame was changed."""
    drawing = plan_drawing(spec)
    x0, y0, x1, y1 = where
    frames = [each.copy() for each in draw_frames(drawing)]
    frames[frame][y0:y1, x0:x1] ^= 64
    return score_frames(draw_frames(drawing), frames, drawing.truth)


def test_a_change_away_from_text_is_counted_by_what_it_hits() -> None:
    sector = _with_a_patch(_SPEC, (240, 180, 260, 190))
    x0, y0, x1, y1 = _truth(_SPEC).graphics[0]
    graphic = _with_a_patch(_SPEC, (x0, y0, x1, y1))

    assert sector.changed_sector == sector.pixels_changed_elsewhere == 200
    assert sector.pixels == 4 * 360 * 480
    assert graphic.changed_graphics == (x1 - x0) * (y1 - y0)


def test_what_a_redacted_clinical_line_costs_is_not_elsewhere() -> None:
    score = _edited(_SPEC, _fill((0, 0, 0), margin=3), phi=False)

    assert score.changed_clinical > 0
    assert score.pixels_changed_elsewhere == 0
    assert score.pixel_precision == 0.0
    assert score.precision == 0.0


def test_a_mask_held_over_frames_without_the_string_is_held_and_not_elsewhere() -> None:
    spec = replace(_SPEC, dynamic=Dynamic.FLASH)
    (x0, y0, x1, y1), frame = next(
        (item.box, item.frames[0]) for item in _truth(spec).phi if item.name == "flash/name"
    )

    shown = _with_a_patch(spec, (x0, y0, x1, y1), frame)
    held = _with_a_patch(spec, (x0, y0, x1, y1), (frame + 1) % 4)

    assert shown.changed_identifying == held.changed_held == (x1 - x0) * (y1 - y0)
    assert shown.changed_held == held.changed_identifying == held.pixels_changed_elsewhere == 0


def test_surroundings_reach_one_line_height_to_whole_blocks_and_padding_twice_as_far() -> None:
    ink = np.ones((10, 40), np.bool_)
    item = TextItem("NAME", PhiKind.PERSON, phi=True, box=(50, 40, 90, 50), frames=(0, 1), ink=ink)
    upright = replace(item, box=(50, 40, 60, 80), ink=ink.T)
    small = replace(item, box=(50, 40, 90, 45), ink=ink[:5])
    whole = np.ones((120, 160), np.bool_)

    def around(which: TextItem, block: tuple[int, int]) -> list[int]:
        areas = AreaMap(CineTruth(1, 120, 160, (which,), block=block)).count(0, whole)
        return [areas[Area.IDENTIFYING], areas[Area.PADDING]]

    assert around(item, (1, 1)) == [60 * 30, 80 * 50 - 60 * 30]
    assert around(upright, (1, 1)) == [30 * 60, 50 * 80 - 30 * 60]
    assert around(small, (1, 1)) == [56 * 21, 72 * 37 - 56 * 21]
    # x from 40 to 100 goes to 32 and 112 by steps of 16, y from 30 to 60 to 24 and 64 by 8.
    assert around(item, (16, 8))[0] == (112 - 32) * (64 - 24)


@pytest.mark.parametrize(
    ("syntax", "photometric", "block"),
    [
        (Syntax.JPEG_BASELINE, Photometric.YBR_FULL_422, (16, 8)),
        (Syntax.JPEG_BASELINE, Photometric.RGB, (8, 8)),
        (Syntax.EXPLICIT_LITTLE, Photometric.YBR_FULL_422, (2, 1)),
        (Syntax.RLE, Photometric.RGB, (1, 1)),
    ],
)
def test_blocks_are_those_of_the_codec(
    syntax: Syntax, photometric: Photometric, block: tuple[int, int]
) -> None:
    assert _truth(replace(_SPEC, syntax=syntax, photometric=photometric)).block == block


def test_every_pixel_has_one_area() -> None:
    spec = replace(_SPEC, dynamic=Dynamic.WORKSHEET)
    areas = AreaMap(_truth(spec))
    whole = np.ones((spec.rows, spec.columns), np.bool_)

    counts = [areas.count(frame, whole) for frame in range(spec.frames)]

    assert [sum(count.values()) for count in counts] == [whole.size] * spec.frames
    assert all(min(count[area] for area in Area) > 0 for count in counts)


def test_lost_clinical_lines_and_misses_say_what_they_were() -> None:
    lost = _edited(_SPEC, _fill((0, 0, 0)), phi=False).lost
    misses = _edited(_SPEC, _half).misses

    assert {each.text for each in lost} == {item.text for item in _truth(_SPEC).clinical}
    assert all(each.frames == 4 for each in lost)
    assert all(0.5 < miss.touched < 0.95 and miss.first_frame == 0 for miss in misses)
    assert {miss.kind for miss in misses} <= {str(item.kind) for item in _truth(_SPEC).phi}


def test_a_missing_output_leaks_everything() -> None:
    truth = _truth(_SPEC)

    score = score_missing(truth)

    assert score.item_recall == score.item_frame_recall == score.ink_recall == score.kept == 0.0
    assert score.missing == 1


def test_scores_add_up() -> None:
    left, gone = _edited(_SPEC, _nothing), _edited(_SPEC, _fill((0, 0, 0)))

    both = total([left, gone])

    assert both.items == 2 * left.items
    assert both.item_frame_recall == pytest.approx(0.5, abs=0.1)
    assert len(both.misses) == len(left.misses)


def test_outputs_of_another_length_are_refused() -> None:
    drawing = plan_drawing(_SPEC)

    with pytest.raises(ValueError, match="shorter"):
        score_frames(draw_frames(drawing), list(draw_frames(drawing))[:2], drawing.truth)


def _truth(spec: CineSpec) -> CineTruth:
    return plan_drawing(spec).truth

"""What the truth says of burned-in text is what is in the pixels, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinescrub.errors import ConfigError
from cinescrub.testing import (
    CineSpec,
    Dress,
    Dynamic,
    Photometric,
    Place,
    Syntax,
    TextItem,
    Tier,
    VendorLook,
    draw_frames,
    plan_drawing,
)
from cinescrub.testing.frames import Drawing
from cinescrub.testing.graphics import Canvas
from cinescrub.testing.speckle import Probe, Scene, insonified

_SMALL = CineSpec(seed=11, frames=8, rows=300, columns=400)
_AROUND_PX = 3
"""Bars and rims reach so far beyond a box."""


def _with_and_without_text(drawing: Drawing) -> Iterator[tuple[Canvas, Canvas]]:
    bare = replace(drawing, stamps=())
    return zip(draw_frames(drawing), draw_frames(bare), strict=True)


@pytest.mark.parametrize("look", list(VendorLook))
@pytest.mark.parametrize("dynamic", list(Dynamic))
def test_pixels_differ_where_the_truth_has_text_and_nowhere_else(
    look: VendorLook, dynamic: Dynamic
) -> None:
    drawing = plan_drawing(replace(_SMALL, look=look, dynamic=dynamic, frames=6))
    truth = drawing.truth

    for index, (frame, bare) in enumerate(_with_and_without_text(drawing)):
        changed = (frame != bare).any(axis=2)
        allowed = np.zeros_like(changed)
        for item in truth.at(index):
            x0, y0, x1, y1 = item.box
            allowed[max(0, y0 - _AROUND_PX) : y1 + _AROUND_PX, max(0, x0 - _AROUND_PX) : x1 + 3] = 1
            # Text over tissue of its own brightness differs little; most of the ink always shows.
            assert changed[y0:y1, x0:x1][item.ink].mean() > 0.6, item.name
        assert not (changed & ~allowed).any()


def test_another_take_has_other_tissue_below_the_same_screen() -> None:
    first, second = (plan_drawing(replace(_SMALL, take=take)) for take in (0, 1))
    sector = first.truth.sector

    assert sector is not None
    assert [i.text for i in first.truth.items] == [i.text for i in second.truth.items]
    for a, b in zip(draw_frames(first), draw_frames(second), strict=True):
        assert (a[sector] != b[sector]).mean() > 0.5
        np.testing.assert_array_equal(a[~sector], b[~sector])


def test_boxes_hold_the_ink_exactly() -> None:
    drawing = plan_drawing(_SMALL)
    frame, bare = next(_with_and_without_text(drawing))
    changed = (frame != bare).any(axis=2)
    plain = [stamp for stamp in drawing.stamps if not stamp.rim and stamp.bar is None]

    assert len(plain) > 8
    for stamp in plain:
        x0, y0, x1, y1 = stamp.item.box
        box = changed[y0:y1, x0:x1]
        assert all(edge.any() for edge in (box[0], box[-1], box[:, 0], box[:, -1]))


def test_a_flash_is_there_in_one_frame_only() -> None:
    truth = plan_drawing(replace(_SMALL, dynamic=Dynamic.FLASH)).truth

    flashes = [item for item in truth.items if item.place is Place.FLASH]

    assert len(flashes) == 2
    assert all(item.phi and item.frames[1] - item.frames[0] == 1 for item in flashes)


def test_the_banner_changes_patient_half_way() -> None:
    truth = plan_drawing(replace(_SMALL, dynamic=Dynamic.PATIENT)).truth

    before = {item.text for item in truth.at(0) if item.phi}
    after = {item.text for item in truth.at(7) if item.phi}

    assert before
    assert after
    assert before.isdisjoint(after)


def test_the_counter_counts_and_is_not_phi() -> None:
    truth = plan_drawing(replace(_SMALL, dynamic=Dynamic.CLOCK)).truth

    counts = [item for item in truth.items if item.place is Place.COUNTER]

    assert [item.text for item in counts] == [f"{index}/8" for index in range(1, 9)]
    assert not any(item.phi for item in counts)


def test_a_page_hides_the_screen() -> None:
    truth = plan_drawing(replace(_SMALL, dynamic=Dynamic.WORKSHEET, frames=10)).truth

    places = [{item.place for item in truth.at(frame)} for frame in range(10)]

    assert places[4] == {Place.PAGE}
    assert all(Place.PAGE not in places[frame] for frame in (0, 3, 6, 9))


@pytest.mark.parametrize("dress", list(Dress))
@pytest.mark.parametrize("look", [VendorLook.PHILIPS, VendorLook.LIGHT, VendorLook.LOGIQ])
def test_a_dress_changes_no_truth(look: VendorLook, dress: Dress) -> None:
    drawing = plan_drawing(replace(_SMALL, look=look, dress=dress, frames=1, rows=480, columns=640))
    ((frame, bare),) = _with_and_without_text(drawing)
    changed = (frame != bare).any(axis=2)

    allowed = np.zeros_like(changed)
    for item in drawing.truth.items:
        x0, y0, x1, y1 = item.box
        allowed[max(0, y0 - _AROUND_PX) : y1 + _AROUND_PX, max(0, x0 - _AROUND_PX) : x1 + 3] = 1
        assert changed[y0:y1, x0:x1][item.ink].mean() > 0.6, item.name
    assert not (changed & ~allowed).any()


def test_chroma_text_has_the_luma_of_what_is_behind_it() -> None:
    drawing = plan_drawing(replace(_SMALL, dress=Dress.CHROMA, frames=1))
    frame = next(draw_frames(drawing))
    luma = frame @ np.array([0.299, 0.587, 0.114])

    for item in drawing.truth.items:
        x0, y0, x1, y1 = item.box
        assert np.ptp(luma[y0:y1, x0:x1]) < 2
        assert np.ptp(frame[y0:y1, x0:x1, 0]) > 80


def test_text_near_an_edge_can_touch_it() -> None:
    plain = plan_drawing(replace(_SMALL, look=VendorLook.GE)).truth
    pushed = plan_drawing(replace(_SMALL, look=VendorLook.GE, edge=True)).truth

    def at_edges(items: tuple[TextItem, ...]) -> int:
        ends = [
            (i.box[0], i.box[1], _SMALL.columns - i.box[2], _SMALL.rows - i.box[3]) for i in items
        ]
        return sum(min(each) == 0 for each in ends)

    assert at_edges(plain.items) == 0
    assert at_edges(pushed.phi) >= 4


def test_a_second_banner_stands_in_the_middle() -> None:
    for look in (VendorLook.TWIN, VendorLook.QUAD):
        truth = plan_drawing(replace(_SMALL, look=look, rows=480, columns=640)).truth

        tops = [item.box[1] for item in truth.phi if item.name.endswith("/name")]
        assert min(tops) < 40, look
        assert any(230 < top < 300 for top in tops), look


@pytest.mark.parametrize("probe", list(Probe))
def test_several_pictures_leave_the_ground_between_them_dark(probe: Probe) -> None:
    inside = insonified(Scene(200, 240, probe))

    assert 0.3 < inside.mean() <= 1.0
    assert probe is Probe.LINEAR or not inside[0, 0]


def test_every_look_shows_identifying_and_clinical_text() -> None:
    for look in VendorLook:
        truth = plan_drawing(replace(_SMALL, look=look, rows=480, columns=640)).truth

        assert len(truth.phi) >= 6, look
        assert len(truth.clinical) >= 5, look


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    look=st.sampled_from(list(VendorLook)),
    dynamic=st.sampled_from(list(Dynamic)),
    rows=st.integers(120, 700),
    columns=st.integers(160, 900),
    frames=st.integers(1, 9),
    text_px=st.sampled_from([None, 8, 24, 60]),
    rotation=st.sampled_from([0, 90, 180, 270]),
    blur_px=st.sampled_from([0.0, 1.2]),
)
def test_any_drawing_keeps_its_items_apart_and_inside(
    seed: int,
    look: VendorLook,
    dynamic: Dynamic,
    rows: int,
    columns: int,
    frames: int,
    text_px: int | None,
    rotation: int,
    blur_px: float,
) -> None:
    tier = Tier("any", text_px=text_px, blur_px=blur_px)
    spec = CineSpec(
        seed, frames, rows, columns, look, dynamic=dynamic, tier=tier, rotation=rotation
    )

    truth = plan_drawing(spec).truth

    assert truth.items
    for item in truth.items:
        x0, y0, x1, y1 = item.box
        assert 0 <= x0 < x1 <= columns
        assert 0 <= y0 < y1 <= rows
        assert item.frames[1] <= frames
        assert item.ink.any()
    for frame in range(frames):
        covered = np.zeros((rows, columns), np.uint8)
        for item in truth.at(frame):
            x0, y0, x1, y1 = item.box
            covered[y0:y1, x0:x1] += 1
        assert covered.max() <= 1


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"frames": 0}, id="no frame"),
        pytest.param({"rows": 40}, id="too small"),
        pytest.param({"palette_bits": 12}, id="palette of 12 bits"),
        pytest.param({"planar": 1, "syntax": Syntax.RLE}, id="planes in RLE"),
        pytest.param({"photometric": Photometric.YBR_FULL_422, "columns": 401}, id="odd 4:2:2"),
        pytest.param({"photometric": Photometric.YBR_RCT}, id="RCT without JPEG 2000"),
        pytest.param(
            {"photometric": Photometric.PALETTE, "syntax": Syntax.JPEG_BASELINE}, id="lossy palette"
        ),
    ],
)
def test_specs_that_no_file_can_hold_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        replace(_SMALL, **options)  # type: ignore[arg-type]  # a table of mixed options

"""Where the insonified part is, on made pictures."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.text.sector import Evidence, Sector, find_sector, outside_rectangles
from cinescrub.types import Region

ROWS, COLUMNS = 240, 320
INSIDE = (slice(80, 200), slice(100, 260))


def picture() -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.normal(0, 1, (120, 160)).astype(np.float32), (0, 0), 1.5)
    luma = np.zeros((ROWS, COLUMNS), np.float32)
    luma[INSIDE] = np.clip(70 + 120 * noise, 0, 255)
    text = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    for line, y in (("DOE^JANE 12345678", 20), ("GAIN 82  MI 1.1", 36)):
        cv2.putText(text, line, (8, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (230,) * 3, 1)
    return np.maximum(luma, text[..., 0].astype(np.float32))


def test_texture_is_found_in_a_still() -> None:
    nothing = np.zeros((ROWS, COLUMNS), np.bool_)

    sector = find_sector(picture(), nothing, (), ROWS, COLUMNS)

    assert sector.evidence is Evidence.TEXTURE
    assert sector.mask[INSIDE].mean() > 0.9
    assert not sector.mask[:60].any()


def test_motion_is_found_where_the_picture_is_lit() -> None:
    moving = np.zeros((ROWS, COLUMNS), np.bool_)
    moving[80:208, 96:272] = True

    sector = find_sector(picture(), moving, (), ROWS, COLUMNS)

    assert sector.evidence is Evidence.MOTION
    assert sector.mask[INSIDE].mean() > 0.9
    assert not sector.mask[:60].any()


def test_region_around_the_banner_is_no_sector() -> None:
    nothing = np.zeros((ROWS, COLUMNS), np.bool_)
    whole = Region(0, 0, COLUMNS - 1, ROWS - 1, spatial_format=1, data_type=1)
    elsewhere = Region(900, 900, 1200, 1100, spatial_format=1, data_type=1)

    sector = find_sector(picture(), nothing, (whole, elsewhere), ROWS, COLUMNS)

    assert not sector.mask[:60].any()


def test_small_image_counts_where_the_header_declares_one() -> None:
    luma = np.zeros((ROWS, COLUMNS), np.float32)
    luma[100:150, 100:150] = picture()[100:150, 110:160]
    nothing = np.zeros((ROWS, COLUMNS), np.bool_)
    declared = Region(95, 95, 155, 155, spatial_format=1, data_type=1)

    assert not find_sector(luma, nothing, (), ROWS, COLUMNS).mask.any()
    assert find_sector(luma, nothing, (declared,), ROWS, COLUMNS).mask.any()


def test_flat_page_has_no_sector() -> None:
    page = np.full((ROWS, COLUMNS), 215, np.float32)
    nothing = np.zeros((ROWS, COLUMNS), np.bool_)

    sector = find_sector(page, nothing, (), ROWS, COLUMNS)

    assert sector.evidence is Evidence.NONE
    assert not sector.mask.any()


def test_what_lies_between_parts_of_a_sector_is_of_its_hull() -> None:
    mask = np.zeros((ROWS, COLUMNS), np.bool_)
    mask[40:60, 40:200] = mask[60:160, 40:60] = mask[60:160, 180:200] = True

    hull = Sector(mask, Evidence.TEXTURE).hull()

    assert hull[40:160, 40:200].all()
    assert not hull[:39].any()
    assert not hull[:, 202:].any()


def test_rectangles_tile_all_that_is_outside() -> None:
    mask = np.zeros((ROWS, COLUMNS), np.uint8)
    cv2.circle(mask, (160, 120), 70, 1, cv2.FILLED)
    sector = Sector(mask > 0, Evidence.MOTION)

    painted = np.zeros((ROWS, COLUMNS), np.int32)
    for x0, y0, x1, y1 in outside_rectangles(sector):
        painted[y0:y1, x0:x1] += 1

    assert painted.max() == 1
    assert not painted[mask > 0].any()
    assert painted[mask == 0].mean() > 0.99  # but for the hull of the circle


def test_without_a_sector_everything_is_outside() -> None:
    sector = Sector(np.zeros((ROWS, COLUMNS), np.bool_), Evidence.NONE)

    assert outside_rectangles(sector).tolist() == [[0, 0, COLUMNS, ROWS]]


def test_texture_of_one_frame_counts_where_the_average_is_flat() -> None:
    nothing = np.zeros((ROWS, COLUMNS), np.bool_)
    flat = picture()
    flat[INSIDE] = flat[INSIDE].mean()

    assert not find_sector(flat, nothing, (), ROWS, COLUMNS).mask.any()
    assert find_sector(flat, nothing, (), ROWS, COLUMNS, single=picture()).mask[INSIDE].mean() > 0.9
    assert find_sector(picture(), nothing, (), ROWS, COLUMNS, single=flat).mask[INSIDE].mean() > 0.9

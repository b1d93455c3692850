"""Draws a cine's frames, one by one, from its spec, and tells the truth about their text.

Nothing here knows of DICOM.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.testing.dynamics import animate, handheld_path, page_frames
from cinescrub.testing.graphics import Canvas, Rectangle, flow_colours, paint, pixels_of
from cinescrub.testing.names import Identity, draw_identity
from cinescrub.testing.screen import Screen, Stamp, draw_stamp, set_screen
from cinescrub.testing.spec import CineSpec, Dress, Dynamic, Photometric, Syntax
from cinescrub.testing.speckle import Gray, Scene, insonified, scene_frames
from cinescrub.testing.truth import CineTruth, Place

__all__ = ["Drawing", "draw_frames", "plan_drawing"]

_PAGE_COLOUR: Final = (214, 218, 226)
_WHITE: Final = (244, 244, 240)
_DARK_GRAPHIC: Final = (60, 64, 72)
_TAKES_APART: Final = 7_000_003
"""Between the seeds of the tissue of two takes."""
_UNDER_TISSUE: Final = frozenset({Place.BANNER, Place.SETTINGS, Place.MEASUREMENT})
"""Places whose text is part of the still background, if it is there in all frames."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A cine, laid out but not drawn: everything that is known before the first frame."""

    spec: CineSpec
    identity: Identity
    screen: Screen
    stamps: tuple[Stamp, ...]
    region: Rectangle
    """The insonified rectangle."""

    @property
    def truth(self) -> CineTruth:
        """What is true of the frames; nothing is planted in a drawing."""
        spec = self.spec
        path = set(handheld_path(spec))
        return CineTruth(
            spec.frames,
            spec.rows,
            spec.columns,
            items=tuple(stamp.item for stamp in self.stamps),
            graphics=tuple(
                _moved(pixels_of(graphic.area, spec.rows, spec.columns), path)
                for graphic in self.screen.layout.graphics
                if graphic.shape != "bar"  # a ground for text, no thing of its own
            ),
            sector=_sector(self, path),
            block=_block(spec),
        )


def plan_drawing(spec: CineSpec) -> Drawing:
    """Lay a cine out from its spec; the same spec gives the same drawing."""
    rng = np.random.default_rng([spec.seed, 3])
    identity = draw_identity(rng)
    screen = set_screen(spec, identity, rng)
    return Drawing(
        spec=spec,
        identity=identity,
        screen=screen,
        stamps=animate(spec, identity, screen),
        region=pixels_of(screen.layout.region, spec.rows, spec.columns),
    )


def draw_frames(drawing: Drawing) -> Iterator[Canvas]:
    """Yield the frames of a cine, drawn one by one.

    Yields
    ------
    (H, W, 3) uint8 array
        R, G, B, owned by the caller.
    """
    spec = drawing.spec
    background, later = _background(drawing)
    by_frame = _by_frame(later, spec.frames)
    page = range(*page_frames(spec))
    path = handheld_path(spec)
    rng = np.random.default_rng([spec.seed, 4])
    for index, gray in enumerate(islice(_tissue(drawing), spec.frames)):
        if index in page:
            frame = np.full_like(background, _PAGE_COLOUR)
        else:
            frame = background.copy()
            _show_tissue(frame, gray, drawing, index)
            if spec.tier.blur_px:
                frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), spec.tier.blur_px), np.uint8)
            frame = _shifted(frame, *path[index])
        for stamp in by_frame[index]:
            draw_stamp(frame, stamp)
        yield _degraded(frame, spec, rng)


def _moved(box: Rectangle, path: Iterable[tuple[int, int]]) -> Rectangle:
    """Return the least box around all places of `box` on the path of a moving screen."""
    x0, y0, x1, y1 = box
    dx, dy = [step[0] for step in path], [step[1] for step in path]
    return max(0, x0 + min(dx)), max(0, y0 + min(dy)), x1 + max(dx), y1 + max(dy)


def _sector(drawing: Drawing, path: Iterable[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    x0, y0, x1, y1 = drawing.region
    whole = np.zeros((drawing.spec.rows, drawing.spec.columns), np.uint8)
    whole[y0:y1, x0:x1] = insonified(_scene(drawing))
    places = [_shifted(whole, dx, dy) for dx, dy in path]
    return np.asarray(np.max(places, axis=0), np.bool_)


def _block(spec: CineSpec) -> tuple[int, int]:
    """Return the least unit that the stored form lets one change: a JPEG's MCU, a 4:2:2 pair."""
    halved = spec.photometric is Photometric.YBR_FULL_422
    if spec.syntax is Syntax.JPEG_BASELINE:
        return (16, 8) if halved else (8, 8)
    return (2, 1) if halved else (1, 1)


def _background(drawing: Drawing) -> tuple[Canvas, list[Stamp]]:
    """Paint what never changes and no tissue moves under; return it and the stamps left to draw."""
    spec = drawing.spec
    canvas = _ground(drawing)
    for graphic in drawing.screen.layout.graphics:
        if spec.dress is not Dress.WHITE:
            paint(canvas, graphic)
        elif graphic.shape != "bar":
            paint(canvas, replace(graphic, colour=_DARK_GRAPHIC))
    still: list[Stamp] = []
    later: list[Stamp] = []
    for stamp in drawing.stamps:
        # A blurred cine blurs its background after painting: text brings its own blur, so is later.
        settled = stamp.item.frames == (0, spec.frames) and stamp.item.place in _UNDER_TISSUE
        under = settled and not spec.tier.blur_px and not _overlap(stamp, drawing.region)
        (still if under else later).append(stamp)
    for stamp in still:
        draw_stamp(canvas, stamp)
    return canvas, later


def _ground(drawing: Drawing) -> Canvas:
    spec = drawing.spec
    canvas = np.zeros((spec.rows, spec.columns, 3), np.uint8)
    if spec.dress is Dress.WHITE:
        x0, y0, x1, y1 = drawing.region
        canvas[...] = _WHITE
        canvas[y0:y1, x0:x1][insonified(_scene(drawing))] = 0
    return canvas


def _overlap(stamp: Stamp, region: Rectangle) -> bool:
    x0, y0, x1, y1 = stamp.item.box
    return x0 < region[2] + 4 and region[0] - 4 < x1 and y0 < region[3] + 4 and region[1] - 4 < y1


def _by_frame(stamps: list[Stamp], frames: int) -> list[list[Stamp]]:
    listed: list[list[Stamp]] = [[] for _ in range(frames)]
    for stamp in stamps:
        for index in range(*stamp.item.frames):
            listed[index].append(stamp)
    return listed


def _tissue(drawing: Drawing) -> Iterator[Gray]:
    """Yield the insonified rectangle's frames; a cut goes to another scene half way."""
    spec, scene = drawing.spec, _scene(drawing)
    if spec.dynamic is Dynamic.CUT:
        yield from islice(scene_frames(scene), spec.frames // 2)
        scene = replace(scene, seed=scene.seed + 1_000_003)
    yield from scene_frames(scene)


def _scene(drawing: Drawing) -> Scene:
    x0, y0, x1, y1 = drawing.region
    return Scene(
        rows=y1 - y0,
        columns=x1 - x0,
        probe=drawing.screen.layout.probe,
        seed=drawing.spec.seed + _TAKES_APART * drawing.spec.take,
        decorrelation=0.0 if drawing.spec.dynamic is Dynamic.FROZEN else 0.35,
        gain=0.6,
    )


def _show_tissue(frame: Canvas, gray: Gray, drawing: Drawing, index: int) -> None:
    x0, y0, x1, y1 = drawing.region
    part = frame[y0:y1, x0:x1]
    np.maximum(part, gray[..., None], out=part)
    if drawing.screen.layout.flow and not drawing.spec.photometric.gray:
        _show_flow(part, gray, 0 if drawing.spec.dynamic is Dynamic.FROZEN else index)


def _show_flow(part: Canvas, gray: Gray, index: int) -> None:
    """Colour the dark (blood) pixels of a box in the middle by a made-up velocity, in place."""
    height, width = gray.shape
    rows, columns = slice(height // 4, height * 3 // 5), slice(width * 2 // 5, width * 3 // 5)
    y, x = np.mgrid[rows, columns].astype(np.float32)
    velocity = np.sin(y / np.float32(19) + np.float32(index) * 0.35) * np.cos(x / np.float32(23))
    blood = (gray[rows, columns] < 70) & (np.abs(velocity) > 0.25)
    box = part[rows, columns]
    box[blood] = flow_colours(velocity)[blood]


def _shifted(frame: Canvas, dx: int, dy: int) -> Canvas:
    if not dx and not dy:
        return frame
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    size = (frame.shape[1], frame.shape[0])
    return np.asarray(cv2.warpAffine(frame, matrix, size, flags=cv2.INTER_NEAREST), np.uint8)


def _degraded(frame: Canvas, spec: CineSpec, rng: np.random.Generator) -> Canvas:
    if spec.tier.noise:
        noise = rng.standard_normal(frame.shape[:2], np.float32) * np.float32(spec.tier.noise)
        frame = np.clip(frame + noise[..., None], 0, 255).astype(np.uint8)
    if spec.tier.jpeg_quality is not None and spec.syntax is not Syntax.JPEG_BASELINE:
        _, stream = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, spec.tier.jpeg_quality])
        frame = np.asarray(cv2.imdecode(stream, cv2.IMREAD_COLOR), np.uint8)
    return frame

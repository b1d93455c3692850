"""Draws text to exact ink: what was drawn, pixel by pixel, is known before it meets a picture.

Faces come from a file path, from OpenCV 5's embedded fonts (no file on the machine is needed), or
from the dot matrix in `glyphs`. Nothing here knows of frames, layouts or colours.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.errors import ConfigError
from cinescrub.testing.glyphs import DOTS, GLYPHS

__all__ = ["BITMAP", "EMBEDDED", "Coverage", "TextStyle", "draw_text", "outline_of", "set_text"]

Coverage: TypeAlias = npt.NDArray[np.uint8]
"""(h, w) uint8: how much of each pixel is ink, 0 to 255, cropped to the ink."""

BITMAP: Final = "bitmap"
"""Name of the dot-matrix face."""

EMBEDDED: Final = ("sans", "italic")
"""Names of the faces that ship inside OpenCV 5."""

_REGULAR: Final = 400
_BOLD: Final = 700
_PROBE_SIZE: Final = 100
"""Nominal size at which a face's capital height is measured."""


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How a line is set."""

    height_px: int = 12
    """Height of a capital letter, 5 to 200."""
    face: str = "sans"
    """`sans`, `italic`, `bitmap`, or the path of a TrueType or OpenType file."""
    bold: bool = False
    spacing_px: int = 0
    """Extra pixels between letters; letters are set one by one where it is not 0."""
    rotation: int = 0
    """Degrees counter-clockwise: 0, 90, 180 or 270."""
    crisp: bool = False
    """No grey edges: every pixel is ink or not, as on screens without anti-aliasing."""
    hollow: bool = False
    """Outlines only: a rim of one pixel around where the letters would be."""
    stretch: float = 1.0
    """Width of the line, of that which the face gives."""

    def __post_init__(self) -> None:
        if not 5 <= self.height_px <= 200:
            raise ConfigError("text height must be 5 to 200 px")
        if self.rotation not in (0, 90, 180, 270):
            raise ConfigError("text is rotated by 0, 90, 180 or 270 degrees")


def draw_text(text: str, style: TextStyle) -> Coverage:
    """Draw one line and crop it to its ink.

    Parameters
    ----------
    text : str
        One line. Characters that the face lacks come out as the face's replacement sign.
    style : TextStyle
        How it is set.

    Returns
    -------
    (h, w) uint8 array
        Coverage, owned by the caller; its outer rows and columns each hold ink. (0, 0) where the
        text has no ink (blanks).
    """
    return set_text(text, style)[0]


def set_text(text: str, style: TextStyle) -> tuple[Coverage, int]:
    """Draw one line as `draw_text` does, and say where it stands on the line.

    Returns
    -------
    coverage : (h, w) uint8 array
        As from `draw_text`.
    ascent : int
        Rows of ink above the baseline; the height of the ink where the text is rotated.
    """
    if style.face == BITMAP:
        canvas, baseline = _bitmap_line(text, style)
    else:
        canvas, baseline = _face_line(text, style)
    if style.stretch != 1.0:
        size = (max(1, round(canvas.shape[1] * style.stretch)), canvas.shape[0])
        canvas = np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    if style.crisp:
        canvas = np.where(canvas >= 112, np.uint8(255), np.uint8(0))
    if style.hollow:
        canvas = outline_of(canvas) - np.pad(canvas, 1)
        baseline += 1
    rows = np.flatnonzero(canvas.any(axis=1))
    if not len(rows):
        return np.zeros((0, 0), np.uint8), 0
    turned = np.ascontiguousarray(np.rot90(_crop(canvas), style.rotation // 90))
    return turned, baseline - int(rows[0]) if style.rotation == 0 else len(turned)


def outline_of(coverage: Coverage, width_px: int = 1) -> Coverage:
    """Grow ink by `width_px` on each side, for text with a dark rim.

    Returns
    -------
    (h + 2 width_px, w + 2 width_px) uint8 array
        Coverage of ink and rim together.
    """
    padded = np.pad(coverage, width_px)
    kernel = np.ones((2 * width_px + 1, 2 * width_px + 1), np.uint8)
    return np.asarray(cv2.dilate(padded, kernel), np.uint8)


def _crop(canvas: Coverage) -> Coverage:
    rows = np.flatnonzero(canvas.any(axis=1))
    columns = np.flatnonzero(canvas.any(axis=0))
    return canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


@lru_cache(maxsize=32)
def _load_face(name: str) -> cv2.FontFace:
    face = cv2.FontFace(name)
    # OpenCV leaves the face nameless where the path can't be read, and draws with another one.
    if not face.getName():
        raise ConfigError("the font could not be loaded: give a TrueType file, sans or bitmap")
    return face


@lru_cache(maxsize=256)
def _size_for(face_name: str, weight: int, height_px: int) -> int:
    """Nominal size at which a capital is `height_px` high, measured, as faces differ."""
    probe = _set_run("H", _load_face(face_name), _PROBE_SIZE, weight)
    rows = np.flatnonzero((probe >= 128).any(axis=1))
    if not len(rows):
        raise ConfigError("the font has no capital letters")
    cap = int(rows[-1] - rows[0] + 1)
    return max(5, round(height_px * _PROBE_SIZE / cap))


def _set_run(text: str, face: cv2.FontFace, size: int, weight: int) -> Coverage:
    # Wide enough for any glyph, as OpenCV wraps at the right edge of the picture.
    canvas = np.zeros((3 * size, (len(text) + 4) * 2 * size), np.uint8)
    cv2.putText(canvas, text, (size, 2 * size), (255,), face, size, weight)
    return canvas


def _face_line(text: str, style: TextStyle) -> tuple[Coverage, int]:
    face = _load_face(style.face)
    weight = _BOLD if style.bold else _REGULAR
    size = _size_for(style.face, weight, style.height_px)
    if not style.spacing_px:
        return _set_run(text, face, size, weight), 2 * size
    canvas = np.zeros((3 * size, (len(text) + 4) * (2 * size + style.spacing_px)), np.uint8)
    x = size
    for letter in text:
        end, _ = cv2.putText(
            canvas, letter, (x, 2 * size), (255,), face, size, weight, cv2.PUT_TEXT_ALIGN_LEFT
        )
        x = int(end[0]) + style.spacing_px
    return canvas, 2 * size


def _bitmap_line(text: str, style: TextStyle) -> tuple[Coverage, int]:
    columns, rows = DOTS
    cell = np.zeros((rows, (columns + 1) * len(text)), np.uint8)
    for index, letter in enumerate(text):
        glyph = GLYPHS.get(letter) or GLYPHS.get(_without_accents(letter)) or GLYPHS["?"]
        for row, digit in enumerate(glyph):
            bits = int(digit, 32)
            for column in range(columns):
                if bits >> (columns - 1 - column) & 1:
                    cell[row, index * (columns + 1) + column] = 255
    dot = max(1, round(style.height_px / 7))
    line = _space(cell, style, dot).repeat(dot, axis=0).repeat(dot, axis=1)
    if style.bold:
        # A whole dot to the right would close the letters: half of one, at least a pixel.
        shift = max(1, dot // 2)
        line[:, shift:] |= line[:, :-shift]
    return np.asarray(line, np.uint8), 7 * dot


def _space(cell: Coverage, style: TextStyle, dot: int) -> Coverage:
    extra = round(style.spacing_px / dot)
    if not extra:
        return cell
    step = DOTS[0] + 1
    letters = [cell[:, x : x + step] for x in range(0, cell.shape[1], step)]
    return np.hstack([np.pad(letter, ((0, 0), (0, extra))) for letter in letters])


def _without_accents(letter: str) -> str:
    return unicodedata.normalize("NFD", letter)[0]

"""With the real models: a name in a script that neither recogniser knows, beside clinical text.

The signs are made up: strokes and bows of a letter's size, so that no recogniser can have learned
them and no font is needed.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from tests.integration.conftest import KEY
from tests.integration.test_pipeline import plain_instance

from cinescrub.config import EngineConfig
from cinescrub.pipeline.engine import Engine, Targets
from cinescrub.testing.fonts import TextStyle, draw_text

pytestmark = pytest.mark.models

_LINES = ("LIVER", "HR 72bpm", "RT KIDNEY", "MI 1.1", "GA 20w3d", "LV 4CH", "TIS0.8", "C5-1")
_ROW_PX = 48
_LEVEL = 230


def _signs(count: int, height: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Draw a word of made-up signs."""
    word = np.zeros((height + 4, count * height), np.uint8)
    for n in range(count):
        corners = np.add(rng.integers(1, [height - 4, height], (4, 2)), [n * height, 2])
        cv2.polylines(word, [corners.astype(np.int32)], False, (_LEVEL,), 1, cv2.LINE_AA)
        centre = (int(n * height + height // 2 - 1), int(rng.integers(4, height - 3)))
        radius = int(rng.integers(height // 5, height // 3))
        cv2.circle(word, centre, radius, (_LEVEL,), 1, cv2.LINE_AA)
    return word


def _screen(height: int, signs: int) -> tuple[npt.NDArray[np.uint8], list[tuple[slice, slice]]]:
    """Draw clinical lines, each with a word behind it; return where the words are."""
    rng = np.random.default_rng(height)
    screen = np.zeros((_ROW_PX * len(_LINES) + 60, 480), np.uint8)
    words = []
    for n, line in enumerate(_LINES):
        ink = draw_text(line, TextStyle(height)).astype(np.float32) / 255
        top, left = 40 + n * _ROW_PX, 60
        part = screen[top : top + ink.shape[0], left : left + ink.shape[1]]
        part[:] = np.rint(ink * _LEVEL)
        if signs:
            word = _signs(signs, height, rng)
            where = (
                slice(top, top + word.shape[0]),
                slice(
                    left + ink.shape[1] + height // 3,
                    left + ink.shape[1] + height // 3 + word.shape[1],
                ),
            )
            screen[where] = word
            words.append(where)
    return screen, words


def _redacted(screen: npt.NDArray[np.uint8], models: Path, place: Path) -> npt.NDArray[np.uint8]:
    key = place / "key"
    key.touch(0o600)
    key.write_bytes(KEY)
    source = plain_instance(place / "in.dcm", screen[None])
    with Engine.open(EngineConfig(models=models, key_file=key)) as engine:
        report = engine.run(source, Targets.open(place / "out", []))
    assert report.output is not None, report.reason
    return np.asarray(pydicom.dcmread(report.output).pixel_array, np.uint8)


@pytest.mark.parametrize("height", [12, 22])
@pytest.mark.parametrize("signs", [3, 5])
def test_a_word_that_nobody_can_read_takes_the_line_along(
    models_dir: Path, tmp_path: Path, height: int, signs: int
) -> None:
    screen, words = _screen(height, signs)

    left = _redacted(screen, models_dir, tmp_path)

    shown = [
        float((left[word] > _LEVEL // 2).sum() / (screen[word] > _LEVEL // 2).sum())
        for word in words
    ]
    assert max(shown) < 0.1, shown


def test_without_it_the_line_stays(models_dir: Path, tmp_path: Path) -> None:
    screen, _ = _screen(16, 0)

    left = _redacted(screen, models_dir, tmp_path)

    np.testing.assert_array_equal(left, screen)

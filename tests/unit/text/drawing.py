"""Words drawn on a screen, for tests of boxes and lines."""

from __future__ import annotations

import cv2
import numpy as np

from cinescrub import geometry
from cinescrub.text.lines import join_words
from cinescrub.text.strokes import Strokes
from cinescrub.types import Boxes, Frame

__all__ = ["COLUMNS", "ROWS", "around", "lines_of", "screen"]

ROWS, COLUMNS = 240, 320


def screen(**texts: tuple[int, int]) -> tuple[Frame, dict[str, list[int]]]:
    """Draw words with their lower left corners there; return the boxes of their ink too."""
    frame = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    boxes = {}
    for text, where in texts.items():
        alone = np.zeros_like(frame)
        cv2.putText(alone, text, where, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255))
        x, y, width, height = cv2.boundingRect(alone[..., 0])
        boxes[text] = [x - 1, y - 1, x + width + 1, y + height + 1]
        frame |= alone
    return frame, boxes


def around(*boxes: list[int]) -> Boxes:
    low, high = np.min(boxes, axis=0)[:2], np.max(boxes, axis=0)[2:]
    return geometry.as_boxes([[*low, *high]])


def lines_of(frame: Frame, boxes: Boxes) -> list[list[int]]:
    return sorted(join_words(boxes, Strokes(frame)).tolist())

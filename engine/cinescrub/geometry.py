"""Box arithmetic on `(n, 4)` int32 arrays: pure, vectorised, no clocks and no I/O."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cinescrub.types import Boxes

__all__ = [
    "areas",
    "around",
    "as_boxes",
    "clip",
    "covered_share",
    "disjoint",
    "group_lines",
    "meets",
    "merge_overlapping",
    "overlap",
    "pad",
    "runs",
]

_SAME_ROW = 0.35
"""Centres closer than this share of the mean height lie on one line."""
_SAME_LINE = 0.5
"""Heights that differ by less than this share of the taller are one size (EasyOCR's
height_ths)."""


def as_boxes(rows: npt.ArrayLike = ()) -> Boxes:
    """Return `(n, 4)` int32 boxes from any sequence of rows, the empty one included."""
    return np.asarray(rows, dtype=np.int32).reshape(-1, 4)


def clip(xyxy: Boxes, rows: int, columns: int) -> Boxes:
    """Return boxes cut to the frame; boxes without area there are dropped."""
    cut = xyxy.copy()
    cut[:, 0::2] = cut[:, 0::2].clip(0, columns)
    cut[:, 1::2] = cut[:, 1::2].clip(0, rows)
    held: Boxes = cut[(cut[:, 0] < cut[:, 2]) & (cut[:, 1] < cut[:, 3])]
    return held


def pad(xyxy: Boxes, *, along: float, across: float, at_least_px: int) -> Boxes:
    """Return boxes grown by shares of their shorter side, more along the line than across it.

    The shorter side of a line of text is its height, whichever way the line runs.

    Parameters
    ----------
    xyxy : (n, 4) int32 array
        Lines of text.
    along : float
        Margin before and behind the line, in heights.
    across : float
        Margin above and below it, in heights.
    at_least_px : int
        Least margin on each side.
    """
    width, height = xyxy[:, 2] - xyxy[:, 0], xyxy[:, 3] - xyxy[:, 1]
    shorter = np.minimum(width, height)
    by_x = np.where(width >= height, along, across)
    by_y = np.where(height > width, along, across)
    margin_x, margin_y = (
        np.maximum(np.ceil(shorter * share), at_least_px).astype(np.int32) for share in (by_x, by_y)
    )
    grown: Boxes = xyxy + np.stack([-margin_x, -margin_y, margin_x, margin_y], axis=1)
    return grown


def meets(box: npt.NDArray[np.int32], others: Boxes) -> npt.NDArray[np.bool_]:
    """Return which of other boxes share a pixel with one box `(4,)`, `(n,)`."""
    low_in, high_in = others[:, :2] < box[2:], others[:, 2:] > box[:2]
    return np.asarray((low_in & high_in).all(axis=1), np.bool_)


def around(box: npt.NDArray[np.int32], others: Boxes) -> npt.NDArray[np.bool_]:
    """Return which of other boxes hold all of one box `(4,)`, `(n,)`; equal ones do."""
    held = (others[:, :2] <= box[:2]) & (others[:, 2:] >= box[2:])
    return np.asarray(held.all(axis=1), np.bool_)


def covered_share(xyxy: Boxes, covers: Boxes) -> npt.NDArray[np.float64]:
    """Return the share of each box's area that the union of `covers` holds, `(n,)` in 0..1."""
    shares = np.zeros(len(xyxy))
    for i, (x0, y0, x1, y1) in enumerate(xyxy):
        near = covers[meets(xyxy[i], covers)]
        if not len(near):
            continue
        held = np.zeros((y1 - y0, x1 - x0), dtype=np.bool_)
        for a0, b0, a1, b1 in near:
            held[max(b0 - y0, 0) : b1 - y0, max(a0 - x0, 0) : a1 - x0] = True
        shares[i] = held.mean()
    return shares


def overlap(box: npt.NDArray[np.int32], others: Boxes) -> npt.NDArray[np.float64]:
    """Return intersection over union of one box `(4,)` with each of the others, `(n,)` in 0..1."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    common = np.clip(high - low, 0, None).astype(np.int64).prod(axis=1)
    both = areas(box[None])[0] + areas(others) - common
    shares: npt.NDArray[np.float64] = common / np.maximum(both, 1)
    return shares


def areas(xyxy: Boxes) -> npt.NDArray[np.int64]:
    """Return how many pixels each box has, `(n,)`."""
    sides = (xyxy[:, 2:] - xyxy[:, :2]).astype(np.int64)
    return sides[:, 0] * sides[:, 1]


def merge_overlapping(xyxy: Boxes) -> Boxes:
    """Return fewer boxes that cover the same: those that lie inside of another are dropped."""
    if len(xyxy) < 2:
        return xyxy.copy()
    area = areas(xyxy)
    order = np.argsort(-area, kind="stable")
    kept: list[int] = []
    for i in order:
        held = xyxy[kept] if kept else as_boxes()
        if not around(xyxy[i], held).any():
            kept.append(int(i))
    largest: Boxes = xyxy[np.sort(kept)]
    return largest


def disjoint(boxes: Boxes) -> Boxes:
    """Join rectangles that overlap into the one around them, until none do."""
    rest = [tuple(int(v) for v in box) for box in boxes]
    apart: list[tuple[int, ...]] = []
    while rest:
        x0, y0, x1, y1 = rest.pop()
        met = [b for b in apart if b[0] < x1 and x0 < b[2] and b[1] < y1 and y0 < b[3]]
        if met:
            apart = [b for b in apart if b not in met]
            joined = np.array([*met, (x0, y0, x1, y1)])
            low, high = joined[:, :2].min(axis=0), joined[:, 2:].max(axis=0)
            rest.append((int(low[0]), int(low[1]), int(high[0]), int(high[1])))
        else:
            apart.append((x0, y0, x1, y1))
    return as_boxes(sorted(apart, key=lambda b: (b[1], b[0])))


def group_lines(xyxy: Boxes, *, gap: float) -> list[npt.NDArray[np.intp]]:
    """Join words to lines: same height, same baseline, neighbours closer than `gap` heights.

    Parameters
    ----------
    xyxy : (n, 4) int32 array
        Word boxes of one frame.
    gap : float
        Largest distance between neighbours, in units of the mean height of the two.

    Returns
    -------
    list of (k,) index arrays
        Each line's words from left to right; every word is in exactly one line. Boxes that
        overlap sideways join too, whatever the gap.
    """
    if not len(xyxy):
        return []
    parent = np.arange(len(xyxy))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    x0, y0, x1, y1 = xyxy.astype(np.float64).T
    height, centre = y1 - y0, (y0 + y1) / 2
    order = np.argsort(x0, kind="stable")
    for place, i in enumerate(order):
        later = order[place + 1 :]
        mean = (height[later] + height[i]) / 2
        joined = (
            (np.abs(centre[later] - centre[i]) < _SAME_ROW * mean)
            & (
                np.abs(height[later] - height[i])
                < _SAME_LINE * np.maximum(height[later], height[i])
            )
            & (x0[later] - x1[i] < gap * mean)
        )
        for j in later[joined]:
            parent[root(int(j))] = root(int(i))
    lines: dict[int, list[int]] = {}
    for i in order:
        lines.setdefault(root(int(i)), []).append(int(i))
    return [np.array(line, dtype=np.intp) for line in lines.values()]


def runs(marked: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where a row `(n,)` of marks is set: start and end (exclusive) of each run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]

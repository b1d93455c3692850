"""Compares a cine before and after with the truth about its text. Pure: frames in, figures out.

The figures, as the documents quote them:

*Item-frame*
    One burned-in string in one frame in which it can be seen. Seen means that at least a quarter
    of its ink differs from the local background by 8 levels and 30 % of the item's own contrast;
    others (a name in the blackness of a low-contrast sector edge) are not counted.
*Leak*
    An item-frame leaks when more than 5 % of its visible ink still stands out afterwards. Ink
    stands out where it differs from the local background, inside the item's box, by 8 levels and
    30 % of its contrast before; either with the colour that it had (left as it was) or, summed
    with sign, as a silhouette in any colour. A plain fill stands out nowhere, whatever its colour.
*Item recall*, *item-frame recall*, *ink recall*
    Share of identifying strings of which no item-frame leaks; of item-frames that don't leak; of
    visible ink pixels that don't stand out. A clock's states or a scroll's steps are one string.
*Kept*
    Share of clinical strings whose ink is unchanged (95 % of it, to 8 levels) in at least 95 % of
    the frames they are in.
*Changed elsewhere*
    Share of all pixels, over all frames, that changed by more than 2 levels and lie more than 16
    pixels (the width of a 4:2:2 JPEG block pair) from every identifying string of any frame.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.testing.graphics import Canvas
from cinescrub.testing.truth import CineTruth, TextItem

__all__ = ["CineScore", "Miss", "score_frames", "score_missing", "standing_ink", "total"]

_LEAK_SHARE: Final = 0.05
_KEPT_SHARE: Final = 0.95
_KEPT_LEVELS: Final = 8
_CHANGED_LEVELS: Final = 2
_STAND_LEVELS: Final = 8.0
_STAND_SHARE: Final = 0.3
_SEEN_SHARE: Final = 0.25
MARGIN_PX: Final = 16
"""How far from an identifying string a change belongs to its redaction."""

_Plane = npt.NDArray[np.float32]
_PLANES: Final = np.array(
    # Luma, and two colour differences, so that text of its background's luma is seen, too.
    [[0.299, 0.587, 0.114], [0.701, -0.587, -0.114], [-0.299, -0.587, 0.886]],
    np.float32,
)


@dataclass(frozen=True, slots=True)
class Miss:
    """An identifying string that leaks."""

    name: str
    text: str
    place: str
    frames: int
    """Item-frames that leak."""
    worst: float
    """Largest share of ink that stands out."""


@dataclass(frozen=True, slots=True)
class CineScore:
    """Counts of one cine, or of many: shares follow from counts, so scores can be summed."""

    items: int = 0
    items_leaked: int = 0
    item_frames: int = 0
    item_frames_leaked: int = 0
    ink: int = 0
    ink_leaked: int = 0
    unseen_item_frames: int = 0
    """Not counted: invisible already in the source."""
    clinical: int = 0
    clinical_kept: int = 0
    pixels: int = 0
    pixels_changed_elsewhere: int = 0
    missing: int = 0
    """Cines without an output; each of their strings counts as leaked and none as kept."""
    misses: tuple[Miss, ...] = field(default=())

    @property
    def item_recall(self) -> float:
        """Share of identifying strings that are gone in every frame; 1 where there is none."""
        return _share(self.items - self.items_leaked, self.items)

    @property
    def item_frame_recall(self) -> float:
        """Share of item-frames that don't leak."""
        return _share(self.item_frames - self.item_frames_leaked, self.item_frames)

    @property
    def ink_recall(self) -> float:
        """Share of visible identifying ink that doesn't stand out."""
        return _share(self.ink - self.ink_leaked, self.ink)

    @property
    def kept(self) -> float:
        """Share of clinical strings kept."""
        return _share(self.clinical_kept, self.clinical)

    @property
    def changed_elsewhere(self) -> float:
        """Share of pixels changed away from identifying text."""
        return self.pixels_changed_elsewhere / self.pixels if self.pixels else 0.0


def score_frames(source: Iterable[Canvas], output: Iterable[Canvas], truth: CineTruth) -> CineScore:
    """Score one cine, frame by frame.

    Parameters
    ----------
    source, output : iterable of (H, W, 3) uint8 array
        R, G, B before and after, in order; borrowed, one at a time.
    truth : CineTruth
        What was drawn into the source.

    Returns
    -------
    CineScore

    Raises
    ------
    ValueError
        If the two differ in the number or size of frames.
    """
    tally = _Tally(truth)
    for index, (before, after) in enumerate(zip(source, output, strict=True)):
        if before.shape != after.shape:
            raise ValueError("source and output differ in size")
        tally.add(index, before, after)
    return tally.score()


def score_missing(truth: CineTruth) -> CineScore:
    """Score a cine that has no output: all of its strings leak, and none is kept."""
    phi = truth.phi
    frames = sum(item.frames[1] - item.frames[0] for item in phi)
    ink = sum(int(item.ink.sum()) * (item.frames[1] - item.frames[0]) for item in phi)
    items = len({item.name for item in phi})
    return CineScore(
        items=items,
        items_leaked=items,
        item_frames=frames,
        item_frames_leaked=frames,
        ink=ink,
        ink_leaked=ink,
        clinical=len({item.name for item in truth.clinical}),
        missing=1,
    )


def total(scores: Iterable[CineScore]) -> CineScore:
    """Sum the counts of several cines."""
    scores = list(scores)
    names = [name for name in CineScore.__dataclass_fields__ if name != "misses"]
    sums = {name: sum(getattr(score, name) for score in scores) for name in names}
    return CineScore(**sums, misses=tuple(miss for score in scores for miss in score.misses))


def standing_ink(before: Canvas, after: Canvas, item: TextItem) -> tuple[int, int]:
    """Count the visible ink of an item and how much of it still stands out.

    Parameters
    ----------
    before, after : (H, W, 3) uint8 array
        One frame, R, G, B; borrowed.
    item : TextItem
        Visible in that frame.

    Returns
    -------
    visible, standing : int
        Pixels; (0, 0) where the item can't be seen in `before`.
    """
    ink, old, new = _patches(before, after, item)
    background = ~np.asarray(cv2.dilate(ink.astype(np.uint8), np.ones((3, 3), np.uint8)), bool)
    if not background.any():
        background = ~ink
    radius = max(3, min(ink.shape) // 4)
    contrasts = [_contrast(plane, background, radius)[ink] for plane in old]
    chosen = int(np.argmax([np.median(np.abs(contrast)) for contrast in contrasts]))
    was = contrasts[chosen]
    least = max(_STAND_LEVELS, _STAND_SHARE * float(np.median(np.abs(was))))
    visible = np.abs(was) >= least
    count = int(visible.sum())
    if count < _SEEN_SHARE * ink.sum():
        return 0, 0
    now = _contrast(new[chosen], background, radius)[ink]
    stands = (np.abs(now) >= least) & visible
    moved = np.abs(new[chosen][ink] - old[chosen][ink])
    same = stands & (moved <= 0.25 * np.abs(was) + 4.0) & (np.sign(now) == np.sign(was))
    silhouette = abs(int((np.sign(now) * np.sign(was))[stands].sum()))
    return count, max(int(same.sum()), silhouette)


class _Tally:
    """Counts while the frames go by."""

    def __init__(self, truth: CineTruth) -> None:
        self._truth = truth
        self._by_frame: dict[int, list[TextItem]] = defaultdict(list)
        for item in truth.items:
            for frame in range(*item.frames):
                self._by_frame[frame].append(item)
        self._elsewhere = _far_from(truth)
        self._seen: dict[str, list[float]] = defaultdict(list)
        self._kept: dict[str, list[bool]] = defaultdict(list)
        self._items = {item.name: item for item in truth.items}
        self._ink = self._ink_leaked = self._unseen = self._pixels = self._changed = 0

    def add(self, index: int, before: Canvas, after: Canvas) -> None:
        change = np.asarray(cv2.absdiff(before, after)).max(axis=2)
        self._pixels += change.size
        self._changed += int(((change > _CHANGED_LEVELS) & self._elsewhere).sum())
        for item in self._by_frame.get(index, ()):
            if item.phi:
                self._add_phi(before, after, item)
            else:
                x0, y0, x1, y1 = item.box
                same = change[y0:y1, x0:x1][item.ink] <= _KEPT_LEVELS
                self._kept[item.name].append(float(same.mean()) >= _KEPT_SHARE)

    def _add_phi(self, before: Canvas, after: Canvas, item: TextItem) -> None:
        visible, standing = standing_ink(before, after, item)
        if not visible:
            self._unseen += 1
            return
        self._ink += visible
        self._ink_leaked += standing
        self._seen[item.name].append(standing / visible)

    def score(self) -> CineScore:
        leaks = {
            name: [share for share in shares if share > _LEAK_SHARE]
            for name, shares in self._seen.items()
        }
        misses = tuple(
            Miss(name, self._items[name].text, str(self._items[name].place), len(bad), max(bad))
            for name, bad in leaks.items()
            if bad
        )
        return CineScore(
            items=len(self._seen),
            items_leaked=len(misses),
            item_frames=sum(map(len, self._seen.values())),
            item_frames_leaked=sum(map(len, leaks.values())),
            ink=self._ink,
            ink_leaked=self._ink_leaked,
            unseen_item_frames=self._unseen,
            clinical=len(self._kept),
            clinical_kept=sum(sum(kept) >= _KEPT_SHARE * len(kept) for kept in self._kept.values()),
            pixels=self._pixels,
            pixels_changed_elsewhere=self._changed,
            misses=misses,
        )


def _patches(
    before: Canvas, after: Canvas, item: TextItem
) -> tuple[npt.NDArray[np.bool_], list[_Plane], list[_Plane]]:
    """Cut an item's box out of both frames, as luma and colour differences.

    A string that fills its box (`I`, `-`) gets a rim of two pixels, so that it has a background.
    """
    rim = 2 if float(item.ink.mean()) > 0.6 else 0
    x0, y0, x1, y1 = item.box
    height, width = before.shape[:2]
    top, left = max(0, y0 - rim), max(0, x0 - rim)
    bottom, right = min(height, y1 + rim), min(width, x1 + rim)
    ink = np.pad(item.ink, ((y0 - top, bottom - y1), (x0 - left, right - x1)))
    old, new = (
        [np.asarray(frame[top:bottom, left:right] @ weights, np.float32) for weights in _PLANES]
        for frame in (before, after)
    )
    return ink, old, new


def _contrast(plane: _Plane, background: npt.NDArray[np.bool_], radius: int) -> _Plane:
    """Return how far each pixel is from the mean of the background pixels around it; 0 if none."""
    size = (2 * radius + 1, 2 * radius + 1)
    weight = background.astype(np.float32)
    summed = cv2.boxFilter(
        plane * weight, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    count = cv2.boxFilter(weight, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
    mean = np.divide(summed, count, out=plane.copy(), where=count > 0.5)
    return np.asarray(plane - mean, np.float32)


def _far_from(truth: CineTruth) -> npt.NDArray[np.bool_]:
    """Return where in the picture no identifying string of any frame is near."""
    far = np.ones((truth.rows, truth.columns), np.bool_)
    for item in truth.phi:
        x0, y0, x1, y1 = item.box
        far[max(0, y0 - MARGIN_PX) : y1 + MARGIN_PX, max(0, x0 - MARGIN_PX) : x1 + MARGIN_PX] = (
            False
        )
    return far


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0

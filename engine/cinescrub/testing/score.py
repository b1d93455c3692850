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
    A cine without an output leaks all of its strings, item-frames and ink.
*Kept*
    Share of clinical strings whose ink is unchanged (95 % of it, to 8 levels) in at least 95 % of
    the frames they are in. A cine without an output keeps none.
*Changed*
    A pixel that differs by more than 2 levels in a channel. Each changed pixel of each frame is
    counted once, under the first of these that it lies in (`cinescrub.testing.areas`): the
    surroundings of an identifying string of this frame; of one of another frame (masks may hold
    over a cine); the surroundings of a clinical string; the padding beyond the surroundings of any
    string; a graphic; the sector; the background.
*Changed elsewhere*
    Share of all pixels, over all frames, that changed outside of the surroundings of all text:
    in padding, graphics, sector and background. What a redacted clinical line costs is in *kept*
    and, by pixel, in `changed_clinical`. A cine without an output adds nothing here.
*Precision*
    By string: of the strings that are gone, the share that identifies. By pixel: of the pixels
    that changed, the share in surroundings of identifying strings (of any frame).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np

from cinescrub.testing.areas import Area, AreaMap
from cinescrub.testing.graphics import Canvas
from cinescrub.testing.ink import standing_ink
from cinescrub.testing.truth import CineTruth, TextItem

__all__ = ["CineScore", "Lost", "Miss", "score_frames", "score_missing", "total"]

_LEAK_SHARE: Final = 0.05
_KEPT_SHARE: Final = 0.95
_KEPT_LEVELS: Final = 8
_CHANGED_LEVELS: Final = 2
_LISTS: Final = ("misses", "lost")


@dataclass(frozen=True, slots=True)
class Miss:
    """An identifying string that leaks."""

    name: str
    text: str
    kind: str
    place: str
    box: tuple[int, int, int, int]
    """Of its first item: x0, y0, x1, y1 in pixels, ends exclusive."""
    frames: int
    """Item-frames that leak."""
    first_frame: int
    """The first of them."""
    worst: float
    """Largest share of ink that stands out."""
    touched: float
    """Largest share of ink that changed at all in a frame that leaks: 0 where nothing was done."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A clinical string that is not kept."""

    name: str
    text: str
    place: str
    frames: int
    """Frames in which it changed."""


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
    changed_identifying: int = 0
    changed_held: int = 0
    changed_clinical: int = 0
    changed_padding: int = 0
    changed_graphics: int = 0
    changed_sector: int = 0
    changed_background: int = 0
    missing: int = 0
    """Cines without an output; each of their strings counts as leaked and none as kept."""
    misses: tuple[Miss, ...] = field(default=())
    lost: tuple[Lost, ...] = field(default=())

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
    def pixels_changed_elsewhere(self) -> int:
        """Pixels changed outside of the surroundings of all text."""
        beside = self.changed_padding + self.changed_graphics
        return beside + self.changed_sector + self.changed_background

    @property
    def changed_elsewhere(self) -> float:
        """Share of pixels changed outside of the surroundings of all text."""
        return self.pixels_changed_elsewhere / self.pixels if self.pixels else 0.0

    @property
    def precision(self) -> float:
        """Share of the strings gone that identify; 1 where none is gone."""
        right = self.items - self.items_leaked
        return _share(right, right + self.clinical - self.clinical_kept)

    @property
    def pixel_precision(self) -> float:
        """Share of the changed pixels that lie around identifying strings; 1 where none changed."""
        right = self.changed_identifying + self.changed_held
        return _share(right, right + self.changed_clinical + self.pixels_changed_elsewhere)


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
    """Sum the counts of several cines, and join their lists."""
    scores = list(scores)
    names = [name for name in CineScore.__dataclass_fields__ if name not in _LISTS]
    sums = {name: sum(getattr(score, name) for score in scores) for name in names}
    return CineScore(
        **sums,
        misses=tuple(miss for score in scores for miss in score.misses),
        lost=tuple(lost for score in scores for lost in score.lost),
    )


@dataclass(frozen=True, slots=True)
class _Sight:
    """What is left of an identifying string in one frame."""

    frame: int
    standing: float
    touched: float

    @property
    def leaks(self) -> bool:
        return self.standing > _LEAK_SHARE


class _Tally:
    """Counts while the frames go by."""

    def __init__(self, truth: CineTruth) -> None:
        self._by_frame: dict[int, list[TextItem]] = defaultdict(list)
        for item in truth.items:
            for frame in range(*item.frames):
                self._by_frame[frame].append(item)
        self._areas = AreaMap(truth)
        self._sights: dict[str, list[_Sight]] = defaultdict(list)
        self._kept: dict[str, list[bool]] = defaultdict(list)
        self._items: dict[str, TextItem] = {}
        for item in truth.items:
            self._items.setdefault(item.name, item)
        self._changed = dict.fromkeys(Area, 0)
        self._ink = self._ink_leaked = self._unseen = self._pixels = 0

    def add(self, index: int, before: Canvas, after: Canvas) -> None:
        change = np.asarray(cv2.absdiff(before, after)).max(axis=2)
        self._pixels += change.size
        for area, count in self._areas.count(index, change > _CHANGED_LEVELS).items():
            self._changed[area] += count
        for item in self._by_frame.get(index, ()):
            x0, y0, x1, y1 = item.box
            touched = float((change[y0:y1, x0:x1][item.ink] > _KEPT_LEVELS).mean())
            if item.phi:
                self._add_phi(index, before, after, item, touched)
            else:
                self._kept[item.name].append(touched <= 1 - _KEPT_SHARE)

    def _add_phi(
        self, index: int, before: Canvas, after: Canvas, item: TextItem, touched: float
    ) -> None:
        visible, standing = standing_ink(before, after, item)
        if not visible:
            self._unseen += 1
            return
        self._ink += visible
        self._ink_leaked += standing
        self._sights[item.name].append(_Sight(index, standing / visible, touched))

    def score(self) -> CineScore:
        leaks = {
            name: [sight for sight in sights if sight.leaks]
            for name, sights in self._sights.items()
        }
        lost = [
            Lost(name, item.text, str(item.place), kept.count(False))
            for name, kept in self._kept.items()
            for item in [self._items[name]]
            if sum(kept) < _KEPT_SHARE * len(kept)
        ]
        misses = [self._miss(name, sights) for name, sights in leaks.items() if sights]
        return CineScore(
            items=len(self._sights),
            items_leaked=len(misses),
            item_frames=sum(map(len, self._sights.values())),
            item_frames_leaked=sum(map(len, leaks.values())),
            ink=self._ink,
            ink_leaked=self._ink_leaked,
            unseen_item_frames=self._unseen,
            clinical=len(self._kept),
            clinical_kept=len(self._kept) - len(lost),
            pixels=self._pixels,
            **{f"changed_{area}": count for area, count in self._changed.items()},
            misses=tuple(misses),
            lost=tuple(lost),
        )

    def _miss(self, name: str, sights: list[_Sight]) -> Miss:
        item = self._items[name]
        return Miss(
            name=name,
            text=item.text,
            kind=str(item.kind),
            place=str(item.place),
            box=item.box,
            frames=len(sights),
            first_frame=sights[0].frame,
            worst=round(max(sight.standing for sight in sights), 4),
            touched=round(max(sight.touched for sight in sights), 4),
        )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0

"""What changes over the frames: splits and moves stamps so that the truth stays exact.

Each change takes a still screen and returns what stays of it and what comes new. Nothing here
draws.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np

from cinescrub.testing.layouts import Slot, phi_text
from cinescrub.testing.names import Identity, clinical_line, draw_identity, time_text
from cinescrub.testing.screen import Line, Screen, Stamp, set_line, set_screen, touches
from cinescrub.testing.spec import CineSpec, Dynamic
from cinescrub.testing.truth import Place
from cinescrub.types import PhiKind

__all__ = ["animate", "handheld_path", "page_frames"]

_Change: TypeAlias = tuple[Iterable[Stamp], Iterable[Stamp]]
"""What stays of the still screen, and what comes new."""

_FADE_SEEN: Final = 0.25
"""Opacity from which a fading text counts as there: about 50 levels over black."""
_YELLOW: Final = (240, 230, 90)


@dataclass(frozen=True, slots=True)
class _Stage:
    """What the functions below need to know."""

    spec: CineSpec
    identity: Identity
    screen: Screen

    def line(self, text: str, kind: PhiKind, slot: Slot, name: str) -> Stamp | None:
        return set_line(Line(text, kind, slot, name), self.spec, self.screen.layout)


def animate(spec: CineSpec, identity: Identity, screen: Screen) -> tuple[Stamp, ...]:
    """Return all stamps of the cine."""
    change = _CHANGES.get(spec.dynamic)
    if change is None:
        return screen.stamps
    stays, comes = change(_Stage(spec, identity, screen))
    added = _apart(comes)
    # New lines are the point of the cine: a line of the layout that they would touch makes way.
    kept = tuple(stamp for stamp in stays if not touches(stamp, added))
    return kept + added


def _apart(stamps: Iterable[Stamp]) -> tuple[Stamp, ...]:
    """Return the stamps that touch no earlier one in any frame; large ones meet in small frames."""
    by_frame: dict[int, list[Stamp]] = defaultdict(list)
    apart: list[Stamp] = []
    for stamp in stamps:
        frames = range(*stamp.item.frames)
        if not any(touches(stamp, by_frame[frame]) for frame in frames):
            apart.append(stamp)
            for frame in frames:
                by_frame[frame].append(stamp)
    return tuple(apart)


def page_frames(spec: CineSpec) -> tuple[int, int]:
    """Return the frames of the worksheet page: the middle fifth, at least one; or none."""
    if spec.dynamic is not Dynamic.WORKSHEET:
        return 0, 0
    length = max(1, spec.frames // 5)
    first = (spec.frames - length) // 2
    return first, first + length


def handheld_path(spec: CineSpec) -> list[tuple[int, int]]:
    """Return the shift (dx, dy) of each frame in pixels; all (0, 0) where nothing shakes."""
    if spec.dynamic is not Dynamic.HANDHELD:
        return [(0, 0)] * spec.frames
    rng = np.random.default_rng([spec.seed, 7])
    steps = rng.normal(0.0, 1.6, (spec.frames, 2))
    path = np.zeros((spec.frames, 2))
    for index in range(1, spec.frames):
        # Drawn back to the middle, as a hand does, so that the screen stays in view.
        path[index] = 0.9 * path[index - 1] + steps[index]
    return [(int(x), int(y)) for x, y in path.round()]


def _clock(stage: _Stage) -> _Change:
    """Replace the banner's time by one that runs, and count frames in a corner."""
    stays = [stamp for stamp in stage.screen.stamps if not _is_banner_time(stamp)]
    return stays, [*_seconds(stage), *_counts(stage)]


def _is_banner_time(stamp: Stamp) -> bool:
    return stamp.item.place is Place.BANNER and stamp.item.name.endswith("/time")


def _seconds(stage: _Stage) -> Iterable[Stamp]:
    frames_a_second = max(1, round(1000 / stage.spec.frame_time_ms))
    slot = next(slot for slot in stage.screen.layout.slots if slot.field == "time")
    slot = replace(slot, place=Place.CLOCK)
    for start in range(0, stage.spec.frames, frames_a_second):
        moment = stage.identity.visit + dt.timedelta(seconds=start // frames_a_second)
        stamp = stage.line(time_text(stage.identity, moment), PhiKind.DATE, slot, "clock")
        yield from _present(stamp, start, start + frames_a_second)


def _counts(stage: _Stage) -> Iterable[Stamp]:
    slot = Slot("counter", 0.74, 0.985, width=0.2, place=Place.COUNTER)
    for frame in range(stage.spec.frames):
        text = f"{frame + 1}/{stage.spec.frames}"
        yield from _present(stage.line(text, PhiKind.NONE, slot, "counter"), frame, frame + 1)


def _flash(stage: _Stage) -> _Change:
    rng = np.random.default_rng([stage.spec.seed, 5])
    rim = bool(stage.spec.seed % 2)  # with and without a dark rim, by turns
    places = (
        ("name", Slot("name", 0.32, 0.55, width=0.4, colour=_YELLOW, place=Place.FLASH, rim=rim)),
        ("id", Slot("id", 0.2, 0.985, width=0.3, place=Place.FLASH)),
    )
    comes: list[Stamp] = []
    for field, slot in places:
        text, kind = phi_text(stage.identity)[field]
        frame = int(rng.integers(stage.spec.frames))
        comes += _present(stage.line(text, kind, slot, f"flash/{field}"), frame, frame + 1)
    return stage.screen.stamps, comes


def _fade(stage: _Stage) -> _Change:
    slot = Slot("name", 0.3, 0.66, width=0.4, colour=_YELLOW, place=Place.TRANSIENT, rim=True)
    text, kind = phi_text(stage.identity)["name"]
    whole = stage.line(text, kind, slot, "fade/name")
    if whole is None:
        return stage.screen.stamps, ()
    ramp = max(2, stage.spec.frames // 2)
    comes: list[Stamp] = []
    for frame in range(stage.spec.frames):
        alpha = min(1.0, _FADE_SEEN + (1 - _FADE_SEEN) * frame / ramp)
        comes += _present(replace(whole, alpha=whole.alpha * alpha), frame, frame + 1)
    return stage.screen.stamps, comes


def _scroll(stage: _Stage) -> _Change:
    text = f"{stage.identity.name_text}  {stage.identity.id_text}"
    slot = Slot("name", 0.02, 0.985, width=0.5, place=Place.TRANSIENT)
    whole = stage.line(text, PhiKind.PERSON, slot, "scroll/name")
    if whole is None:
        return stage.screen.stamps, ()
    comes: list[Stamp] = []
    for frame in range(stage.spec.frames):
        step = 3 * frame % max(3, stage.spec.columns // 3)
        moved = whole.shifted(step, 0, stage.spec.rows, stage.spec.columns)
        comes += _present(moved, frame, frame + 1)
    return stage.screen.stamps, comes


def _blink(stage: _Stage) -> _Change:
    slot = Slot("name", 0.25, 0.985, width=0.35, place=Place.TRANSIENT)
    text, kind = phi_text(stage.identity)["name"]
    stamp = stage.line(text, kind, slot, "blink/name")
    starts = range(min(3, stage.spec.frames - 1), stage.spec.frames, 6)
    return stage.screen.stamps, [s for start in starts for s in _present(stamp, start, start + 3)]


def _patient(stage: _Stage) -> _Change:
    """Show another patient's banner from the middle on; the machine's settings stay."""
    half = max(1, stage.spec.frames // 2)
    rng = np.random.default_rng([stage.spec.seed, 6])
    other = set_screen(stage.spec, draw_identity(rng), rng)
    stays: list[Stamp] = []
    for stamp in stage.screen.stamps:
        stays += _present(stamp, 0, half if stamp.item.phi else stage.spec.frames)
    comes: list[Stamp] = []
    for stamp in (stamp for stamp in other.stamps if stamp.item.phi):
        named = replace(stamp, item=replace(stamp.item, name=f"second/{stamp.item.name}"))
        comes += _present(named, half, stage.spec.frames)
    return stays, comes


def _worksheet(stage: _Stage) -> _Change:
    first, end = page_frames(stage.spec)
    stays: list[Stamp] = []
    for stamp in stage.screen.stamps:
        stays += [*_present(stamp, 0, first), *_present(stamp, end, stage.spec.frames)]
    fields = phi_text(stage.identity)
    rng = np.random.default_rng([stage.spec.seed, 8])
    rows = ["name", "id", "dob", "physician", "date", "site"] + ["measure"] * 8
    comes: list[Stamp] = []
    for index, field in enumerate(rows):
        text, kind = fields.get(field) or (clinical_line(rng, field), PhiKind.NONE)
        x = 0.08 if index < 6 else 0.12
        slot = Slot(field, x, 0.1 + 0.058 * index, width=0.6, colour=(10, 10, 30), place=Place.PAGE)
        comes += _present(stage.line(text, kind, slot, f"page/{index}/{field}"), first, end)
    return stays, comes


def _handheld(stage: _Stage) -> _Change:
    spec = stage.spec
    comes: list[Stamp] = []
    for frame, (dx, dy) in enumerate(handheld_path(spec)):
        for stamp in stage.screen.stamps:
            comes += _present(stamp.shifted(dx, dy, spec.rows, spec.columns), frame, frame + 1)
    return (), comes


def _present(stamp: Stamp | None, first: int, end: int) -> Iterable[Stamp]:
    """Yield the stamp as seen in `first` to `end`, where there is anything to see."""
    seen = stamp.during(first, end) if stamp is not None else None
    if seen is not None:
        yield seen


_CHANGES: Final[dict[Dynamic, Callable[[_Stage], _Change]]] = {
    Dynamic.CLOCK: _clock,
    Dynamic.FLASH: _flash,
    Dynamic.FADE: _fade,
    Dynamic.SCROLL: _scroll,
    Dynamic.BLINK: _blink,
    Dynamic.PATIENT: _patient,
    Dynamic.WORKSHEET: _worksheet,
    Dynamic.HANDHELD: _handheld,
}

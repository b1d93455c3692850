"""Lines that say together what none of them says alone: terse settings, stages of a test.

`43F` is an age and a sex, and `Peak` a surname; below `290P` and above `49CG` one is a frame rate,
and beside `Baseline` and `Low Dose` the other is a stage. Owns which lines make such a group; what
speaks against a member is for `decide`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from cinescrub.policy import layout, ocr
from cinescrub.policy.readings import agree, is_reread, seen_shape
from cinescrub.policy.seen import Seen
from cinescrub.policy.settings import DecisionSettings

__all__ = ["in_company"]

_TERSE: Final = re.compile(r"[1-9]\d{0,2}(cg|dr|hz|[fgp])")
"""LOGIQ prints the label behind the number."""
_STAGE: Final = re.compile(
    r"rest|base(?:line)?|(?:pre|post|peak|impost|immpost|recovery)|stage\s?\d"
    r"|(?:low|mid|int|intermediate|high|peak)\s?(?:dose|stress|exercise)"
)
"""Of a stress echocardiogram: Pellikka et al., J Am Soc Echocardiogr 2020;33:1-41."""
_TWICE: Final = 2
_LEAST: Final = 3
"""Members of a group: two may stand together by chance."""


def in_company(seen: Sequence[Seen], settings: DecisionSettings) -> frozenset[int]:
    """Return which lines are members of a group.

    Parameters
    ----------
    seen : sequence of Seen
        Lines of one frame.
    settings : DecisionSettings
        Thresholds and reaches.
    """
    return _terse(seen, settings) | _stages(seen, settings)


def _terse(seen: Sequence[Seen], settings: DecisionSettings) -> frozenset[int]:
    """Return terse settings one below the other, each of another label, one of them for sure."""
    labels = {i: found for i, one in enumerate(seen) if (found := _label(one, settings))}
    members: set[int] = set()
    for first in labels:
        column = [first]
        while (below := _next(column[-1], labels, seen, settings)) is not None:
            column.append(below)
        others = {labels[i] for i in column}
        known = any(seen[i].measures and seen[i].sure >= _TWICE for i in column)
        if known and len(others) == len(column) >= _LEAST:
            members.update(column)
    return frozenset(members)


def _next(
    above: int, labels: dict[int, str], seen: Sequence[Seen], settings: DecisionSettings
) -> int | None:
    box = seen[above].line.box
    below = [i for i in labels if layout.follows(box, seen[i].line.box, settings)]
    return min(below, key=lambda i: seen[i].line.box[1], default=None)


def _label(one: Seen, settings: DecisionSettings) -> str:
    """Return the label behind the number that a line was surely read as, or nothing."""
    readings = [r for r in one.line.readings if r.confidence >= settings.doubtful]
    best = max(readings, key=lambda reading: reading.confidence, default=None)
    if best is None or best.confidence < settings.sure:
        return ""
    found = _TERSE.fullmatch(ocr.glyphs(best.text))
    meant = seen_shape(best.text)
    alike = all(ocr.edits(meant, seen_shape(r.text), 1) for r in readings)
    return found[1] if found is not None and alike else ""


def _stages(seen: Sequence[Seen], settings: DecisionSettings) -> frozenset[int]:
    """Return stages in one grid with two others at least that were read surely twice."""
    names = {i: found for i, one in enumerate(seen) if (found := _stage(one, settings))}
    members: set[int] = set()
    for i, name in names.items():
        grid, reached = {i}, {i}
        while reached:
            here = [seen[j].line.box for j in reached]
            reached = {
                j
                for j in names.keys() - grid
                if any(layout.is_in_grid(box, seen[j].line.box, settings) for box in here)
            }
            grid |= reached
        others = [j for j in grid if names[j] != name and seen[j].sure >= _TWICE]
        if len(others) + 1 >= _LEAST:
            members.add(i)
    return frozenset(members)


def _stage(one: Seen, settings: DecisionSettings) -> str:
    """Return the stage that a line was certainly, or surely twice read as, and as nothing else."""
    readings = [r for r in one.line.readings if not r.outvoted and r.text.strip()]
    best = max(readings, key=lambda reading: reading.confidence, default=None)
    if best is None or (best.confidence < settings.certain and one.sure < _TWICE):
        return ""
    alike = all(
        is_reread(best.text, r.text)
        or (r.confidence < settings.sure and agree(best.text, r.text, edits=settings.differing))
        for r in readings
    )
    stage = _STAGE.fullmatch(ocr.fold(best.text).strip()) is not None
    return ocr.glyphs(best.text) if alike and stage else ""

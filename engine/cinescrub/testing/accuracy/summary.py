"""Turns outcomes into figures, a table for people and values for JSON. Measures nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from cinescrub.testing.accuracy.measure import Outcome, Subject
from cinescrub.testing.areas import Area
from cinescrub.testing.score import total

__all__ = ["figures_of", "grouped", "summarise", "table"]

_COLUMNS: Final = (
    # Heading, width, key of `figures_of`, what it is multiplied by, decimals.
    ("cines", 7, "cines", 1, 0),
    ("items", 8, "items", 1, 0),
    ("item %", 9, "item_recall", 100, 2),
    ("frame %", 9, "item_frame_recall", 100, 2),
    ("ink %", 9, "ink_recall", 100, 2),
    ("kept %", 9, "kept", 100, 2),
    ("prec. %", 9, "precision", 100, 2),
    ("else %", 9, "changed_elsewhere", 100, 3),
    ("header", 8, "header_leaks", 1, 0),
    ("missing", 9, "missing", 1, 0),
)


def figures_of(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the figures of some cases together, as `cinescrub.testing.score` defines them."""
    score = total(outcome.score for outcome in outcomes)
    shares = [o.inspected_share for o in outcomes if o.inspected_share is not None]
    pixels = max(1, score.pixels)
    return {
        "cines": len(outcomes),
        "items": score.items,
        "item_frames": score.item_frames,
        "item_recall": round(score.item_recall, 5),
        "item_frame_recall": round(score.item_frame_recall, 5),
        "ink_recall": round(score.ink_recall, 5),
        "clinical": score.clinical,
        "kept": round(score.kept, 5),
        "precision": round(score.precision, 5),
        "pixel_precision": round(score.pixel_precision, 5),
        "changed_elsewhere": round(score.changed_elsewhere, 6),
        "changed": {
            str(area): round(getattr(score, f"changed_{area}") / pixels, 6) for area in Area
        },
        "unseen_item_frames": score.unseen_item_frames,
        "header_leaks": sum(len(outcome.header_leaks) for outcome in outcomes),
        "inspected_share": round(sum(shares) / len(shares), 4) if shares else None,
        "missing": score.missing,
    }


def grouped(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """Return the outcomes by the group of their case, in the suite's order."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.case.group, []).append(outcome)
    return groups


def summarise(subjects: Sequence[Subject], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that was found, as plain values.

    Made cines only: the texts of misses are inventions, no PHI.
    """
    return {"settings": dict(settings), "subjects": [_of_subject(each) for each in subjects]}


def _of_subject(subject: Subject) -> dict[str, Any]:
    outcomes = subject.outcomes
    misses = [
        {"case": o.case.name} | asdict(miss) | {"cause": o.causes.get(miss.name)}
        for o in outcomes
        for miss in o.score.misses
    ]
    return {
        "name": subject.name,
        "version": subject.version,
        "seconds": round(subject.seconds, 1),
        "exit_code": subject.exit_code,
        "total": figures_of(outcomes),
        "groups": {name: figures_of(group) for name, group in grouped(outcomes).items()},
        "misses": misses,
        "causes": dict(Counter(str(miss["cause"]) for miss in misses if miss["cause"])),
        "lost": [{"case": o.case.name} | asdict(lost) for o in outcomes for lost in o.score.lost],
        "header_leaks": [
            {"case": o.case.name, "place": place} for o in outcomes for place in o.header_leaks
        ],
        "no_output": [
            {"case": o.case.name, "status": o.status, "reason": o.reason}
            for o in outcomes
            if o.score.missing
        ],
    }


def table(subjects: Sequence[Subject]) -> str:
    """Return a table for people: the first subject by group, each other one in a row."""
    first, *others = subjects
    rows = [(name, group) for name, group in grouped(first.outcomes).items()]
    rows.append((first.name, list(first.outcomes)))
    rows += [(other.name, list(other.outcomes)) for other in others]
    width = max(len(name) for name, _ in rows) + 1
    lines = [" " * width + "".join(heading.rjust(w) for heading, w, *_ in _COLUMNS)]
    lines += [name.ljust(width) + _cells(figures_of(outcomes)) for name, outcomes in rows]
    return "\n".join(lines)


def _cells(figures: Mapping[str, Any]) -> str:
    return "".join(
        f"{figures[key] * scale:.{digits}f}".rjust(width)
        for _, width, key, scale, digits in _COLUMNS
    )

"""Lines in the rows of a table: labels of settings and measurements, and their values beside them.

Alone, `DR` is a title, `FR` somebody's initials, `Low` a surname and `3.18` a day and a month.
Where rows of clinical labels and measured values stand one below the other, the other rows of the
same columns are settings and measurements too. Owns which lines such a table holds; what speaks
against one of them is for `decide`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cinescrub.policy import grammar, layout, ocr
from cinescrub.policy.readings import seen_shape
from cinescrub.policy.seen import Seen
from cinescrub.policy.settings import DecisionSettings
from cinescrub.policy.vocabulary import Vocabulary
from cinescrub.types import Reason

__all__ = ["in_tables"]

_FIRM: Final = 3
"""Rows that make a table: a name and a room may stand beside two measurements by chance."""
_LEVELS: Final = frozenset(
    ocr.words("low mid med medium high on off auto max min fast slow general gen res pen")
)
_HEADS: Final = frozenset(
    ocr.words("mean max min last avg average value values parameter meth method sd std range unit")
    + ocr.words("m1 m2 m3 m4 m5 m6")
)
"""What stands above a column, or last in a row; some are names elsewhere."""
_NUMBER: Final = re.compile(r"[+-]?(\d{1,3})(?:[.,](\d{1,2}))?")
"""Four digits are a year, or a part of an ID."""
_TWICE: Final = 2
_TITLE: Final = "dr"
"""A dynamic range, where it has a value."""


@dataclass(frozen=True, slots=True)
class _Row:
    label: int
    value: int
    """The same line, where both were found as one."""
    firm: bool
    """Whether its value says itself that it is measured."""


def in_tables(
    seen: Sequence[Seen],
    evidence: Sequence[Reason | None],
    vocabulary: Vocabulary | None,
    settings: DecisionSettings,
) -> frozenset[int]:
    """Return which lines stand in the rows of a table of settings or measurements.

    Three rows at least have a value with its unit, or a decimal that is no day and month, so that
    the table is known to be one. What stands in it was read as one and the same, surely twice.

    Parameters
    ----------
    seen : sequence of Seen
        Lines of one frame.
    evidence : sequence of Reason or None
        What speaks against each by itself.
    vocabulary : Vocabulary, optional
        Clinical terms; default: the package's own.
    settings : DecisionSettings
        Thresholds and reaches.
    """
    texts = [_read_as(one, settings) for one in seen]
    labels = [
        bool(text) and _is_label(text, one, found, vocabulary)
        for text, one, found in zip(texts, seen, evidence, strict=True)
    ]
    values = [
        bool(text) and _is_value(text, one, found)
        for text, one, found in zip(texts, seen, evidence, strict=True)
    ]
    heads = [
        text in _HEADS and found is not Reason.IDENTIFIER
        for text, found in zip(texts, evidence, strict=True)
    ]
    boxes = [one.line.box for one in seen]
    rows = []
    for i, one in enumerate(seen):
        if texts[i] and one.measures and evidence[i] is None and not _NUMBER.match(texts[i]):
            rows.append(_Row(i, i, firm=True))
        if not labels[i]:
            continue
        beside = [j for j, box in enumerate(boxes) if layout.is_row_of(boxes[i], box, settings)]
        j = min(beside, key=lambda j: boxes[j][0], default=None)
        if j is not None and values[j]:
            rows.append(_Row(i, j, _is_measured(texts[j], seen[j])))
    members: set[int] = set()
    for table in _tables(rows, boxes, settings):
        if sum(row.firm for row in table) < _FIRM:
            continue
        cells = {index for row in table for index in (row.label, row.value)}
        cells |= {  # the measurements behind their mean, and what of them it is
            j
            for row in table
            for j, box in enumerate(boxes)
            if (values[j] or heads[j]) and _is_behind(boxes[row.value], box, settings)
        }
        members |= cells
        members |= {
            i
            for i, box in enumerate(boxes)
            if heads[i]
            if any(layout.is_below_in_column(box, boxes[j], settings) for j in cells)
        }
    return frozenset(members)


def _read_as(one: Seen, settings: DecisionSettings) -> str:
    """Return what a line was surely read as twice, folded, and as nothing else; or nothing.

    Beside a certain reading others count for nothing that are less than half as sure.
    """
    read = [reading for reading in one.line.readings if reading.text.strip()]
    best = max(read, key=lambda reading: reading.confidence, default=None)
    if best is None or best.confidence < settings.clear or best.unread or best.cut:
        return ""
    alike = [r for r in read if seen_shape(r.text) == seen_shape(best.text)]
    others = [r.confidence for r in read if r not in alike and not r.outvoted]
    times = sum(r.times for r in alike if r.confidence >= settings.doubtful)
    doubted = max(others, default=0.0) >= settings.doubtful_share * best.confidence
    return "" if doubted or times < _TWICE else ocr.fold(best.text).strip(grammar.SPECKS)


def _is_label(text: str, one: Seen, found: Reason | None, vocabulary: Vocabulary | None) -> bool:
    """Tell whether a text may be the label of a row: clinical words, names among them or not."""
    if text == _TITLE:
        return found is not Reason.IDENTIFIER
    clinical = grammar.parse(text, vocabulary)
    worded = clinical is not None and not clinical.measures and not clinical.numbers
    return worded and not one.label and found in (None, Reason.MODEL)


def _is_value(text: str, one: Seen, found: Reason | None) -> bool:
    if text in _LEVELS:
        return found is not Reason.IDENTIFIER
    numeric = _NUMBER.fullmatch(text) is not None and not _has_letters(one)
    return (numeric or one.measures) and found in (None, Reason.MODEL)


def _has_letters(one: Seen) -> bool:
    """Tell whether any reading that counts has a letter: B0 are initials that were read as 80."""
    return any(
        any(map(str.isalpha, reading.text)) for reading in one.line.readings if not reading.outvoted
    )


def _is_measured(text: str, one: Seen) -> bool:
    """Tell whether a value says itself that it is measured: by a unit, or as no day and month."""
    number = _NUMBER.fullmatch(text)
    if number is None or not number[2]:
        return one.measures
    first, second = int(number[1]), int(number[2])
    return not (1 <= first <= 31 and 1 <= second <= 31 and min(first, second) <= 12)


def _tables(
    rows: Sequence[_Row], boxes: Sequence[layout.Box], settings: DecisionSettings
) -> Iterator[list[_Row]]:
    """Yield rows that stand one below the other, by label and by value."""
    left = [*rows]
    while left:
        table = reached = [left.pop()]
        while reached:
            reached = [
                row
                for row in left
                if any(
                    _follows(one, row, boxes, settings) or _follows(row, one, boxes, settings)
                    for one in reached
                )
            ]
            left = [row for row in left if row not in reached]
            table = table + reached
        yield table


def _follows(
    above: _Row, below: _Row, boxes: Sequence[layout.Box], settings: DecisionSettings
) -> bool:
    columns = [(above.label, below.label)]
    if above.label != above.value and below.label != below.value:
        columns.append((above.value, below.value))
    return all(layout.is_below_in_column(boxes[a], boxes[b], settings) for a, b in columns)


def _is_behind(value: layout.Box, cell: layout.Box, settings: DecisionSettings) -> bool:
    """Tell whether a cell stands in the row of a value, behind it, however roomy their boxes."""
    reach = settings.row_reach * min(value[3] - value[1], cell[3] - cell[1])
    return cell[0] >= value[2] and layout.is_right_of(value, cell, reach)

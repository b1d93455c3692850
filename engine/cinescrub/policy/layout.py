"""How lines stand to each other: in a row, below, as a label and its value, in a list.

Distances are in heights of a line, since screens come in all sizes.
"""

from __future__ import annotations

from typing import TypeAlias

from cinescrub.policy.settings import DecisionSettings

__all__ = [
    "Box",
    "follows",
    "is_below",
    "is_below_in_column",
    "is_beside",
    "is_in_grid",
    "is_right_of",
    "is_row_of",
    "is_value_of",
]

Box: TypeAlias = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels of the frame, x1 and y1 exclusive."""


def is_right_of(a: Box, b: Box, reach: float) -> bool:
    """Tell whether `b` stands in the row of `a`, right of its left edge, at most `reach` px off."""
    overlap = min(a[3], b[3]) - max(a[1], b[1])
    in_row = 2 * overlap >= min(a[3] - a[1], b[3] - b[1])
    return in_row and b[0] >= a[0] and b[0] - a[2] <= reach


def is_below(a: Box, b: Box, reach: float) -> bool:
    """Tell whether `b` starts in the columns of `a`, under its top, at most `reach` px away."""
    in_columns = min(a[2], b[2]) > max(a[0], b[0])
    return in_columns and b[1] > a[1] and b[1] - a[3] <= reach


def is_beside(a: Box, b: Box, reach: float) -> bool:
    """Tell whether two lines stand in a row, at most `reach` of the lower one's heights apart."""
    first, second = sorted((a, b))
    height = max(1, min(first[3] - first[1], second[3] - second[1]))
    return is_right_of(first, second, reach * height)


def is_value_of(label: Box, value: Box, settings: DecisionSettings) -> bool:
    """Tell whether a value stands close right of its label or below it, in the same print."""
    low = _one_print(label, value, settings)
    if not low:
        return False
    if value[0] >= label[2] and is_right_of(label, value, settings.value_reach * low):
        return True
    shared = min(label[2], value[2]) - max(label[0], value[0])
    under = 2 * shared >= min(label[2] - label[0], value[2] - value[0])
    return under and value[1] > label[1] and value[1] - label[3] <= settings.value_drop * low


def is_row_of(label: Box, value: Box, settings: DecisionSettings) -> bool:
    """Tell whether a value stands in the row of its label, in the same print, as in a table."""
    low = _one_print(label, value, settings)
    return (
        bool(low) and value[0] >= label[2] and is_right_of(label, value, settings.row_reach * low)
    )


def follows(above: Box, below: Box, settings: DecisionSettings) -> bool:
    """Tell whether a line is the next in a list: below the other, in the same print, aligned."""
    return _is_aligned_below(above, below, settings.list_drop, settings)


def is_below_in_column(above: Box, below: Box, settings: DecisionSettings) -> bool:
    """Tell whether a line stands below another in a column of a table, in the same print."""
    return _is_aligned_below(above, below, settings.table_drop, settings)


def is_in_grid(a: Box, b: Box, settings: DecisionSettings) -> bool:
    """Tell whether two lines stand in one row or one column of a grid, in the same print."""
    low = _one_print(a, b, settings)
    slack = settings.list_slack * low
    middles = abs(a[1] + a[3] - b[1] - b[3]) / 2 <= slack
    return bool(low) and (middles or _is_aligned(a, b, slack))


def _is_aligned_below(above: Box, below: Box, drop: float, settings: DecisionSettings) -> bool:
    low = _one_print(above, below, settings)
    if not low or below[1] < above[3] - low // 4:
        return False
    aligned = _is_aligned(above, below, settings.list_slack * low)
    return aligned and below[1] - above[3] <= drop * low


def _is_aligned(a: Box, b: Box, slack: float) -> bool:
    return abs(a[0] - b[0]) <= slack or abs(a[2] - b[2]) <= slack


def _one_print(a: Box, b: Box, settings: DecisionSettings) -> int:
    """Return the height of the lower of two lines, 0 where they differ too much for one print."""
    low, high = sorted((a[3] - a[1], b[3] - b[1]))
    return low if 0 < high <= settings.one_print * low else 0

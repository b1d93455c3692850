"""Lines that are kept for those around them: terse settings in a column, stages in a grid."""

from __future__ import annotations

import pytest

from cinescrub.policy.decide import Line, Reading, decide
from cinescrub.policy.identifiers import HeaderIdentifier, IdentifierMatcher
from cinescrub.types import PhiKind, Reason

_SIZE = (480, 640)
_NOBODY = IdentifierMatcher()


def column(*texts: str, pitch: int = 17, sure: float = 0.95) -> list[Line]:
    """Return lines below each other, left of the picture, each read twice."""
    return [
        Line((Reading(text, sure), Reading(text, sure, 0.9)), _box(16, 100 + pitch * i, text))
        for i, text in enumerate(texts)
    ]


def grid(*texts: str, sure: float = 0.95) -> list[Line]:
    """Return captions of four pictures."""
    corners = ((9, 80), (329, 80), (9, 260), (329, 260))
    return [
        Line((Reading(text, sure), Reading(text, 1.0)), _box(x, y, text))
        for text, (x, y) in zip(texts, corners, strict=False)
    ]


def _box(x: int, y: int, text: str) -> tuple[int, int, int, int]:
    return x, y, x + 8 * len(text), y + 12


def reasons(lines: list[Line], matcher: IdentifierMatcher = _NOBODY) -> list[Reason]:
    return list(decide(lines, matcher=matcher, frame_size=_SIZE).reasons)


def test_a_frame_rate_between_terse_settings_is_no_age_and_sex() -> None:
    assert reasons(column("290P", "43F", "49CG")) == [Reason.CLINICAL] * 3
    assert reasons(column("4P", "43F", "49CG")) == [Reason.CLINICAL] * 3


@pytest.mark.parametrize(
    "texts",
    [
        ("43F", "49CG"),
        ("43F", "61F", "49CG"),
        ("43F", "61M", "49CG"),
        ("DOE", "43F", "49CG"),
        ("4P", "43F", "5G"),
        ("043F", "290P", "49CG"),
    ],
    ids=["two", "two ages", "another age", "a name", "none for sure", "three digits"],
)
def test_elsewhere_it_is(texts: tuple[str, ...]) -> None:
    lines = column(*texts)
    found = dict(zip(texts, reasons(lines), strict=True))

    assert found[next(text for text in texts if text.endswith("43F"))].redacts


def test_settings_that_stand_apart_are_no_column() -> None:
    assert reasons(column("290P", "43F", "49CG", pitch=50))[1] is Reason.PATTERN


def test_a_terse_setting_that_was_read_otherwise_is_none() -> None:
    lines = column("290P", "43F", "49CG")
    other = Line((Reading("43F", 0.9), Reading("Li F", 0.5)), lines[1].box)

    assert reasons([lines[0], other, lines[2]])[1] is Reason.PATTERN


def test_an_age_that_the_header_knows_goes_from_a_column_too() -> None:
    known = IdentifierMatcher([HeaderIdentifier(PhiKind.IDENTIFIER, "43F")])

    assert reasons(column("290P", "43F", "49CG"), known)[1] is Reason.IDENTIFIER


def test_a_stage_that_is_a_surname_stays_among_stages() -> None:
    assert reasons(grid("Peak", "Stage 1", "Stage 1")) == [Reason.CLINICAL] * 3
    assert reasons(grid("Stage 1", "Low Dose", "Peak"))[2] is Reason.CLINICAL


@pytest.mark.parametrize(
    "texts",
    [
        ("Peak",),
        ("Peak", "Stage 1"),
        ("Peak", "Peak", "Stage 1"),
        ("Peak", "A4C", "Stage 1"),
        ("Pike", "Low Dose", "Stage 1"),
    ],
)
def test_a_surname_among_fewer_goes(texts: tuple[str, ...]) -> None:
    assert reasons(grid(*texts))[0] is Reason.UNKNOWN


def test_a_stage_that_is_unsure_or_stands_elsewhere_is_none() -> None:
    stages = grid("Stage 1", "Low Dose")
    unsure = Line((Reading("Peak", 0.6), Reading("Peck", 0.6)), _box(9, 260, "Peak"))
    aside = Line((Reading("Peak", 0.9), Reading("Peak", 0.9)), _box(150, 200, "Peak"))

    assert reasons([*stages, unsure])[2] is Reason.UNKNOWN
    assert reasons([*stages, aside])[2] is Reason.UNKNOWN


def test_a_patient_of_that_name_goes_from_among_stages() -> None:
    known = IdentifierMatcher([HeaderIdentifier(PhiKind.PERSON, "PEAK^ANNA")])

    assert reasons(grid("Peak", "Stage 1", "Low Dose"), known)[0] is Reason.IDENTIFIER

"""Lines that are kept for the table that they stand in: settings and measurements in columns."""

from __future__ import annotations

import pytest

from cinescrub.policy.decide import Line, Reading, decide
from cinescrub.policy.identifiers import HeaderIdentifier, IdentifierMatcher
from cinescrub.types import PhiKind, Reason

_SIZE = (600, 800)
_NOBODY = IdentifierMatcher()
_SETTINGS = (("Depth", "18.0 cm"), ("Gain", "59 %"), ("Freq", "9.9 MHz"))


def table(*rows: tuple[str, ...], pitch: int = 22, columns: int = 90) -> list[Line]:
    """Return cells of rows below each other, each read twice; columns begin at one place."""
    return [
        Line(
            (Reading(text, 0.97), Reading(text, 0.95)),
            _box(500 + columns * k, 150 + pitch * i, text),
        )
        for i, row in enumerate(rows)
        for k, text in enumerate(row)
        if text
    ]


def _box(x: int, y: int, text: str) -> tuple[int, int, int, int]:
    return x, y, x + 9 * len(text), y + 15


def gone(lines: list[Line], matcher: IdentifierMatcher = _NOBODY) -> list[str]:
    """Return the texts of the lines that go."""
    found = decide(lines, matcher=matcher, frame_size=_SIZE)
    return [line.readings[0].text for line, goes in zip(lines, found.redact, strict=True) if goes]


@pytest.mark.parametrize(
    "row",
    [("DR", "78 dB"), ("DR", "62"), ("Power", "90 %"), ("FR", "44"), ("WF", "Low"), ("Map", "6"),
     ("Preset", "General"), ("Angle", "0"), ("PW", "High")],
)  # fmt: skip
def test_a_row_among_settings_is_one(row: tuple[str, str]) -> None:
    assert gone(table(*_SETTINGS, row)) == []
    assert gone(table(row, *_SETTINGS)) == []


def test_rows_that_were_found_as_one_line_count() -> None:
    assert gone(table(("Depth 18.0 cm",), ("DR", "62"), ("Gain 59 %",), ("Freq 9.9 MHz",))) == []
    assert "DR" in gone(table(("18.0 cm",), ("DR", "62"), ("59 %",), ("9.9 MHz",)))


def test_single_measurements_stand_behind_their_mean() -> None:
    rows = (
        ("IVSd", "1.18 cm", "1.20", "1.84"),
        ("LVIDd", "4.73 cm", "4.70", "4.75"),
        ("LVPWd", "0.98 cm", "0.91", "1.05"),
    )
    assert gone(table(*rows)) == []


def test_heads_stand_above_their_columns() -> None:
    rows = (("IVSd", "1.18 cm", "1.20"), ("LVIDd", "4.73 cm", "4.70"), ("LVPWd", "0.98 cm", "Last"))

    assert gone(table(("Parameter", "Mean", "m1"), *rows)) == []
    assert gone(table(("Parameter", "Young", "Max."), *rows)) == ["Young"]
    assert gone(table(*rows, ("Mean",))) == ["Mean"]


def test_decimals_are_measured_where_they_are_no_days() -> None:
    assert gone(table(("PI", "2.00"), ("RI", "0.71"), ("EDV", "30.2"), ("PSV", "104.5"))) == []
    assert gone(table(("Liver", "2.11"), ("Spleen", "3.12"), ("Kidney", "5.10"))) != []


@pytest.mark.parametrize(
    ("row", "going"),
    [
        (("DR", "KING"), "KING"),
        (("Dr", "Young"), "Young"),
        (("Name", "59"), "59"),
        (("Age", "45"), "45"),
        (("LV", "JANE DOE"), "JANE DOE"),
        (("Gain", "17.01.2026"), "17.01.2026"),
        (("Gain", "12:31"), "12:31"),
        (("Gain", "4711"), "4711"),
        (("OKONKWO", "59 %"), "OKONKWO"),
    ],
)
def test_what_identifies_goes_from_a_table_too(row: tuple[str, str], going: str) -> None:
    assert going in gone(table(*_SETTINGS, row))


def test_an_identifier_of_the_file_goes_from_a_table_too() -> None:
    matcher = IdentifierMatcher([HeaderIdentifier(PhiKind.IDENTIFIER, "62")])

    assert "62" in gone(table(*_SETTINGS, ("DR", "62")), matcher)


@pytest.mark.parametrize("rows", [_SETTINGS[:2], (("Gain", "3"), ("Map", "2"), ("Edge", "4"))])
def test_two_measured_rows_or_bare_numbers_make_no_table(rows: tuple[tuple[str, str], ...]) -> None:
    assert "DR" in gone(table(*rows, ("DR", "62")))


def test_a_row_of_another_place_or_print_is_none_of_it() -> None:
    far = [Line(line.readings, (50, 400, 68, 415)) for line in table(("DR",))]
    low = [Line(line.readings, (90, 400, 126, 415)) for line in table(("Low",))]

    assert set(gone([*table(*_SETTINGS), *far, *low])) == {"DR", "Low"}


def test_a_cell_that_was_read_once_or_in_two_ways_is_none_of_it() -> None:
    *others, label, _ = table(*_SETTINGS, ("DR", "62"))
    box = _box(590, 216, "62")
    once = Line((Reading("62", 0.97),), box)
    twice = Line((Reading("62", 0.97), Reading("HZ", 0.9)), box)

    letters = Line((Reading("80", 0.97), Reading("BO", 0.9)), box)

    for value in (once, twice, letters):
        assert "DR" in gone([*others, label, value])


def test_reason_of_a_member_is_clinical() -> None:
    found = decide(table(*_SETTINGS, ("DR", "62")), matcher=_NOBODY, frame_size=_SIZE)

    assert set(found.reasons) == {Reason.CLINICAL}

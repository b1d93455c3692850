"""What one reading makes of another, and what a place beside the sector says of a short line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cinescrub.policy import grammar
from cinescrub.policy.decide import Line, decide
from cinescrub.policy.identifiers import HeaderIdentifier, IdentifierMatcher
from cinescrub.policy.readings import Reading, agree
from cinescrub.types import PhiKind, Reason

NOBODY = IdentifierMatcher([])


def reason(*readings: tuple[str, float] | Reading, beside: bool = False, known: str = "") -> Reason:
    matcher = IdentifierMatcher([HeaderIdentifier(PhiKind.IDENTIFIER, known)]) if known else NOBODY
    said = tuple(each if isinstance(each, Reading) else Reading(*each) for each in readings)
    box = (100, 240, 100 + 10 * max(len(each.text) for each in said), 255)
    line = Line(said, box, beside=beside)
    return decide([line], matcher=matcher, frame_size=(480, 640)).reasons[0]


def in_banner(*readings: tuple[str, float], date: bool = False) -> Reason:
    longest = max(len(text) for text, _ in readings)
    lines = [Line(tuple(Reading(*each) for each in readings), (100, 10, 100 + 10 * longest, 25))]
    if date:
        right = 110 + 10 * longest
        lines.append(Line((Reading("17.01.2026", 0.9),), (right, 10, right + 80, 25)))
    return decide(lines, matcher=NOBODY, frame_size=(480, 640)).reasons[0]


@pytest.mark.parametrize("text", ["RR", "PR", "LV", "ra"])
def test_two_letters_beside_the_sector_may_be_an_operator(text: str) -> None:
    assert reason((text, 0.95), (text, 0.95), beside=True) is Reason.BANNER
    assert reason((text, 0.95), (text, 0.95)) is Reason.CLINICAL


@pytest.mark.parametrize("text", ["2D", "A4C", "LV 4CH", "MI 1.1", "CCA", "65%"])
def test_what_is_more_than_two_letters_stays_beside_the_sector(text: str) -> None:
    assert reason((text, 0.95), (text, 0.95), beside=True) is Reason.CLINICAL


@pytest.mark.parametrize(
    ("clear", "other"),
    [("2D G 69 dB", "20669 dB"), ("PRF 2834Hz", "PRF 2834H2"), ("D1 2.74 cm", "01274cm")],
)
def test_a_clear_measurement_explains_a_reading_of_its_shape(clear: str, other: str) -> None:
    assert reason((other, 0.6), (clear, 0.87)) is Reason.CLINICAL
    assert reason((other, 0.6)) is not Reason.CLINICAL


@pytest.mark.parametrize(
    ("clear", "other"),
    [
        ("HC 2.35 cm", "HC 2:35 cm"),
        ("Vol 7.36 ml", "Vol 7:36 ml"),
        ("HR 72 bpm 1.4 cm", "HR 72 bpm 1^4 cm"),
    ],
)
def test_a_clear_measurement_explains_no_sign_of_a_time_or_date(clear: str, other: str) -> None:
    assert reason((other, 0.5), (clear, 0.95)) is Reason.PATTERN
    assert reason((other, 1.0), (clear, 0.95)) is Reason.PATTERN


def test_a_certain_measurement_explains_a_reading_that_lacks_one_of_its_glyphs() -> None:
    assert reason(("44m", 0.74), ("4.4cm", 0.95)) is Reason.CLINICAL
    assert reason(("44m", 0.74), ("4.4cm", 0.8)) is Reason.PATTERN
    assert reason(("44m", 0.95), ("4.4cm", 0.95)) is Reason.PATTERN
    assert reason(("44m", 0.74), ("14.4cm", 0.95)) is Reason.PATTERN


def test_a_clear_measurement_explains_no_identifier_of_the_header() -> None:
    assert reason(("20669 dB", 0.6), ("2D G 69 dB", 0.87), known="20669") is Reason.IDENTIFIER


def test_a_clear_measurement_explains_no_reading_of_another_shape() -> None:
    assert reason(("MRN 206691", 0.6), ("2D G 69 dB", 0.87)) is Reason.PATTERN


def test_beside_a_certain_reading_a_doubtful_one_need_only_be_as_long() -> None:
    assert reason(("NCX", 0.38), ("A2C", 0.96)) is Reason.CLINICAL
    assert reason(("NCX", 0.38), ("A2C", 0.8)) is not Reason.CLINICAL
    assert reason(("NCX", 0.45), ("A2C", 0.96)) is not Reason.CLINICAL


def test_a_clear_reading_of_three_looks_is_worth_a_certain_one() -> None:
    def seen(times: int, confidence: float = 0.8) -> Reason:
        return reason(Reading("IVC", confidence, times=times), ("W", 0.38))

    assert seen(3) is Reason.CLINICAL
    assert seen(2) is not Reason.CLINICAL
    assert seen(3, 0.55) is not Reason.CLINICAL
    assert reason(Reading("IVC", 0.8, times=3), ("W", 0.45)) is not Reason.CLINICAL


@pytest.mark.parametrize("other", ["", "張語出", "立"])
@pytest.mark.parametrize("read", ["439", "84", "7", "43l"])
def test_hangul_is_read_as_digits_by_one_recogniser_alone(read: str, other: str) -> None:
    assert reason((read, 0.9), (other, 0.2)) is Reason.UNKNOWN
    assert reason((read, 0.9), (read, 0.4)) is Reason.CLINICAL


def test_what_both_read_in_most_frames_is_no_hangul() -> None:
    read, unread = Reading("84", 0.9, times=4), Reading("", 0.0, times=2)

    assert reason(read, unread) is Reason.CLINICAL
    assert reason(replace(read, times=2), unread) is Reason.UNKNOWN


@pytest.mark.parametrize(
    ("text", "other"), [("LV", "나"), ("LIVER", "나훈"), ("HR 72bpm 439", "HR 72bpm 喜咎")]
)
def test_what_another_reads_in_another_script_is_read_by_both_or_goes(
    text: str, other: str
) -> None:
    assert reason((text, 0.9), (other, 0.2)) is Reason.UNKNOWN
    assert reason(Reading(text, 0.9, times=3), Reading(other, 0.2)) is Reason.CLINICAL
    assert reason((text, 0.9), (other, 0.05)) is Reason.CLINICAL, "hardly read"


def test_a_sign_or_a_decimal_is_no_hangul() -> None:
    assert reason(("+64.1", 0.9), ("", 0.0)) is Reason.CLINICAL


@pytest.mark.parametrize("name", ["LT SIDNEY", "ELVIS", "JUNG"])
def test_a_name_in_the_place_of_a_label_is_no_misreading_of_it(name: str) -> None:
    label = Reading("LT KIDNEY", 1.0, times=8)

    assert reason(label, Reading(name, 1.0, times=2, agreed=True)) is not Reason.CLINICAL
    assert reason(label, Reading("LT SIDNEY", 0.3)) is Reason.CLINICAL, "one frame, one reader"


def test_another_label_in_its_place_is_one() -> None:
    left, right = (Reading(text, 1.0, agreed=True) for text in ("LT KIDNEY", "RT KIDNEY"))

    assert reason(left, right) is Reason.CLINICAL


def test_a_doubtful_reading_may_be_shorter_but_not_by_more_than_half() -> None:
    assert reason(("on", 0.25), ("CF 72%", 0.87)) is Reason.CLINICAL
    assert reason(("o", 0.25), ("CF 72%", 0.87)) is not Reason.CLINICAL
    assert reason(("CF 72% JOHN", 0.25), ("CF 72%", 0.87)) is not Reason.CLINICAL


def test_a_digit_that_another_reads_as_a_letter_is_no_scale() -> None:
    assert reason(("2", 0.91), ("Z.", 0.8), beside=True) is Reason.UNKNOWN
    assert reason(("2", 0.91), ("Z.", 0.5), beside=True) is Reason.CLINICAL


def test_a_setting_whose_letter_another_reads_as_a_digit_is_one() -> None:
    assert reason(("6 60", 0.95), ("G 60", 0.85)) is Reason.CLINICAL
    assert reason(("GGO", 0.95), ("G 60", 0.85)) is not Reason.CLINICAL
    assert reason(("6 60", 0.95)) is not Reason.CLINICAL


@pytest.mark.parametrize("text", ["R1 0.82", "R10.82", "Pl 1.2", "RI 0.55"])
def test_an_index_is_read_with_a_one_for_its_letter(text: str) -> None:
    assert reason((text, 0.9), (text, 0.9)) is Reason.CLINICAL


def test_a_room_is_no_index() -> None:
    found = grammar.parse("R1 12")

    assert found is None or not found.measures


@pytest.mark.parametrize("text", ["MSK", "Gen", "THI On", "OB/GYN", "2D", "A4C"])
def test_a_short_word_stays_in_a_banner_that_two_readings_agree_on(
    text: str,
) -> None:
    assert in_banner((text, 1.0), (text, 0.95)) is Reason.CLINICAL
    assert in_banner((text, 1.0), (f"~{text}", 0.2)) is Reason.CLINICAL
    assert in_banner((text, 0.8), ("", 0.0)) is Reason.BANNER
    # A view with a digit is no initials, whatever stands beside it.
    goes = in_banner((text, 1.0), (text, 0.95), date=True) is not Reason.CLINICAL
    assert goes is (text != "A4C")


def test_a_glyph_may_differ_between_readings_that_agree_in_a_banner() -> None:
    assert in_banner(("OB/GYN", 0.96), ("~OBIGYN", 0.35)) is Reason.CLINICAL
    assert in_banner(("OB/GYN", 0.96), ("OLSEN", 0.35)) is not Reason.CLINICAL
    assert in_banner(("MSK", 0.96), ("MSX", 0.35)) is not Reason.CLINICAL


@pytest.mark.parametrize("text", ["LV", "RA", "PR RA"])
def test_two_letters_do_not(text: str) -> None:
    assert in_banner((text, 1.0), (text, 0.95)) is Reason.BANNER


def test_what_a_model_makes_of_an_echo_speaks_for_no_neighbour() -> None:
    echo, name = (Reading("4", 0.27, 0.83),), (Reading("SZABO", 0.9, 0.9),)
    label = Line((Reading("CCA", 0.9), Reading("CCA", 0.9)), (100, 240, 130, 255))
    beside = (140, 240, 165, 255)

    def of_label(*readings: Reading) -> Reason:
        lines = [label, Line(readings, beside)]
        return decide(lines, matcher=NOBODY, frame_size=(480, 640)).reasons[0]

    assert of_label(*echo) is Reason.CLINICAL
    assert of_label(*name) is Reason.PATTERN


def test_a_reading_without_confidence_is_none_beside_a_sure_one() -> None:
    assert reason(("J", 0.01), ("+64.1", 0.83)) is Reason.CLINICAL
    assert reason(("J", 0.2), ("+64.1", 0.83)) is not Reason.CLINICAL


@pytest.mark.parametrize(("clear", "other"), [("4.8 MHz", "458 [z"), ("Gain 74%", "@aim 748")])
def test_beside_a_clear_measurement_its_misread_digits_say_nothing(clear: str, other: str) -> None:
    assert reason((other, 0.49), (clear, 0.79)) is Reason.CLINICAL
    assert reason((other, 0.7), (clear, 0.79)) is not Reason.CLINICAL


def test_beside_a_clear_measurement_a_name_counts() -> None:
    assert reason(("OKONKWO", 0.49), ("Gain 74%", 0.79)) is not Reason.CLINICAL


def test_a_zero_with_its_tick_is_no_initial() -> None:
    assert in_banner(("--0", 0.98), ("~-0", 0.23)) is Reason.CLINICAL
    assert in_banner(("-0", 0.96), ("~0", 0.74)) is Reason.CLINICAL
    assert in_banner(("0", 0.98), ("O", 0.4)) is not Reason.CLINICAL


def test_a_line_without_its_ends_is_of_the_same_text() -> None:
    assert agree("LV 4CH", "V4C", edits=0.34)
    assert not agree("V4C", "LV 4CH", edits=0.34)
    assert not agree("LV 4CH", "CH", edits=0.34)


def test_of_single_glyphs_none_may_differ() -> None:
    assert not agree("3", "N", edits=0.34)
    assert not agree("3", "N", edits=0.34, doubtful=True)
    assert agree("5", "S", edits=0.34)


@pytest.mark.parametrize("text", ["0S", "0s", "5g"])
def test_a_digit_with_a_letter_is_no_measurement(text: str) -> None:
    parsed = grammar.parse(text)

    assert parsed is None or not parsed.sufficient


@pytest.mark.parametrize(
    "text",
    [
        "Foc 7cm",
        "IC5-9-D",
        "Stage 2",
        "--0",
        "LV4CH",
        "Low Dose",
        "Peak stress",
        "RAB4-8-D",
        "-64.1",
    ],
)
def test_settings_of_consoles_are_clinical(text: str) -> None:
    parsed = grammar.parse(text)

    assert parsed is not None
    assert parsed.sufficient

from __future__ import annotations

import pytest

from cinescrub.policy.forms import printed_ages, printed_dates
from cinescrub.policy.identifiers import HeaderIdentifier, IdentifierMatcher
from cinescrub.types import PhiKind


def matcher(kind: PhiKind, value: str) -> IdentifierMatcher:
    return IdentifierMatcher([HeaderIdentifier(kind, value)])


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (PhiKind.PERSON, "DOE^JANE", "DOE, JANE"),
        (PhiKind.PERSON, "DOE^JANE", "Jane Doe"),
        (PhiKind.PERSON, "DOE^JANE", "D0E"),
        (PhiKind.PERSON, "DOE^JANE", "Dr DOE MI 1.1"),
        (PhiKind.PERSON, "DOE^JANE", "DOEJANE"),
        (PhiKind.PERSON, "DOE^JANE", "JDOE"),
        (PhiKind.PERSON, "DOE^JANE", "J.D."),
        (PhiKind.PERSON, "DOE^JANE", "|DOE|"),
        (PhiKind.PERSON, "LI^WEI", "L1"),
        (PhiKind.PERSON, "LEFT^ANNA", "left lobe"),
        (PhiKind.PERSON, "Łukasiewicz^Zoë", "LUKASIEWICZ Z"),
        (PhiKind.PERSON, "MÜLLER^JÖRG", "Muller"),
        (PhiKind.PERSON, "WILLIAMSON^DEBORAH", "Wil1iamsen"),
        (PhiKind.PERSON, "WILLIAMSON^DEBORAH", "WILLIAM..."),
        (PhiKind.PERSON, "WILLIAMSON^DEBORAH", "liamson, Deb"),
        (PhiKind.PERSON, "MARNER^CLAUDE", "rnamer dauclE"),
        (PhiKind.PERSON, "DE LA CRUZ^ANA", "delacruz ana"),
        (PhiKind.PERSON, "van der Berg^Jo", "VANDERBERG"),
        (PhiKind.PERSON, "O'Dowd^Siobhán", "ODOWD"),
        (PhiKind.PERSON, "Bär^Jörg", "BAER"),
        (PhiKind.PERSON, "Bär^Jörg", "Joerg B."),
        (PhiKind.PERSON, "Sørbø^Åse", "AASE"),
        (PhiKind.PERSON, "Sørbø^Åse", "MI 1.1 S?RB? J."),
        (PhiKind.PERSON, "DOE^JANE", "D O E"),
        (PhiKind.PERSON, "Yamada^Tarou=山田^太郎", "山田"),
        (PhiKind.PERSON, "OB", "OB"),
        (PhiKind.STAFF, "OYELARAN^K", "perf. K OYELARAN"),
        (PhiKind.IDENTIFIER, "MRN-0012345", "12345"),
        (PhiKind.IDENTIFIER, "00079241539", "79241539"),
        (PhiKind.IDENTIFIER, "442981", "44-29-81"),
        (PhiKind.IDENTIFIER, "A12-99384", "#A1299384"),
        (PhiKind.IDENTIFIER, "267879SU5-20", "267879SUS 20"),
        (PhiKind.IDENTIFIER, "123456789", "123456709"),
        (PhiKind.IDENTIFIER, "123456789", "45678"),
        (PhiKind.IDENTIFIER, "1234", "ID 1234"),
        (PhiKind.IDENTIFIER, "12", "12"),
        (PhiKind.IDENTIFIER, "0000", "0000"),
        (PhiKind.PERSON, "ADAMS^MARY^V", "AV"),
        (PhiKind.PERSON, "HILL^ROBERT^S", "S"),
        (PhiKind.PERSON, "NU^U", "U NU"),
        (PhiKind.IDENTIFIER, "O'BRIEN7", "OBRIEN7"),
        (PhiKind.DATE, "20260117", "17.01.2026"),
        (PhiKind.DATE, "20260117", "01/17/26"),
        (PhiKind.DATE, "20260117", "Jan 17, 2026"),
        (PhiKind.DATE, "20260117", "17 januari 26"),
        (PhiKind.DATE, "20020526", "26-MAY-02"),
        (PhiKind.DATE, "20260117", "l7.O1.2026"),
        (PhiKind.DATE, "142825.00", "02:28:25 PM"),
        (PhiKind.DATE, "20260117142825", "14 28 25"),
        (PhiKind.INSTITUTION, "Heart Chamber Clinic", "HEART CHAMBER"),
        (PhiKind.INSTITUTION, "Westway Medical", "*WESTWAY*"),
        (PhiKind.INSTITUTION, "Left Ventricle Hospital", "LVH"),
        (PhiKind.LOCATION, "12 Main Street, Oakham", "OAKHAM"),
        (PhiKind.CONTACT, "+1 (650) 555-0142", "555 0142"),
        (PhiKind.CONTACT, "echo@west.example", "echo@west.example"),
        (PhiKind.AGE, "045Y", "45 yrs"),
        (PhiKind.NONE, "ALPHA77", "alpha77"),
    ],
)
def test_an_identifier_is_found_as_printed_and_misread(
    kind: PhiKind, value: str, text: str
) -> None:
    assert matcher(kind, value).matches(text)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (PhiKind.PERSON, "DOE^JANE", "MI 1.1"),
        (PhiKind.PERSON, "DOE^JANE", "LV 4CH"),
        (PhiKind.PERSON, "ANTONIO^M", "ANT WALL"),
        (PhiKind.PERSON, "DE LA CRUZ^ANA", "LA 3.2 cm"),
        (PhiKind.PERSON, "LI^WEI", "MI 1.1 11 cm"),
        (PhiKind.IDENTIFIER, "1", "MI 1.1 1"),
        (PhiKind.IDENTIFIER, "0001", "1"),
        (PhiKind.PERSON, "HILL^ROBERT^S", "5"),
        (PhiKind.PERSON, "ADAMS^MARY^V", "AV Vmax 1.2 m/s"),
        (PhiKind.PERSON, "MILLER^LAURA^V", "LV EDV 100 ml"),
        (PhiKind.PERSON, "EVANS^PETER^F", "EF 60 %"),
        (PhiKind.PERSON, "ROSS^INES^A", "LA Diam 3.8 cm"),
        (PhiKind.IDENTIFIER, "0012", "12 cm"),
        (PhiKind.IDENTIFIER, "123456789", "4567"),
        (PhiKind.INSTITUTION, "Heart Chamber Clinic", "heart"),
        (PhiKind.INSTITUTION, "Echo Lab", "Adult Echo"),
        (PhiKind.INSTITUTION, "Echo Lab", "EL"),
        (PhiKind.DATE, "20260117", "17.1"),
        (PhiKind.AGE, "045Y", "45 cm"),
        (PhiKind.PERSON, "SØRBØ^J", "cm? 12 ???? ?"),
        (PhiKind.PERSON, "", "MI 1.1"),
        (PhiKind.PERSON, "^^", ""),
        (PhiKind.IDENTIFIER, "", "16cm"),
    ],
)
def test_other_lines_are_not_taken_for_it(kind: PhiKind, value: str, text: str) -> None:
    assert not matcher(kind, value).matches(text)


def test_a_matcher_without_identifiers_matches_nothing() -> None:
    assert not IdentifierMatcher().matches("DOE^JANE 17.01.2026")


def test_dates_are_printed_in_the_orders_of_all_locales() -> None:
    forms = printed_dates("20260107")

    assert {"20260107", "07012026", "01072026", "070126", "7jan2026", "jan072026"} <= forms
    assert all(len(form) >= 6 for form in forms)


@pytest.mark.parametrize(
    ("value", "form"),
    [("142825.123", "022825pm"), ("2002.05.26", "26may02"), ("00:05:09", "120509am")],
)
def test_times_and_old_dates_are_printed_too(value: str, form: str) -> None:
    assert form in printed_dates(value)


@pytest.mark.parametrize("value", ["", "unknown", "2026", "999"])
def test_what_is_no_date_has_no_forms(value: str) -> None:
    assert printed_dates(value) == set()


def test_ages_are_printed_with_and_without_zeros() -> None:
    assert {"045y", "45y", "45yrs"} <= printed_ages("045Y")
    assert printed_ages("old") == set()


def test_a_number_of_a_scale_is_no_short_id() -> None:
    matcher = IdentifierMatcher([HeaderIdentifier(PhiKind.IDENTIFIER, "10")])

    assert not any(map(matcher.matches, ("-10", "~10", "+ 10", "--10", "10-", "10 -")))
    assert all(map(matcher.matches, ("10", "ID 10", "#10")))


def test_a_unit_behind_a_number_is_no_operator() -> None:
    matcher = IdentifierMatcher([HeaderIdentifier(PhiKind.STAFF, "CM")])

    assert not any(map(matcher.matches, ("16.0 cm", "16 cm", "D 12 CM")))
    assert all(map(matcher.matches, ("CM", "Op: CM", "CM 12", "LV CM")))

"""The audit of a scrubbed header, and how values are judged."""

from __future__ import annotations

import re

import pytest
from pydicom import Dataset
from pydicom.dataelem import DataElement
from tests.unit.dicom.judged import faults

from cinescrub.dicom.identifiers import collect
from cinescrub.dicom.profile import basic_profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.scrub import Claims, scrub
from cinescrub.dicom.search import IdentifierSearch
from cinescrub.errors import InputError
from cinescrub.policy.identifiers import HeaderIdentifier
from cinescrub.types import PhiKind

NAME = HeaderIdentifier(PhiKind.PERSON, "D\u00d6RING^ANNA MARIE")
LEFT = HeaderIdentifier(PhiKind.PERSON, "LEFT^JOE")
STROKES = HeaderIdentifier(PhiKind.PERSON, "\u0141UKASZEWICZ^S\u00d8RENSEN")
SHORT = HeaderIdentifier(PhiKind.PERSON, "WU^LI")
WIDE = HeaderIdentifier(PhiKind.PERSON, "\u5c71\u7530^\u592a\u90ce")
ID = HeaderIdentifier(PhiKind.IDENTIFIER, "MR-00 4711-A")
DIGITS = HeaderIdentifier(PhiKind.IDENTIFIER, "1024")
LONG_DIGITS = HeaderIdentifier(PhiKind.IDENTIFIER, "0001234567")
BORN = HeaderIdentifier(PhiKind.DATE, "19560403")
NEVER = HeaderIdentifier(PhiKind.DATE, "19000101")
PLACE = r"\([0-9A-F]{4},[0-9A-F]{4}\)"
SITE = HeaderIdentifier(PhiKind.INSTITUTION, "Saint Elsewhere")
TOWN = HeaderIdentifier(PhiKind.LOCATION, "12 Elm Street, Springwell")
PHONE = HeaderIdentifier(PhiKind.CONTACT, "+1 (555) 010-7788")
JOINED = HeaderIdentifier(PhiKind.PERSON, "Ferrante^Mary-Jane")


@pytest.mark.parametrize(
    ("identifier", "text", "found"),
    [
        pytest.param(NAME, "Doering".replace("oe", "\u00f6"), True, id="case"),
        pytest.param(NAME, "doring, a.", True, id="accent"),
        pytest.param(NAME, "exam of Anna", True, id="given name of four"),
        pytest.param(NAME, "Anna1", True, id="word beside a digit"),
        pytest.param(NAME, "Hannah", False, id="four letters inside of a word"),
        pytest.param(NAME, "xxAnnaMarieDoringxx", True, id="whole name inside of a word"),
        pytest.param(NAME, "A DORING", True, id="initial"),
        pytest.param(NAME, "linear array", False, id="other text"),
        pytest.param(LEFT, "Left ventricle", True, id="everyday word in other text"),
        pytest.param(STROKES, "Lukaszewicz", True, id="letter without a decomposition"),
        pytest.param(STROKES, "Sorensen", True, id="stroke left out"),
        pytest.param(STROKES, "Soerensen", True, id="stroke spelt out"),
        pytest.param(SHORT, "Li Wu", True, id="short name as a whole"),
        pytest.param(SHORT, "Wu", False, id="two letters"),
        pytest.param(WIDE, "\u5c71\u7530 \u592a\u90ce \u69d8", True, id="ideographs, whole"),
        pytest.param(WIDE, "\u5c71\u7530", True, id="ideographs, one word"),
        pytest.param(ID, "mr004711a", True, id="separators"),
        pytest.param(ID, "MR 00-4711 A 2", True, id="other separators"),
        pytest.param(DIGITS, "room 1024", True, id="four digits as a token"),
        pytest.param(DIGITS, "v10245", False, id="four digits inside of a number"),
        pytest.param(LONG_DIGITS, "no. 1234567", True, id="leading zeros"),
        pytest.param(BORN, "born 03.04.1956", True, id="date, day first"),
        pytest.param(BORN, "Apr 3 1956", True, id="date, month's name"),
        pytest.param(NEVER, "19000101", False, id="placeholder of a date"),
        pytest.param(SITE, "St. Elsewhere", True, id="a word of an institution"),
        pytest.param(SITE, "SAINT-ELSEWHERE", True, id="institution"),
        pytest.param(TOWN, "1.2 Springwell", True, id="a word of an address"),
        pytest.param(TOWN, "Street 12", False, id="a word of any address"),
        pytest.param(PHONE, "5550107788", True, id="telephone without its country"),
        pytest.param(LONG_DIGITS, "no 00001234567", True, id="more leading zeros"),
        pytest.param(BORN, "3rd April 1956", True, id="date, ordinal"),
        pytest.param(BORN, "1956\u5e744\u67083\u65e5", True, id="date, Chinese or Japanese"),
        pytest.param(BORN, "3-IV-1956", True, id="date, Roman month"),
        pytest.param(JOINED, "MaryJane", True, id="given names as one"),
    ],
)
def test_text_is_searched(identifier: HeaderIdentifier, text: str, found: bool) -> None:
    assert IdentifierSearch([identifier]).finds(text, "LO") is found


def test_a_site_that_is_named_like_the_machine_does_not_hide_the_maker() -> None:
    search = IdentifierSearch([HeaderIdentifier(PhiKind.INSTITUTION, "Acmesonic Research Bay")])

    assert not search.finds("Acmesonic", "LO", 0x00080070)
    assert search.finds("Acmesonic", "LO", 0x00181020)
    assert search.finds("Acmesonic Research Bay", "LO", 0x00080070)


@pytest.mark.parametrize(
    ("identifier", "text", "found"),
    [
        pytest.param(LEFT, "LEFT", False, id="everyday word"),
        pytest.param(LEFT, "LEFT_JOE", True, id="whole name"),
        pytest.param(NAME, "DORING", True, id="word that no term has"),
    ],
)
def test_codes_are_searched(identifier: HeaderIdentifier, text: str, found: bool) -> None:
    search = IdentifierSearch([identifier])

    assert search.finds(text, "CS") is found
    assert search.finds(text, "LO", 0x00080104) is found


@pytest.mark.parametrize(
    ("identifier", "text", "found"),
    [
        pytest.param(DIGITS, "1024", False, id="short numbers are measured values"),
        pytest.param(LONG_DIGITS, "1234567", True, id="long number, whole"),
        pytest.param(LONG_DIGITS, "12345678", False, id="part of a number"),
    ],
)
def test_numbers_are_compared_whole(identifier: HeaderIdentifier, text: str, found: bool) -> None:
    assert IdentifierSearch([identifier]).finds(text, "IS") is found


def output(**elements: object) -> Dataset:
    dataset = Dataset()
    values = {"Modality": "US", **elements}
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    "dataset",
    [
        pytest.param(output(ManufacturerModelName="Anna's"), id="text"),
        pytest.param(output(PatientID="mr-004711a"), id="patient id"),
        pytest.param(
            output(SharedFunctionalGroupsSequence=[output(PatientName="DORING")]), id="nested"
        ),
        pytest.param(output(SOPClassUID="1.2.3.1234567"), id="component of a UID"),
        pytest.param(output(StudyInstanceUID="1.2.3.4.5.6"), id="an old UID"),
        pytest.param(output(ICCProfile=b"\0\1Anna Marie Doring\0"), id="bytes"),
        pytest.param(
            output(ICCProfile="Anna Marie Doring".encode("utf-16-le")), id="bytes of UTF-16"
        ),
        pytest.param(output(ICCProfile="ANNA D\u00d6RING".encode()), id="bytes of UTF-8"),
        pytest.param(
            output(ICCProfile="D\u00d6RING, Anna".encode("latin-1")), id="bytes of Latin-1"
        ),
    ],
)
def test_a_surviving_identifier_stops_the_file_without_being_shown(dataset: Dataset) -> None:
    identifiers = (NAME, ID, LONG_DIGITS)

    found = faults(dataset, identifiers, uids=frozenset({"1.2.3.4.5.6"}))

    assert found
    assert all(re.search(PLACE, fault) for fault in found)
    assert not any(IdentifierSearch(identifiers).finds(fault, "LO") for fault in found)


@pytest.mark.parametrize(
    "dataset",
    [
        pytest.param(output(StudyDescription="ECHO"), id="an element that the profile removes"),
        pytest.param(
            output(SharedFunctionalGroupsSequence=[output(DeidentificationMethod="X")]),
            id="a claim that isn't ours",
        ),
    ],
)
def test_an_element_that_should_be_gone_stops_the_file(dataset: Dataset) -> None:
    (fault,) = faults(dataset)

    assert re.search(PLACE, fault)


@pytest.mark.parametrize(
    "element",
    [
        pytest.param(DataElement(0x00090010, "LO", "CREATOR"), id="private"),
        pytest.param(DataElement(0x00280010, "LT", "text"), id="foreign representation"),
        pytest.param(DataElement(0x00189999, "LO", "text"), id="unknown"),
    ],
)
def test_an_element_that_may_hold_anything_stops_the_file(element: DataElement) -> None:
    dataset = output()
    dataset.add(element)

    (fault,) = faults(dataset)

    assert re.search(PLACE, fault)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("DeidentificationMethod", "Quisenberry^Thaddeus"),
        ("DeidentificationMethod", ["cinescrub 0.1.0", "Quisenberry"]),
        ("DeidentificationMethod", "cinescrub Quisenberry"),
        ("PatientIdentityRemoved", "THADDEUS"),
        ("LongitudinalTemporalInformationModified", "QUISENBERRY"),
        ("DerivationDescription", "Quisenberry 1957-04-23"),
        ("StudyInstanceUID", "2.25.7734519.19570423"),
        ("StudyInstanceUID", "2.25.19570423"),
    ],
)
def test_what_we_write_ourselves_is_nothing_else(keyword: str, value: object) -> None:
    claims = Claims(True, True, True)
    out = scrub(output(), profile=basic_profile(), pseudonyms=Pseudonyms(b"k" * 32), claims=claims)
    setattr(out.dataset, keyword, value)

    (fault,) = faults(out.dataset)

    assert "has a value that the profile replaces" in fault


def test_the_codes_of_our_claims_have_their_own_meanings() -> None:
    claims = Claims(True, True, True)
    out = scrub(output(), profile=basic_profile(), pseudonyms=Pseudonyms(b"k" * 32), claims=claims)
    out.dataset.DeidentificationMethodCodeSequence[0].CodeMeaning = "Quisenberry Thaddeus"

    (fault,) = faults(out.dataset)

    assert "(0008,0104)" in fault


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        pytest.param("DOE^JANE", "4711", id="an ordinary patient"),
        pytest.param("BASIC^PROFILE", "113100", id="named like our claims"),
        pytest.param("ANONYMIZED", "000000", id="scrubbed before"),
        pytest.param("LEFT^VENTRICLE", "1", id="named like a code"),
        pytest.param("PHILIPS^JO", "2024", id="named like the make"),
        pytest.param("", "", id="nobody"),
    ],
)
def test_every_scrubbed_header_passes(name: str, identity: str) -> None:
    source = output(
        PatientName=name,
        PatientID=identity,
        Manufacturer="Philips",
        StudyTime="000000",
        SeriesTime="112233",
        SOPInstanceUID="1.2.3.4",
        BodyPartExamined="HEART",
        FrameTime="2024",
        SoftwareVersions="112233",
    )
    profile = basic_profile()
    claims = Claims(True, True, True)

    out = scrub(source, profile=profile, pseudonyms=Pseudonyms(b"k" * 32), claims=claims)

    assert faults(out.dataset, out.identifiers, uids=out.uids) == []


def test_identifiers_are_collected_with_their_kind() -> None:
    item = output(PatientName="DOE^JANE", OperatorsName="MIRTH^MARY")
    dataset = output(
        PatientName="DOE^JANE=\u5c71\u7530^\u592a\u90ce",
        PatientID="4711 ",
        PatientBirthDate="19560403",
        PatientAge="067Y",
        StationName="iu22",
        ManufacturerModelName="iU22",
        InstitutionName="Saint Elsewhere",
        PatientTelephoneNumbers="555 0100",
        StudyDescription="Echo",
        SharedFunctionalGroupsSequence=[item],
    )

    found = {(identifier.kind, identifier.value) for identifier in collect(dataset)}

    assert found == {
        (PhiKind.PERSON, "DOE^JANE"),
        (PhiKind.PERSON, "\u5c71\u7530^\u592a\u90ce"),
        (PhiKind.IDENTIFIER, "4711"),
        (PhiKind.DATE, "19560403"),
        (PhiKind.AGE, "067Y"),
        (PhiKind.INSTITUTION, "Saint Elsewhere"),
        (PhiKind.CONTACT, "555 0100"),
        (PhiKind.STAFF, "MIRTH^MARY"),
    }


def test_a_day_of_frames_brings_one_date() -> None:
    frames = [output(FrameAcquisitionDateTime=f"2024013112{k:04d}") for k in range(50)]

    found = collect(output(PerFrameFunctionalGroupsSequence=frames))

    assert [identifier.value for identifier in found] == ["20240131"]


def test_collecting_from_a_depth_bomb_is_refused() -> None:
    dataset = output()
    for _ in range(40):
        dataset = output(SharedFunctionalGroupsSequence=[dataset])

    with pytest.raises(InputError, match="deeper than 32"):
        collect(dataset)

"""Specific Character Set: terms, escapes, and what is read where it is missing or wrong."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.charset import convert_encodings
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from tests.unit.dicom.judged import faults

from cinescrub.dicom.charset import DEFAULT_CHARSET, charset_of_terms, decode, readings
from cinescrub.dicom.identifiers import collect
from cinescrub.dicom.profile import basic_profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.scrub import Claims, ScrubOutcome, scrub

# Annexes H, I, J and K of PS3.5 and PS3.3 C.12.1.1.2: names as they are encoded there.
NAMES = {
    "Latin-1": (["ISO_IR 100"], b"Buc^J\xe9r\xf4me", "Buc^J\xe9r\xf4me"),
    "Greek": (
        ["ISO_IR 126"],
        b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2",
        "\u0394\u03b9\u03bf\u03bd\u03c5\u03c3\u03b9\u03bf\u03c2",
    ),
    "Cyrillic": (
        ["ISO_IR 144"],
        b"\xbb\xee\xda\x63\x65\xdc\xd1yp\xd3",
        "\u041b\u044e\u043ace\u043c\u0431yp\u0433",
    ),
    "Hebrew": (["ISO_IR 138"], b"\xf9\xf8\xe5\xef", "\u05e9\u05e8\u05d5\u05df"),
    "Arabic": (["ISO_IR 127"], b"\xe2\xc8\xc7\xe6\xea", "\u0642\u0628\u0627\u0646\u064a"),
    "Thai": (["ISO_IR 166"], b"\xca\xc1\xaa\xd2\xc2", "\u0e2a\u0e21\u0e0a\u0e32\u0e22"),
    "Japanese, ISO 2022": (
        ["", "ISO 2022 IR 87"],
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce=\u3084\u307e\u3060^\u305f\u308d\u3046",
    ),
    "Japanese, half-width": (
        ["ISO 2022 IR 13", "ISO 2022 IR 87"],
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
        "\uff94\uff8f\uff80\uff9e^\uff80\uff9b\uff73=\u5c71\u7530^\u592a\u90ce",
    ),
    "Korean": (
        ["", "ISO 2022 IR 149"],
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        "Hong^Gildong=\u6d2a^\u5409\u6d1e=\ud64d^\uae38\ub3d9",
    ),
    "Chinese, ISO 2022": (
        ["", "ISO 2022 IR 58"],
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
        "Zhang^XiaoDong=\u5f20^\u5c0f\u4e1c=",
    ),
    "Chinese, GB18030": (
        ["GB18030"],
        b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=",
        "Wang^XiaoDong=\u738b^\u5c0f\u4e1c=",
    ),
    "Chinese, GBK": (
        ["GBK"],
        b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=",
        "Wang^XiaoDong=\u738b^\u5c0f\u4e1c=",
    ),
    "UTF-8": (["ISO_IR 192"], "Wang^Xiao=\u738b^\u5c0f".encode(), "Wang^Xiao=\u738b^\u5c0f"),
}


@pytest.mark.parametrize(("terms", "raw", "text"), NAMES.values(), ids=NAMES.keys())
def test_names_of_the_standard_are_read(terms: list[str], raw: bytes, text: str) -> None:
    assert decode(raw, "PN", charset_of_terms(terms)) == text


@pytest.mark.parametrize(("terms", "raw", "text"), NAMES.values(), ids=NAMES.keys())
def test_a_name_is_found_again_whatever_is_declared(
    terms: list[str], raw: bytes, text: str
) -> None:
    source = encoded_header(terms, raw)

    outcome = scrubbed(source)

    kept = outcome.dataset.get("ManufacturerModelName", "")
    assert kept in ("", "ANONYMIZED")
    assert any(identifier.value in text for identifier in outcome.identifiers)
    assert faults(outcome.dataset, outcome.identifiers) == []


@pytest.mark.parametrize(("terms", "raw", "text"), NAMES.values(), ids=NAMES.keys())
def test_kept_text_stays_valid_in_the_declared_set(terms: list[str], raw: bytes, text: str) -> None:
    source = encoded_header(terms, b"DOE^JANE", model=raw)

    outcome = scrubbed(source)

    again = back(outcome.dataset)
    declared = again.get("SpecificCharacterSet", "")
    assert convert_encodings(declared) == convert_encodings(terms if len(terms) > 1 else terms[0])
    assert again.get_item("ManufacturerModelName").value.rstrip() == raw


@pytest.mark.parametrize(
    ("stored", "terms"),
    [
        ([], ()),
        ([""], ()),
        (["ISO-IR 100"], ("ISO_IR 100",)),
        (["ISO_IR_100"], ("ISO_IR 100",)),
        (["iso_ir 100"], ("ISO_IR 100",)),
        (["ISO IR100"], ("ISO_IR 100",)),
        (["UTF-8"], ("ISO_IR 192",)),
        (["ISO 2022 IR 192"], ("ISO_IR 192",)),
        (["", "ISO-2022-IR-87"], ("", "ISO 2022 IR 87")),
        (["ISO_IR 100", "ISO 2022 IR 87"], ("ISO 2022 IR 100", "ISO 2022 IR 87")),
        (["ISO_IR 192", "ISO 2022 IR 87"], ("ISO_IR 192",)),
        (["", "ISO_IR 192"], ("",)),
        (["JANE DOE"], ()),
        (["ISO_IR 999"], ()),
        (["ISO_IR 100", "JANE DOE"], ()),
    ],
)
def test_terms_are_those_of_the_standard_or_none(stored: list[str], terms: tuple[str, ...]) -> None:
    assert charset_of_terms(stored).terms == terms


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param("M\u00fcller".encode(), "M\u00fcller", id="UTF-8 that isn't declared"),
        pytest.param("M\u00fcller".encode("latin-1"), "M\u00fcller", id="Latin-1 undeclared"),
        pytest.param(b"\x1b(Zodd", "\x1b(Zodd", id="unknown escape sequence"),
        pytest.param(b"\x1b$B;", "\x1b$B;", id="half of a character"),
    ],
)
def test_text_that_is_not_valid_is_read_without_loss(raw: bytes, text: str) -> None:
    assert decode(raw, "LO", DEFAULT_CHARSET, "replace") == text
    with pytest.raises(UnicodeError):
        decode(raw, "LO", DEFAULT_CHARSET)


def test_a_part_that_is_not_valid_hides_no_other() -> None:
    half_width = b"\xd4\xcf\xc0=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"  # no term says JIS X 0201

    read = decode(half_width, "PN", charset_of_terms(["", "ISO 2022 IR 87"]), "replace")

    assert read.endswith("=\u5c71\u7530^\u592a\u90ce")


def test_utf8_declared_as_latin1_has_two_readings() -> None:
    assert list(readings("M\u00fcller".encode().decode("latin-1")))[1] == "M\u00fcller"
    assert list(readings("M\u00fcller")) == ["M\u00fcller"]


def test_the_second_byte_of_a_letter_is_no_delimiter() -> None:
    assert decode(b"\x81\x5c", "LO", charset_of_terms(["GB18030"])) == "\u4e57"


def test_after_a_delimiter_the_first_set_holds_again() -> None:
    charset = charset_of_terms(["ISO 2022 IR 100", "ISO 2022 IR 144"])

    assert decode(b"\x1b-L\xbb^\xe9", "PN", charset) == "\u041b^\xe9"


@given(st.binary(max_size=40), st.sampled_from([terms for terms, _, _ in NAMES.values()]))
def test_any_bytes_are_read(raw: bytes, terms: list[str]) -> None:
    charset = charset_of_terms(terms)

    assert len(decode(raw, "LO", charset, "replace")) <= len(raw)


def encoded_header(terms: list[str], name: bytes, *, model: bytes | None = None) -> Dataset:
    """A header as read from a file: a name in PatientName and in a text that is kept."""
    target = DicomBytesIO()
    target.is_implicit_VR, target.is_little_endian = False, True
    plain = Dataset()
    plain.SOPInstanceUID = "1.2.3.4"
    plain.SpecificCharacterSet = terms
    write_dataset(target, plain)
    for tag, vr, value in (
        (b"\x08\0\x90\x10", b"LO", name if model is None else model),
        (b"\x10\0\x10\0", b"PN", name),
    ):
        padded = value + b" " * (len(value) % 2)
        target.write(tag + vr + len(padded).to_bytes(2, "little") + padded)
    data = target.getvalue()
    return read_dataset(BytesIO(data), False, True, bytelength=len(data))


def scrubbed(dataset: Dataset) -> ScrubOutcome:
    key = Pseudonyms(b"k" * 32)
    return scrub(dataset, profile=basic_profile(), pseudonyms=key, claims=Claims())


def back(dataset: Dataset) -> Dataset:
    target = DicomBytesIO()
    target.is_implicit_VR, target.is_little_endian = False, True
    write_dataset(target, dataset)
    return read_dataset(BytesIO(target.getvalue()), False, True)


def test_identifiers_are_read_in_every_group_of_a_name() -> None:
    terms, raw, _ = NAMES["Japanese, ISO 2022"]

    found = {identifier.value for identifier in collect(encoded_header(terms, raw))}

    assert {
        "Yamada^Tarou",
        "\u5c71\u7530^\u592a\u90ce",
        "\u3084\u307e\u3060^\u305f\u308d\u3046",
    } <= found

"""Headers that break the rules, from file to file: written without the fault, or refused."""

from __future__ import annotations

import struct
from pathlib import Path

import pydicom
import pytest
from benchmarks.headers_only import scrub_headers
from tests.integration.made import ROOT, write

from cinescrub.dicom.profiles import load_profile
from cinescrub.errors import CinescrubError, InputError

EXPLICIT = ROOT + ".1"
NAME = b"NIGHTINGALE^FLORENCE"
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


def tag_bytes(tag: int) -> bytes:
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF)


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """Encode an element as it is given, right or wrong."""
    size = len(value) if length is None else length
    if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC"):
        return tag_bytes(tag) + vr + b"\0\0" + struct.pack("<L", size) + value
    return tag_bytes(tag) + vr + struct.pack("<H", size) + value


def item(tag: int, value: bytes = b"", length: int | None = None) -> bytes:
    return tag_bytes(tag) + struct.pack("<L", len(value) if length is None else length) + value


def with_elements(path: Path, *added: bytes) -> Path:
    """Write an instance with encoded elements in their places, before pixel data."""
    write(path, EXPLICIT, [bytes(96 * 64)])
    raw = path.read_bytes()
    for each in sorted(added, key=lambda data: struct.unpack("<HH", data[:4])):
        group, number = struct.unpack("<HH", each[:4])
        at = place_of(raw, group << 16 | number)
        raw = raw[:at] + each + raw[at:]
    path.write_bytes(raw)
    return path


def place_of(raw: bytes, tag: int) -> int:
    """Return where the first element behind `tag` of the plain header that `write` makes starts."""
    at = raw.index(b"\x08\0\x08\0CS")
    while True:
        group, number = struct.unpack("<HH", raw[at : at + 4])
        if group << 16 | number > tag:
            return at
        long = raw[at + 4 : at + 6] in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC")
        size = struct.unpack("<L", raw[at + 8 : at + 12])[0] if long else 0
        at += 12 + size if long else 8 + struct.unpack("<H", raw[at + 6 : at + 8])[0]


def output_of(source: Path, tmp_path: Path, *options: str) -> pydicom.Dataset:
    target = tmp_path / "out.dcm"
    scrub_headers(source, target, profile=load_profile("basic", options))
    raw = target.read_bytes()
    assert NAME not in raw
    assert b"secret" not in raw.lower()
    return pydicom.dcmread(target)


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        pytest.param(0x00181063, b"DS", b"secret", id="DS of letters"),
        pytest.param(0x00082142, b"IS", b"secret", id="IS of letters"),
        pytest.param(0x00185012, b"DS", b"1e", id="DS cut"),
        pytest.param(0x00080022, b"DA", b"secret", id="DA of letters"),
        pytest.param(0x00080032, b"TM", b"secret", id="TM of letters"),
        pytest.param(0x00101010, b"AS", b"secret", id="AS of letters"),
        pytest.param(0x00185104, b"CS", b"the secret name of a person", id="CS of a sentence"),
        pytest.param(0x00081155, b"UI", b"secret", id="UI of letters"),
        pytest.param(0x00281101, b"US", b"\1\0\2", id="US of three bytes"),
        pytest.param(0x00186026, b"FD", b"\1\0\2\0", id="FD of four bytes"),
        pytest.param(0x00186014, b"US", b"secret", id="US that spells"),
        pytest.param(0x00186018, b"PN", b"secret", id="number stated as a name"),
    ],
)
def test_values_that_are_not_of_their_representation_do_not_stay(
    tmp_path: Path, tag: int, vr: bytes, value: bytes
) -> None:
    output_of(with_elements(tmp_path / "in.dcm", element(tag, vr, value)), tmp_path)


@pytest.mark.parametrize(
    ("tag", "vr", "value", "padded"),
    [
        pytest.param(0x00080070, b"LO", b"ACM", "ACM", id="text"),
        pytest.param(0x00080068, b"CS", b"FOR", "FOR", id="term"),
        pytest.param(0x00181060, b"DS", b"33.", "33.", id="number"),
    ],
)
def test_odd_lengths_are_made_even(
    tmp_path: Path, tag: int, vr: bytes, value: bytes, padded: str
) -> None:
    output = output_of(with_elements(tmp_path / "in.dcm", element(tag, vr, value)), tmp_path)

    assert str(output[tag].value) == padded


def deep(levels: int) -> bytes:
    opened = element(0x0040A730, b"SQ", b"", UNDEFINED) + item(ITEM, b"", UNDEFINED)
    closed = item(ITEM_END) + item(SEQUENCE_END)
    return opened * levels + closed * levels


SEQUENCE = 0x00082112
INNER = element(0x00081155, b"UI", b"1.2.3.44")


@pytest.mark.parametrize(
    ("added", "said"),
    [
        pytest.param([deep(40)], "deeper than 32", id="depth bomb"),
        pytest.param([deep(20000)], "deeper than 32", id="deep depth bomb"),
        pytest.param(
            [element(SEQUENCE, b"SQ", item(ITEM, INNER, UNDEFINED) + item(SEQUENCE_END))],
            "outside of a sequence|has no end|longer",
            id="item closed as a sequence",
        ),
        pytest.param(
            [element(SEQUENCE, b"SQ", item(ITEM, INNER) + item(ITEM_END), UNDEFINED)],
            "where a sequence item should start",
            id="sequence closed as an item",
        ),
        pytest.param(
            [element(SEQUENCE, b"SQ", item(ITEM, INNER), UNDEFINED)],
            "where a sequence item should start",
            id="sequence never closed",
        ),
        pytest.param(
            [element(SEQUENCE, b"SQ", item(ITEM, INNER, len(INNER) + 8))],
            "declares|longer",
            id="item longer than its sequence",
        ),
        pytest.param(
            [element(SEQUENCE, b"SQ", INNER)], "where a sequence item should start", id="no items"
        ),
        pytest.param([element(0x00080070, b"LO", b"ACME")] * 2, "occurs twice", id="element twice"),
        pytest.param([element(0x00090010, b"LO", b"ACME")] * 2, "occurs twice", id="creator twice"),
        pytest.param(
            [element(0x00080070, b"LO", b"ACME", 40000)], "declares", id="length over the file"
        ),
        pytest.param(
            [element(0x00204000, b"UT", b"ACME", 1 << 30)], "declares|64 MiB", id="long length"
        ),
        pytest.param([element(0x00080070, b"ZZ", b"ACME")], "representation", id="no such VR"),
    ],
)
def test_what_cannot_be_read_in_one_way_is_refused_by_name(
    tmp_path: Path, added: list[bytes], said: str
) -> None:
    source = with_elements(tmp_path / "in.dcm", *added)
    before = source.read_bytes()

    with pytest.raises(InputError, match=said) as caught:
        scrub_headers(source, tmp_path / "out.dcm")

    assert "ACME" not in str(caught.value)
    assert source.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["in.dcm"]


def test_a_length_over_the_next_elements_lets_nothing_of_them_through(tmp_path: Path) -> None:
    refused = []
    for length in range(6, 120, 2):
        swallows = element(0x00080070, b"LO", b"ACME", length)
        source = with_elements(tmp_path / "in.dcm", swallows)
        try:
            output_of(source, tmp_path)
        except CinescrubError as error:
            refused.append(error.message)

    assert len(refused) > 40
    assert "NIGHTINGALE" not in " ".join(refused)


ACME = element(0x00090010, b"LO", b"ACME")


@pytest.mark.parametrize("options", [(), ("retain-safe-private",), ("retain-tcia-private",)])
@pytest.mark.parametrize(
    "added",
    [
        pytest.param([element(0x00091001, b"LO", b"secret")], id="creator missing"),
        pytest.param(
            [ACME, element(0x00090011, b"LO", b"ACME"), element(0x00091101, b"LO", b"secret")],
            id="creator of two blocks",
        ),
        pytest.param(
            [element(0x00090010, b"LO", b""), element(0x00091001, b"LO", b"secret")],
            id="creator empty",
        ),
        pytest.param([element(0x00090010, b"LO", b"secret")], id="creator alone"),
        pytest.param([ACME, element(0x00090001, b"LO", b"secret")], id="element below any block"),
        pytest.param([ACME, element(0x00091001, b"UN", b"secret")], id="unknown representation"),
    ],
)
def test_private_blocks_without_order_go(
    tmp_path: Path, added: list[bytes], options: tuple[str, ...]
) -> None:
    output = output_of(with_elements(tmp_path / "in.dcm", *added), tmp_path, *options)

    assert not any(each.tag.is_private for each in output)


@pytest.mark.parametrize(
    "added",
    [
        pytest.param(element(0x00204000, b"UT", b"secret " * (1 << 20)), id="text of 7 MiB"),
        pytest.param(element(0x00104000, b"UN", b"secret " * (1 << 20)), id="UN of 7 MiB"),
        pytest.param(element(0x00091001, b"OB", b"secret" * (1 << 20)), id="private bulk"),
        pytest.param(element(0x00181400, b"LO", b"secret" * 9000), id="LO of 54 kB"),
        pytest.param(element(0x00081030, b"LO", b"secret\\" * 9000), id="9000 values"),
    ],
)
def test_huge_values_go_like_small_ones(tmp_path: Path, added: bytes) -> None:
    output_of(with_elements(tmp_path / "in.dcm", added), tmp_path)


def test_more_header_than_memory_is_for_is_refused(tmp_path: Path) -> None:
    source = with_elements(
        tmp_path / "in.dcm", element(0x00204000, b"UT", bytes(1)), element(0x00104000, b"LT", b"")
    )
    raw = source.read_bytes()
    at = raw.index(tag_bytes(0x00204000) + b"UT")
    big = tag_bytes(0x00204000) + b"UT\0\0" + struct.pack("<L", 70 << 20)
    with source.open("wb") as file:
        file.write(raw[:at] + big)
        file.seek(70 << 20, 1)
        file.write(raw[at + 13 :])

    with pytest.raises(InputError, match="64 MiB"):
        scrub_headers(source, tmp_path / "out.dcm")

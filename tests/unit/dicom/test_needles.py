"""Raw bytes searched for identifiers: what counts, wherever it starts, at one cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinescrub.dicom.needles import IN_NATIVE, Needles
from cinescrub.policy.identifiers import HeaderIdentifier
from cinescrub.types import PhiKind

NAME = HeaderIdentifier(PhiKind.PERSON, "NIGHTINGALE^FLORENCE")
SHORT = HeaderIdentifier(PhiKind.PERSON, "DOE^JO")
EVERYDAY = HeaderIdentifier(PhiKind.PERSON, "SEQUENCE^DEVICE")
WIDE = HeaderIdentifier(PhiKind.PERSON, "\u5c71\u7530^\u592a\u90ce")
ACCENTED = HeaderIdentifier(PhiKind.STAFF, "M\u00fcllerin^R\u00f6slein")
ID = HeaderIdentifier(PhiKind.IDENTIFIER, "MR-00 4711-A")
NUMBER = HeaderIdentifier(PhiKind.IDENTIFIER, "12435678")
RISING = HeaderIdentifier(PhiKind.IDENTIFIER, "12345678")
FOUR = HeaderIdentifier(PhiKind.IDENTIFIER, "1243")
SMALL = HeaderIdentifier(PhiKind.IDENTIFIER, "123456")
BORN = HeaderIdentifier(PhiKind.DATE, "19560403")


@pytest.mark.parametrize(
    ("identifier", "data", "found"),
    [
        pytest.param(NAME, b"NIGHTINGALE^FLORENCE", True, id="as stored"),
        pytest.param(NAME, b"Florence Nightingale", True, id="other order and case"),
        pytest.param(NAME, b"nightingale, f", True, id="surname alone"),
        pytest.param(NAME, "Nightingale".encode("utf-16-le"), True, id="UTF-16"),
        pytest.param(NAME, "Nightingale".encode("utf-16-be"), True, id="UTF-16, big endian"),
        pytest.param(NAME, b"nightingal", False, id="a part"),
        pytest.param(SHORT, b"DOE^JO", False, id="too short to say anything among bytes"),
        pytest.param(EVERYDAY, b"sequence", False, id="a word of the standard"),
        pytest.param(EVERYDAY, b"Sequence Device", True, id="both words"),
        pytest.param(WIDE, "\u5c71\u7530^\u592a\u90ce".encode("gb18030"), True, id="GB18030"),
        pytest.param(WIDE, "\u592a\u90ce\u5c71\u7530".encode("euc-jp"), True, id="EUC-JP"),
        pytest.param(ACCENTED, "m\u00fcllerin".encode(), True, id="UTF-8"),
        pytest.param(ACCENTED, "M\u00fcllerin".encode("latin-1"), True, id="Latin-1"),
        pytest.param(ACCENTED, b"MULLERIN", True, id="ASCII, without accents"),
        pytest.param(ID, b"MR-00 4711-A", True, id="ID as stored"),
        pytest.param(ID, b"mr004711a", True, id="ID without separators"),
        pytest.param(NUMBER, b"12435678", True, id="eight digits"),
        pytest.param(RISING, b"12345678", False, id="a ramp, as in any palette"),
        pytest.param(FOUR, "1243".encode("utf-16-le"), False, id="four digits as words"),
        pytest.param(SMALL, b"123456", False, id="six digits"),
        pytest.param(BORN, b"19560403", False, id="a date: in any UID by chance"),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_bytes_are_searched(
    identifier: HeaderIdentifier, data: bytes, found: bool, before: int
) -> None:
    block = b"\x80" * before + data + b"\x81" * 5

    assert Needles([identifier]).occur_in(block) is found


def test_nobody_is_found_nowhere() -> None:
    assert not Needles([]).occur_in(b"NIGHTINGALE^FLORENCE")
    assert not Needles([NAME]).occur_in(b"")


def test_in_grey_levels_only_long_forms_count() -> None:
    needles = Needles([NUMBER, NAME], shortest=IN_NATIVE)

    assert not needles.occur_in(b"\x30\x31" + b"12435678" + bytes(9))
    assert needles.occur_in(bytes(9) + b"FLORENCE NIGHTINGALE" + bytes(9))


def test_random_bytes_and_flat_pictures_hold_nobody() -> None:
    needles = Needles([NAME, SHORT, ID, NUMBER, WIDE, ACCENTED])
    rng = np.random.default_rng(1)

    assert not needles.occur_in(rng.integers(0, 256, 1 << 20, np.uint8).tobytes())
    for level in range(256):
        assert not needles.occur_in(bytes([level]) * 4096)


@given(st.binary(max_size=300), st.integers(0, 300))
def test_what_is_found_is_what_a_plain_search_finds(noise: bytes, at: int) -> None:
    needles = Needles([NAME])
    block = noise[:at] + b"Nightingale" + noise[at:]

    assert needles.occur_in(block)
    assert needles.occur_in(noise) == (b"nightingale" in noise.lower())

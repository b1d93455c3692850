"""Fast paths of the header give what the plain way gives."""

from __future__ import annotations

import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

from cinescrub.dicom import values
from cinescrub.dicom.charset import charset_of_terms
from cinescrub.dicom.pseudonym import Pseudonyms

TAGS = {"CS": 0x00080060, "LO": 0x00081090, "DS": 0x00181063, "UI": 0x00080018, "LT": 0x00104000}
TERMS: tuple[list[str], ...] = ([], ["ISO_IR 100"], ["ISO_IR 192"], ["", "ISO 2022 IR 87"])
CHARSETS = [charset_of_terms(terms) for terms in TERMS]


@given(
    st.sampled_from(sorted(TAGS)),
    st.one_of(st.binary(max_size=40), st.text("AZ09 .\\\0\x1b\xe4", max_size=20).map(str.encode)),
    st.sampled_from(CHARSETS),
)
def test_a_value_read_once_is_what_it_is_read_three_times(
    vr: str, value: bytes, charset: values.Charset
) -> None:
    tag = TAGS[vr]
    element = RawDataElement(BaseTag(tag), vr, len(value), value, 0, False, True)

    texts, valid = values.checked_texts(element, vr, tag, charset)

    assert texts == values.texts(element, vr, charset)
    assert valid is (values.fits(element, vr, tag) and values.decoded(element, vr, charset))


@given(st.binary(min_size=32, max_size=80), st.binary(min_size=32, max_size=80), st.text("x.1é"))
def test_digests_are_those_of_the_whole_message(one: bytes, two: bytes, value: str) -> None:
    data = value.encode()
    message = b"cinescrub/1/derived" + len(data).to_bytes(8, "big") + data

    for key in (one, two, one):
        assert Pseudonyms(key).derived(value) == hmac.digest(key, message, hashlib.sha256)

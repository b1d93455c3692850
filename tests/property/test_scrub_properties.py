"""What holds of every scrub, whatever the header."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.tag import BaseTag
from tests.unit.dicom.judged import faults

from cinescrub.dicom.encode import encoded_dataset
from cinescrub.dicom.options import Option
from cinescrub.dicom.profile import Action, Profile, basic_profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.scrub import Claims, ScrubOutcome, scrub
from cinescrub.errors import CinescrubError

KEY = Pseudonyms(b"k" * 32)
CLAIMS = Claims(True, True, True)
PROFILE = basic_profile()

# Eleven letters that no word of a header has, so that every occurrence is a leak.
MARK = "QXZWVKJQXZW"
MARK_UID = "1.2.3.987654321987"

LISTED = sorted(set(PROFILE.table) | set(PROFILE.beyond) | {0x00181063, 0x0040A075, 0x00280008})


def representation(tag: int) -> str:
    try:
        return dictionary_VR(tag).split(" or ")[0]
    except KeyError:
        return "UN"


def value_of(tag: int) -> bytes:
    vr = representation(tag)
    if vr == "UI" and tag in PROFILE.beyond:
        return b"1.2.3.4.5"  # a class; an instance there is the audit's to find
    return MARK_UID.encode() if vr == "UI" else MARK.encode()


tags = st.one_of(
    st.sampled_from([tag for tag in LISTED if representation(tag) != "SQ"]),
    st.builds(lambda g, e: g << 16 | e, st.integers(8, 0xFFEE), st.integers(1, 0xFFFF)),
)
headers = st.lists(st.tuples(tags, st.booleans()), max_size=12)


def source(elements: list[tuple[int, bool]]) -> Dataset:
    """A header with a mark in each of `elements`, at the root or two sequences down."""
    root, inner = Dataset(), Dataset()
    for dataset in (root, inner):
        dataset.set_original_encoding(False, True, "iso8859")
    for tag, nested in elements:
        target = inner if nested else root
        key = BaseTag(tag)
        if representation(tag) != "SQ":
            value = value_of(tag)
            vr = representation(tag)
            target[key] = RawDataElement(key, vr, len(value), value, 0, False, True)
    middle = Dataset()
    middle.SharedFunctionalGroupsSequence = [inner]
    root.SharedFunctionalGroupsSequence = [middle]
    root.PatientName = f"{MARK}^Q"
    root.PatientID = "12"
    root.SOPInstanceUID = MARK_UID
    return root


def encoded(dataset: Dataset) -> bytes:
    target = DicomBytesIO()
    target.is_implicit_VR, target.is_little_endian = False, True
    write_dataset(target, dataset)
    return target.getvalue()


def decoded(data: bytes) -> Dataset:
    return read_dataset(BytesIO(data), False, True, bytelength=len(data))


def scrubbed(dataset: Dataset, profile: Profile = PROFILE, key: Pseudonyms = KEY) -> ScrubOutcome:
    return scrub(dataset, profile=profile, pseudonyms=key, claims=CLAIMS, names=harmless)


def harmless(texts: Sequence[str]) -> list[float]:
    return [0.0] * len(texts)


# Not UIDs, which the mark is in: those that are kept are kept on purpose.
options = st.sets(st.sampled_from([o for o in Option if o is not Option.RETAIN_UIDS])).filter(
    lambda asked: not {Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES} <= asked
)


@given(headers, options)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_option_lets_a_name_of_this_file_through(
    elements: list[tuple[int, bool]], asked: set[Option]
) -> None:
    profile = PROFILE.with_options(frozenset(asked))
    # What an option keeps on purpose is left out: the mark there is the site's or the machine's.
    kept = [t for t in elements if profile.action(t[0]) is not Action.KEEP]

    outcome = scrubbed(source(kept), profile)

    data = encoded(outcome.dataset)
    assert MARK.encode() not in data
    assert not faults(data, outcome.identifiers, profile=profile, uids=outcome.uids)
    assert encoded_dataset(outcome.dataset, implicit=False, little=True) == data


@given(headers)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_one_key_gives_one_output_and_another_key_no_pseudonym_of_it(
    elements: list[tuple[int, bool]],
) -> None:
    first, again = (scrubbed(source(elements)) for _ in range(2))
    other = scrubbed(source(elements), key=Pseudonyms(b"o" * 32))

    assert encoded(first.dataset) == encoded(again.dataset)
    assert not pseudonyms(first) & pseudonyms(other)


def pseudonyms(outcome: ScrubOutcome) -> set[str]:
    return {outcome.links.patient[2], *outcome.links.uids.values()}


@given(headers)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_identifier_is_in_any_output_byte(elements: list[tuple[int, bool]]) -> None:
    outcome = scrubbed(source(elements))

    data = encoded(outcome.dataset)
    assert MARK.encode() not in data
    assert b"987654321987" not in data
    assert not faults(data, outcome.identifiers, profile=PROFILE, uids=outcome.uids)


@given(headers)
@settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_second_scrub_changes_pseudonyms_only(elements: list[tuple[int, bool]]) -> None:
    first = scrubbed(source(elements)).dataset

    outcome = scrubbed(decoded(encoded(first)))

    second = outcome.dataset
    assert shape(first) == shape(second)
    assert not faults(second, outcome.identifiers, profile=PROFILE, uids=outcome.uids)
    assert second.PatientID != first.PatientID


def shape(dataset: Dataset) -> list[object]:
    """Tags, and values other than UIDs and pseudonyms."""
    found: list[object] = []
    for element in dataset:
        if element.VR == "SQ":
            found.append((int(element.tag), [shape(item) for item in element.value]))
        elif element.VR == "UI" or element.tag in (0x00100010, 0x00100020):
            found.append(int(element.tag))
        else:
            found.append((int(element.tag), str(element.value or "")))
    return found


@given(headers)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_order_of_elements_does_not_matter(
    elements: list[tuple[int, bool]],
) -> None:
    backwards = source(elements)
    reordered = Dataset()
    reordered.set_original_encoding(False, True, "iso8859")
    for key in reversed(list(backwards.keys())):
        reordered[key] = backwards.get_item(key)

    assert encoded(scrubbed(reordered).dataset) == encoded(scrubbed(backwards).dataset)


@given(st.integers(0x0008, 0x0070), st.integers(1, 0x6000), st.binary(max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_bytes_in_any_element_are_scrubbed_or_refused(
    group: int, number: int, value: bytes
) -> None:
    key = BaseTag(group << 16 | number)
    dataset = Dataset()
    dataset.set_original_encoding(False, True, "iso8859")
    dataset[key] = RawDataElement(key, representation(key), len(value), value, 0, False, True)

    refusal = scrubbed_or_refused(dataset)

    assert refusal is None or "\n" not in refusal


@given(st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_bytes_in_a_sequence_of_unknown_representation_are_scrubbed_or_refused(
    value: bytes,
) -> None:
    key = BaseTag(0x00186011)
    dataset = Dataset()
    dataset.set_original_encoding(False, True, "iso8859")
    dataset[key] = RawDataElement(key, "UN", len(value), value, 0, False, True)

    assert scrubbed_or_refused(dataset) in (
        None,
        "malformed: (0018,6011) SequenceOfUltrasoundRegions is not a readable sequence",
    )


def scrubbed_or_refused(dataset: Dataset) -> str | None:
    """Scrub, write and read back; return the message if it was refused."""
    try:
        outcome = scrubbed(dataset)
    except CinescrubError as error:
        return error.message
    decoded(encoded(outcome.dataset))
    return None

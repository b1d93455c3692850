"""The scrub: what goes, what stays as it was, and what is refused."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from pydicom import Dataset
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from cinescrub.dicom.file_meta import fresh_file_meta
from cinescrub.dicom.profile import Action, basic_profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.scrub import (
    Claims,
    Done,
    ScrubOutcome,
    scrub,
)
from cinescrub.errors import InputError

KEY = Pseudonyms(b"k" * 32)
DUMMIES = ("ANONYMIZED", "about:blank", "0", 0, b"\0" * 8)
CINE = "1.2.840.10008.5.1.4.1.1.3.1"
STUDY, INSTANCE, FRAME = "1.2.3.19800101.1", "1.2.3.19800101.2", "1.2.3.19800101.3"
EXPLICIT, IMPLICIT, BIG = (False, True), (True, True), (False, False)
ENCODINGS = pytest.mark.parametrize(
    "encoding",
    [
        pytest.param(EXPLICIT, id="explicit"),
        pytest.param(IMPLICIT, id="implicit"),
        pytest.param(BIG, id="big endian"),
    ],
)


def header() -> Dataset:
    """A cine's header with an identity and a calibration."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "TEE", "0001"]
    dataset.SOPClassUID = CINE
    dataset.SOPInstanceUID = INSTANCE
    dataset.StudyInstanceUID = STUDY
    dataset.StudyDate = "20240131"
    dataset.AcquisitionDateTime = "20240131235959.5"
    dataset.InstanceCreationDate = "20240131"
    dataset.AccessionNumber = "ACC778899"
    dataset.Modality = "US"
    dataset.Manufacturer = "Made Up"
    dataset.InstitutionName = "Saint Elsewhere"
    dataset.ReferringPhysicianName = "HOUSE^GREGORY"
    dataset.StudyDescription = "Echo of Jane Doe"
    dataset.PatientName = "DOE^JANE"
    dataset.PatientID = "MRN4711"
    dataset.PatientBirthDate = "19560403"
    dataset.PatientSex = "F"
    dataset.PatientAge = "067Y"
    dataset.FrameTime = "33.333"
    dataset.NumberOfFrames = 30
    dataset.Rows, dataset.Columns = 480, 640
    dataset.FrameOfReferenceUID = FRAME
    region = Dataset()
    region.RegionSpatialFormat = 1
    region.RegionDataType = 1
    region.RegionLocationMinX0 = 10
    region.PhysicalDeltaX = 0.0125125125125
    region.TransducerFrequency = 5000
    dataset.SequenceOfUltrasoundRegions = [region]
    return dataset


def encode(dataset: Dataset, encoding: tuple[bool, bool] = EXPLICIT) -> bytes:
    target = DicomBytesIO()
    target.is_implicit_VR, target.is_little_endian = encoding
    write_dataset(target, dataset)
    return target.getvalue()


def read(data: bytes, encoding: tuple[bool, bool] = EXPLICIT) -> Dataset:
    return read_dataset(BytesIO(data), *encoding, bytelength=len(data))


def cleaned(
    dataset: Dataset,
    encoding: tuple[bool, bool] = EXPLICIT,
    key: Pseudonyms = KEY,
    stored: tuple[tuple[int, str, bytes], ...] = (),
) -> ScrubOutcome:
    """Scrub a header as it comes from a file, with `stored` values put in as raw bytes."""
    source = read(encode(dataset, encoding), encoding)
    for tag, vr, value in stored:
        key_ = BaseTag(tag)
        source[key_] = RawDataElement(key_, vr, len(value), value, 0, *encoding)
    return scrub(source, profile=basic_profile(), pseudonyms=key, claims=Claims())


def output(outcome: ScrubOutcome, encoding: tuple[bool, bool] = EXPLICIT) -> bytes:
    return encode(outcome.dataset, encoding)


@ENCODINGS
def test_the_identity_is_gone_and_what_is_needed_is_there(encoding: tuple[bool, bool]) -> None:
    outcome = cleaned(header(), encoding)

    written = output(outcome, encoding)
    back = read(written, encoding)
    for value in (b"DOE", b"JANE", b"4711", b"HOUSE", b"Elsewhere", b"778899", b"1980", b"2024"):
        assert value not in written
    assert back.PatientName.family_name == "SUBJECT"
    assert back.PatientID == KEY.patient_id("MRN4711")
    assert (back.PatientSex, back.PatientBirthDate, back.AccessionNumber) == ("", "", "")
    assert back.StudyInstanceUID == KEY.uid(STUDY)
    assert (back.SOPClassUID, back.Modality, back.Manufacturer) == (CINE, "US", "Made Up")
    assert "StudyDescription" not in back
    assert "PatientAge" not in back


@ENCODINGS
def test_dates_are_gone(encoding: tuple[bool, bool]) -> None:
    back = read(output(cleaned(header(), encoding), encoding), encoding)

    assert back.StudyDate == ""
    assert "InstanceCreationDate" not in back
    assert back.AcquisitionDateTime == "19000101000000"
    assert back.LongitudinalTemporalInformationModified == "REMOVED"


@ENCODINGS
def test_calibration_and_timing_are_the_very_bytes(encoding: tuple[bool, bool]) -> None:
    source = encode(header(), encoding)

    back = read(output(cleaned(header(), encoding), encoding), encoding)

    before, after = read(source, encoding), back
    for keyword in ("FrameTime", "NumberOfFrames", "Rows", "Columns"):
        assert raw(after, keyword).value == raw(before, keyword).value
    assert raw(after, "SequenceOfUltrasoundRegions") == raw(before, "SequenceOfUltrasoundRegions")


def raw(dataset: Dataset, keyword: str) -> RawDataElement:
    element: object = dataset.get_item(keyword)
    assert isinstance(element, RawDataElement)
    return element._replace(value_tell=0)


def test_the_input_is_unchanged() -> None:
    data = encode(header())
    source = read(data)

    scrub(source, profile=basic_profile(), pseudonyms=KEY, claims=Claims(True, True, True))

    assert encode(source) == data


def test_a_dataset_made_in_memory_shares_nothing_with_its_output() -> None:
    source = header()

    outcome = scrub(source, profile=basic_profile(), pseudonyms=KEY, claims=Claims())
    outcome.dataset.ImageType.append("X")
    outcome.dataset.SequenceOfUltrasoundRegions[0].RegionDataType = 9

    assert source == header()


def nested(levels: int, leaf: Dataset) -> Dataset:
    """`leaf` inside of so many sequences, none of which the table lists."""
    dataset = leaf
    for _ in range(levels):
        outer = Dataset()
        outer.SharedFunctionalGroupsSequence = [dataset]
        dataset = outer
    return dataset


@ENCODINGS
def test_an_identity_three_sequences_down_is_gone(encoding: tuple[bool, bool]) -> None:
    leaf = Dataset()
    leaf.OperatorsName = "MIRTH^MARY"
    leaf.PatientID = "MRN4711"
    leaf.FrameComments = "Mrs Doe moved"
    leaf.add_new(0x00091001, "LO", "private")
    dataset = header()
    dataset.update(nested(3, leaf))

    written = output(cleaned(dataset, encoding), encoding)

    for value in (b"MIRTH", b"4711", b"moved", b"private"):
        assert value not in written
    item = read(written, encoding).SharedFunctionalGroupsSequence[0]
    item = item.SharedFunctionalGroupsSequence[0].SharedFunctionalGroupsSequence[0]
    assert "OperatorsName" not in item
    assert item.PatientID == KEY.patient_id("MRN4711")


def add(dataset: Dataset, tag: int, vr: str, value: object) -> None:
    dataset[tag] = DataElement(tag, vr, value, already_converted=True)


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        pytest.param(0x00090010, "LO", "CREATOR", id="private creator"),
        pytest.param(0x200D1000, "OB", b"JANE DOE", id="private bulk"),
        pytest.param(0x50000030, "SH", "mV", id="curve"),
        pytest.param(0x60000022, "LO", "JANE", id="overlay description"),
        pytest.param(0x60003000, "OW", b"\0\1", id="overlay data"),
        pytest.param(0x60021500, "LO", "JANE", id="overlay label"),
        pytest.param(0x00080010, "SH", "JANE", id="retired recognition code"),
        pytest.param(0x00284000, "LT", "JANE", id="retired comments"),
        pytest.param(0xFFFCFFFC, "OB", b"\0" * 8, id="trailing padding"),
        pytest.param(0x00420011, "OB", b"%PDF", id="document"),
        pytest.param(0x00189999, "LO", "JANE", id="unknown element"),
        pytest.param(0x00287FE0, "UR", "https://example.org", id="URL of pixels"),
        pytest.param(0x00282114, "CS", "JANE LOST HER MONEY AND SAID SO", id="sentence in a CS"),
        pytest.param(0x00181063, "DS", "JANE", id="name in a decimal string"),
        pytest.param(0x00280010, "US", [17] * 9, id="nine numbers where one is allowed"),
    ],
)
def test_what_may_hold_anything_is_gone(tag: int, vr: str, value: object) -> None:
    dataset = header()
    add(dataset, tag, vr, value)

    result = cleaned(dataset).dataset

    if tag in result:
        assert result[tag].is_empty or result[tag].value in DUMMIES


@pytest.mark.parametrize(
    "keyword",
    ["OriginalAttributesSequence", "EncryptedAttributesSequence", "IconImageSequence"],
)
def test_copies_of_the_identity_are_gone(keyword: str) -> None:
    dataset = header()
    setattr(dataset, keyword, [header()])

    outcome = cleaned(dataset)

    assert keyword not in outcome.dataset


def test_digital_signatures_are_gone() -> None:
    dataset = header()
    dataset.DigitalSignaturesSequence = [header()]
    dataset.MACParametersSequence = [Dataset()]

    outcome = cleaned(dataset)

    assert 0x4FFE0001 not in outcome.dataset
    assert 0xFFFAFFFA not in outcome.dataset


@pytest.mark.parametrize("encoding", [EXPLICIT, BIG], ids=["little", "big"])
def test_values_of_unknown_representation_are_read_by_dictionary(
    encoding: tuple[bool, bool],
) -> None:
    stored = (
        (0x00100010, "UN", b"DOE^JANE"),
        (0x00181063, "UN", b"33.3"),
        (0x0040A075, "UN", b"MIRTH^MARY"),
        (0x00189999, "UN", b"JANE DOE"),
    )

    written = output(cleaned(header(), encoding, stored=stored), encoding)

    back = read(written, encoding)
    assert back.PatientName == KEY.name("DOE^JANE", patient_id="MRN4711")
    assert (raw(back, "FrameTime").VR, raw(back, "FrameTime").value) == ("DS", b"33.3")
    assert b"MIRTH" not in written
    assert 0x00189999 not in back


def test_a_sequence_of_unknown_representation_is_parsed() -> None:
    item = Dataset()
    item.PatientName = "DOE^JANE"
    item.RegionDataType = 1
    body = encode(item, IMPLICIT)
    data = struct.pack("<HHL", 0xFFFE, 0xE000, len(body)) + body

    written = output(cleaned(header(), stored=((0x00186011, "UN", data),)))

    region = read(written).SequenceOfUltrasoundRegions[0]
    assert region.RegionDataType == 1
    assert region.PatientName == KEY.name("DOE^JANE")
    assert b"JANE" not in written


def test_a_sequence_that_is_none_is_refused() -> None:
    stored = ((0x00186011, "UN", b"JANE DOE IN HERE"),)

    with pytest.raises(InputError, match=r"\(0018,6011\)") as caught:
        cleaned(header(), stored=stored)

    assert "JANE" not in str(caught.value)


def test_a_text_where_a_number_belongs_is_removed() -> None:
    dataset = header()
    add(dataset, 0x00186018, "LO", "JANE DOE")

    assert 0x00186018 not in cleaned(dataset).dataset


def test_a_class_that_is_no_uid_is_refused() -> None:
    dataset = header()
    reference = Dataset()
    add(reference, 0x00081150, "UI", f"{CINE} US")
    reference.ReferencedSOPInstanceUID = INSTANCE
    dataset.SourceImageSequence = [reference]

    with pytest.raises(InputError, match=r"ReferencedSOPClassUID is no UID"):
        cleaned(dataset)


def test_references_stay_consistent() -> None:
    dataset = header()
    reference = Dataset()
    reference.ReferencedSOPClassUID = CINE
    reference.ReferencedSOPInstanceUID = INSTANCE
    reference.PurposeOfReferenceCodeSequence = []
    dataset.SourceImageSequence = [reference]
    dataset.ReferencedFrameOfReferenceUID = FRAME

    result = cleaned(dataset).dataset

    assert result.SourceImageSequence[0].ReferencedSOPInstanceUID == result.SOPInstanceUID
    assert result.SourceImageSequence[0].ReferencedSOPClassUID == CINE
    assert result.ReferencedFrameOfReferenceUID == result.FrameOfReferenceUID


def test_a_class_uid_made_of_an_identifier_is_replaced() -> None:
    dataset = header()
    dataset.PatientID = "4711001"
    dataset.ReferencedSOPClassUID = "1.2.3.4711001"
    dataset.RelatedGeneralSOPClassUID = "1.2.3.4711002"

    result = cleaned(dataset).dataset

    assert result.ReferencedSOPClassUID == KEY.uid("1.2.3.4711001")
    assert result.RelatedGeneralSOPClassUID == "1.2.3.4711002"


def test_another_key_shares_no_pseudonym() -> None:
    one = cleaned(header()).dataset
    other = cleaned(header(), key=Pseudonyms(b"o" * 32)).dataset

    for keyword in ("PatientID", "PatientName", "SOPInstanceUID", "StudyInstanceUID"):
        assert one[keyword].value != other[keyword].value


def test_kept_text_that_holds_an_identifier_is_replaced() -> None:
    dataset = header()
    dataset.ManufacturerModelName = "Model of Saint Elsewhere"
    dataset.SoftwareVersions = ["5.1", "jane-doe"]
    dataset.BodyPartExamined = "HEART"

    outcome = cleaned(dataset)

    assert outcome.dataset.ManufacturerModelName == "ANONYMIZED"
    assert outcome.dataset.SoftwareVersions == "ANONYMIZED"
    assert outcome.dataset.BodyPartExamined == "HEART"
    assert outcome.counts[Action.CLEAN] == 2


def test_a_dummy_is_not_made_of_nothing() -> None:
    dataset = header()
    dataset.AcquisitionDateTime = ""
    dataset.PatientID = ""
    dataset.PatientName = ""

    back = read(output(cleaned(dataset)))

    assert (back.AcquisitionDateTime, back.PatientID, back.PatientName) == ("", "", "")


def test_a_required_sequence_becomes_one_item_of_dummies() -> None:
    text = Dataset()
    text.UnformattedTextValue = "Jane Doe"
    text.AnchorPoint = [1.0, 2.0]
    annotation = Dataset()
    annotation.TextObjectSequence = [text, text]
    dataset = header()
    dataset.GraphicAnnotationSequence = Sequence([annotation, annotation])

    result = cleaned(dataset).dataset

    assert len(result.GraphicAnnotationSequence) == 1
    assert b"Jane" not in encode(result)


@pytest.mark.parametrize(
    ("charset", "model", "expected"),
    [
        pytest.param(b"ISO_IR 192", "Ma\u00dfe".encode(), "ISO_IR 192", id="UTF-8"),
        pytest.param(b"ISO_IR 100", b"Ma\xdfe", "ISO_IR 100", id="Latin-1"),
        pytest.param(
            b"\\ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B", ["", "ISO 2022 IR 87"], id="code extensions"
        ),
        pytest.param(b"ISO_IR 192\\ISO_IR 100", b"Mass", "ISO_IR 192", id="one that stands alone"),
        pytest.param(b"DOE^JANE", b"Mass", None, id="not a character set"),
    ],
)
def test_the_character_set_stays_if_it_is_one(
    charset: bytes, model: bytes, expected: str | list[str] | None
) -> None:
    stored = ((0x00080005, "CS", charset), (0x00081090, "LO", model))

    result = cleaned(header(), stored=stored).dataset

    stored_model = raw(result, "ManufacturerModelName").value
    assert stored_model is not None
    assert stored_model.rstrip(b" ") == model
    assert result.get("SpecificCharacterSet") == expected


@pytest.mark.parametrize("charset", [b"", b"ISO_IR 192", b"NONSENSE"])
def test_text_that_is_not_valid_in_its_character_set_is_emptied(charset: bytes) -> None:
    stored = ((0x00080005, "CS", charset), (0x00081090, "LO", b"Ma\xdfe"))

    outcome = cleaned(header(), stored=stored)

    assert outcome.dataset["ManufacturerModelName"].is_empty
    assert 0x00081090 in outcome.unfit


def test_a_depth_bomb_is_refused() -> None:
    with pytest.raises(InputError, match="nested deeper than 32"):
        cleaned(nested(40, header()))


def test_what_was_done_is_counted() -> None:
    outcome = cleaned(header())

    assert outcome.counts[Action.REMOVE] == 4
    assert outcome.counts[Action.UID] == 3
    assert outcome.dataset.SOPInstanceUID == KEY.uid(INSTANCE)
    assert {INSTANCE, STUDY, FRAME} == outcome.uids
    assert "JANE" not in repr(outcome)
    assert [d for d in outcome.done if d.tag == "(0008,1030)"] == [
        Done(Action.REMOVE, "(0008,1030)", "E.1-1 X", 1)
    ]


def test_private_and_unknown_elements_are_reported_without_their_numbers() -> None:
    dataset = header()
    dataset.add_new(0x00090010, "LO", "CREATOR")
    dataset.add_new(0x00091001, "LO", "JANE")
    dataset.add_new(0x4A4E484E, "LO", "JANE")

    done = {d.tag for d in cleaned(dataset).done}

    assert {"private", "unknown"} <= done
    assert not any("4A4E" in tag for tag in done)


def test_file_meta_is_new_and_minimal() -> None:
    meta = fresh_file_meta(
        sop_class=CINE, sop_instance="2.25.1", transfer_syntax="1.2.840.10008.1.2.1"
    )

    assert isinstance(meta, FileMetaDataset)
    assert {element.keyword for element in meta} == {
        "FileMetaInformationVersion",
        "MediaStorageSOPClassUID",
        "MediaStorageSOPInstanceUID",
        "TransferSyntaxUID",
        "ImplementationClassUID",
        "ImplementationVersionName",
    }
    assert meta.ImplementationClassUID.is_valid


MODALITY, REGION_TYPE = 0x00080060, 0x00186014


@pytest.mark.parametrize(
    ("tag", "vr", "value", "expected"),
    [
        pytest.param(MODALITY, "CS", b"of Mrs. Miller, 2 pm", "ANONYMIZED", id="no code string"),
        pytest.param(MODALITY, "LT", b"of Mrs. Miller, 2 pm", "ANONYMIZED", id="a text instead"),
        pytest.param(MODALITY, "OB", b"US", "ANONYMIZED", id="bytes instead"),
        pytest.param(MODALITY, "LO", b"US", "US", id="a code string stated as text"),
        pytest.param(0x00281050, "DS", b"Miller", "", id="not required"),
    ],
)
def test_a_required_value_that_is_not_of_its_vr_becomes_a_dummy(
    tag: int, vr: str, value: bytes, expected: str
) -> None:
    outcome = cleaned(header(), stored=((tag, vr, value + b" " * (len(value) % 2)),))

    element = read(output(outcome)).get(tag)
    assert str(element.value or "") == expected
    assert b"Miller" not in output(outcome)


def test_a_required_number_that_is_not_of_its_vr_becomes_a_dummy_in_items_too() -> None:
    dataset = header()
    region = dataset.SequenceOfUltrasoundRegions[0]
    region[REGION_TYPE] = RawDataElement(BaseTag(REGION_TYPE), "US", 4, b"Anne", 0, False, True)

    back = read(output(cleaned(dataset))).SequenceOfUltrasoundRegions[0]

    assert back.RegionDataType == 0
    assert back.TransducerFrequency == 5000


@pytest.mark.parametrize("vr", ["LO", "UT", "OB", "DA"])
def test_a_name_that_is_stated_as_something_else_is_searched_all_the_same(vr: str) -> None:
    outcome = cleaned(
        header(),
        stored=((0x00100010, vr, b"NIGHTINGALE^FLORENCE"), (0x00081090, "LO", b"of Nightingale")),
    )

    assert "NIGHTINGALE^FLORENCE" in {found.value for found in outcome.identifiers}
    assert b"ightingale" not in output(outcome)
    assert read(output(outcome)).ManufacturerModelName == "ANONYMIZED"


def test_a_serial_number_beside_the_transducer_goes() -> None:
    outcome = cleaned(header(), stored=((0x00185010, "LO", b"S5_1\\55360\\50.80.103.002"),))

    assert list(read(output(outcome)).TransducerData) == ["S5_1", "", "50.80.103.002"]

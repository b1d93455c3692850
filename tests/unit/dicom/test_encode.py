"""A header is encoded as pydicom would encode it, by a shorter way where the bytes are at hand."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pytest
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.tag import BaseTag

from cinescrub.dicom.encode import encoded_dataset, encoded_meta
from cinescrub.dicom.file_meta import fresh_file_meta
from cinescrub.errors import ScrubError

ENCODINGS = [
    pytest.param(False, True, id="explicit"),
    pytest.param(True, True, id="implicit"),
    pytest.param(False, False, id="big"),
]


def by_pydicom(dataset: Dataset, implicit: bool, little: bool) -> bytes:
    target = DicomBytesIO()
    target.is_implicit_VR, target.is_little_endian = implicit, little
    write_dataset(target, dataset)
    return target.getvalue()


def texts() -> Dataset:
    dataset = Dataset()
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "", "0001"]
    dataset.SOPInstanceUID = "2.25.123"
    dataset.PatientName = "Doe^Jane"
    dataset.PatientID = "odd"
    dataset.StudyDate = "20260117"
    dataset.AccessionNumber = ""
    dataset.InstanceNumber = "7"
    dataset.PixelSpacing = [0.5, 0.25]
    dataset.Rows = 480
    dataset.RetrieveURL = "about:blank"
    dataset.ImageComments = "two\r\nlines"
    dataset.RedPaletteColorLookupTableData = b"\1\2\3\4"
    dataset.FrameIncrementPointer = 0x00181063
    dataset.PatientSpeciesDescription = None
    return dataset


def nested() -> Dataset:
    inner, dataset = texts(), texts()
    inner.is_undefined_length_sequence_item = True
    plain = Dataset()
    plain.CodeValue = "1"
    dataset.RequestAttributesSequence = [inner, plain, Dataset()]
    dataset.SequenceOfUltrasoundRegions = [texts()]
    dataset[0x00186011].is_undefined_length = True
    dataset.ReferencedStudySequence = []
    return dataset


def other_letters() -> Dataset:
    dataset = nested()
    dataset.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    dataset.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    dataset.InstitutionName = "山田"
    dataset[0x00400275].value[0].PatientName = "Yamada^Tarou=山田^太郎"
    dataset[0x00400275].value[1].SpecificCharacterSet = "ISO_IR 192"
    dataset[0x00400275].value[1].CodeMeaning = "Äther"
    return dataset


def long_text() -> Dataset:
    dataset = Dataset()
    dataset.add_new(0x00204000, "LT", "a" * 70_000)
    dataset.add_new(0x00081030, "LO", "a" * 70_000)
    return dataset


@pytest.mark.filterwarnings("ignore:The value length", "ignore:The value for the data element")
@pytest.mark.parametrize(("implicit", "little"), ENCODINGS)
@pytest.mark.parametrize("made", [texts, nested, other_letters, long_text, Dataset])
def test_a_made_dataset_is_encoded_as_by_pydicom(
    made: Callable[[], Dataset], implicit: bool, little: bool
) -> None:
    assert encoded_dataset(made(), implicit=implicit, little=little) == by_pydicom(
        made(), implicit, little
    )


@pytest.mark.parametrize(("implicit", "little"), ENCODINGS)
@pytest.mark.parametrize("made", [texts, nested, other_letters])
def test_a_dataset_that_was_read_comes_back_as_its_bytes(
    made: Callable[[], Dataset], implicit: bool, little: bool
) -> None:
    data = by_pydicom(made(), implicit, little)
    dataset = read_dataset(BytesIO(data), implicit, little, bytelength=len(data))

    assert encoded_dataset(dataset, implicit=implicit, little=little) == data


@pytest.mark.parametrize(("implicit", "little"), ENCODINGS)
def test_a_dataset_of_another_encoding_is_converted_as_by_pydicom(
    implicit: bool, little: bool
) -> None:
    data = by_pydicom(nested(), False, True)

    def read() -> Dataset:
        return read_dataset(BytesIO(data), False, True, bytelength=len(data))

    assert encoded_dataset(read(), implicit=implicit, little=little) == by_pydicom(
        read(), implicit, little
    )


def test_group_lengths_are_left_out() -> None:
    dataset = texts()
    dataset.add_new(0x00080000, "UL", 4)

    assert encoded_dataset(dataset, implicit=False, little=True) == by_pydicom(texts(), False, True)


def test_a_value_that_is_not_of_its_representation_is_refused_without_it() -> None:
    dataset = Dataset()
    dataset.Rows = 1
    dataset[0x00280010]._value = "Doe^Jane"

    with pytest.raises(ScrubError) as caught:
        encoded_dataset(dataset, implicit=False, little=True)

    assert "Doe" not in str(caught.value)


def test_an_element_without_a_representation_is_refused() -> None:
    key = BaseTag(0x00280106)
    raw = RawDataElement(key, "US or SS", 2, b"\1\0", 0, False, True)
    dataset = Dataset({key: raw})
    dataset.set_original_encoding(False, True, "iso8859")

    with pytest.raises(ScrubError):
        encoded_dataset(dataset, implicit=False, little=True)


def meta() -> FileMetaDataset:
    return fresh_file_meta(
        sop_class="1.2.840.10008.5.1.4.1.1.3.1",
        sop_instance="2.25.12",
        transfer_syntax="1.2.840.10008.1.2.1",
    )


def test_file_meta_is_encoded_as_by_pydicom() -> None:
    target = DicomBytesIO()
    write_file_meta_info(target, meta(), enforce_standard=True)

    assert encoded_meta(meta()) == target.getvalue()


def test_file_meta_without_a_required_element_is_refused() -> None:
    short = meta()
    del short.MediaStorageSOPInstanceUID

    with pytest.raises(ScrubError, match="lacks"):
        encoded_meta(short)

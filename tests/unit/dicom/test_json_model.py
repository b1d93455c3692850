"""Headers in JSON: what a file's header says, no value in a log, nothing that is no header."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataelem import DataElement
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from cinescrub.dicom.json_model import JsonHeader, header_to_json, scrubbed_json
from cinescrub.dicom.profile import basic_profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.scrub import Claims, ScrubOutcome, scrub
from cinescrub.errors import InputError, ScrubError


def _header() -> Dataset:
    item = Dataset()
    item.PatientName = "DOE^JANE"
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 100"
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    header.PatientName = "DOE^JÁNE"
    header.PatientID = "4711-0815"
    header.OriginalAttributesSequence = Sequence([item])
    header.Rows, header.Columns = 480, 640
    return header


def _scrubbed(header: Dataset) -> ScrubOutcome:
    return scrub(header, profile=basic_profile(), pseudonyms=Pseudonyms(b"k" * 32), claims=Claims())


def test_a_header_comes_back_from_json_as_it_was() -> None:
    model = json.loads(json.dumps(header_to_json(_header())))

    again = JsonHeader.of(model).header

    assert str(again.PatientName) == "DOE^JÁNE"
    assert str(again.OriginalAttributesSequence[0].PatientName) == "DOE^JANE"
    assert again.SpecificCharacterSet == "ISO_IR 192"
    assert (again.Rows, again.Columns) == (480, 640)


def test_a_real_header_is_told_as_pydicom_tells_it() -> None:
    path = get_testdata_file("examples_ybr_color.dcm", download=False)
    assert isinstance(path, str)
    header = dcmread(path, stop_before_pixels=True)

    assert header_to_json(header) == header.to_json_dict(suppress_invalid_tags=True)


@pytest.mark.parametrize("tag", ["00020010", "7FE00010", "FFFCFFFC"])
def test_what_is_no_header_is_left_out(tag: str) -> None:
    element = {"vr": "OB" if tag != "00020010" else "UI", "Value": ["1.2"]}
    if tag != "00020010":
        element = {"vr": "OB", "InlineBinary": "AAAA"}

    assert BaseTag(int(tag, 16)) not in JsonHeader.of({tag: element}).header


def test_a_value_that_is_not_of_its_vr_is_left_out_and_not_logged(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    header = _header()
    for level in (header, header.OriginalAttributesSequence[0]):
        level[0x00101020] = DataElement(0x00101020, "DS", "SMITH", already_converted=True)

    with caplog.at_level(logging.DEBUG):
        model = header_to_json(header)

    assert "00101020" not in json.dumps(model)
    assert "DOE^JANE" in json.dumps(model)
    assert "SMITH" not in caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "model",
    [
        {"00100010": 7},
        {"SMITH": {"vr": "PN"}},
        {"00101020": {"vr": "DS", "Value": ["SMITH"]}},
        {"00280010": {"vr": "US", "Value": ["SMITH"]}},
    ],
)
def test_no_header_is_refused_without_a_value(model: dict[str, Any]) -> None:
    with pytest.raises(InputError) as raised:
        JsonHeader.of(model)

    assert "SMITH" not in str(raised.value)


@pytest.mark.parametrize(("rows", "columns", "fits"), [(480, 640, True), (640, 480, False)])
def test_frames_are_of_the_size_that_the_header_tells(rows: int, columns: int, fits: bool) -> None:
    told = JsonHeader.of(header_to_json(_header()))

    if fits:
        told.require_size(rows, columns)
    else:
        with pytest.raises(InputError, match="upright"):
            told.require_size(rows, columns)


def test_a_header_without_a_size_fits_any_frames() -> None:
    JsonHeader.of({"00100010": {"vr": "PN", "Value": [{"Alphabetic": "A"}]}}).require_size(1, 2)


def test_a_scrubbed_header_holds_no_identifier() -> None:
    told = json.dumps(scrubbed_json(_scrubbed(JsonHeader.of(header_to_json(_header())).header)))

    assert "JANE" not in told
    assert "4711" not in told
    assert "SUBJECT" in told


def test_an_identifier_that_survived_is_an_error() -> None:
    outcome = _scrubbed(_header())
    outcome.dataset.SeriesDescription = "of 4711-0815"

    with pytest.raises(ScrubError, match="survived"):
        scrubbed_json(outcome)

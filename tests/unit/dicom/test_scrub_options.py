"""What each option of PS3.15 E.3 lets stay, how, and when it is claimed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from io import BytesIO

import pytest
from pydicom import Dataset, config
from pydicom.dataelem import DataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.tag import BaseTag
from tests.unit.dicom.judged import faults

from cinescrub.dicom.descriptors import Descriptors
from cinescrub.dicom.options import parse_options
from cinescrub.dicom.profile import Action, Profile, Rule, basic_profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.scrub import Claims, ScrubOutcome, scrub
from cinescrub.dicom.search import IdentifierSearch
from cinescrub.policy.identifiers import IdentifierMatcher

KEY = Pseudonyms(b"k" * 32)
CINE = "1.2.840.10008.5.1.4.1.1.3.1"
DONE = Claims(True, True, True)


def header(**changes: object) -> Dataset:
    dataset = Dataset()
    values: dict[str, object] = {
        "SpecificCharacterSet": "ISO_IR 100",
        "SOPClassUID": CINE,
        "SOPInstanceUID": "1.2.3.2",
        "StudyInstanceUID": "1.2.3.1",
        "StudyDate": "20240131",
        "StudyTime": "013000",
        "ContentDate": "20240131",
        "ContentTime": "023000.5",
        "AcquisitionDateTime": "20240131014500",
        "Modality": "US",
        "InstitutionName": "Saint Elsewhere",
        "StationName": "ECHO-7-NORTH",
        "StudyDescription": "Stress echo",
        "PatientName": "DOE^JANE",
        "PatientID": "MRN4711",
        "PatientBirthDate": "19560403",
        "PatientSex": "F",
        "PatientAge": "067Y",
        "PatientSize": "1.64",
        "DeviceSerialNumber": "SN-778899",
        **changes,
    }
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def encode(dataset: Dataset) -> bytes:
    target = DicomBytesIO()
    target.is_implicit_VR, target.is_little_endian = False, True
    write_dataset(target, dataset)
    return target.getvalue()


def read(data: bytes) -> Dataset:
    return read_dataset(BytesIO(data), False, True, bytelength=len(data))


def harmless(texts: Sequence[str]) -> Iterable[float]:
    """A model that knows one name."""
    return [0.9 if "Cameron" in text else 0.0 for text in texts]


def cleaned(
    dataset: Dataset,
    *options: str,
    profile: Profile | None = None,
    key: Pseudonyms = KEY,
    model: bool = True,
) -> tuple[ScrubOutcome, Dataset]:
    """Scrub as from a file, audit, and return the outcome and what was written."""
    profile = (profile or basic_profile()).with_options(parse_options(options))
    outcome = scrub(
        read(encode(dataset)),
        profile=profile,
        pseudonyms=key,
        claims=DONE,
        names=harmless if model else None,
    )
    data = encode(outcome.dataset)
    assert not faults(data, outcome.identifiers, profile=profile, uids=outcome.uids)
    return outcome, read(data)


def codes(dataset: Dataset) -> list[str]:
    return [item.CodeValue for item in dataset.DeidentificationMethodCodeSequence]


def test_a_retained_uid_that_holds_an_id_of_the_file_is_replaced() -> None:
    holds = "1.2.840.1.4.20170302.172449.399"
    given = header(PerformedProcedureStepID="20170302.172449", SeriesInstanceUID=holds)

    outcome, back = cleaned(given, "retain-uids", "retain-full-dates")

    assert back.SeriesInstanceUID.startswith("2.25.")
    assert back.StudyInstanceUID == given.StudyInstanceUID
    assert holds not in str(back)
    assert outcome.search.finds_in_uid(holds)


def test_a_retained_uid_that_is_none_is_replaced_and_not_dropped() -> None:
    given, tag = header(), BaseTag(0x00080018)
    broken = DataElement(tag, "UI", "dccc9599087131742838cc", validation_mode=config.IGNORE)
    given[tag] = broken

    _, back = cleaned(given, "retain-uids")

    assert back.SOPInstanceUID.startswith("2.25.")


def test_patient_characteristics_stay_and_nothing_else() -> None:
    _, back = cleaned(header(), "retain-patient-characteristics")

    assert (back.PatientSex, back.PatientAge, back.PatientSize) == ("F", "067Y", "1.64")
    assert "StationName" not in back
    assert back.PatientBirthDate == ""
    assert codes(back) == ["113100", "113101", "113108"]


def stored(keyword: str, value: str) -> Dataset:
    """Return a header with a value that pydicom would not write."""
    with config.disable_value_validation():
        return header(**{keyword: value})


@pytest.mark.parametrize("age", ["097Y", "097y", "97", "97Y"])
def test_ages_over_89_are_one(age: str) -> None:
    outcome, back = cleaned(stored("PatientAge", age), "retain-patient-characteristics")

    assert back.PatientAge == "090Y"
    assert "45 CFR" in next(d.reason for d in outcome.done if d.tag == "(0010,1010)")


@pytest.mark.parametrize("age", ["089Y", "900M", "12W", "007D", "12"])
def test_lower_ages_stay(age: str) -> None:
    _, back = cleaned(stored("PatientAge", age), "retain-patient-characteristics")

    assert back.PatientAge == age


@pytest.mark.parametrize("age", ["97 YEARS", "1164M", "097Y1M", "old"])
def test_what_is_no_age_goes(age: str) -> None:
    _, back = cleaned(stored("PatientAge", age), "retain-patient-characteristics")

    assert not back.PatientAge


def test_what_is_no_date_is_not_kept_as_one() -> None:
    _, back = cleaned(stored("StudyDate", "Dr Huber, room 5"), "retain-full-dates")

    assert "Huber" not in str(back)


def test_the_device_stays_and_its_titles_become_pseudonyms() -> None:
    source = header(StationAETitle="NORTHWING7")

    _, back = cleaned(source, "retain-device-identity")

    assert (back.DeviceSerialNumber, back.StationName) == ("SN-778899", "ECHO-7-NORTH")
    assert back.StationAETitle == KEY.title("NORTHWING7")
    assert len(back.StationAETitle) == 16
    assert "InstitutionName" not in back
    assert "113109" in codes(back)


def test_the_institution_stays() -> None:
    _, back = cleaned(header(), "retain-institution-identity")

    assert back.InstitutionName == "Saint Elsewhere"
    assert "113112" in codes(back)


def test_uids_stay() -> None:
    outcome, back = cleaned(header(), "retain-uids")

    assert (back.SOPInstanceUID, back.StudyInstanceUID) == ("1.2.3.2", "1.2.3.1")
    assert outcome.uids == frozenset()
    assert "113110" in codes(back)


def test_full_dates_stay() -> None:
    _, back = cleaned(header(), "retain-full-dates")

    assert (back.StudyDate, back.StudyTime) == ("20240131", "013000")
    assert back.PatientBirthDate == ""
    assert back.LongitudinalTemporalInformationModified == "UNMODIFIED"
    assert "113106" in codes(back)


def moment(date: str, time: str) -> datetime:
    return datetime.strptime(date + time.partition(".")[0], "%Y%m%d%H%M%S")


def test_dates_move_together_and_intervals_stay() -> None:
    outcome, back = cleaned(header(), "retain-modified-dates")

    study = moment(back.StudyDate, back.StudyTime)
    content = moment(back.ContentDate, back.ContentTime)
    acquisition = datetime.strptime(back.AcquisitionDateTime, "%Y%m%d%H%M%S")
    assert (content - study).total_seconds() == 3600
    assert (acquisition - study).total_seconds() == 900
    assert back.ContentTime.endswith(".5")
    moved = (study - datetime(2024, 1, 31, 1, 30)).total_seconds()
    assert moved == outcome.links.shift_seconds
    assert -3650 * 86_400 <= moved <= -365 * 86_400
    assert back.PatientBirthDate == ""
    assert back.LongitudinalTemporalInformationModified == "MODIFIED"
    assert "113107" in codes(back)


def test_one_patient_moves_alike_in_every_file_and_another_does_not() -> None:
    first, _ = cleaned(header(), "retain-modified-dates")
    second, _ = cleaned(
        header(StudyInstanceUID="1.2.9", PatientName="Doe^J.", StudyDate="20250131"),
        "retain-modified-dates",
    )
    other, _ = cleaned(header(PatientID="4712"), "retain-modified-dates")
    issued, _ = cleaned(header(IssuerOfPatientID="Elsewhere"), "retain-modified-dates")
    keyed, _ = cleaned(header(), "retain-modified-dates", key=Pseudonyms(b"o" * 32))

    shifts = [o.links.shift_seconds for o in (first, second, other, issued, keyed)]
    assert shifts[0] == shifts[1]
    assert len(set(shifts)) == 4


def test_a_date_that_is_none_goes_as_without_the_option() -> None:
    dataset = header()
    dataset[0x00080021] = DataElement(0x00080021, "DA", "JANUARY", validation_mode=config.IGNORE)

    _, back = cleaned(dataset, "retain-modified-dates")

    assert "SeriesDate" not in back


def test_a_moved_date_that_is_another_of_the_input_is_no_leak() -> None:
    outcome, back = cleaned(header(), "retain-modified-dates")

    again, _ = cleaned(header(PatientBirthDate=back.StudyDate), "retain-modified-dates")

    assert again.dataset.StudyDate == outcome.dataset.StudyDate


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        pytest.param("Stress echo", True, id="nothing found"),
        pytest.param("Echo of Jane Doe", False, id="name of the patient"),
        pytest.param("Echo MRN4711", False, id="ID of the patient"),
        pytest.param("for Dr. Wilson", False, id="a pattern"),
        pytest.param("echo 31.01.2024", False, id="a date"),
        pytest.param("Cameron asked for it", False, id="a name that the model knows"),
        pytest.param("Echo, Saint Elsewhere", False, id="the site"),
    ],
)
def test_descriptors_stay_if_nothing_is_found_in_them(text: str, stays: bool) -> None:
    outcome, back = cleaned(header(StudyDescription=text), "clean-descriptors")

    assert back.get("StudyDescription") == (text if stays else None)
    assert "113105" in codes(back)
    done = next(d for d in outcome.done if d.tag == "(0008,1030)")
    assert done.action is (Action.CLEAN if stays else Action.REMOVE)


def test_a_descriptor_that_is_not_of_its_representation_does_not_stay() -> None:
    source = header()
    source.add(DataElement(0x00081030, "LO", "Stress\recho", validation_mode=config.IGNORE))

    _, back = cleaned(source, "clean-descriptors")

    assert "StudyDescription" not in back


def test_dates_in_descriptors_move_with_the_others() -> None:
    source = header(StudyDescription="echo 31.01.2024")

    _, back = cleaned(source, "clean-descriptors", "retain-modified-dates")

    moved = datetime.strptime(back.StudyDescription, "echo %d.%m.%Y")
    assert abs((moved - moment(back.StudyDate, back.StudyTime)).days) <= 1


def test_without_a_model_no_descriptor_stays_and_nothing_is_claimed() -> None:
    _, back = cleaned(header(), "clean-descriptors", model=False)

    assert "StudyDescription" not in back
    assert codes(back) == ["113100", "113101"]


@pytest.mark.parametrize(
    "scores", [[float("nan")] * 9, [], [0.0]], ids=["no numbers", "none", "too few"]
)
def test_a_model_that_does_not_answer_keeps_nothing(scores: list[float]) -> None:
    search = IdentifierSearch(())
    broken = Descriptors(search, IdentifierMatcher(()), lambda texts: scores[: len(texts)])

    assert broken.cleaned("Jane Huber\nasked for it", "LT", 0x00081030) is None


def test_a_text_too_long_to_be_searched_goes() -> None:
    quiet = Descriptors(IdentifierSearch(()), IdentifierMatcher(()), harmless)

    assert quiet.cleaned("- " * 1000, "UT", 0x00204000) is not None
    assert quiet.cleaned("- " * 33_000, "UT", 0x00204000) is None


def test_structured_content_stays_cleaned() -> None:
    def item(**values: object) -> Dataset:
        dataset = Dataset()
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        return dataset

    source = header(
        ContentSequence=[
            item(ValueType="TEXT", TextValue="Normal ventricles"),
            item(ValueType="TEXT", TextValue="Mrs Doe is well"),
            item(ValueType="PNAME", PersonName="CUDDY^LISA"),
            item(ValueType="NUM", ContentSequence=[item(ValueType="UIDREF", UID="1.2.3.2")]),
        ]
    )

    _, back = cleaned(source, "clean-structured-content")

    texts = [i.get("TextValue") for i in back.ContentSequence]
    assert texts[0] == "Normal ventricles"
    assert texts[1] != "Mrs Doe is well"
    assert back.ContentSequence[2].PersonName != "CUDDY^LISA"
    assert back.SOPInstanceUID == back.ContentSequence[3].ContentSequence[0].UID
    assert "113104" in codes(back)


def test_graphics_stay_cleaned_and_overlays_go() -> None:
    text = Dataset()
    text.UnformattedTextValue = "Jane Doe"
    annotation = Dataset()
    annotation.TextObjectSequence = [text]
    source = header(GraphicAnnotationSequence=[annotation])
    source.add_new(0x60003000, "OW", b"\0\1")

    _, back = cleaned(source, "clean-graphics")

    assert 0x60003000 not in back
    kept = back.GraphicAnnotationSequence[0].TextObjectSequence[0]
    assert kept.UnformattedTextValue == "ANONYMIZED"
    assert "113103" in codes(back)


def private(creator: str | None, element: int, vr: str, value: object) -> Dataset:
    dataset = header()
    if creator is not None:
        dataset.add_new(0x00190010, "LO", creator)
    dataset.add_new(0x00191000 | element, vr, value)
    return dataset


@pytest.mark.parametrize(
    ("dataset", "options", "stays"),
    [
        pytest.param(
            private("SIEMENS MR HEADER", 0x0C, "IS", "700"),
            ["retain-safe-private"],
            True,
            id="listed",
        ),
        pytest.param(private("SIEMENS MR HEADER", 0x0C, "IS", "700"), [], False, id="not asked"),
        pytest.param(
            private("SIEMENS MR HEADER", 0x0C, "LO", "Doe"),
            ["retain-safe-private"],
            False,
            id="another VR",
        ),
        pytest.param(
            private("SOMEBODY ELSE", 0x0C, "IS", "700"),
            ["retain-safe-private"],
            False,
            id="another creator",
        ),
        pytest.param(
            private(None, 0x0C, "IS", "700"), ["retain-safe-private"], False, id="no creator"
        ),
        pytest.param(
            private("SIEMENS MR HEADER", 0x0C, "IS", "4711001"),
            ["retain-safe-private"],
            False,
            id="an ID of the file",
        ),
        pytest.param(
            private("SIEMENS MED SMS USG S2000", 0x03, "FD", 33.0),
            ["retain-safe-private"],
            False,
            id="of the other list",
        ),
        pytest.param(
            private("SIEMENS MED SMS USG S2000", 0x03, "FD", 33.0),
            ["retain-tcia-private"],
            True,
            id="of the second list",
        ),
        pytest.param(
            private("SIEMENS MED SMS USG S2000", 0x0D, "SH", "by Dr. Who"),
            ["retain-tcia-private"],
            False,
            id="text with a pattern",
        ),
    ],
)
def test_safe_private_elements_stay_by_creator_and_vr(
    dataset: Dataset, options: list[str], stays: bool
) -> None:
    dataset.PatientID = "4711001"

    _, back = cleaned(dataset, *options)

    tags = [t for t in back.keys() if t.is_private]  # noqa: SIM118  # a Dataset yields elements
    assert bool(tags) is stays
    assert len(tags) in (0, 2)
    assert ("113111" in codes(back)) is bool(options)


def test_a_site_that_keeps_more_than_the_standard_claims_less() -> None:
    rules = {0x00081030: Rule("K", "wanted")}
    profile = replace(basic_profile(), name="site", rules=rules)

    outcome, back = cleaned(header(), profile=profile)

    assert back.StudyDescription == "Stress echo"
    assert back.PatientIdentityRemoved == "NO"
    assert codes(back) == ["113101"]
    assert "exceptions" in back.DeidentificationMethod[1]
    assert "profile site: wanted K" in {d.reason for d in outcome.done}


def test_every_code_fits_its_representation() -> None:
    options = [
        *("retain-safe-private", "retain-tcia-private", "retain-uids", "retain-device-identity"),
        *("retain-institution-identity", "retain-patient-characteristics", "clean-graphics"),
        *("retain-modified-dates", "clean-descriptors", "clean-structured-content"),
    ]

    _, back = cleaned(header(), *options)

    found = codes(back)
    assert found == sorted(set(found))
    assert len(found) == 11
    assert all(len(i.CodeMeaning) <= 64 for i in back.DeidentificationMethodCodeSequence)

"""What the profile does with each kind of element."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.datadict import dictionary_VR

from cinescrub.dicom.iods import ROOT, types_of
from cinescrub.dicom.options import Option
from cinescrub.dicom.profile import Action, Rule, basic_profile, resolve

CHECKOUT = Path(__file__).resolve().parents[3]


def test_the_whole_table_is_there_with_its_edition() -> None:
    profile = basic_profile()

    assert profile.edition == "2026c"
    assert len(profile.rows) == 656
    assert len({row.pattern for row in profile.rows}) == 656
    assert Counter(row.action for row in profile.rows) == {
        **{"X": 416, "D": 93, "U": 55, "Z": 42, "X/D": 23},
        **{"X/Z": 11, "X/Z/D": 8, "Z/D": 6, "X/Z/U*": 2},
    }


def test_the_whole_table_is_there_with_its_option_columns() -> None:
    letters = Counter(
        (option.value, letter)
        for row in basic_profile().rows
        for option, letter in row.options.items()
    )

    assert letters == {
        ("retain-safe-private", "C"): 1,
        ("retain-uids", "K"): 60,
        ("retain-device-identity", "K"): 48,
        ("retain-device-identity", "C"): 11,
        ("retain-institution-identity", "K"): 10,
        ("retain-patient-characteristics", "K"): 14,
        ("retain-patient-characteristics", "C"): 5,
        ("retain-full-dates", "K"): 169,
        ("retain-modified-dates", "C"): 169,
        ("clean-descriptors", "C"): 139,
        ("clean-structured-content", "C"): 4,
        ("clean-graphics", "C"): 4,
    }


@pytest.mark.real
def test_the_package_data_is_what_the_tool_makes(real_dir: Path) -> None:
    source = real_dir.parents[1] / "ps315"
    if not source.is_dir():
        pytest.skip("no table beside the checkout")

    made = subprocess.run(
        [sys.executable, str(CHECKOUT / "tools/make_profile.py"), str(source), "--check"],
        check=False,
    )

    assert made.returncode == 0


@pytest.mark.real
def test_every_cell_of_the_table_beside_the_checkout_is_in_the_package(real_dir: Path) -> None:
    source = real_dir.parents[1] / "ps315" / "ps315_e1_1_2026c_merged.csv"
    if not source.is_file():
        pytest.skip("no table beside the checkout")
    with source.open(encoding="utf-8", newline="") as file:
        theirs = list(csv.DictReader(file))
    # The private row's option has no column of its own there.
    columns = {
        "retain_uids": Option.RETAIN_UIDS,
        "retain_device_identity": Option.RETAIN_DEVICE,
        "retain_institution_identity": Option.RETAIN_INSTITUTION,
        "retain_patient_characteristics": Option.RETAIN_PATIENT,
        "retain_longitudinal_full_dates": Option.RETAIN_FULL_DATES,
        "retain_longitudinal_modified_dates": Option.RETAIN_MODIFIED_DATES,
        "clean_descriptors": Option.CLEAN_DESCRIPTORS,
        "clean_structured_content": Option.CLEAN_STRUCTURED,
        "clean_graphics": Option.CLEAN_GRAPHICS,
    }
    assert set(theirs[0]) == {
        "id",
        "tag",
        "vr",
        "name",
        "basic_profile",
        "options_source",
        *columns,
    }

    ours = {
        row.pattern: (row.action, *(row.options.get(o, "") for o in columns.values()))
        for row in basic_profile().rows
    }

    assert len(theirs) == len(ours) == 656
    assert ours == {
        "xxxoxxxx" if row["id"].startswith("gggg") else row["id"].lower(): (
            row["basic_profile"],
            *(row[column] for column in columns),
        )
        for row in theirs
    }


def test_the_rows_that_came_after_2024_have_the_options_of_the_standard() -> None:
    """They came from another source than the rest; compared with PS3.15 2026d, row by row."""
    described = {"clean-descriptors": "C"}
    kept = {"retain-patient-characteristics": "K"}
    dates = {"retain-full-dates": "K", "retain-modified-dates": "C"}
    printed: dict[str, tuple[str, dict[str, str]]] = {
        **dict.fromkeys(("00081301", "00081302", "00081303", "00081304"), ("X", described)),
        **dict.fromkeys(("00100011", "00100012", "00100013", "00100014"), ("X", {})),
        **dict.fromkeys(("00100015", "00100041", "00100044", "0040e012"), ("X", {})),
        **dict.fromkeys(("00100016", "00100045"), ("X", described)),
        "00100042": ("X", {"retain-patient-characteristics": "C"} | described),
        **dict.fromkeys(("00100043", "00100046", "00100047"), ("X", kept)),
        **dict.fromkeys(("00102161", "00102162"), ("X", kept)),
        **dict.fromkeys(("00181010", "00181011"), ("X", {"retain-device-identity": "K"})),
        **dict.fromkeys(("003a0020", "003a0203", "003a020c"), ("X", described)),
        **dict.fromkeys(("00400556", "0040b03b", "0040b03f"), ("X", described)),
        **dict.fromkeys(("0040a034", "0040a035", "0040b034", "0040b036"), ("X", dates)),
        "0040b020": ("X/D", {"clean-structured-content": "C"}),
        "00700006": ("D", described),
        "300a0054": ("U", {"retain-uids": "K"}),
    }

    rows = {row.pattern: row for row in basic_profile().rows}

    assert len(printed) == 35
    assert {
        pattern: (rows[pattern].action, {o.value: a for o, a in rows[pattern].options.items()})
        for pattern in printed
    } == printed


CINE = "1.2.840.10008.5.1.4.1.1.3.1"
ENHANCED_US = "1.2.840.10008.5.1.4.1.1.6.2"
PRESENTATION = "1.2.840.10008.5.1.4.1.1.11.1"


@pytest.mark.parametrize(
    ("tag", "action"),
    [
        pytest.param(0x00100010, Action.EMPTY, id="PatientName Z"),
        pytest.param(0x00100020, Action.EMPTY, id="PatientID Z/D, type 2"),
        pytest.param(0x00100030, Action.EMPTY, id="PatientBirthDate Z"),
        pytest.param(0x00080022, Action.REMOVE, id="AcquisitionDate X/Z, type 3"),
        pytest.param(0x0008002A, Action.DUMMY, id="AcquisitionDateTime X/Z/D, type 1C"),
        pytest.param(0x00080012, Action.REMOVE, id="InstanceCreationDate X/D, type 3"),
        pytest.param(0x00081140, Action.UID, id="ReferencedImageSequence X/Z/U*"),
        pytest.param(0x00081072, Action.REMOVE, id="sequence of persons X/D, type 3"),
        pytest.param(0x00081030, Action.REMOVE, id="StudyDescription X"),
        pytest.param(0x00102297, Action.EMPTY, id="ResponsiblePerson X, type 2C"),
        pytest.param(0x00209158, Action.REMOVE, id="FrameComments X"),
        pytest.param(0x00880200, Action.REMOVE, id="icons"),
        pytest.param(0x00091001, Action.REMOVE, id="private"),
        pytest.param(0x7FE11001, Action.REMOVE, id="private with pixels"),
        pytest.param(0x50000010, Action.REMOVE, id="curve"),
        pytest.param(0x501E3000, Action.REMOVE, id="last curve group"),
        pytest.param(0x60003000, Action.REMOVE, id="overlay data"),
        pytest.param(0x60000022, Action.REMOVE, id="overlay description, not in the table"),
        pytest.param(0x60FE4000, Action.REMOVE, id="overlay comments of a high group"),
        pytest.param(0x00080000, Action.REMOVE, id="group length"),
        pytest.param(0x00020016, Action.REMOVE, id="file meta AE title"),
        pytest.param(0x04000561, Action.REMOVE, id="original attributes"),
        pytest.param(0x04000500, Action.REMOVE, id="encrypted attributes"),
        pytest.param(0xFFFAFFFA, Action.REMOVE, id="signatures"),
        pytest.param(0xFFFCFFFC, Action.REMOVE, id="trailing padding"),
        pytest.param(0x54000100, Action.REMOVE, id="waveforms"),
        pytest.param(0x00189999, Action.REMOVE, id="unknown to the dictionary"),
        pytest.param(0x00080010, Action.REMOVE, id="retired text"),
        pytest.param(0x0040A067, Action.REMOVE, id="PN outside of the table and the IOD"),
        pytest.param(0x00420010, Action.REMOVE, id="free text outside of the table and the IOD"),
        pytest.param(0x00181003, Action.REMOVE, id="an ID outside of the table"),
        pytest.param(0x00142006, Action.REMOVE, id="PN of another world"),
        pytest.param(0x0014407A, Action.REMOVE, id="date outside of the table"),
        pytest.param(0x00081167, Action.UID, id="instance UID outside of the table"),
        pytest.param(0x00080016, Action.KEEP, id="SOP class"),
        pytest.param(0x00080070, Action.KEEP, id="make"),
        pytest.param(0x00080104, Action.KEEP, id="code meaning"),
        pytest.param(0x00181063, Action.KEEP, id="FrameTime"),
        pytest.param(0x00186011, Action.KEEP, id="calibration regions"),
        pytest.param(0x00186028, Action.KEEP, id="a reference pixel"),
        pytest.param(0x00281201, Action.KEEP, id="palette"),
    ],
)
def test_action_in_an_ultrasound_cine(tag: int, action: Action) -> None:
    assert basic_profile().for_object(CINE).decide(tag, ROOT).action is action


@pytest.mark.parametrize(
    ("action", "types"),
    [
        pytest.param("X", "DZX", id="X"),
        pytest.param("Z", "DZZ", id="Z"),
        pytest.param("D", "DDD", id="D"),
        pytest.param("K", "KKK", id="K"),
        pytest.param("U", "UUU", id="U"),
        pytest.param("X/Z", "DZX", id="X/Z"),
        pytest.param("X/D", "DDX", id="X/D"),
        pytest.param("Z/D", "DZZ", id="Z/D"),
        pytest.param("X/Z/D", "DZX", id="X/Z/D"),
        pytest.param("X/Z/U*", "UUU", id="X/Z/U*"),
    ],
)
def test_an_action_is_resolved_by_the_type_of_the_attribute(action: str, types: str) -> None:
    assert "".join(resolve(action, kind) for kind in (1, 2, 3)) == types


def test_a_dummy_of_a_uid_is_a_uid() -> None:
    assert resolve("X/Z/D", 1, "UI") is Action.UID


@pytest.mark.parametrize("sop_class", [CINE, ENHANCED_US, PRESENTATION, "1.2.3.4", ""])
def test_no_attribute_that_an_object_requires_is_dropped(sop_class: str) -> None:
    rules, types = basic_profile().for_object(sop_class), types_of(sop_class)
    contexts = [(tag, ROOT) for tag in types.root]
    contexts += [(tag, parent) for parent, held in types.items.items() for tag in held]
    never = {0x00020000 >> 16, 0x0004, 0x0400, 0x5400, 0x7FE0, 0x0000, 0x4FFE, 0xFFFA}

    dropped = {
        f"{tag:08x}"
        for tag, parent in contexts
        if rules.decide(tag, parent).action is Action.REMOVE and tag >> 16 not in never
    }

    assert dropped == set()


def test_types_are_those_of_the_standard() -> None:
    cine, retired, unknown = types_of(CINE), types_of("1.2.840.10008.5.1.4.1.1.3"), types_of("1.2")

    assert [cine.of(tag, ROOT) for tag in (0x00080018, 0x00100010, 0x00081030)] == [1, 2, 3]
    assert cine.of(0x00186018, 0x00186011) == 1  # RegionLocationMinX0 in a region
    assert cine.of(0x00186018, ROOT) == 3
    assert retired.root == cine.root
    assert cine.known
    assert not unknown.known
    assert unknown.of(0x00100010, ROOT) == 2


def test_an_unknown_object_gets_the_action_that_is_valid_in_all() -> None:
    unknown = basic_profile().for_object("1.2.3.4")

    assert unknown.decide(0x00104000).action is Action.REMOVE  # comments, type 3 in every IOD
    assert unknown.decide(0x00080023).action is Action.DUMMY  # ContentDate, type 1 in some
    assert unknown.decide(0x00700082).action is Action.DUMMY


def test_a_decision_says_which_row_and_type_it_comes_from() -> None:
    rules = basic_profile().for_object(CINE)

    assert rules.decide(0x0008002A).reason == "E.1-1 X/Z/D, type 1: D"
    assert rules.decide(0x00081030).reason == "E.1-1 X"
    assert rules.decide(0x00080070).reason == "device: make K"


def test_an_action_that_the_table_may_get_later_is_an_error() -> None:
    with pytest.raises(ValueError, match="Q"):
        resolve("X/Q", 3)


def test_elements_named_beyond_the_table_are_not_in_it_and_known() -> None:
    profile = basic_profile()

    assert not set(profile.beyond) & set(profile.table)
    assert all(dictionary_VR(tag) for tag in profile.beyond)


@pytest.mark.parametrize(
    ("options", "tag", "action"),
    [
        pytest.param({Option.RETAIN_PATIENT}, 0x00100040, "K", id="sex"),
        pytest.param({Option.RETAIN_PATIENT}, 0x00102110, "C", id="allergies"),
        pytest.param({Option.RETAIN_DEVICE}, 0x00181000, "K", id="serial number"),
        pytest.param({Option.RETAIN_DEVICE}, 0x00081010, "K", id="station"),
        pytest.param({Option.RETAIN_DEVICE}, 0x00080055, "C", id="AE title"),
        pytest.param({Option.RETAIN_INSTITUTION}, 0x00080080, "K", id="institution"),
        pytest.param({Option.RETAIN_UIDS}, 0x0020000D, "K", id="study UID"),
        pytest.param({Option.RETAIN_UIDS}, 0x00081167, "K", id="UID outside of the table"),
        pytest.param({Option.RETAIN_FULL_DATES}, 0x00080020, "K", id="date kept"),
        pytest.param({Option.RETAIN_FULL_DATES}, 0x0014407A, "K", id="date outside of the table"),
        pytest.param({Option.RETAIN_MODIFIED_DATES}, 0x00080020, "C", id="date moved"),
        pytest.param({Option.RETAIN_MODIFIED_DATES}, 0x00100030, "Z", id="birth date"),
        pytest.param(
            {Option.RETAIN_MODIFIED_DATES, Option.RETAIN_DEVICE}, 0x00181200, "C", id="moved wins"
        ),
        pytest.param({Option.CLEAN_DESCRIPTORS}, 0x00081030, "C", id="study description"),
        pytest.param({Option.CLEAN_DESCRIPTORS}, 0x00420010, "C", id="text outside of the table"),
        pytest.param({Option.CLEAN_STRUCTURED}, 0x0040A730, "C", id="content sequence"),
        pytest.param({Option.CLEAN_STRUCTURED}, 0x0040A160, "C", id="text of a content item"),
        pytest.param({Option.CLEAN_GRAPHICS}, 0x00700001, "C", id="annotations"),
        pytest.param({Option.CLEAN_GRAPHICS}, 0x60003000, "X", id="overlays go all the same"),
    ],
)
def test_options_take_their_column(options: set[Option], tag: int, action: str) -> None:
    profile = basic_profile().with_options(frozenset(options))

    assert profile.for_object(CINE).decide(tag).action == action


def test_what_an_option_does_not_name_stays_as_in_the_basic_profile() -> None:
    basic = basic_profile()
    kept = basic.with_options(frozenset({Option.RETAIN_PATIENT}))

    differing = {tag for tag in basic.table if basic.action(tag) is not kept.action(tag)}

    assert differing == {
        tag for tag, row in basic.table.items() if Option.RETAIN_PATIENT in row.options
    }
    assert len(differing) == 19


def test_the_hash_tells_profiles_apart() -> None:
    basic = basic_profile()
    device = basic.with_options(frozenset({Option.RETAIN_DEVICE}))

    assert basic.sha256 == basic_profile().sha256
    assert device.sha256 != basic.sha256
    assert device.name == "basic+retain-device-identity"


def test_a_rule_that_keeps_what_the_standard_does_not_is_an_exception() -> None:
    rules = {0x00081030: Rule("K", "wanted"), 0x00080070: Rule("X", "not wanted")}

    assert replace(basic_profile(), rules=rules).exceptions == (0x00081030,)
    assert basic_profile().exceptions == ()

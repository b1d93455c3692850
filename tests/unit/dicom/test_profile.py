"""What the profile does with each kind of element."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from pydicom.datadict import dictionary_VR

from cinescrub.dicom.profile import Action, Row, basic_profile, resolve

ROOT = Path(__file__).resolve().parents[3]


def test_the_whole_table_is_there_with_its_edition() -> None:
    profile = basic_profile()

    assert profile.edition == "2026c"
    assert len(profile.rows) == 656
    assert len({row.pattern for row in profile.rows}) == 656
    assert Counter(row.action for row in profile.rows) == {
        **{"X": 416, "D": 93, "U": 55, "Z": 42, "X/D": 23},
        **{"X/Z": 11, "X/Z/D": 8, "Z/D": 6, "X/Z/U*": 2},
    }


@pytest.mark.real
def test_the_package_data_is_what_the_tool_makes(real_dir: Path) -> None:
    source = real_dir.parents[1] / "ps315"
    if not source.is_dir():
        pytest.skip("no table beside the checkout")

    made = subprocess.run(
        [sys.executable, str(ROOT / "tools/make_profile.py"), str(source), "--check"], check=False
    )

    assert made.returncode == 0


@pytest.mark.parametrize(
    ("tag", "action"),
    [
        pytest.param(0x00100010, Action.EMPTY, id="PatientName Z"),
        pytest.param(0x00100020, Action.DUMMY, id="PatientID Z/D"),
        pytest.param(0x00100030, Action.EMPTY, id="PatientBirthDate Z"),
        pytest.param(0x00080022, Action.EMPTY, id="AcquisitionDate X/Z"),
        pytest.param(0x0008002A, Action.DUMMY, id="AcquisitionDateTime X/Z/D"),
        pytest.param(0x00080012, Action.DUMMY, id="InstanceCreationDate X/D"),
        pytest.param(0x00081140, Action.UID, id="ReferencedImageSequence X/Z/U*"),
        pytest.param(0x00081072, Action.REMOVE, id="sequence of persons X/D"),
        pytest.param(0x00081030, Action.REMOVE, id="StudyDescription X"),
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
        pytest.param(0x0040A067, Action.EMPTY, id="PN outside of the table"),
        pytest.param(0x00420010, Action.DUMMY, id="free text outside of the table"),
        pytest.param(0x00181003, Action.DUMMY, id="an ID outside of the table"),
        pytest.param(0x00142006, Action.EMPTY, id="PN of another world"),
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
def test_action(tag: int, action: Action) -> None:
    assert basic_profile().action(tag) is action


def test_no_compound_action_is_left() -> None:
    profile = basic_profile()

    assert {profile.action(tag) for tag in profile.table} <= {
        *(Action.DUMMY, Action.EMPTY, Action.REMOVE, Action.UID)
    }
    assert resolve(Row("00080012", "X/D", "")) is Action.DUMMY


def test_an_action_that_the_table_may_get_later_is_an_error() -> None:
    with pytest.raises(ValueError, match="X/Q"):
        resolve(Row("00080012", "X/Q", ""))


def test_elements_named_beyond_the_table_are_not_in_it_and_known() -> None:
    profile = basic_profile()

    assert not set(profile.beyond) & set(profile.table)
    assert all(dictionary_VR(tag) for tag in profile.beyond)

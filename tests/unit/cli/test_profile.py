"""`profile` and `crosswalk`, and the flags of `run` that belong to them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
import pytest

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Command
from tests.unit.cli.conftest import made

from cinescrub.pipeline import redactor
from cinescrub.policy.identifiers import HeaderIdentifier, IdentifierMatcher


def codes(path: Path) -> list[str]:
    (output,) = path.rglob("*.dcm")
    dataset = pydicom.dcmread(output, stop_before_pixels=True)
    return [item.CodeValue for item in dataset.DeidentificationMethodCodeSequence]


def test_a_profile_is_shown_element_by_element(cinescrub: Command) -> None:
    outcome = cinescrub("profile", "show", "research-echo")

    assert outcome.code == 0
    assert "# profile research-echo, PS3.15 2026c" in outcome.out
    assert "(0010,1020)\tK\tPatient's Size\tE.1-1 retain-patient-characteristics K" in outcome.out
    assert "(0010,0010)\tD/Z" not in outcome.out


def test_a_profile_is_shown_to_machines(cinescrub: Command) -> None:
    said = json.loads(cinescrub("profile", "show", "--json").out)

    assert (said["name"], said["edition"], said["options"]) == ("basic", "2026c", [])
    assert len(said["elements"]) > 656


def test_what_a_profile_keeps_beyond_the_standard_is_told(
    cinescrub: Command, tmp_path: Path
) -> None:
    path = tmp_path / "site.toml"
    path.write_text(
        'name = "site"\nabout = "x"\n[[rule]]\nelement = "StudyDescription"\n'
        'action = "K"\nreason = "x"\n'
    )

    outcome = cinescrub("profile", "check", path)

    assert outcome.code == 0
    assert "keeps (0008,1030) Study Description" in outcome.out
    assert "113100" in outcome.out


def test_a_profile_that_is_wrong_ends_with_2(cinescrub: Command, tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text("nam = 3")

    outcome = cinescrub("profile", "check", tmp_path / "site.toml")

    assert (outcome.code, outcome.out) == (2, "")
    assert "unknown key nam" in outcome.err


def test_two_profiles_are_compared(cinescrub: Command) -> None:
    outcome = cinescrub("profile", "diff", "basic", "research-echo")

    lines = outcome.out.splitlines()
    assert "(0008,0020)\tZ/D -> C\tStudy Date\tE.1-1 retain-modified-dates C" in lines
    assert not any("(0010,0010)" in line for line in lines)
    assert cinescrub("profile", "diff", "basic", "basic").out == ""


def test_options_are_flags_and_are_claimed(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    made(tmp_path / "in" / "a.dcm")

    outcome = cinescrub(
        *("run", tmp_path / "in", "--out", tmp_path / "out", "--models", fake_models),
        *("--report", tmp_path / "report", "--retain-dates", "modified", "--retain-patient"),
        *("--retain-device", "--retain-institution", "--retain-private", "ps315"),
        *("--clean-descriptors", "--clean-structured", "--clean-graphics", "--retain-uids"),
    )

    assert outcome.code == 0, outcome.err
    assert codes(tmp_path / "out") == [
        *("113100", "113101", "113103", "113104", "113105"),
        *("113107", "113108", "113109", "113110", "113111", "113112"),
    ]
    line = json.loads((tmp_path / "report").read_text())
    assert set(line["profile"]) == {"name", "sha256", "key"}
    assert line["versions"]["cinescrub"]
    assert line["versions"]["precision"].startswith("craft fp32, recognizer fp32, ")
    assert {"tag", "action", "reason", "elements"} == set(line["header"][0])


KEPT = ("--retain-dates", "modified", "--retain-patient", "--retain-institution")


def test_a_finished_folder_is_verified_with_the_options_of_its_run(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    made(tmp_path / "in" / "a.dcm")
    run = ("run", tmp_path / "in", "--out", tmp_path / "out", "--models", fake_models)
    assert cinescrub(*run, *KEPT).code == 0

    alike = cinescrub("verify", tmp_path / "out", *KEPT, "--against", tmp_path / "in")
    other = cinescrub("verify", tmp_path / "out")

    assert alike.code == 0, alike.err
    assert other.code == 7
    assert "InstitutionName is still there" in other.err


def test_a_finished_folder_is_verified_with_the_profile_of_its_run(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    made(tmp_path / "in" / "a.dcm")
    run = ("run", tmp_path / "in", "--out", tmp_path / "out", "--models", fake_models)
    assert cinescrub(*run, "--profile", "research-echo").code == 0
    settings = tmp_path / "settings.toml"
    settings.write_text('profile = "research-echo"\n')

    assert cinescrub("verify", tmp_path / "out", "--profile", "research-echo").code == 0
    assert cinescrub("verify", tmp_path / "out", "--config", settings).code == 0
    assert cinescrub("verify", tmp_path / "out", "--profile", "public-release").code == 7
    assert cinescrub("verify", tmp_path / "out", "--profile", "unknown").code == 2


def test_a_preview_counts_what_the_options_keep(cinescrub: Command, tmp_path: Path) -> None:
    made(tmp_path / "a.dcm")
    arguments = ("inspect", tmp_path / "a.dcm", "--header-only", "--json")

    def kept(*options: str) -> int:
        outcome = cinescrub(*arguments, *options)
        assert outcome.code == 0, outcome.err
        return int(json.loads(outcome.out)["scrubbed"]["K"])

    assert kept() < kept("--retain-institution") < kept("--profile", "research-echo", *KEPT[2:])


def test_what_an_option_keeps_in_the_header_is_still_searched_for_in_the_pixels(
    cinescrub: Command, tmp_path: Path, fake_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "a.dcm")
    institution = str(pydicom.dcmread(tmp_path / "a.dcm", stop_before_pixels=True).InstitutionName)
    searched: list[str] = []

    def spy(identifiers: Iterable[HeaderIdentifier]) -> IdentifierMatcher:
        searched.extend(each.value for each in identifiers)
        return IdentifierMatcher(identifiers)

    monkeypatch.setattr(redactor, "IdentifierMatcher", spy)
    outcome = cinescrub(
        "inspect", tmp_path / "a.dcm", "--models", fake_models, "--retain-institution"
    )

    assert outcome.code == 0, outcome.err
    assert institution in searched


def test_the_crosswalk_leads_back_and_a_run_without_one_keeps_nothing(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    made(tmp_path / "in" / "a.dcm")
    patient = str(pydicom.dcmread(tmp_path / "in/a.dcm", stop_before_pixels=True).PatientID)
    arguments = ("run", tmp_path / "in", "--models", fake_models, "--key", tmp_path / "key")

    outcome = cinescrub(
        *arguments,
        *("--out", tmp_path / "out", "--crosswalk", tmp_path / "walk"),
        *("--midi-b-export", tmp_path / "midi"),
    )
    assert outcome.code == 0, outcome.err

    read = cinescrub("crosswalk", tmp_path / "walk", "--key", tmp_path / "key")
    (output,) = (tmp_path / "out").rglob("*.dcm")
    given = pydicom.dcmread(output, stop_before_pixels=True)
    assert f"patient\t{patient}\t" in read.out
    assert f"\t{given.PatientID}\n" in read.out
    assert f"\t{given.SOPInstanceUID}\n" in read.out
    assert given.SOPInstanceUID in (tmp_path / "midi/uid_mapping.csv").read_text()
    assert patient in (tmp_path / "midi/patid_mapping.csv").read_text()

    found = cinescrub(
        "crosswalk",
        tmp_path / "walk",
        "--key",
        tmp_path / "key",
        "--find",
        given.PatientID,
        "--json",
    )
    assert json.loads(found.out)["old"] == patient
    missing = cinescrub("crosswalk", tmp_path / "walk", "--key", tmp_path / "key", "--find", "none")
    assert (missing.code, missing.out) == (1, "")


def test_a_crosswalk_needs_its_key(cinescrub: Command, tmp_path: Path) -> None:
    outcome = cinescrub("crosswalk", tmp_path / "walk", "--key", tmp_path / "none")

    assert (outcome.code, outcome.out) == (2, "")
    assert "there is no key file" in outcome.err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("flag", ["--crosswalk", "--midi-b-export"])
@pytest.mark.parametrize("place", ["out/links", "in/links"])
def test_what_leads_back_lies_apart(
    cinescrub: Command, tmp_path: Path, fake_models: Path, flag: str, place: str
) -> None:
    made(tmp_path / "in" / "a.dcm")

    outcome = cinescrub(
        *("run", tmp_path / "in", "--out", tmp_path / "out", "--models", fake_models),
        *(flag, tmp_path / place),
    )

    assert (outcome.code, outcome.out) == (2, "")
    assert flag in outcome.err
    assert not (tmp_path / place).exists()

"""`inspect` in this process: structure and no value of the file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
import pytest
from pydicom.uid import UID

from cinescrub.dicom.profile import Action

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Command
from tests.unit.cli.conftest import left_in, made


@pytest.fixture
def cine(tmp_path: Path) -> Path:
    made(tmp_path / "in.dcm")
    return tmp_path / "in.dcm"


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_the_header_alone_needs_no_models_and_writes_nothing(
    cinescrub: Command, tmp_path: Path, cine: Path, options: list[str]
) -> None:
    before = left_in(tmp_path)

    outcome = cinescrub("inspect", cine, "--header-only", *options)

    assert (outcome.code, outcome.err) == (0, "")
    assert "1.2.840.10008.5.1.4.1.1.3.1" in outcome.out
    assert "rectangles" not in outcome.out or '"rectangles": []' in outcome.out
    assert left_in(tmp_path) == before


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_the_text_that_would_go_is_counted_and_its_places_told(
    cinescrub: Command,
    tmp_path: Path,
    cine: Path,
    fake_models: Path,
    options: list[str],
) -> None:
    before = left_in(tmp_path)

    outcome = cinescrub("inspect", cine, "--models", fake_models, *options)

    assert (outcome.code, outcome.err) == (0, "")
    assert "unknown" in outcome.out
    assert left_in(tmp_path) == before


def test_the_preview_is_what_a_run_does(
    cinescrub: Command, tmp_path: Path, cine: Path, fake_models: Path
) -> None:
    preview = json.loads(cinescrub("inspect", cine, "--json", "--models", fake_models).out)
    line = json.loads(
        cinescrub(
            "run", cine, "--out", tmp_path / "out", "--json", "--models", fake_models
        ).out
    )  # fmt: skip

    for key in ("status", "redactions", "kept", "rectangles", "transfer_syntax_out"):
        assert preview[key] == line[key], key
    assert preview["structure"]["frames"] == line["frames"]


def test_people_read_words_where_machines_read_letters(cinescrub: Command, cine: Path) -> None:
    told = cinescrub("inspect", cine, "--header-only").out
    counts = json.loads(cinescrub("inspect", cine, "--header-only", "--json").out)["scrubbed"]

    assert set(counts) <= {action.value for action in Action}
    assert f"{counts['X']} removed" in told
    assert f"{counts['K']} kept" in told
    assert sum(int(n) for n in re.findall(r"(\d+) [a-zA-Z]", _row(told, "header"))) == sum(
        counts.values()
    )


def _row(told: str, name: str) -> str:
    (row,) = (line for line in told.splitlines() if line.startswith(f"{name} "))
    return row


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_values_that_are_not_the_standards_own_are_not_shown(
    cinescrub: Command, tmp_path: Path, cine: Path, options: list[str]
) -> None:
    dataset = pydicom.dcmread(cine)
    dataset.Modality = "ROERICHARD"
    dataset.PhotometricInterpretation = "ROE"
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID("1.2.826.77001122")
    dataset.save_as(tmp_path / "odd.dcm")

    outcome = cinescrub("inspect", tmp_path / "odd.dcm", "--header-only", *options)

    assert outcome.code == 4
    assert "not a known one" in outcome.out
    assert "ROE" not in outcome.out + outcome.err
    assert "77001122" not in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (None, 4, "quarantined: can't be read"),
        (b"\0" * 128 + b"DICM", 4, "quarantined: "),
        (b"not an image\n" * 9, 0, "skipped: not DICOM"),
    ],
    ids=["missing", "broken", "text"],
)
def test_a_file_that_a_run_would_refuse_ends_with_the_same_code(
    cinescrub: Command,
    tmp_path: Path,
    fake_models: Path,
    content: bytes | None,
    code: int,
    says: str,
) -> None:
    if content is not None:
        (tmp_path / "in").write_bytes(content)

    outcome = cinescrub("inspect", tmp_path / "in", "--header-only")
    ran = cinescrub("run", tmp_path / "in", "--out", tmp_path / "out", "--models", fake_models)

    assert (outcome.code, ran.code) == (code, code)
    assert says in outcome.out
    assert says.removeprefix("quarantined: ").removeprefix("skipped: ") in ran.err


@pytest.mark.parametrize(("name", "code"), [("folder", 2), ("missing", 4)])
def test_what_is_no_file_needs_no_models(
    cinescrub: Command, tmp_path: Path, name: str, code: int
) -> None:
    (tmp_path / "folder").mkdir()

    outcome = cinescrub("inspect", tmp_path / name, "--models", tmp_path / "none")

    assert outcome.code == code
    assert left_in(tmp_path) == []


def test_a_broken_file_is_json_too(cinescrub: Command, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"\0" * 128 + b"DICM")

    outcome = cinescrub("inspect", tmp_path / "in", "--header-only", "--json")

    told = json.loads(outcome.out)
    assert (told["structure"], told["status"]) == ({}, "quarantined")
    assert told["reason"]

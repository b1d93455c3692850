"""`verify` over a folder of outputs: alone, against the inputs, and after tampering."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copyfile

import pytest
from tests.integration.conftest import Run
from typer.testing import CliRunner

from cinescrub.cli.app import app
from cinescrub.pipeline.reaudit import Inputs, reaudit
from cinescrub.report import FileReport, Status
from cinescrub.testing import CineSpec, Photometric, Syntax, make_cine

SPECS = {
    "a.dcm": CineSpec(seed=1, frames=3, rows=96, columns=96),
    "b.dcm": CineSpec(
        seed=2,
        frames=2,
        rows=128,
        columns=96,
        syntax=Syntax.JPEG_BASELINE,
        photometric=Photometric.YBR_FULL_422,
    ),
}


@pytest.fixture
def ran(tmp_path: Path, run_engine: Run) -> dict[str, FileReport]:
    """Outputs of two cines, in `tmp_path / out`."""
    reports = {}
    (tmp_path / "in").mkdir()
    for name, spec in SPECS.items():
        make_cine(spec, tmp_path / "in" / name)
        reports[name] = run_engine(tmp_path / "in" / name)
        assert reports[name].status is Status.OK, reports[name].reason
    return reports


def test_a_finished_folder_is_clean_alone_and_against_its_inputs(
    ran: dict[str, FileReport], tmp_path: Path
) -> None:
    alone = list(reaudit(tmp_path / "out"))
    against = list(reaudit(tmp_path / "out", Inputs.of([tmp_path / "in"])))

    assert [result.findings for result in alone + against] == [()] * 4
    assert [result.compared for result in against] == [1, 1]


def output_of(report: FileReport) -> Path:
    assert report.output is not None
    return report.output


def test_what_was_changed_since_is_found(ran: dict[str, FileReport], tmp_path: Path) -> None:
    native, jpeg = output_of(ran["a.dcm"]), output_of(ran["b.dcm"])
    with native.open("ab") as file:
        file.write(b"JANE")
    jpeg.rename(jpeg.with_name("DOE JANE.dcm"))
    (tmp_path / "out" / "notes.txt").write_text("patient list")

    found = {result.path.name: result.findings for result in reaudit(tmp_path / "out")}

    assert "bytes follow the pixel data" in found[native.name]
    assert found["DOE JANE.dcm"] == ("a name that is not a UID of ours",)
    assert "the file has no DICOM prefix" in found["notes.txt"]


def test_an_identifier_of_the_input_is_found_only_against_it(
    ran: dict[str, FileReport], tmp_path: Path
) -> None:
    import pydicom

    family = str(pydicom.dcmread(tmp_path / "in" / "a.dcm").PatientName.family_name)
    path = output_of(ran["a.dcm"])
    dataset = pydicom.dcmread(path)
    dataset.ManufacturerModelName = family
    dataset.save_as(path)

    (alone,) = (r for r in reaudit(tmp_path / "out") if r.path == path)
    (against,) = (
        r for r in reaudit(tmp_path / "out", Inputs.of([tmp_path / "in"])) if r.path == path
    )

    assert alone.findings == ()
    assert any("(0008,1090)" in line for line in against.findings)
    assert not any(family.lower() in line.lower() for line in against.findings)


def test_an_output_that_shows_frames_of_another_input_is_searched_for_its_own(
    tmp_path: Path, run_engine: Run
) -> None:
    import pydicom

    (tmp_path / "in").mkdir()
    for seed, name in ((1, "a.dcm"), (2, "b.dcm")):
        make_cine(CineSpec(seed=seed, frames=2, rows=96, columns=96), tmp_path / "in" / name)
    path = output_of(run_engine(tmp_path / "in" / "b.dcm"))
    copyfile(path, tmp_path / "in" / "b.dcm")
    dataset = pydicom.dcmread(path)  # as if all frames of `a` had become those of `b`
    dataset.ManufacturerModelName = str(
        pydicom.dcmread(tmp_path / "in" / "a.dcm").PatientName.family_name
    )
    dataset.save_as(path)

    (against,) = reaudit(tmp_path / "out", Inputs.of([tmp_path / "in"]))

    assert against.compared == 2
    assert any("(0008,1090)" in line for line in against.findings)


def test_an_input_that_no_run_could_scrub_is_left_out(
    ran: dict[str, FileReport], tmp_path: Path
) -> None:
    import pydicom

    dataset = pydicom.dcmread(tmp_path / "in" / "a.dcm")
    dataset.ReferencedImageSequence = [pydicom.Dataset()]
    dataset.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.2.3.4"
    dataset.save_as(tmp_path / "in" / "c.dcm")
    content = (tmp_path / "in" / "c.dcm").read_bytes()
    item = b"\x08\0\x40\x11SQ\0\0\x18\0\0\0\xfe\xff\x00\xe0\x10\0\0\0"
    broken = content.replace(item, item.replace(b"SQ", b"UN")[:-4] + b"\xff\0\0\0")
    assert broken != content, "no such item"
    (tmp_path / "in" / "c.dcm").write_bytes(broken)

    against = list(reaudit(tmp_path / "out", Inputs.of([tmp_path / "in"])))

    assert [result.findings for result in against] == [()] * 2
    assert [result.compared for result in against] == [1, 1]


def test_an_output_of_no_input_is_a_finding(ran: dict[str, FileReport], tmp_path: Path) -> None:
    results = list(reaudit(tmp_path / "out", Inputs.of([tmp_path / "in" / "a.dcm"])))

    assert sum("no input" in line for result in results for line in result.findings) == 1


def test_the_command_tells_and_ends_with_its_code(
    ran: dict[str, FileReport], tmp_path: Path
) -> None:
    runner = CliRunner()

    clean = runner.invoke(
        app, ["verify", str(tmp_path / "out"), "--against", str(tmp_path / "in"), "--json"]
    )
    output_of(ran["a.dcm"]).write_bytes(b"no DICOM at all")
    broken = runner.invoke(app, ["verify", str(tmp_path / "out")])
    (tmp_path / "none").mkdir()
    nothing = runner.invoke(app, ["verify", str(tmp_path / "none")])

    assert clean.exit_code == 0
    lines = [json.loads(line) for line in clean.stdout.splitlines()]
    assert [line["status"] for line in lines] == ["ok", "ok"]
    assert broken.exit_code == 7
    assert "1 of 2 files are clean" in broken.stderr
    assert nothing.exception is not None

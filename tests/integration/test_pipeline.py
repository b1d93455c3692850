"""One cine from file to file, with fake models: what is promised of every output."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest

from cinescrub.config import EngineConfig
from cinescrub.dicom.writer import OutputFile
from cinescrub.errors import CancelledError, OutputError
from cinescrub.pipeline import engine as engine_module
from cinescrub.pipeline.engine import Targets
from cinescrub.pixels import native
from cinescrub.report import FileReport, Status
from cinescrub.stream import CancelToken
from cinescrub.testing import CineSpec, Dynamic, Photometric, Syntax, make_cine
from cinescrub.testing.leaks import find_leaks
from cinescrub.testing.malformed import malformed_files
from cinescrub.testing.reader import read_frames
from cinescrub.text.inspect import CineInspection

if TYPE_CHECKING:
    from tests.integration.conftest import Run
from tests.integration.conftest import Silent, make_engine

_FORMS = [
    *[(Syntax.EXPLICIT_LITTLE, p) for p in Photometric if p is not Photometric.YBR_RCT],
    (Syntax.IMPLICIT_LITTLE, Photometric.RGB),
    (Syntax.IMPLICIT_LITTLE, Photometric.PALETTE),
    (Syntax.EXPLICIT_BIG, Photometric.RGB),
    (Syntax.EXPLICIT_BIG, Photometric.MONOCHROME2),
    (Syntax.EXPLICIT_BIG, Photometric.PALETTE),
    (Syntax.DEFLATED, Photometric.RGB),
    (Syntax.DEFLATED, Photometric.MONOCHROME2),
    (Syntax.RLE, Photometric.RGB),
    (Syntax.RLE, Photometric.PALETTE),
    (Syntax.JPEG_BASELINE, Photometric.YBR_FULL_422),
    (Syntax.JPEG_BASELINE, Photometric.YBR_FULL),
    (Syntax.JPEG_BASELINE, Photometric.RGB),
    (Syntax.JPEG_BASELINE, Photometric.MONOCHROME2),
    (Syntax.JPEG_LOSSLESS, Photometric.RGB),
    (Syntax.JPEG_LS, Photometric.RGB),
    (Syntax.JPEG_LS, Photometric.MONOCHROME1),
    (Syntax.JPEG_2000_LOSSLESS, Photometric.YBR_RCT),
    (Syntax.JPEG_2000_LOSSLESS, Photometric.MONOCHROME2),
]


def _spec(**changes: Any) -> CineSpec:
    return CineSpec(**({"seed": 5, "frames": 3, "rows": 128, "columns": 160} | changes))


def _covered(report: FileReport, rows: int = 128, columns: int = 160) -> np.ndarray:
    mask = np.zeros((rows, columns), np.bool_)
    for x0, y0, x1, y1 in report.rectangles:
        mask[y0:y1, x0:x1] = True
    return mask


def _left_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file()) if folder.exists() else []


@pytest.mark.parametrize(
    ("syntax", "photometric"), _FORMS, ids=[f"{s.name}-{p.name}" for s, p in _FORMS]
)
def test_pixels_change_inside_the_rectangles_only(
    tmp_path: Path, run_engine: Run, syntax: Syntax, photometric: Photometric
) -> None:
    truth = make_cine(_spec(syntax=syntax, photometric=photometric), tmp_path / "in.dcm")

    report = run_engine(tmp_path / "in.dcm")

    assert (report.status, report.reason) == (Status.OK, None)
    assert report.output is not None
    covered = _covered(report)
    assert 0 < covered.mean() < 0.9
    before = list(read_frames(tmp_path / "in.dcm"))
    after = list(read_frames(report.output))
    assert len(before) == len(after) == 3
    lossy = syntax is Syntax.JPEG_BASELINE
    for was, now in zip(before, after, strict=True):
        differs = (was != now).any(axis=2)
        # Subsampled chroma is interpolated across the border of a covered block when decoded.
        assert not differs[~_grown(covered, 2 if lossy else 0)].any()
        assert now[~_grown(~covered, 2 if lossy else 0)].max() <= (8 if lossy else 0)
    assert find_leaks(report.output, truth.planted) == ()


def _grown(mask: np.ndarray, by: int) -> np.ndarray:
    grown = mask.copy()
    for _ in range(by):
        padded = np.pad(grown, 1)
        grown = (
            padded[1:-1, 1:-1]
            | padded[:-2, 1:-1]
            | padded[2:, 1:-1]
            | padded[1:-1, :-2]
            | padded[1:-1, 2:]
            | padded[:-2, :-2]
            | padded[:-2, 2:]
            | padded[2:, :-2]
            | padded[2:, 2:]
        )
    return grown


def test_the_transfer_syntax_stays_and_claims_are_those_that_hold(
    tmp_path: Path, run_engine: Run
) -> None:
    make_cine(
        _spec(syntax=Syntax.JPEG_BASELINE, photometric=Photometric.YBR_FULL_422),
        tmp_path / "in.dcm",
    )

    report = run_engine(tmp_path / "in.dcm")

    assert report.output is not None
    written = pydicom.dcmread(report.output)
    assert str(written.file_meta.TransferSyntaxUID) == Syntax.JPEG_BASELINE.value
    assert written.PatientIdentityRemoved == "YES"
    assert written.BurnedInAnnotation == "NO"
    codes = [item.CodeValue for item in written.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113101"]
    assert written.ImageType[0] == "DERIVED"
    assert report.output.parts[-3:] == (
        written.StudyInstanceUID,
        written.SeriesInstanceUID,
        f"{written.SOPInstanceUID}.dcm",
    )


def test_a_cine_without_text_keeps_every_compressed_byte(tmp_path: Path, run_engine: Run) -> None:
    pixels = np.zeros((2, 64, 64), np.uint8)
    path = plain_instance(tmp_path / "in.dcm", pixels)

    report = run_engine(path)

    assert report.output is not None
    written = pydicom.dcmread(report.output)
    assert written.PixelData == pixels.tobytes()
    assert report.rectangles == ()
    assert "DerivationDescription" not in written


def plain_instance(path: Path, pixels: np.ndarray) -> Path:
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = pydicom.uid.UID(
        "1.2.840.10008.5.1.4.1.1.3.1"
    )
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(
        "2.25.9"
    )
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "2.25.7", "2.25.8"
    dataset.PatientName, dataset.PatientID, dataset.Modality = "ROE^RICHARD", "A-77", "US"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_a_name_seen_in_the_last_frame_is_gone_from_the_first(
    tmp_path: Path, run_engine: Run
) -> None:
    pixels = np.zeros((9, 64, 64), np.uint8)
    pixels[:, 20:30, 10:40] = 90  # too dim to be noticed
    pixels[8, 20:30, 10:40] = 255
    path = plain_instance(tmp_path / "in.dcm", pixels)

    report = run_engine(path)

    assert report.output is not None
    frames = np.stack(list(read_frames(report.output)))
    assert frames[:, 20:30, 10:40].max() == 0


def test_frames_with_known_pixels_are_not_inspected_again(tmp_path: Path, run_engine: Run) -> None:
    pixels = np.zeros((9, 64, 64), np.uint8)
    pixels[5, 20:30, 10:40] = 255

    report = run_engine(plain_instance(tmp_path / "in.dcm", pixels))

    # The first frame closely, and of the rest the one that differs.
    assert report.inspected == 1 + 1


def test_speckle_of_a_few_frames_is_a_sector(tmp_path: Path, run_engine: Run) -> None:
    """Too few to tell motion from noise; and their average is flat."""
    speckle = np.random.default_rng(1).normal(90, 3, (8, 128, 128))
    pixels = np.zeros((8, 192, 192), np.uint8)
    pixels[:, 32:160, 32:160] = np.clip(speckle, 0, 255)

    report = run_engine(plain_instance(tmp_path / "in.dcm", pixels))

    assert float(report.sector["share"]) > 0.3
    assert report.sector["evidence"] == "texture"


def test_inputs_are_not_modified_and_nothing_but_the_output_is_left(
    tmp_path: Path, run_engine: Run
) -> None:
    make_cine(_spec(), tmp_path / "in.dcm")
    before = hashlib.sha256((tmp_path / "in.dcm").read_bytes()).hexdigest()

    report = run_engine(tmp_path / "in.dcm")

    assert report.output is not None
    assert hashlib.sha256((tmp_path / "in.dcm").read_bytes()).hexdigest() == before
    assert report.sha256_in == before
    assert report.sha256_out == hashlib.sha256(report.output.read_bytes()).hexdigest()
    assert _left_in(tmp_path / "out") == [report.output.name]


def test_pseudonyms_and_output_names_are_those_of_the_key(tmp_path: Path) -> None:
    make_cine(_spec(), tmp_path / "in.dcm")

    first, second = (
        make_engine().run(
            tmp_path / "in.dcm",
            Targets.open(tmp_path / name, []),
            token=CancelToken(),
            observer=Silent(),
        )
        for name in ("one", "two")
    )

    assert first.output is not None
    assert second.output is not None
    assert first.output.read_bytes() == second.output.read_bytes()
    assert first.output.relative_to(tmp_path / "one") == second.output.relative_to(tmp_path / "two")


def test_of_two_copies_one_has_an_output_and_the_other_a_clear_line(
    tmp_path: Path, run_engine: Run
) -> None:
    for name in ("a.dcm", "b.dcm"):
        make_cine(_spec(), tmp_path / name)

    first, second = run_engine(tmp_path / "a.dcm"), run_engine(tmp_path / "b.dcm")

    assert first.status is Status.OK
    assert (second.status, second.output, second.exit_code) == (Status.SKIPPED, None, 0)
    assert second.reason is not None
    assert "copy" in second.reason


def test_two_instances_that_share_a_uid_both_have_an_output(
    tmp_path: Path, run_engine: Run
) -> None:
    pixels = np.zeros((2, 64, 64), np.uint8)
    plain_instance(tmp_path / "a.dcm", pixels)
    plain_instance(tmp_path / "b.dcm", pixels + 1)

    first, second = run_engine(tmp_path / "a.dcm"), run_engine(tmp_path / "b.dcm")

    assert first.output is not None
    assert second.output is not None
    assert first.output.parent == second.output.parent
    assert first.reason is None
    assert second.reason is not None
    assert "shares its SOP Instance UID" in second.reason
    written = [pydicom.dcmread(path) for path in (first.output, second.output)]
    assert written[0].SOPInstanceUID != written[1].SOPInstanceUID
    for dataset, path in zip(written, (first.output, second.output), strict=True):
        assert dataset.SOPInstanceUID == path.stem
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID


def test_an_input_without_an_output_does_not_keep_its_place(
    tmp_path: Path, run_engine: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_cine(_spec(), tmp_path / "in.dcm")
    with monkeypatch.context() as broken:
        broken.setattr(native, "fill", lambda *_: None)
        first = run_engine(tmp_path / "in.dcm")

    second = run_engine(tmp_path / "in.dcm")

    assert first.status is Status.QUARANTINED
    assert (second.status, second.reason) == (Status.OK, None)


def test_malformed_files_end_as_their_status_with_no_output(
    tmp_path: Path, run_engine: Run
) -> None:
    refused = {Status.QUARANTINED, Status.FAILED}

    for name, expected in malformed_files(tmp_path / "bad").items():
        report = run_engine(expected.path)

        wanted = {Status.SKIPPED} if expected.status == "skipped" else refused
        assert report.status in wanted, name
        assert report.reason, name
        assert "unexpected" not in report.reason, name
        assert "\n" not in report.reason, name
    assert _left_in(tmp_path / "out") == []


@pytest.mark.parametrize("path", ["absent.dcm", "folder"])
def test_what_is_no_file_is_a_line_of_the_report(
    tmp_path: Path, run_engine: Run, path: str
) -> None:
    (tmp_path / "folder").mkdir()

    report = run_engine(tmp_path / path)

    assert report.status in {Status.QUARANTINED, Status.SKIPPED}
    assert report.reason


def test_a_file_whose_redaction_did_not_happen_gets_no_name(
    tmp_path: Path, run_engine: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_cine(_spec(), tmp_path / "in.dcm")
    monkeypatch.setattr(native, "fill", lambda *_: None)

    report = run_engine(tmp_path / "in.dcm")

    assert report.status is Status.QUARANTINED
    assert report.reason is not None
    assert "not filled" in report.reason
    assert _left_in(tmp_path / "out") == []


def test_a_file_that_changed_elsewhere_gets_no_name(
    tmp_path: Path, run_engine: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_cine(_spec(), tmp_path / "in.dcm")
    fill = native.fill

    def careless(frame: memoryview, *given: Any) -> None:
        fill(frame, *given)
        frame[-1] ^= 1

    monkeypatch.setattr(native, "fill", careless)

    report = run_engine(tmp_path / "in.dcm")

    assert report.status is Status.QUARANTINED
    assert report.reason is not None
    assert "changed outside" in report.reason
    assert _left_in(tmp_path / "out") == []


class _Whistleblower:
    """Reports a new box at each look at the written file, up to `times` looks."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.parts: list[list[int]] = []
        """Those looked at in all rounds, in their order."""

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole, partly = CineInspection.check, CineInspection.check_parts

        def report(inspection: Any) -> None:
            if self.left:
                self.left -= 1
                y = 100 - self.left % 20 * 4
                box = np.array([[4, y, 12, y + 4]], np.int32)
                inspection._known.hold(box, box)

        def check(inspection: Any, frames: Any, numbers: Any) -> None:
            whole(inspection, frames, numbers)
            self.parts.append([0, 0, frames.shape[2], frames.shape[1]])
            report(inspection)

        def check_parts(inspection: Any, frame: Any, number: int, parts: Any, look: Any) -> None:
            partly(inspection, frame, number, parts, look)
            self.parts += parts.tolist()
            report(inspection)

        monkeypatch.setattr(CineInspection, "check", check)
        monkeypatch.setattr(CineInspection, "check_parts", check_parts)


def test_text_that_the_check_finds_is_redacted_in_a_second_round(
    tmp_path: Path, run_engine: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_cine(_spec(), tmp_path / "in.dcm")
    blower = _Whistleblower(times=1)
    blower.install(monkeypatch)

    report = run_engine(tmp_path / "in.dcm")

    assert report.status is Status.OK
    assert _covered(report)[100:104, 4:12].all()
    # What was looked at before, and is filled no otherwise, needs no look again.
    assert blower.parts[0][:2] == [0, 0]
    assert blower.parts[-1] == [0, 68, 44, 128]


def test_text_that_is_found_again_and_again_quarantines_the_file(
    tmp_path: Path, run_engine: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_cine(_spec(), tmp_path / "in.dcm")
    _Whistleblower(times=99).install(monkeypatch)

    report = run_engine(tmp_path / "in.dcm", engine=make_engine(EngineConfig(verify_rounds=2)))

    assert (report.status, report.exit_code) == (Status.QUARANTINED, 6)
    assert _left_in(tmp_path / "out") == []


def test_cancelling_in_any_stage_leaves_nothing(tmp_path: Path) -> None:
    make_cine(_spec(frames=6), tmp_path / "in.dcm")

    for stage in ("inspect", "apply"):
        token = CancelToken()

        class Impatient(Silent):
            def frames(self, told: str, done: int, total: int) -> None:
                if told == stage:  # noqa: B023  # called within this round of the loop only
                    token.cancel(CancelledError("stopped"))  # noqa: B023

        with pytest.raises(CancelledError):
            make_engine().run(
                tmp_path / "in.dcm",
                Targets.open(tmp_path / "out", []),
                token=token,
                observer=Impatient(),
            )

        assert _left_in(tmp_path / "out") == []


def test_a_full_disk_fails_the_file_and_leaves_nothing(
    tmp_path: Path, run_engine: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_cine(_spec(), tmp_path / "in.dcm")

    def full(*_: object) -> None:
        raise OutputError("no space left on the target: free some and run again")

    monkeypatch.setattr(OutputFile, "finish", full)

    report = run_engine(tmp_path / "in.dcm")

    assert (report.status, report.exit_code) == (Status.FAILED, 8)
    assert _left_in(tmp_path / "out") == []


def test_a_fault_of_ours_is_one_line_without_the_value_that_caused_it(
    tmp_path: Path, run_engine: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_cine(_spec(), tmp_path / "in.dcm")

    def broken(*_: object, **__: object) -> None:
        raise KeyError("ROE^RICHARD")

    monkeypatch.setattr(engine_module, "audit_file", broken)

    report = run_engine(tmp_path / "in.dcm")

    assert report.status is Status.QUARANTINED
    assert report.reason is not None
    assert "KeyError" in report.reason
    assert "ROE" not in report.reason


@pytest.mark.parametrize("dynamic", [Dynamic.FLASH, Dynamic.WORKSHEET, Dynamic.PATIENT])
def test_progress_reaches_the_last_frame_of_each_stage(
    tmp_path: Path, run_engine: Run, dynamic: Dynamic
) -> None:
    make_cine(_spec(frames=5, dynamic=dynamic), tmp_path / "in.dcm")
    observer = Silent()

    run_engine(tmp_path / "in.dcm", observer=observer)

    assert {"survey", "inspect", "apply", "verify"} <= set(observer.stages)
    assert all(done == total for done, total in observer.stages.values())
    assert observer.stages["survey"] == observer.stages["apply"] == (5, 5)

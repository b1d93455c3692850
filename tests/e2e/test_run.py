"""The main job from files to files, with the real models."""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
import pytest

from cinescrub.testing import Tier, make_cine
from cinescrub.testing.leaks import find_leaks
from cinescrub.testing.reader import read_frames
from cinescrub.testing.score import CineScore, score_frames
from cinescrub.testing.truth import CineTruth

if TYPE_CHECKING:
    from tests.e2e.conftest import Batch, Command
from tests.e2e.conftest import jpeg_cine, left_in, secrets_of

pytestmark = pytest.mark.models

_KEYS = {
    "source", "output", "status", "reason", "frames", "inspected", "inspected_share",
    "resumed", "cores", "redactions", "kept", "dismissed", "sector", "rectangles", "fill",
    "scrubbed", "header", "profile", "versions", "seconds",
    "transfer_syntax", "transfer_syntax_out", "sha256_in", "sha256_out",
}  # fmt: skip


def _score(before: Path, after: Path, truth: CineTruth) -> CineScore:
    return score_frames(read_frames(before), read_frames(after), truth)


def test_every_identifying_line_is_gone_from_every_frame(batch: Batch) -> None:
    output = Path(batch.lines["cine"]["output"])

    score = _score(batch.cine, output, batch.truth)

    assert score.items > 0
    assert score.misses == ()
    assert score.item_frames >= batch.truth.frames * score.items
    assert score.item_frame_recall == 1.0


def test_no_planted_identifier_is_in_the_output(batch: Batch) -> None:
    output = Path(batch.lines["cine"]["output"])

    assert len(find_leaks(batch.cine, batch.truth.planted)) == len(batch.truth.planted)
    assert find_leaks(output, batch.truth.planted) == ()


@pytest.mark.parametrize("channel", ["out", "err", "report"])
def test_nothing_that_is_told_holds_an_identifier(batch: Batch, channel: str) -> None:
    told = batch.report if channel == "report" else getattr(batch.outcome, channel)

    assert told
    assert [secret for secret in secrets_of(batch.truth) if secret in told] == []


def test_each_input_ends_as_its_status_and_the_batch_goes_on(batch: Batch) -> None:
    statuses = {name: line["status"] for name, line in batch.lines.items()}

    assert batch.order == ["DICOMDIR", "broken.dcm", "cine", "notes.txt"]
    assert statuses == {
        "DICOMDIR": "skipped",
        "broken.dcm": "quarantined",
        "cine": "ok",
        "notes.txt": "skipped",
    }
    assert batch.outcome.code == 4


def test_report_lines_have_the_documented_keys(batch: Batch) -> None:
    assert {name: set(line) for name, line in batch.lines.items()} == dict.fromkeys(
        batch.lines, _KEYS
    )


def test_the_line_of_a_cine_says_what_was_done(batch: Batch) -> None:
    line = batch.lines["cine"]

    assert line["frames"] == 2
    assert line["reason"] is None
    assert sum(line["redactions"].values()) > 0
    assert all(len(box) == 4 for box in line["rectangles"])
    assert {"open", "decode", "inspect", "scrub", "apply", "verify", "commit"} <= set(
        line["seconds"]
    )
    assert line["transfer_syntax"] == line["transfer_syntax_out"] == "1.2.840.10008.1.2.4.50"
    assert line["sha256_in"] == hashlib.sha256(batch.before).hexdigest()
    assert line["sha256_out"] == hashlib.sha256(Path(line["output"]).read_bytes()).hexdigest()


def test_what_has_no_output_has_a_reason(batch: Batch) -> None:
    for name in ("DICOMDIR", "broken.dcm", "notes.txt"):
        line = batch.lines[name]
        assert (line["output"], bool(line["reason"])) == (None, True), name


def test_stdout_is_the_report_and_stderr_is_for_people(batch: Batch) -> None:
    assert batch.outcome.out == batch.report
    assert "1 ok, 1 quarantined, 2 skipped; 2 frames de-identified" in batch.outcome.err
    assert "{" not in batch.outcome.err
    assert "Traceback" not in batch.outcome.err


def test_the_output_is_named_by_its_new_uids_and_is_all_there_is(batch: Batch) -> None:
    output = Path(batch.lines["cine"]["output"])
    written = pydicom.dcmread(output, stop_before_pixels=True)

    assert left_in(batch.out) == [
        f"{written.StudyInstanceUID}/{written.SeriesInstanceUID}/{written.SOPInstanceUID}.dcm"
    ]
    assert output == batch.out / left_in(batch.out)[0]


def test_inputs_are_not_changed(batch: Batch) -> None:
    assert batch.cine.read_bytes() == batch.before
    assert left_in(batch.cine.parent) == sorted(batch.order)


def test_outputs_are_readable_by_their_owner_alone(batch: Batch) -> None:
    output = Path(batch.lines["cine"]["output"])

    assert stat.S_IMODE(output.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("policy", "reasons"),
    [
        ("all-text", {"all-text", "residual"}),
        ("phi-only", {"model", "pattern", "identifier", "unreadable", "residual"}),
    ],
)
def test_a_policy_decides_what_becomes_of_clinical_text(
    tmp_path: Path,
    command: Command,
    models_dir: Path,
    key: Path,
    brief: Path,
    policy: str,
    reasons: set[str],
) -> None:
    # Letters that the recogniser can read: those of so small a picture are 6 pixels high.
    legible = Tier("legible", text_px=10)
    truth = make_cine(jpeg_cine(frames=1, tier=legible), tmp_path / "still.dcm")

    outcome = command(
        "run", tmp_path / "still.dcm", "--out", tmp_path / "out", "--policy", policy, "--json",
        "--models", models_dir, "--key", key, "--config", brief,
    )  # fmt: skip

    line = json.loads(outcome.out)
    score = _score(tmp_path / "still.dcm", Path(line["output"]), truth)
    assert outcome.code == 0
    assert set(line["redactions"]) <= reasons
    assert (line["kept"] > 0, score.kept > 0.0) == ((policy == "phi-only"),) * 2
    assert find_leaks(Path(line["output"]), truth.planted) == ()

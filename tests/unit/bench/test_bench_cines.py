"""What is measured has a name that it follows from; the floor fills what the engine filled."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from cinescrub.bench.cines import SYNTAXES, Cine, MadeCine, given_cines, made_cines, parse_size
from cinescrub.bench.peers import Mask, RunPeer, left_by
from cinescrub.bench.ways import Copy, Floor, Place, figures_of
from cinescrub.dicom.writer import OutputFile
from cinescrub.errors import ConfigError
from cinescrub.testing import Dynamic, Syntax, make_cine
from cinescrub.testing.accuracy.peers import files
from cinescrub.testing.reader import read_frames


def small(**changes: object) -> MadeCine:
    settings: dict[str, object] = {
        "frames": 2, "rows": 96, "columns": 128, "syntax": "native", "dynamic": Dynamic.STATIC,
    }  # fmt: skip
    return MadeCine(**(settings | changes))  # type: ignore[arg-type]


@pytest.fixture
def cine(tmp_path: Path) -> Cine:
    return small().write(tmp_path)


@pytest.fixture
def place(tmp_path: Path, cine: Cine) -> Place:
    """Where the engine has left what it filled: all strings of the made cine."""
    there = Place(tmp_path)
    boxes = [[max(0, v) for v in item.box] for item in cine.truths[0].items]
    clipped = [[x0, y0, min(128, x1), min(96, y1)] for x0, y0, x1, y1 in boxes]
    there.rectangles.write_text(json.dumps([clipped]))
    return there


def test_every_combination_is_made_and_named() -> None:
    names = [
        made.name
        for made in made_cines([1, 30], ["640x480"], ["jpeg"], ["static", "clock"], seed=1, exam=1)
    ]

    assert names == [
        "640x480x1 jpeg static",
        "640x480x30 jpeg static",
        "640x480x1 jpeg clock",
        "640x480x30 jpeg clock",
    ]
    assert small(seed=7, exam=3).name == "3 x 128x96x2 native static seed 7"


@pytest.mark.parametrize("size", ["640", "640x", "x480", "640x480x3", "-640x480", "axb"])
def test_a_size_that_is_none_is_refused(size: str) -> None:
    with pytest.raises(ConfigError, match="640x480"):
        parse_size(size)


def test_an_exam_is_of_one_patient_with_other_tissue(tmp_path: Path) -> None:
    cine = small(exam=2).write(tmp_path)

    first, second = (next(read_frames(path)) for path in cine.paths)
    assert cine.frames == 4
    assert [t.text for t in cine.truths[0].phi] == [t.text for t in cine.truths[1].phi]
    assert (first != second).any()


def test_a_file_is_named_for_its_number(tmp_path: Path) -> None:
    make_cine(small()._spec(0), tmp_path / "ROE^RICHARD.dcm")
    (tmp_path / "broken.dcm").write_bytes(b"nothing")

    good, bad = given_cines([tmp_path / "ROE^RICHARD.dcm", tmp_path / "broken.dcm"])

    assert (good.name, bad.name) == ("file 1", "file 2")
    assert (good.facts["frames"], good.facts["rows"], good.frames) == (2, 96, 2)
    assert bad.frames == 0


# --- ways ------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_floor_fills_what_the_engine_filled_and_leaves_nothing(
    tmp_path: Path, syntax: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cine, place = small(syntax=syntax).write(tmp_path), Place(tmp_path)
    place.rectangles.write_text(json.dumps([[[0, 0, 128, 16]]]))
    written: list[np.ndarray] = []

    def finish(output: OutputFile) -> None:
        finished(output)
        written.extend(read_frames(output.path))

    finished = OutputFile.finish
    monkeypatch.setattr(OutputFile, "finish", finish)
    before = sorted(tmp_path.iterdir())

    trial = Floor(cine, place)(time.perf_counter())

    sources = list(read_frames(cine.paths[0]))
    assert len(written) == len(sources) == 2
    for frame, source in zip(written, sources, strict=True):
        assert frame[:16].max() <= 2
        assert np.abs(frame[32:].astype(int) - source[32:]).max() <= 2
    assert trial.figures["frames_per_s"] > 0
    assert sorted(tmp_path.iterdir()) == before


def test_a_copy_is_the_file(cine: Cine, place: Place) -> None:
    Copy(cine, place)(time.perf_counter())

    assert place.output("copy").read_bytes() == cine.paths[0].read_bytes()


def test_pydicom_fills_the_rectangles_and_saves_uncompressed(tmp_path: Path) -> None:
    cine, place = small(syntax="jpeg").write(tmp_path), Place(tmp_path)
    place.rectangles.write_text(json.dumps([[[0, 0, 128, 16]]]))

    trial = Mask(cine, place)(time.perf_counter())

    frames = list(read_frames(place.output("pydicom")))
    assert len(frames) == 2
    assert not frames[1][:16].any()
    assert (frames[1][16:] == list(read_frames(cine.paths[0]))[1][16:]).all()
    assert trial.facts["version"]


def test_what_a_subject_left_is_scored_against_the_truth(cine: Cine, place: Place) -> None:
    Copy(cine, place)(time.perf_counter())
    Mask(cine, place)(time.perf_counter())

    copied, masked = left_by("copy", cine, place), left_by("pydicom", cine, place)

    assert copied["strings_gone"] == 0
    assert copied["kept"] == 1.0
    assert masked["strings_gone"] == masked["strings"] == copied["strings"]
    assert left_by("nosuch", cine, place) == {}
    assert left_by("copy", Cine("file 1", cine.paths, {}), place) == {}


def test_a_peer_goes_from_file_to_file(
    cine: Cine, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cinescrub.bench.peers.open_file_peer", lambda _: files.Given([]))

    trial = RunPeer("pydicom", cine, place)(time.perf_counter())

    assert place.output("pydicom").exists()
    assert {"load_s", "wall_s", "cpu_s", "frames_per_s", "peak_mib"} <= set(trial.figures)


def test_later_cines_of_an_exam_have_figures_of_their_own() -> None:
    class Spent:
        def __init__(self, seconds: float) -> None:
            self.wall = self.cpu = seconds

    figures = figures_of([Spent(9.0), Spent(1.0), Spent(2.0), Spent(3.0)], 10.0, 30)  # type: ignore[list-item]

    assert (figures["first_cpu_s"], figures["later_cpu_s"]) == (9.0, 2.0)
    assert (figures["wall_s"], figures["frames_per_s"]) == (15.0, 2.0)
    assert "later_cpu_s" not in figures_of([Spent(9.0)], 10.0, 30)  # type: ignore[list-item]
    assert Syntax.JPEG_BASELINE in {syntax for syntax, _ in SYNTAXES.values()}

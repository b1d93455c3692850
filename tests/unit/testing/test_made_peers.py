"""Peers find boxes; what they find is filled and scored as an output is."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from cinescrub.errors import ConfigError
from cinescrub.testing import CineSpec, CineTruth, Dynamic, TextItem, make_cine, plan_drawing
from cinescrub.testing.accuracy import (
    Made,
    Outcome,
    Subject,
    make_cases,
    measure_peer,
    summarise,
    table,
)
from cinescrub.testing.accuracy.peers import PEERS, Box, installed_peers, open_peer
from cinescrub.testing.accuracy.peers.files import FILE_PEERS, open_file_peer, save_frames
from cinescrub.testing.accuracy.peers.keyframes import KeyFrames, key_frames
from cinescrub.testing.accuracy.plot import draw_figures
from cinescrub.testing.graphics import Canvas
from cinescrub.testing.reader import read_frames
from cinescrub.testing.score import CineScore
from cinescrub.testing.suite import Case


class Knowing:
    """A peer that finds the strings it is told of, in the frames it is shown."""

    name = "knowing"
    version = "1"

    def __init__(self, truth: CineTruth, items: Iterable[TextItem]) -> None:
        self._truth = truth
        self._items = tuple(items)
        self.shown = 0

    def boxes(self, frames: Iterable[Canvas], count: int) -> list[list[Box]]:
        found = []
        for index, _ in enumerate(frames):
            self.shown += 1
            found.append([item.box for item in self._items if item.in_frame(index)])
        assert len(found) == count
        return found


@pytest.fixture
def made(tmp_path: Path) -> Made:
    spec = CineSpec(seed=5, frames=3, rows=240, columns=320, dynamic=Dynamic.CLOCK)
    (made,) = make_cases([Case("one", "clock", spec)], tmp_path / "in", lambda _: None)
    return made


def test_a_peer_that_finds_all_identifying_text_has_full_marks(made: Made) -> None:
    subject = measure_peer([made], Knowing(made.truth, made.truth.phi), lambda _: None)

    (outcome,) = subject.outcomes
    assert outcome.score.item_recall == outcome.score.kept == 1.0
    assert outcome.score.changed_elsewhere == 0.0
    assert outcome.seconds["inspect"] > 0


def test_a_peer_that_takes_all_text_keeps_none(made: Made) -> None:
    subject = measure_peer([made], Knowing(made.truth, made.truth.items), lambda _: None)

    assert subject.outcomes[0].score.item_recall == 1.0
    assert subject.outcomes[0].score.kept == 0.0


def test_a_peer_that_finds_nothing_leaks_everything(made: Made) -> None:
    subject = measure_peer([made], Knowing(made.truth, ()), lambda _: None)

    assert subject.outcomes[0].score.item_frame_recall == 0.0
    assert subject.outcomes[0].score.kept == 1.0


def test_a_peer_has_no_header_to_leak_from(made: Made) -> None:
    subject = measure_peer([made], Knowing(made.truth, ()), lambda _: None)

    (figures,) = summarise([subject], {})["subjects"]
    assert figures["total"]["header_leaks"] is None
    assert figures["header_leaks"] == []
    assert table([subject]).splitlines()[-1].split()[-2] == "-"


@pytest.mark.parametrize(
    ("count", "looked_at"),
    [(1, 1), (2, 2), (3, 3), (5, 3), (40, 4), (120, 12), (400, 25)],
)
def test_key_frames_are_a_tenth_at_least_3_and_at_most_25(count: int, looked_at: int) -> None:
    frames = key_frames(count)

    assert len(frames) == looked_at
    assert frames <= set(range(count))
    assert {0, count - 1} <= frames


def test_what_a_key_frame_shows_is_filled_in_all_frames() -> None:
    spec = CineSpec(seed=1, frames=30, rows=120, columns=160)
    truth = plan_drawing(spec).truth
    knowing = Knowing(truth, truth.items)
    peer = KeyFrames(knowing)
    blank = np.zeros((120, 160, 3), np.uint8)

    boxes = peer.boxes(iter([blank] * 30), 30)

    assert peer.name == "knowing-keyframes"
    assert knowing.shown == 3
    assert len(boxes) == 30
    assert all({*each} == {item.box for item in truth.items} for each in boxes)


def test_an_unknown_peer_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="easyocr, easyocr-keyframes, rapidocr, tesseract"):
        open_peer("nosuch")


def test_a_peer_that_is_not_installed_is_an_error_or_left_out_of_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("easyocr", "rapidocr"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setenv("PATH", str(tmp_path))

    for name in PEERS:
        with pytest.raises(ConfigError, match=name):
            open_peer(name)
    assert installed_peers() == []


_FAKE_TESSERACT = """#!/bin/sh
if [ "$1" = --version ]; then echo "tesseract 9.9"; exit; fi
cat > /dev/null
printf 'level\\tleft\\ttop\\twidth\\theight\\tconf\\ttext\\n'
printf '4\\t0\\t0\\t90\\t90\\t-1\\t\\n'
printf '5\\t10\\t20\\t30\\t8\\t12.5\\t"DOE\\n'
printf '5\\t50\\t20\\t30\\t8\\t96\\t \\n'
"""


def test_tesseract_gives_its_words_whatever_their_confidence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = tmp_path / "tesseract"
    command.write_text(_FAKE_TESSERACT)
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    peer = open_peer("tesseract")

    assert peer.version == "9.9"
    assert peer.boxes([np.zeros((60, 90, 3), np.uint8)], 1) == [[(10, 20, 40, 28)]]


@pytest.mark.parametrize("name", PEERS)
def test_an_installed_peer_finds_a_large_name(name: str) -> None:
    try:
        peer = open_peer(name)
    except ConfigError as error:
        pytest.skip(error.message)
    canvas = np.zeros((120, 320, 3), np.uint8)
    cv2.putText(canvas, "SMITH JOHN", (20, 70), (255, 255, 255), cv2.FontFace("sans"), 34)

    (boxes,) = peer.boxes([canvas], 1)

    covered = np.zeros((120, 320), bool)
    for x0, y0, x1, y1 in boxes:
        covered[max(0, y0) : y1, max(0, x0) : x1] = True
    assert covered[canvas.any(axis=2)].mean() > 0.9


class _Reader:
    """What EasyOCR's reader gives, for frames that are bright where a line is."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def readtext(self, frame: Canvas) -> list[tuple[list[list[int]], str, float]]:
        y, x = np.nonzero(frame[..., 0])
        if not len(x):
            return []
        left, right, top, bottom = x.min(), x.max(), y.min(), y.max()
        corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
        return [([[int(v) for v in corner] for corner in corners], "DOE", 0.1)]

    def readtext_batched(self, frames: list[Canvas], batch_size: int) -> list[object]:
        assert batch_size > 1
        self.batches.append(len(frames))
        return [self.readtext(frame) for frame in frames]


@pytest.mark.parametrize(("name", "batches"), [("easyocr-read", []), ("easyocr-batched", [4, 2])])
def test_easyocr_reads_each_frame_or_four_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, batches: list[int]
) -> None:
    reader = _Reader()
    monkeypatch.setitem(sys.modules, "easyocr", SimpleNamespace(Reader=lambda *_, **__: reader))
    there = SimpleNamespace(model_dir=lambda: tmp_path)
    monkeypatch.setitem(sys.modules, "easyocr_en_models", there)
    monkeypatch.setattr("cinescrub.testing.accuracy.peers.craft_torch.metadata.version", str)
    frames = np.zeros((6, 96, 128, 3), np.uint8)
    frames[3, 10:20, 30:60] = 200
    make_cine(CineSpec(frames=6, rows=96, columns=128), tmp_path / "header.dcm")
    save_frames(tmp_path / "header.dcm", frames, tmp_path / "in.dcm")

    open_file_peer(name).redact(tmp_path / "in.dcm", tmp_path / "out.dcm")

    assert reader.batches == batches
    assert not np.stack(list(read_frames(tmp_path / "out.dcm"))).any()


@pytest.mark.parametrize("name", FILE_PEERS)
def test_an_installed_peer_writes_all_frames_of_a_file(name: str, tmp_path: Path) -> None:
    try:
        peer = open_file_peer(name)
    except ConfigError as error:
        pytest.skip(error.message)
    make_cine(CineSpec(frames=2, rows=96, columns=128), tmp_path / "in.dcm")

    peer.redact(tmp_path / "in.dcm", tmp_path / "out.dcm")

    frames = list(read_frames(tmp_path / "out.dcm"))
    assert [frame.shape for frame in frames] == [(96, 128, 3)] * 2


def test_an_unknown_file_peer_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="easyocr-batched, presidio, deid, or all"):
        open_file_peer("nosuch")


# --- plot ------------------------------------------------------------------------------------


def _subject(name: str, *leaked: int) -> Subject:
    spec = CineSpec()
    outcomes = tuple(
        Outcome(
            Case(f"{group}-0", group, spec),
            CineScore(items=1, item_frames=100, item_frames_leaked=count, clinical=1),
        )
        for group, count in zip(("clean", "noise"), leaked, strict=True)
    )
    return Subject(name, "1", 1.0, outcomes)


def _colours(picture: Canvas) -> set[tuple[int, ...]]:
    return {tuple(colour) for colour in np.unique(picture.reshape(-1, 3), axis=0).tolist()}


def test_the_plot_shows_a_leak_in_another_colour() -> None:
    green, red = (178, 223, 178), (240, 168, 160)
    kept_none = {red}

    clean = _colours(draw_figures([_subject("one", 0, 0)]))
    leaking = _colours(draw_figures([_subject("one", 0, 50)]))

    assert {green} | kept_none <= clean
    assert {green, red} <= leaking
    assert len(leaking - clean) > 0


def test_the_plot_grows_with_subjects() -> None:
    one = draw_figures([_subject("one", 0, 1)])
    three = draw_figures([_subject(name, 0, 1) for name in ("one", "two", "three")])

    assert three.shape[0] == one.shape[0]
    assert three.shape[1] > one.shape[1]
    assert three.dtype == np.uint8

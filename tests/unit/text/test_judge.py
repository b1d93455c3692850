"""The judge: what one reader sees on its end, all read so; what one misreads it reads again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from cinescrub.config import Policy
from cinescrub.policy.identifiers import IdentifierMatcher
from cinescrub.text.judge import Judge, Reader
from cinescrub.types import Transcripts

_HIGH = np.zeros((60, 14), np.uint8)


class Says:
    """Reads high crops as one thing and others as another, and counts the crops."""

    def __init__(self, upright: tuple[str, float], lying: tuple[str, float]) -> None:
        self._says = {True: upright, False: lying}
        self.crops = 0

    def read(self, crops: Sequence[npt.NDArray[np.uint8]]) -> Transcripts:
        self.crops += len(crops)
        said = [self._says[crop.shape[0] > crop.shape[1]] for crop in crops]
        sure = np.array([confidence for _, confidence in said], np.float32)
        return Transcripts(tuple(text for text, _ in said), sure)


class Suspects:
    """A classifier to which a single glyph is a name."""

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.array([0.9 * (len(text) == 1) for text in texts], np.float32)


def readings(crop: npt.NDArray[np.uint8], *readers: Reader) -> list[str]:
    judge = Judge(readers, Suspects(), matcher=IdentifierMatcher([]), policy=Policy.DEFAULT_DENY)
    judge.read({b"line": crop})
    return [reading.text for reading in judge.readings(b"line")]


def test_a_line_on_its_end_is_no_one() -> None:
    line = Says(("TRANS", 0.9), ("TRANS", 0.9))
    bar = Says(("1", 0.8), ("TRAMS", 0.2))

    assert readings(_HIGH, bar, line) == ["TRAMS", "TRANS"]


@pytest.mark.parametrize("said", [("T2", 0.9), ("TRANS", 0.2)], ids=["two glyphs", "unsure"])
def test_one_glyph_stays_where_nobody_reads_a_line(said: tuple[str, float]) -> None:
    bar, other = Says(("1", 0.8), ("TRAMS", 0.2)), Says(said, said)

    assert readings(_HIGH, bar, other) == ["1", said[0]]
    assert bar.crops == 1, "a turned line is read for"


def test_more_than_a_glyph_is_evidence_however_it_stands() -> None:
    line = Says(("TRANS", 0.9), ("TRANS", 0.9))
    other = Says(("JS", 0.8), ("TRAMS", 0.2))

    assert readings(_HIGH, other, line) == ["JS", "TRANS"]


def test_in_a_wide_crop_one_glyph_stays() -> None:
    line = Says(("TRANS", 0.9), ("TRANS", 0.9))
    bar = Says(("", 0.0), ("1", 0.8))

    assert readings(_HIGH.T.copy(), bar, line) == ["1", "TRANS"]


class Looks:
    """Reads the first crops as one thing and those that it is given again as others."""

    def __init__(self, *says: tuple[str, float]) -> None:
        self._says = says
        self.calls = 0

    def read(self, crops: Sequence[npt.NDArray[np.uint8]]) -> Transcripts:
        said = [self._says[min(self.calls, 1) + i] for i in range(len(crops))]
        self.calls += 1
        sure = np.array([confidence for _, confidence in said], np.float32)
        return Transcripts(tuple(text for text, _ in said), sure)


_WIDE = np.zeros((14, 60), np.uint8)


def test_a_misread_line_is_read_again_as_another_reads_it() -> None:
    sure = Looks(("CF 72%", 0.9))
    unsure = Looks(("on", 0.4), ("onv", 0.4), ("CF72%", 0.5))

    assert readings(_WIDE, unsure, sure) == ["CF72%", "CF 72%"]
    assert sure.calls == 1


@pytest.mark.parametrize(
    "said",
    [("LV", 0.9), ("DOE", 0.9), ("CF 72%", 0.5), ("17.01.2026", 0.9)],
    ids=["as short as initials", "a name", "unsure", "a date"],
)
def test_what_stands_stays_where_none_reads_a_clinical_line(said: tuple[str, float]) -> None:
    sure, unsure = Looks(said), Looks(("on", 0.4), said, said)

    assert readings(_WIDE, unsure, sure) == ["on", said[0]]
    assert unsure.calls == 1


def test_a_misread_line_stays_one_where_each_look_is_another() -> None:
    sure, unsure = Looks(("CF 72%", 0.9)), Looks(("JON", 0.4), ("JOHN", 0.9), ("CF 12%", 0.9))

    assert readings(_WIDE, unsure, sure) == ["JON", "CF 72%"]

"""The judge: what one reader sees on its end, all read so; what one misreads, another may read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from tests.unit.text.readers import SeesNothingElse

from cinescrub.config import Policy
from cinescrub.policy import ocr
from cinescrub.policy.identifiers import HeaderIdentifier, IdentifierMatcher
from cinescrub.text.judge import Judge
from cinescrub.text.recognizer import Reader
from cinescrub.text.unread import Letters
from cinescrub.types import PhiKind, Transcripts

_HIGH = np.zeros((60, 14), np.uint8)


class Says(SeesNothingElse):
    """Reads high crops as one thing and others as another, and counts the crops."""

    def __init__(self, upright: tuple[str, float], lying: tuple[str, float]) -> None:
        self._says = {True: upright, False: lying}
        self.crops = 0

    def read(self, crops: Sequence[npt.NDArray[np.uint8]]) -> Transcripts:
        self.crops += len(crops)
        said = [self._says[crop.shape[0] > crop.shape[1]] for crop in crops]
        sure = np.array([confidence for _, confidence in said], np.float32)
        return Transcripts(tuple(text for text, _ in said), sure)


class Told(SeesNothingElse):
    """Reads a crop by its gray value."""

    def __init__(self, texts: Sequence[str], sure: float = 0.9) -> None:
        self._texts = texts
        self._sure = sure

    def read(self, crops: Sequence[npt.NDArray[np.uint8]]) -> Transcripts:
        texts = tuple(self._texts[int(crop[0, 0])] for crop in crops)
        return Transcripts(texts, np.full(len(texts), self._sure, np.float32))


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


class Sees:
    """Reads every crop as one thing, and sees some texts in it if it is asked for them."""

    def __init__(self, said: tuple[str, float], **support: float) -> None:
        self._said = said
        self._support = support
        self.asked: list[str] = []

    def read(self, crops: Sequence[npt.NDArray[np.uint8]]) -> Transcripts:
        text, sure = self._said
        return Transcripts((text,) * len(crops), np.full(len(crops), sure, np.float32))

    def support(
        self, crops: Sequence[npt.NDArray[np.uint8]], texts: Sequence[str]
    ) -> npt.NDArray[np.float32]:
        self.asked += texts
        return np.array([self._support.get(ocr.glyphs(text), 0.0) for text in texts], np.float32)


_WIDE = np.zeros((14, 60), np.uint8)


def test_a_misread_line_is_what_another_reads_where_it_is_seen() -> None:
    sure, unsure = Sees(("CF 72%", 0.9)), Sees(("on", 0.4), cf72=0.5)

    assert readings(_WIDE, unsure, sure) == ["CF 72%", "CF 72%"]
    assert unsure.asked == ["CF 72%"]
    assert not sure.asked, "who reads a clinical line is asked"


def test_a_misread_line_stays_one_where_it_is_not_seen() -> None:
    sure, unsure = Sees(("CF 72%", 0.9)), Sees(("JON", 0.4))

    assert readings(_WIDE, unsure, sure) == ["JON", "CF 72%"]


@pytest.mark.parametrize(
    "said",
    [("LV", 0.9), ("DOE", 0.9), ("CF 72%", 0.2), ("17.01.2026", 0.9)],
    ids=["as short as initials", "a name", "unsure", "a date"],
)
def test_nobody_is_asked_where_none_reads_a_clinical_line(said: tuple[str, float]) -> None:
    sure, unsure = Sees(said), Sees(("on", 0.4), lv=0.9, doe=0.9, cf72=0.9)

    assert readings(_WIDE, unsure, sure) == ["on", said[0]]
    assert not unsure.asked


def test_an_identifier_is_one_whatever_else_is_seen() -> None:
    sure, unsure = Sees(("CF 72%", 0.9)), Sees(("OKAFOR", 0.4), cf72=0.9)
    matcher = IdentifierMatcher([HeaderIdentifier(PhiKind.PERSON, "OKAFOR^ADA")])
    judge = Judge((unsure, sure), Suspects(), matcher=matcher, policy=Policy.DEFAULT_DENY)

    judge.read({b"line": _WIDE})

    assert [reading.text for reading in judge.readings(b"line")] == ["OKAFOR", "CF 72%"]


@pytest.mark.parametrize(
    ("said", "seen"),
    [("HR 72 bpm 14:05", "HR 72 bpm 14.05"), ("Lobe^P", "Lobe P"), ("DR. MASS", "Dr MASS")],
)
def test_what_has_the_form_of_evidence_is_not_asked_away(said: str, seen: str) -> None:
    meant = {ocr.glyphs(seen): 0.9}
    clinical, evident = Sees((f"Gain 60 {seen}", 0.9)), Sees((said, 0.9), **meant)

    assert readings(np.zeros((14, 160), np.uint8), evident, clinical)[0] == said
    assert not evident.asked


def test_what_looks_like_a_number_by_its_glyphs_is_asked_for() -> None:
    sure, number = Sees(("2D G 69 dB", 0.6)), Sees(("20669dB", 0.72), **{"2dg69db": 0.6})

    assert readings(_WIDE, number, sure) == ["2D G 69 dB", "2D G 69 dB"]


def test_a_line_on_its_end_is_asked_for_as_well() -> None:
    sure, unsure = Sees(("CF 72%", 0.9)), Sees(("%2L jO", 0.4), cf72=0.9)

    assert readings(_HIGH, unsure, sure) == ["CF 72%", "CF 72%"]


def test_what_both_read_alike_is_as_sure_as_it_is_seen() -> None:
    sure, unsure = Sees(("THI On", 0.9)), Sees(("~THI On", 0.3), thion=0.7)
    judge = Judge(
        (unsure, sure), Suspects(), matcher=IdentifierMatcher([]), policy=Policy.DEFAULT_DENY
    )

    judge.read({b"line": _WIDE})

    assert [reading.confidence for reading in judge.readings(b"line")] == [
        pytest.approx(0.7),
        pytest.approx(0.9),
    ]


def _counted(*said: str, averaged: str) -> bool:
    """Tell whether lines of frames count, and their average's reading is left out."""
    texts = [*said, averaged]
    reader = Told(texts)
    judge = Judge((reader,), Suspects(), matcher=IdentifierMatcher([]), policy=Policy.DEFAULT_DENY)
    crops = {f"{i}".encode(): np.full((14, 60), i, np.uint8) for i in range(len(texts))}
    judge.read(crops)
    frames = [*range(len(said)), -1]
    readings, counter = judge.fused(list(zip(frames, crops, strict=True)))
    return counter and averaged not in {reading.text for reading in readings}


def test_the_average_of_a_counter_says_nothing() -> None:
    assert _counted("1/12", "2/12", "3/12", "4/12", averaged="21122")


def test_the_average_of_what_does_not_count_is_evidence() -> None:
    assert not _counted("1/12", "1/12", "1/12", "2/12", averaged="21122")


class Placed(Told):
    """Reads `LIVER`, and says where and how surely."""

    def __init__(self, glyphs: npt.NDArray[np.float32], text: str = "LIVER") -> None:
        super().__init__([text])
        self._glyphs = glyphs

    def read(self, crops: Sequence[npt.NDArray[np.uint8]]) -> Transcripts:
        read = super().read(crops)
        return Transcripts(read.texts, read.confidences, (self._glyphs,) * len(crops))


@pytest.mark.parametrize(("shown", "unread"), [(5, False), (8, True)])
def test_a_reading_tells_its_weakest_glyph_and_whether_letters_are_left(
    shown: int, unread: bool
) -> None:
    centres = (np.arange(5) + 0.4) / 8
    glyphs = np.stack([centres, centres, [0.9, 0.7, 0.8, 1.0, 1.0]], axis=1).astype(np.float32)
    columns = (np.arange(80) % 10 < 8) & (np.arange(80) < 10 * shown)
    judge = Judge(
        [Placed(glyphs)], Suspects(), matcher=IdentifierMatcher([]), policy=Policy.DEFAULT_DENY
    )

    judge.read({b"line": np.zeros((10, 80), np.uint8)}, {b"line": Letters(columns, 10)})

    (reading,) = judge.readings(b"line")
    assert reading.weakest == pytest.approx(0.7)
    assert reading.unread is unread


def test_the_probability_of_a_blank_says_nothing() -> None:
    glyphs = np.array([[0.2, 0.2, 0.9], [0.5, 0.5, 0.1], [0.8, 0.8, 0.8]], np.float32)
    judge = Judge(
        [Placed(glyphs, "A B")], Suspects(), matcher=IdentifierMatcher([]), policy=Policy.PHI_ONLY
    )

    judge.read({b"line": np.zeros((10, 80), np.uint8)})

    assert judge.readings(b"line")[0].weakest == pytest.approx(0.8)


@pytest.mark.parametrize(("sign", "weakest"), [(".", 1.0), ("/", 1.0), ("&", 0.1), ("@", 0.1)])
def test_a_faint_separator_says_nothing_but_a_sign_may_be_a_letter(
    sign: str, weakest: float
) -> None:
    glyphs = np.array([[0.2, 0.2, 1.0], [0.5, 0.5, 0.1]], np.float32)
    judge = Judge(
        [Placed(glyphs, f"A{sign}")],
        Suspects(),
        matcher=IdentifierMatcher([]),
        policy=Policy.PHI_ONLY,
    )

    judge.read({b"line": np.zeros((10, 80), np.uint8)})

    assert judge.readings(b"line")[0].weakest == pytest.approx(weakest)


@pytest.mark.parametrize(
    ("texts", "agreed"),
    [(("ELVIS", "ELVIS"), True), (("ELVIS", "PELVIS"), False), (("ELVIS",), False)],
)
def test_what_all_readers_read_in_one_look_is_marked(texts: tuple[str, ...], agreed: bool) -> None:
    readers = [Told([text], sure) for text, sure in zip(texts, (0.95, 0.4), strict=False)]
    judge = Judge(readers, Suspects(), matcher=IdentifierMatcher([]), policy=Policy.DEFAULT_DENY)
    judge.read({b"line": np.zeros((14, 60), np.uint8)})

    readings, _ = judge.fused([(0, b"line")])

    assert {reading.agreed for reading in readings} == {agreed}

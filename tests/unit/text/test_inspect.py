"""What is looked at, what is read, what is remembered: with a detector and a reader of glyphs.

A "glyph" is a bright bar; how bright it is says what it reads: 250 is clinical, 240 a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pytest
from tests.unit.text.readers import SeesNothingElse

from cinescrub import geometry
from cinescrub.config import Policy
from cinescrub.policy.identifiers import HeaderIdentifier, IdentifierMatcher
from cinescrub.text.inspect import CineInspection, Inspector, Look
from cinescrub.text.novelty import SeenFrames
from cinescrub.types import PhiKind, Reason, TextBoxes, Transcripts

_READS = {250: "HR 72bpm", 240: "MIREILLE ROUX", 230: "Xqzzy Vrmb"}


class Bars:
    """Finds each bar of one brightness; counts the frames it looked at."""

    def __init__(self) -> None:
        self.looks: list[float] = []

    def detect(self, frames: npt.NDArray[np.uint8], *, scale: float = 1.0) -> list[TextBoxes]:
        self.looks += [scale] * len(frames)
        found = []
        for frame in frames:
            boxes = []
            for level in _READS:
                ys, xs = np.nonzero(frame[..., 0] == level)
                if len(ys):
                    boxes.append([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
            xyxy = np.array(boxes, np.int32).reshape(-1, 4)
            found.append(TextBoxes(xyxy, np.ones(len(xyxy), np.float32)))
        return found


class Reader(SeesNothingElse):
    """Reads a crop by its bars, the dimmest first; counts the crops."""

    def __init__(self) -> None:
        self.crops = 0

    def read(self, crops: Sequence[npt.NDArray[np.uint8]]) -> Transcripts:
        self.crops += len(crops)
        texts = tuple(
            " ".join(_READS[level] for level in np.unique(crop).tolist() if level in _READS)
            for crop in crops
        )
        return Transcripts(texts, np.full(len(crops), 0.9, np.float32))


class NoVotes:
    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.zeros(len(texts), np.float32)


@pytest.fixture
def bars() -> Bars:
    return Bars()


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def cine(bars: Bars, reader: Reader) -> CineInspection:
    return _open(bars, reader)


def _open(bars: Bars, *readers: Reader, checker: Bars | None = None) -> CineInspection:
    checkers = () if checker is None else (checker,)
    inspector = Inspector([bars], readers, NoVotes(), checkers=checkers)
    matcher = IdentifierMatcher([HeaderIdentifier(PhiKind.PERSON, "ROUX^MIREILLE")])
    return inspector.open(matcher, Policy.DEFAULT_DENY)


def _frame(**levels: int) -> npt.NDArray[np.uint8]:
    """Return a batch of one frame with bars at the places `top`, `middle`, `low`."""
    frame = np.zeros((1, 200, 300, 1), np.uint8)
    for place, level in levels.items():
        y = {"top": 60, "middle": 100, "low": 140}[place]
        frame[0, y : y + 10, 50:150] = level
    return frame


def test_clinical_lines_stay_and_the_rest_goes_with_its_reason(cine: CineInspection) -> None:
    cine.see(_frame(top=250, middle=240, low=230), [0])
    cine.settle()

    assert dict(cine.reasons) == {Reason.CLINICAL: 1, Reason.IDENTIFIER: 1, Reason.UNKNOWN: 1}
    assert sorted(cine.rectangles[:, 1].tolist()) == [98, 138]
    assert all(box[0] < 50 and box[2] > 150 for box in cine.rectangles.tolist())


class OneBox(Bars):
    """Finds one box around all bars, with a margin."""

    def detect(self, frames: npt.NDArray[np.uint8], *, scale: float = 1.0) -> list[TextBoxes]:
        each = [found.xyxy for found in super().detect(frames, scale=scale)]
        around = [
            np.concatenate([boxes[:, :2].min(axis=0) - 3, boxes[:, 2:].max(axis=0) + 3])[None]
            for boxes in each
        ]
        return [TextBoxes(box, np.ones(1, np.float32)) for box in around]


def _name_and_measurement() -> npt.NDArray[np.uint8]:
    """Return a batch of one frame with a line of two fields, of thin strokes as letters have."""
    frame = _frame(middle=240)
    frame[0, 100:110, 164:220] = 250
    frame[0, :, 2::4] = frame[0, :, 3::4] = 0
    return frame


def test_a_measurement_in_a_line_with_a_name_stays_where_it_stands_apart() -> None:
    cine = _open(OneBox(), Reader(), Reader())

    cine.see(_name_and_measurement(), [0])
    cine.settle()

    assert dict(cine.reasons) == {Reason.CLINICAL: 1, Reason.IDENTIFIER: 1}
    ((x0, _, x1, _),) = cine.rectangles.tolist()
    assert x0 < 50
    assert 148 < x1 < 164


def test_what_one_recogniser_alone_reads_as_a_measurement_goes_with_its_line() -> None:
    cine = _open(OneBox(), Reader())

    cine.see(_name_and_measurement(), [0])
    cine.settle()

    ((_, _, x1, _),) = cine.rectangles.tolist()
    assert x1 > 218


def test_a_line_that_identifies_as_a_whole_alone_goes_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(_READS, 240, "Map 3 Gain 17")
    monkeypatch.setitem(_READS, 250, "DEC 5 ms")  # the 17th of December
    cine = _open(OneBox(), Reader(), Reader())

    cine.see(_name_and_measurement(), [0])
    cine.settle()

    assert dict(cine.reasons) == {Reason.PATTERN: 1}
    ((x0, _, x1, _),) = cine.rectangles.tolist()
    assert x0 < 50
    assert x1 > 218


def test_what_is_certain_goes_at_first_sight(cine: CineInspection) -> None:
    cine.see(_frame(top=250, middle=240, low=230), [0])

    assert cine.rectangles[:, 1].tolist() == [98]


def test_a_frame_that_was_seen_is_not_looked_at_again(cine: CineInspection, bars: Bars) -> None:
    cine.see(_frame(top=250), [0])
    cine.see(_frame(top=250), [0])

    assert bars.looks == [1.0]
    assert cine.frames_inspected == 1
    assert cine.pixels_inspected == 200 * 300


def test_a_detail_look_is_had_even_of_a_seen_frame_and_enlarged(
    cine: CineInspection, bars: Bars
) -> None:
    cine.see(_frame(top=250), [0])
    cine.see(_frame(top=250), [0], Look.DETAIL)

    assert bars.looks[0] == 1.0
    assert max(bars.looks[1:]) > 1.0


def test_within_a_batch_only_new_frames_are_looked_at(cine: CineInspection, bars: Bars) -> None:
    cine.see(np.concatenate([_frame(top=250), _frame(low=240), _frame(top=250)]), [0, 1, 2])

    assert len(bars.looks) == 2
    assert len(cine.rectangles) == 1


def test_known_places_are_not_read_again(cine: CineInspection, reader: Reader) -> None:
    cine.see(_frame(top=250, middle=240), [0])
    other = _frame(top=250, middle=240)
    other[0, 190, 290] = 7

    before = len(cine.rectangles)
    cine.see(other, [0])

    assert reader.crops == 2
    assert len(cine.rectangles) == before


def test_a_kept_place_whose_pixels_change_is_read_again(cine: CineInspection) -> None:
    cine.see(_frame(top=250), [0])
    cine.see(_frame(top=240), [1])
    cine.settle()

    assert len(cine.rectangles) == 1


def test_text_that_appears_beside_a_kept_line_is_read_with_it(cine: CineInspection) -> None:
    cine.see(_frame(top=250), [0])
    longer = _frame(top=250)
    longer[0, 60:70, 155:165] = 240

    cine.see(longer, [1])
    cine.settle()

    assert cine.rectangles[:, 2].max() > 165


def test_only_new_parts_of_a_frame_are_looked_at(cine: CineInspection, bars: Bars) -> None:
    frame = _frame(top=240, low=240)[0]

    cine.see_parts(frame, 3, np.array([[0, 80, 300, 200]], np.int32))

    assert cine.rectangles[:, 1].tolist() == [138]
    assert cine.pixels_inspected == 120 * 300


def test_what_lies_at_the_cut_edge_of_a_part_was_judged_with_its_whole_line(
    cine: CineInspection,
) -> None:
    cine.see_parts(_frame(low=240)[0], 3, np.array([[0, 130, 300, 200]], np.int32))

    assert len(cine.rectangles) == 0


def test_a_part_that_is_redacted_whole_needs_no_look(cine: CineInspection, bars: Bars) -> None:
    cine.see(_frame(middle=240), [0])
    looks = len(bars.looks)

    cine.see_parts(_frame(middle=250)[0], 1, np.array([[60, 101, 120, 109]], np.int32))

    assert len(bars.looks) == looks


def test_residual_lines_are_counted_as_such(cine: CineInspection) -> None:
    cine.settle()

    cine.check(_frame(low=230), [0])

    assert cine.reasons[Reason.RESIDUAL] == 1
    assert len(cine.rectangles) == 1


def test_the_check_looks_in_another_size_than_the_inspection(
    cine: CineInspection, bars: Bars
) -> None:
    cine.see(_frame(top=250), [0], Look.DETAIL)
    before = set(bars.looks)
    cine.check(_frame(top=250), [0])

    assert bars.looks[-1] not in before


class Wavering(Reader):
    """Reads the bar of level 250 well, that of level 240 badly, and that of level 230 as a name."""

    _SAYS = MappingProxyType({250: ("HR 72bpm", 0.95), 240: ("HR 72bqn", 0.5), 230: ("ROUX", 0.9)})

    def read(self, crops: Sequence[npt.NDArray[np.uint8]]) -> Transcripts:
        said = [self._SAYS[int(crop.max())] for crop in crops]
        sure = np.array([confidence for _, confidence in said], np.float32)
        return Transcripts(tuple(text for text, _ in said), sure)


@pytest.mark.parametrize(("written", "gone"), [(240, 0), (230, 1)], ids=["misread", "another line"])
def test_what_the_check_reads_at_a_known_place_is_one_more_reading_of_it(
    bars: Bars, written: int, gone: int
) -> None:
    cine = _open(bars, Wavering())
    cine.see(_frame(top=250), [0])
    cine.settle()

    cine.check(_frame(top=written), [7])

    assert cine.reasons[Reason.RESIDUAL] == gone
    assert len(cine.rectangles) == gone


def test_without_a_place_the_same_reading_goes(bars: Bars) -> None:
    cine = _open(bars, Wavering())
    cine.settle()

    cine.check(_frame(top=240), [7])

    assert cine.reasons[Reason.RESIDUAL] == 1


def test_the_check_looks_with_other_eyes_where_there_are_others(bars: Bars, reader: Reader) -> None:
    checker = Bars()
    cine = _open(bars, reader, checker=checker)
    cine.see(_frame(top=250), [0])
    looks = len(bars.looks)

    cine.check(_frame(top=250), [0])

    assert len(bars.looks) == looks
    assert checker.looks


def test_what_was_kept_in_a_frame_explains_what_the_check_finds_there(
    cine: CineInspection, reader: Reader
) -> None:
    cine.see(_frame(top=250, middle=240), [0], Look.DETAIL)
    cine.settle()
    read, before = reader.crops, len(cine.rectangles)
    cut = _frame(top=250)
    cut[0, 60:70, 50:70] = 0  # a mask beside it took its first letter
    cut[0, 60:70, 75:80] = 240  # and what is left would be misread

    cine.check(cut, [0])

    assert len(cine.rectangles) == before
    assert reader.crops == read


def test_what_sticks_out_of_a_kept_place_by_less_than_a_letter_is_explained(
    cine: CineInspection,
) -> None:
    cine.see(_frame(top=250), [0], Look.DETAIL)
    cine.settle()
    wider = _frame()
    wider[0, 56:74, 42:158] = 240  # four pixels more on each side, as another size finds it

    cine.check(wider, [0])

    assert len(cine.rectangles) == 0


def test_what_sticks_out_of_a_kept_place_by_a_letter_is_judged(cine: CineInspection) -> None:
    cine.see(_frame(top=250), [0], Look.DETAIL)
    cine.settle()
    wider = _frame()
    wider[0, 60:70, 50:180] = 240

    cine.check(wider, [0])

    assert len(cine.rectangles) == 1


def test_what_was_kept_in_one_frame_explains_nothing_in_another(cine: CineInspection) -> None:
    cine.see(_frame(top=250), [0], Look.DETAIL)
    cine.settle()

    cine.check(_frame(top=240), [1])

    assert len(cine.rectangles) == 1


def test_every_look_is_on_record_with_its_lines(cine: CineInspection) -> None:
    part = np.array([[0, 80, 300, 200]], np.int32)
    cine.see(_frame(top=250), [0])
    cine.see_parts(_frame(low=250)[0], 7, part)

    (first, whole, lines), (second, parts, others) = cine.looks

    assert (first, whole, len(lines)) == (0, None, 1)
    assert parts is not None
    assert (second, parts.tolist(), others[:, 1].tolist()) == (7, part.tolist(), [140])


def test_what_the_cine_says_shows_in_no_representation(cine: CineInspection) -> None:
    cine.see(_frame(middle=240), [0])

    assert "ROUX" not in repr(cine)
    assert "ROUX" not in repr(vars(cine))


def test_frames_are_told_apart_by_any_single_pixel() -> None:
    seen = SeenFrames()
    frame = np.zeros((8, 8, 3), np.uint8)
    other = frame.copy()
    other[7, 7, 2] = 1

    assert [seen.is_new(f) for f in (frame, other, frame, other)] == [True, True, False, False]


class Blind:
    """Finds nothing."""

    def detect(self, frames: npt.NDArray[np.uint8], *, scale: float = 1.0) -> list[TextBoxes]:
        nothing = TextBoxes(np.zeros((0, 4), np.int32), np.zeros(0, np.float32))
        return [nothing] * len(frames)


class Puzzled(SeesNothingElse):
    """Reads nothing."""

    def read(self, crops: Sequence[npt.NDArray[np.uint8]]) -> Transcripts:
        return Transcripts(("",) * len(crops), np.zeros(len(crops), np.float32))


@pytest.mark.parametrize(("policy", "gone"), [(Policy.ALL_TEXT, 1), (Policy.DEFAULT_DENY, 0)])
def test_unreadable_ink_over_noise_goes_only_where_everything_does(
    policy: Policy, gone: int
) -> None:
    noise = np.random.default_rng(1).integers(0, 19, (1, 200, 300, 1)).astype(np.uint8)
    for x in (100, 114, 128):  # three letters, as an L and a bar
        noise[0, 90:106, x : x + 3] = noise[0, 103:106, x : x + 10] = 255
    inspector = Inspector([Blind(), Blind()], [Puzzled()], NoVotes())
    cine = inspector.open(IdentifierMatcher([]), policy, sector=np.zeros((200, 300), np.bool_))

    cine.see(noise, [0])
    cine.settle()

    assert bool(len(cine.rectangles)) is bool(gone)


class Boxed:
    """Finds one box in every frame."""

    def __init__(self, *xyxy: int) -> None:
        self.box = np.array([xyxy], np.int32)

    def detect(self, frames: npt.NDArray[np.uint8], *, scale: float = 1.0) -> list[TextBoxes]:
        return [TextBoxes(self.box, np.ones(1, np.float32))] * len(frames)


def _lettered_noise() -> npt.NDArray[np.uint8]:
    """Return a frame of speckle that holds strokes like those of two letters."""
    noise = np.random.default_rng(2).integers(0, 60, (1, 200, 300, 1)).astype(np.uint8)
    for x in (100, 114):
        noise[0, 90:106, x : x + 3] = noise[0, 103:106, x : x + 10] = 90
    return noise


def test_all_text_takes_echoes_at_first_sight_and_text_alone_in_the_check() -> None:
    """Each fill gives tissue other places to find something in, so that a check that took
    everything would never end."""
    inspector = Inspector([Boxed(98, 88, 126, 108), Blind()], [Puzzled()], NoVotes())
    seen = inspector.open(IdentifierMatcher([]), Policy.ALL_TEXT)
    checked = inspector.open(IdentifierMatcher([]), Policy.ALL_TEXT)

    seen.see(_lettered_noise(), [0])
    checked.check(_lettered_noise(), [0])

    assert len(seen.rectangles) == 1
    assert not len(checked.rectangles)


class ReadsAName(SeesNothingElse):
    """Reads the name of the header in every crop."""

    def read(self, crops: Sequence[npt.NDArray[np.uint8]]) -> Transcripts:
        return Transcripts(("ROUX",) * len(crops), np.full(len(crops), 0.9, np.float32))


def test_a_larger_box_around_what_goes_already_adds_nothing() -> None:
    tight, roomy = [98, 88, 126, 108], [90, 72, 150, 124]
    first, second = Boxed(*tight), Boxed(*tight)
    inspector = Inspector([first, second], [ReadsAName()], NoVotes())
    cine = inspector.open(
        IdentifierMatcher([HeaderIdentifier(PhiKind.PERSON, "ROUX^MIREILLE")]), Policy.DEFAULT_DENY
    )
    cine.see(_lettered_noise(), [0])
    once = cine.rectangles.tolist()
    second.box = geometry.as_boxes([roomy])

    cine.see(255 - _lettered_noise(), [1])
    cine.settle()

    (only,) = np.unique(cine.rectangles, axis=0).tolist()
    assert [only] == once


def test_beside_what_was_filled_tissue_is_tissue_to_the_check() -> None:
    inspector = Inspector([Boxed(98, 88, 126, 108), Blind()], [Puzzled()], NoVotes())
    cine = inspector.open(IdentifierMatcher([]), Policy.PHI_ONLY)
    frame = _lettered_noise()
    around = [(60, 60, 160, 84), (60, 112, 160, 140), (60, 84, 94, 112), (130, 84, 160, 112)]
    for x0, y0, x1, y1 in around:
        frame[0, y0:y1, x0:x1] = 0
    cine._known.hold(geometry.as_boxes(around), geometry.as_boxes(around))

    cine.check(frame, [0])

    assert not cine.reasons[Reason.RESIDUAL]


@pytest.mark.parametrize(("inside", "gone"), [(True, 0), (False, 1)])
def test_without_the_ink_rule_too_what_one_detector_sees_over_the_sector_is_doubted(
    inside: bool, gone: int
) -> None:
    frame = np.zeros((1, 200, 300, 1), np.uint8)
    frame[0, 90:106, 100:103] = frame[0, 103:106, 100:110] = 255
    sector = np.zeros((200, 300), np.bool_)
    sector[80:120, 80:140] = inside
    inspector = Inspector([Boxed(96, 86, 114, 110), Blind()], [Puzzled()], NoVotes())
    cine = inspector.open(IdentifierMatcher([]), Policy.PHI_ONLY, sector=sector, ink_rule=False)

    cine.see(frame, [0])
    cine.settle()

    assert len(cine.rectangles) == gone


def _bar_code() -> npt.NDArray[np.uint8]:
    """Return a batch of one frame with bars of several widths, which no detector here sees."""
    frame = np.zeros((1, 200, 300, 1), np.uint8)
    widths = np.random.default_rng(1).integers(2, 8, 40)
    row = np.repeat(np.arange(40) % 2 * 220, widths)
    frame[0, 60:100, 40 : 40 + len(row), 0] = row
    return frame


def test_a_bar_code_goes_and_is_counted_as_such(cine: CineInspection) -> None:
    cine.see(_bar_code(), [0])
    cine.settle()

    assert cine.reasons[Reason.CODE] == 1
    assert geometry.covered_share(geometry.as_boxes([[44, 62, 180, 98]]), cine.rectangles)[0] == 1


def test_a_bar_code_is_on_record_in_each_look_at_it(cine: CineInspection) -> None:
    """Else an interval would open its place in a frame that shows another."""
    cine.see(_bar_code(), [0], Look.DETAIL)
    cine.see(_bar_code() // 2, [1], Look.DETAIL)

    assert [len(lines) for _, _, lines in cine.looks] == [1, 1]
    assert cine.reasons[Reason.CODE] == 1


def test_a_bar_code_that_the_check_meets_is_a_residual(cine: CineInspection) -> None:
    cine.settle()
    cine.check(_bar_code(), [0])

    assert cine.reasons[Reason.RESIDUAL] == 1
    assert len(cine.rectangles) == 1


def test_where_only_what_is_known_to_identify_goes_a_bar_code_stays() -> None:
    inspector = Inspector([Bars()], [Reader()], NoVotes())
    cine = inspector.open(IdentifierMatcher([]), Policy.PHI_ONLY, ink_rule=False)

    cine.see(_bar_code(), [0])
    cine.settle()

    assert not len(cine.rectangles)

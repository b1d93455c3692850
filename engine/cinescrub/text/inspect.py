"""Inspection of one cine: detect, read and classify what is new, and decide what goes.

What a cine's overlay says lives in this object, for as long as its cine is worked on, and in the
bounded memory of the run's models (`text.memory`); what leaves it are boxes and counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.config import Policy
from cinescrub.masks import padded
from cinescrub.policy.identifiers import IdentifierMatcher
from cinescrub.policy.vocabulary import Vocabulary
from cinescrub.text.codes import MARGIN_PX, find_codes
from cinescrub.text.deidentifier import Scorer
from cinescrub.text.fields import with_fields_apart
from cinescrub.text.fills import filled, spared
from cinescrub.text.frame_lines import FrameLines
from cinescrub.text.ink import unexplained_ink
from cinescrub.text.judge import Judge
from cinescrub.text.known import KnownPlaces
from cinescrub.text.legible import LEGIBLE_PX, is_text, is_written_in_colour
from cinescrub.text.lines import hidden_words, join_words
from cinescrub.text.looks import Detector, Eyes, Look, LookSettings, Words
from cinescrub.text.novelty import SeenFrames
from cinescrub.text.overlaps import consisting, crossing, echoing
from cinescrub.text.places import crop_key
from cinescrub.text.recognizer import Reader, crop_lines
from cinescrub.text.sector import near
from cinescrub.text.sightings import Sightings
from cinescrub.text.strokes import Strokes
from cinescrub.text.unread import letters_of
from cinescrub.types import Boxes, Frame, Reason

__all__ = ["CineInspection", "Inspector", "Look"]

_CERTAIN = frozenset({Reason.IDENTIFIER, Reason.PATTERN, Reason.ALL_TEXT})
"""Reasons that no later reading takes back, so that a line goes at first sight."""
_INSET = np.array([1, 1, -1, -1], np.int32) * np.int32(MARGIN_PX)
"""A code is known where all but its margin is filled: from look to look it is found a pixel off."""
_SMEARED = 0.7
"""What nobody reads in an average is what frames show there, if lines that are read in them take
this share of it."""


class Inspector:
    """The models, shared by all cines; safe to use from several threads.

    Parameters
    ----------
    detectors : sequence of Detector
        What any of them finds is text. At least one.
    recognizers : sequence
        Each reads every line; a line has a reading of each (`policy.decide`). At least one.
    deidentifier
        The token classifier behind its pre- and post-processing.
    checkers : sequence of Detector
        Look at the written file; default: `detectors`.
    looks : LookSettings, optional
        How frames are looked at.
    """

    def __init__(
        self,
        detectors: Sequence[Detector],
        recognizers: Sequence[Reader],
        deidentifier: Scorer,
        *,
        checkers: Sequence[Detector] = (),
        looks: LookSettings | None = None,
    ) -> None:
        self.eyes = Eyes(detectors, checkers or detectors, looks)
        self.recognizers = tuple(recognizers)
        self.deidentifier = deidentifier

    def open(
        self,
        matcher: IdentifierMatcher,
        policy: Policy,
        *,
        vocabulary: Vocabulary | None = None,
        sector: npt.NDArray[np.bool_] | None = None,
        moving: npt.NDArray[np.bool_] | None = None,
        ink_rule: bool = True,
        rate: float | None = None,
    ) -> CineInspection:
        """Begin a cine.

        Parameters
        ----------
        matcher : IdentifierMatcher
            The identifiers of its header.
        policy : Policy
            What happens to its text.
        vocabulary : Vocabulary, optional
            Clinical terms; default: the project's own.
        sector : (H, W) bool array, optional
            The insonified part; over it detections are doubted. None: it isn't known.
        moving : (H, W) bool array, optional
            Where the picture moves: no codes are looked for there.
        ink_rule : bool
            Whether outside of the sector, where one is known, text-sized ink counts as text, and
            bar codes and the like go.
        rate : float, optional
            Frames a second; without it no line is known to count the cine's time.
        """
        return CineInspection(self, matcher, policy, vocabulary, sector, moving, ink_rule, rate)


class CineInspection:
    """What is known of one cine's text so far. Made by `Inspector.open`.

    Look at frames with `see` and `see_parts`, then `settle`: what is certain goes at first sight,
    the rest is decided when all readings of a place are known. `check` and `check_parts` look at
    the written file after that.
    """

    def __init__(
        self,
        inspector: Inspector,
        matcher: IdentifierMatcher,
        policy: Policy,
        vocabulary: Vocabulary | None,
        sector: npt.NDArray[np.bool_] | None,
        moving: npt.NDArray[np.bool_] | None,
        ink_rule: bool,
        rate: float | None,
    ) -> None:
        self._inspector = inspector
        self._policy = policy
        self._judge = Judge(
            inspector.recognizers,
            inspector.deidentifier,
            matcher=matcher,
            policy=policy,
            vocabulary=vocabulary,
            sector=sector,
            rate=rate,
        )
        self._sector = sector
        self._moving = moving
        self._ink_rule = ink_rule
        self._near_sector = None if sector is None else near(sector)
        self._seen = SeenFrames()
        self._sightings = Sightings()
        self._known = KnownPlaces()
        self._frame_size = (0, 0)
        self._checked: int | None = None
        self.reasons: Counter[Reason] = Counter()
        """Places decided, by reason, kept ones too, and each line that the check added."""
        self.looks: list[tuple[int, Boxes | None, Boxes]] = []
        """Every look of pass 1: frame number, parts (None: all of it), lines that were found."""
        self.frames_inspected = 0
        """Frames that the detectors ran on, whole or in part."""
        self.pixels_inspected = 0
        """Pixels that the detectors ran on before the file was written, in pixels of the frame."""

    @property
    def rectangles(self) -> Boxes:
        """What is to be filled: `(n, 4)` int32, padded and inside the frame, a copy."""
        return self._known.held.copy()

    def see(self, frames: Frame, numbers: Sequence[int], look: Look = Look.PLAIN) -> None:
        """Look at a batch of whole frames.

        Parameters
        ----------
        frames : (B, H, W, C) uint8 array
            Borrowed for the call.
        numbers : sequence of B int
            Which frames of the cine these are.
        look : Look
            How. A plain look skips frames with pixels that were seen.
        """
        skips = look is Look.PLAIN
        fresh = [b for b in range(len(frames)) if self._seen.is_new(frames[b]) or not skips]
        if not fresh:
            return
        batch = frames if len(fresh) == len(frames) else np.ascontiguousarray(frames[fresh])
        found = self._inspector.eyes.words(batch, look)
        self._count(len(fresh), batch.shape[1] * batch.shape[2] * len(fresh))
        for place, b in enumerate(fresh):
            self._meet(batch[place], numbers[b], found[place], look, None)

    def see_parts(self, frame: Frame, number: int, parts: Boxes, look: Look = Look.DETAIL) -> None:
        """Look at parts of one frame, each with context around what is new in it.

        Parameters
        ----------
        frame : (H, W, C) uint8 array
            Borrowed for the call.
        number : int
            Which frame of the cine this is.
        parts : (n, 4) int32 array
            Where, inside of the frame.
        look : Look
            How.
        """
        unknown = self._known.open_parts(parts)
        if not len(unknown):
            return
        found = [self._inspector.eyes.words_within(frame, p, look) for p in unknown]
        self._count(1, int(geometry.areas(unknown).sum()))
        self._meet(frame, number, Words.joined(found), look, unknown)

    def settle(self) -> None:
        """Decide all that was seen, from all readings of each place. To be called once."""
        places = [
            self._judge.fused(self._sightings.of_place(place))
            for place in range(self._sightings.places)
        ]
        decided: dict[bytes, tuple[Reason, ...]] = {}
        reasons: dict[int, Reason] = {}
        smeared: list[int] = []
        if self._policy is not Policy.ALL_TEXT:
            smeared = sorted(self._sightings.smeared(self._judge.is_legible, share=_SMEARED))
        self.reasons.update([Reason.NO_TEXT] * len(smeared))
        for seen in self._sightings:
            sighting = seen.only(~np.isin(seen.places, smeared))
            together = sighting.places.tobytes()
            if together not in decided:
                decided[together] = self._judge.decide_fused(
                    [places[place] for place in sighting.places], sighting.boxes, self._frame_size
                )
            gone = []
            for i, (place, why) in enumerate(zip(sighting.places, decided[together], strict=True)):
                if why.redacts:
                    gone.append(i)
                if not reasons.get(int(place), Reason.CLINICAL).redacts:
                    reasons[int(place)] = why
            self._known.hold(sighting.boxes[gone], sighting.filled[gone])
        self.reasons.update(reasons.values())

    def begin_check(self) -> Boxes | None:
        """Begin to look at written frames; return what was filled since those of the last check.

        Returns
        -------
        (n, 4) int32 array or None
            Places, padded; None at the first check, which is of everything.
        """
        before, self._checked = self._checked, len(self._known.held)
        return None if before is None else self._known.held[before:].copy()

    def check(self, frames: Frame, numbers: Sequence[int]) -> None:
        """Look at whole frames of the written file; what nobody judged yet goes too."""
        found = self._inspector.eyes.words(frames, Look.CHECK)
        self.frames_inspected += len(frames)
        for b, number in enumerate(numbers):
            self._find_residual(frames[b], number, found[b], Look.CHECK, None)

    def check_parts(self, frame: Frame, number: int, parts: Boxes, look: Look = Look.CHECK) -> None:
        """Look at parts of one frame of the written file."""
        unknown = self._known.open_parts(parts)
        if not len(unknown):
            return
        found = [self._inspector.eyes.words_within(frame, p, look) for p in unknown]
        self.frames_inspected += 1
        self._find_residual(frame, number, Words.joined(found), look, unknown)

    def _count(self, frames: int, pixels: int) -> None:
        self.frames_inspected += frames
        self.pixels_inspected += pixels

    def _meet(
        self, frame: Frame, number: int, words: Words, look: Look, parts: Boxes | None
    ) -> None:
        """Read the lines of one frame, or of parts of it; what is certain goes at once."""
        self._frame_size = (frame.shape[0], frame.shape[1])
        strokes = Strokes(frame)
        lines, echoes = self._read_words(frame, strokes, words, look)
        lines = self._with_ink(frame, strokes, lines, parts)
        told = lines.told
        decisions = self._decide(lines, told)
        kept = [i for i, why in zip(told, decisions, strict=True) if not why.redacts]
        codes = self._codes(frame, parts, lines.boxes[kept])
        self.looks.append((number, parts, np.concatenate([lines.boxes, codes])))
        detectors = self._inspector.eyes.detectors(look)
        places = filled(lines.boxes, strokes, words.sure_ends(lines.boxes, detectors, parts))
        beside = np.array([self._judge.is_beside_sector(box) for box in lines.boxes], np.bool_)
        # What stays is filled itself if it goes after all.
        places[beside] = spared(places[beside], lines.boxes[beside], lines.boxes[kept], strokes)
        self._sightings.add(number, lines.boxes[told], places[told], [lines.keys[i] for i in told])
        certain = [
            i
            for i, why in zip(told, decisions, strict=True)
            if why in _CERTAIN and not self._judge.may_count(lines.keys[i])
        ]
        for i, why in zip(told, decisions, strict=True):
            if lines.fresh[i]:
                self._known.remember(frame, lines.boxes[i], goes=why.redacts)
        self._known.hold(lines.boxes[certain], places[certain])
        self.reasons.update([Reason.CODE] * self._known.hold(codes + _INSET, codes))
        judged = np.concatenate([np.delete(lines.boxes, certain, axis=0), echoes])
        left = padded(judged, rows=frame.shape[0], columns=frame.shape[1])
        self._known.leave(number, left)

    def _find_residual(
        self, frame: Frame, number: int, words: Words, look: Look, parts: Boxes | None
    ) -> None:
        """Redact the lines of a written frame that nobody judged and the policy does not keep."""
        self._frame_size = (frame.shape[0], frame.shape[1])
        strokes = Strokes(frame, self._known.held)
        lines, _ = self._read_words(frame, strokes, words, look, number)
        fused = [
            self._judge.fused([*self._sightings.at(lines.boxes[i]), (number, lines.keys[i])])
            for i in lines.told
        ]  # another reading of a place is one more look at it
        decided = self._judge.decide_fused(fused, lines.boxes[lines.told], self._frame_size)
        gone = [
            i for i, why in zip(lines.told, decided, strict=True) if lines.fresh[i] and why.redacts
        ]
        self._known.hold(lines.boxes[gone], filled(lines.boxes[gone], strokes))
        left = self._known.left_in(number)
        codes = self._codes(frame, parts, left, filled=self._known.held)
        self.reasons[Reason.RESIDUAL] += len(gone) + self._known.hold(codes + _INSET, codes)

    def _codes(
        self, frame: Frame, parts: Boxes | None, kept: Boxes, filled: Boxes | None = None
    ) -> Boxes:
        """Return bar codes and the like that no line of text explains, read now or before."""
        if not self._ink_rule:
            return geometry.as_boxes()
        known = np.concatenate([kept, self._known.kept(frame)])
        explained = padded(known, rows=frame.shape[0], columns=frame.shape[1])
        return find_codes(
            frame, parts=parts, explained=explained, filled=filled, moving=self._moving
        )

    def _read_words(
        self, frame: Frame, strokes: Strokes, words: Words, look: Look, written: int | None = None
    ) -> tuple[FrameLines, Boxes]:
        """Join words to lines and read them; what turns out to be no text is left out.

        Words that hide in such a line are judged by themselves. In the frame `written` of the
        written file, lines of what was judged in its source are left out too. The boxes are those
        that only say what a line says, and are judged with it.
        """
        detectors = self._inspector.eyes.detectors(look)
        pending = join_words(words.xyxy, strokes)
        found: list[FrameLines] = []
        coloured: list[FrameLines] = []
        while len(pending):
            if written is not None:
                pending = pending[~self._known.is_explained(frame, pending, written)]
            lines = self._read_lines(frame, strokes, pending)
            if self._policy is Policy.ALL_TEXT and written is None:
                # All that a detector finds goes. Not so in the check, which each fill gives other
                # tissue to find something in, without end: there it takes text.
                found.append(lines)
                break
            lines = with_fields_apart(
                lines,
                self._judge,
                strokes,
                goes=lambda these, i: self._decide(these, [i])[0].redacts,
                read=lambda boxes: self._read_lines(frame, strokes, boxes),
            )
            empty = self._empty(
                lines, strokes, lambda box: detectors > 1 and words.doubted(box, detectors)
            )
            found.append(lines.only(~empty))
            in_colour = [is_written_in_colour(box, strokes) for box in lines.boxes]
            coloured.append(lines.only(np.array(in_colour, np.bool_) & empty))
            hidden = [hidden_words(box, words.xyxy) for box in lines.boxes[empty]]
            pending = np.concatenate([geometry.as_boxes(), *hidden])
        lines = FrameLines.joined(found)
        echo = echoing(lines, self._judge)
        echoes = lines.boxes[echo]
        lines = lines.only(~echo)
        lines = lines.only(~crossing(lines, self._judge, strokes))
        lines = lines.without_readings(
            consisting(lines, self._judge, strokes, lambda box: self._known.judged(frame, box))
        )
        return self._with_coloured(frame, lines, FrameLines.joined(coloured)), echoes

    def _with_coloured(self, frame: Frame, lines: FrameLines, coloured: FrameLines) -> FrameLines:
        """Return lines joined by coloured ones that nobody reads, where no line is known."""
        known = np.concatenate([lines.boxes, self._known.kept(frame)])
        alone = np.array(
            [not geometry.overlap(box, known).any() for box in coloured.boxes], np.bool_
        )
        self.reasons.subtract([Reason.NO_TEXT] * int(alone.sum()))  # they were counted so
        return FrameLines.joined([lines, coloured.only(alone)])

    def _empty(
        self,
        lines: FrameLines,
        strokes: Strokes,
        doubted: Callable[[npt.NDArray[np.int32]], bool],
    ) -> npt.NDArray[np.bool_]:
        """Return which lines that were read anew are no text, and count them.

        `doubted`: not every detector found a box.
        """
        empty = np.zeros(len(lines.boxes), np.bool_)
        for i in lines.told:
            if not lines.fresh[i]:
                continue
            box = lines.boxes[i]
            x0, y0, x1, y1 = box
            doubt = min(x1 - x0, y1 - y0) > LEGIBLE_PX or doubted(box)
            if doubt:
                around = self._near_sector
                inside = around is not None and around[y0:y1, x0:x1].mean() > 0.5
                doubt = bool(inside) or strokes.is_textured(box)
            readings = self._judge.readings(lines.keys[i])
            empty[i] = not is_text(box, readings, strokes, doubted=doubt)
        self.reasons.update([Reason.NO_TEXT] * int(empty.sum()))
        return empty

    def _read_lines(self, frame: Frame, strokes: Strokes, boxes: Boxes) -> FrameLines:
        """Read the lines of which nothing is known: neither redacted, nor kept with these pixels.

        What is known already is not read, but what was read before is a neighbour that counts. It
        is read, and no neighbour, where a line that is new overlaps it, which may say no more
        (`overlaps.echoing`).
        """
        fresh = self._known.is_fresh(frame, boxes)
        overlapped = geometry.covered_share(boxes, boxes[fresh]) > 0.0
        crops = crop_lines(frame, boxes)
        keys = [crop_key(crop) for crop in crops]
        was_read = fresh | np.array([k in self._judge for k in keys], np.bool_)
        asked = {keys[i]: int(i) for i in np.flatnonzero(fresh | overlapped)}
        self._judge.read(
            {key: crops[i] for key, i in asked.items()},
            {
                key: letters_of(boxes[i], strokes)
                for key, i in asked.items()
                if key not in self._judge
            },
        )
        return FrameLines(boxes, keys, fresh, was_read)

    def _decide(self, lines: FrameLines, which: Sequence[int]) -> tuple[Reason, ...]:
        keys = [lines.keys[i] for i in which]
        return self._judge.decide(keys, lines.boxes[list(which)], self._frame_size)

    def _with_ink(
        self, frame: Frame, strokes: Strokes, lines: FrameLines, parts: Boxes | None
    ) -> FrameLines:
        """Return lines joined by those of ink outside of the sector that no detector found."""
        if self._sector is None or not self._ink_rule:
            return lines
        rows, columns = frame.shape[:2]
        known = np.concatenate([lines.boxes, self._known.kept(frame)])
        explained = np.concatenate([padded(known, rows=rows, columns=columns), self._known.held])
        ink = unexplained_ink(strokes, explained, self._sector)
        if parts is not None:  # what lies elsewhere was judged in the frame where it was new
            ink = ink[geometry.covered_share(ink, parts) > 0.5]
        if not len(ink):
            return lines
        found = self._read_lines(frame, strokes, ink)
        if self._policy is not Policy.ALL_TEXT:
            found = found.only(~self._empty(found, strokes, lambda _: True))
        return FrameLines.joined([lines, found])

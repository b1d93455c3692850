"""Frames in memory: redacted in place, by what redacts files. Reads and writes no file.

What is looked at, decided and filled is `redactor`'s and `pixels`'; here arrays become frames that
they take, and what a caller knows of the patient becomes identifiers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from cinescrub.dicom.json_model import JsonHeader, scrubbed_json
from cinescrub.dicom.scrub import Claims, ScrubOutcome
from cinescrub.errors import ConfigError, InputError, RedactionError
from cinescrub.pipeline.job import Job
from cinescrub.pipeline.redactor import Redactor
from cinescrub.pixels.apply import fill_native
from cinescrub.policy.identifiers import HeaderIdentifier
from cinescrub.report import FileReport, Status
from cinescrub.syntaxes import EXPLICIT_LITTLE
from cinescrub.types import Boxes, CineInfo, Fill, MaskPlan, PhiKind

__all__ = ["ArrayFrames", "Identifiers", "Redaction", "fill_frames", "redact_cine", "redact_frames"]

Picture: TypeAlias = npt.NDArray[np.uint8]
"""(H, W) gray or (H, W, 3) R, G, B; uint8, C-contiguous."""


@dataclass(frozen=True, slots=True)
class Identifiers:
    """What is known of a patient and a study: text that holds any of it goes.

    The header of a file says these; with arrays, the caller does. Every form in which machines
    print them is looked for, misread letters included.

    Raises
    ------
    ConfigError
        A single string is given where several are meant, or what is no text.
    """

    names: Sequence[str] = field(default=(), repr=False)
    """Persons: `"Mary Jones"` or, as DICOM writes it, `"JONES^MARY"`."""
    ids: Sequence[str] = field(default=(), repr=False)
    """Patient IDs, accession numbers."""
    dates: Sequence[str | date] = field(default=(), repr=False)
    """Dates, of birth or study: `date`, `"1980-03-12"` or `"19800312"`."""
    places: Sequence[str] = field(default=(), repr=False)
    """Institutions and addresses."""

    def __post_init__(self) -> None:
        for name in ("names", "ids", "dates", "places"):
            values = getattr(self, name)
            if isinstance(values, str):
                raise ConfigError(f"{name} are several: give a list, also of one")
            if not all(isinstance(value, str | date) for value in values):
                raise ConfigError(f"{name} are texts: one is something else")

    def printed(self) -> Iterator[HeaderIdentifier]:
        """Yield them as a header's identifiers."""
        kinds = (
            (PhiKind.PERSON, self.names),
            (PhiKind.IDENTIFIER, self.ids),
            (PhiKind.DATE, self.dates),
            (PhiKind.INSTITUTION, self.places),
        )
        for kind, values in kinds:
            for value in values:
                text = value.strftime("%Y%m%d") if isinstance(value, date) else value
                yield HeaderIdentifier(kind, text)


@dataclass(frozen=True, slots=True, eq=False)
class Redaction:
    """What was done to an array. Holds no PHI."""

    plan: MaskPlan
    """Which rectangles were filled in which frames."""
    report: FileReport
    """Counts by reason, lines kept and seconds, as of a file."""
    header: Mapping[str, Any] | None = None
    """The header that came with the frames, scrubbed; None where there was none."""

    @property
    def rectangles(self) -> Boxes:
        """`(n, 4)` int32: x0, y0, x1, y1 in pixels, ends exclusive."""
        return self.plan.rectangles


@dataclass(frozen=True, slots=True, eq=False)
class ArrayFrames:
    """Pictures as the stored frames of a cine: uncompressed, 8 bits. Borrows them."""

    info: CineInfo
    pictures: Sequence[Picture]

    @classmethod
    def of(cls, pictures: Sequence[Any], rate: float | None) -> ArrayFrames:
        """Check pictures and tell what they are.

        Raises
        ------
        InputError
            There are none, they differ in size, or they aren't writable, contiguous uint8 of
            (H, W) or (H, W, 3).
        """
        if not len(pictures):
            raise InputError("no frames: give at least one")
        first = pictures[0]
        for picture in pictures:
            _check(picture, first)
        samples = 3 if first.ndim == 3 else 1
        info = CineInfo(
            transfer_syntax=EXPLICIT_LITTLE,
            frames=len(pictures),
            rows=first.shape[0],
            columns=first.shape[1],
            samples=samples,
            photometric="RGB" if samples == 3 else "MONOCHROME2",
            bits_allocated=8,
            bits_stored=8,
            high_bit=7,
            signed=False,
            planar=0,
            rate=rate,
        )
        return cls(info, pictures)

    def frame(self, k: int) -> memoryview:
        """Return the bytes of picture `k`: writable, borrowed."""
        return self.pictures[k].data.cast("B")

    def release(self) -> None:
        """Do nothing: the pictures are their owner's."""


def redact_cine(
    redactor: Redactor,
    job: Job,
    frames: ArrayFrames,
    identifiers: Identifiers,
    *,
    header: Mapping[str, Any] | None,
    scrub: Callable[[JsonHeader, Claims], ScrubOutcome],
) -> Redaction:
    """Redact pictures in place and scrub the header that came with them.

    Parameters
    ----------
    redactor : Redactor
        Who looks and plans.
    job : Job
        Gets counts and seconds.
    frames : ArrayFrames
        Modified in place.
    identifiers : Identifiers
        What is known besides the header.
    header : mapping or None
        Of the DICOM JSON Model.
    scrub : callable
        Returns a header without what identifies, given what was done to the pixels.

    Raises
    ------
    InputError
        The header is no such model, or tells another size.
    RedactionError
        Text is still found after `verify_rounds`.
    """
    known, told = tuple(identifiers.printed()), None
    if header is not None:
        told = JsonHeader.of(header)
        told.require_size(frames.info.rows, frames.info.columns)
        known += scrub(told, Claims()).printed
    plan = redact_frames(redactor, job, frames, known)
    changed = len(plan.rectangles) > 0
    scrubbed = None
    if told is not None:
        claims = Claims(True, changed, pixels_verified=True, policy=redactor.config.policy)
        scrubbed = scrubbed_json(scrub(told, claims))
    job.note(
        status=Status.OK,
        frames=frames.info.frames,
        fill=redactor.config.fill.value if changed else None,
        seconds=job.timer.seconds(),
    )
    return Redaction(plan, job.report, scrubbed)


def redact_frames(
    redactor: Redactor,
    job: Job,
    frames: ArrayFrames,
    identifiers: Sequence[HeaderIdentifier],
) -> MaskPlan:
    """Redact pictures in place: look, fill, look again, until nothing is left to redact.

    Parameters
    ----------
    redactor : Redactor
        Who looks and plans.
    job : Job
        Gets counts and seconds.
    frames : ArrayFrames
        Modified in place, inside of the plan's rectangles only.
    identifiers : sequence of HeaderIdentifier
        Whom they are of.

    Raises
    ------
    RedactionError
        Text is still found after `verify_rounds`.
    """
    config = redactor.config
    known = redactor.inspect(job, frames, identifiers)
    for _ in range(config.verify_rounds):
        plan = redactor.plan(job, frames, known)
        before = _covered(frames, plan)
        with job.timer.stage("apply"):
            fill_frames(frames, plan, config.fill)
        with job.timer.stage("verify"):
            if redactor.is_clean(job, frames, known):
                return plan
        # The next plan is made of what the frames showed, as that of a file is: a mean that is
        # filled in is taken of the picture, not of an earlier fill.
        _restore(frames, before)
    fill_frames(frames, plan, config.fill)
    raise RedactionError(f"text is still found after {config.verify_rounds} rounds: review this")


def fill_frames(frames: ArrayFrames, plan: MaskPlan, fill: Fill) -> None:
    """Fill the rectangles of a plan in place."""
    for k in range(frames.info.frames):
        rectangles = plan.at(k)
        if len(rectangles):
            fill_native(frames.frame(k), frames.info, rectangles, fill)


_Covered: TypeAlias = list[tuple[int, tuple[slice, slice], Picture]]


def _covered(frames: ArrayFrames, plan: MaskPlan) -> _Covered:
    """Return copies of what a plan covers: frame, place, pixels."""
    places = [
        (k, (slice(y0, y1), slice(x0, x1)))
        for k in range(frames.info.frames)
        for x0, y0, x1, y1 in plan.at(k).tolist()
    ]
    return [(k, place, frames.pictures[k][place].copy()) for k, place in places]


def _restore(frames: ArrayFrames, covered: _Covered) -> None:
    for k, place, pixels in covered:
        frames.pictures[k][place] = pixels


def _check(picture: Any, first: Any) -> None:
    """Refuse what is no picture like the first.

    Raises
    ------
    InputError
        See `ArrayFrames.of`.
    """
    masked = isinstance(picture, np.ma.MaskedArray)  # what lies under the mask would stay
    if not isinstance(picture, np.ndarray) or masked or picture.dtype != np.uint8:
        raise InputError("frames are NumPy arrays of uint8: scale and convert others before")
    colour = picture.ndim == 3 and picture.shape[2] == 3
    if not (colour or picture.ndim == 2) or not picture.size:
        raise InputError(f"frames are (H, W) or (H, W, 3): one is {picture.shape}")
    if picture.shape != first.shape:
        raise InputError(f"all frames are of one size: {first.shape} and {picture.shape}")
    if not picture.flags.c_contiguous or not picture.flags.writeable:
        raise InputError("frames are C-contiguous and writable, as they are redacted in place")

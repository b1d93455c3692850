"""Says why a string was missed, as far as that can be told from outside: by running again.

A missed string of which nothing changed is looked for in two more runs of its cine, with one option
changed each: if it goes when every frame is inspected, its frame was not looked at; if it goes when
every line is redacted, it was found and decided to be clinical; else no detector saw it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from cinescrub.testing.accuracy.tool import NOT_AN_OPTION, run_tool
from cinescrub.testing.reader import read_frames
from cinescrub.testing.score import CineScore, Miss, score_frames
from cinescrub.testing.truth import CineTruth

__all__ = ["Cause", "causes_of"]

_TIGHT_SHARE: Final = 0.1
"""Share of a string's ink that has to be gone for a box to have been there: the edge of a
neighbour's box, or a codec's block, touches less."""


class Cause(StrEnum):
    """Why an identifying string can still be read."""

    TIGHT = "box too tight"
    """Part of the ink is gone: it was found, and not covered whole."""
    NOT_LOOKED_AT = "frame not looked at"
    DECIDED_CLINICAL = "decided clinical"
    NOT_DETECTED = "not detected"
    UNKNOWN = "unknown"
    """The second run ended without an output, or the options for it do not exist."""


_AGAIN: Final = (
    (Cause.NOT_LOOKED_AT, ("--inspect", "every-frame")),
    (Cause.DECIDED_CLINICAL, ("--policy", "all-text")),
)


def causes_of(
    score: CineScore, truth: CineTruth, source: Path, folder: Path, options: Sequence[str]
) -> dict[str, Cause]:
    """Return the cause of each of a cine's misses, by the string's name.

    Parameters
    ----------
    score : CineScore
        Of a cine that has an output.
    truth : CineTruth
        Of that cine.
    source : Path
        The cine.
    folder : Path
        Scratch; made new.
    options : sequence of str
        What `cinescrub run` was given.
    """
    causes = {miss.name: Cause.TIGHT for miss in score.misses if miss.touched >= _TIGHT_SHARE}
    left = [miss for miss in score.misses if miss.name not in causes]
    if not left:
        return causes
    folder.mkdir()
    certain = True
    for cause, option in _AGAIN:
        names = _still_missed(truth, source, folder / option[1], (*options, *option))
        if names is None:
            certain = False
            continue
        causes |= dict.fromkeys(_names(left) - names, cause)
        left = [miss for miss in left if miss.name in names]
    rest = Cause.NOT_DETECTED if certain else Cause.UNKNOWN
    return causes | dict.fromkeys(_names(left), rest)


def _still_missed(
    truth: CineTruth, source: Path, folder: Path, options: Sequence[str]
) -> set[str] | None:
    run = run_tool([source], folder, options, quiet=True)
    output = run.output(source.name)
    if run.code == NOT_AN_OPTION or output is None:
        return None
    return _names(score_frames(read_frames(source), read_frames(output), truth).misses)


def _names(misses: Iterable[Miss]) -> set[str]:
    return {miss.name for miss in misses}

"""Report lines: one JSON object an input. Holds counts, sizes and UIDs of ours, never PHI.

A source path can itself hold a name; the report is for the operator and never lies inside the
output folder (the command line sees to it).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from cinescrub.errors import NotDicomError, error_of
from cinescrub.kinds import Url

__all__ = ["FileReport", "Status"]


class Status(StrEnum):
    """How one input ended."""

    OK = "ok"
    """The output exists, and everything that the report says of it was checked."""
    QUARANTINED = "quarantined"
    """Not handled: unsupported, malformed or in doubt. There is no output."""
    FAILED = "failed"
    """The surroundings failed (disk, model, configuration). There is no output."""
    SKIPPED = "skipped"
    """Not a DICOM instance, or a directory record."""


@dataclass(frozen=True, slots=True)
class FileReport:
    """What happened to one input."""

    source: Path
    status: Status
    output: Path | None = None
    reason: str | None = None
    """Why there is no output: the error's one line."""
    resumed: bool = False
    """Whether the output is an earlier run's: made of the very input with the same settings and
    models, and there byte for byte. The line is that run's, but for `source` and `seconds`."""
    exit_code: int = 0
    frames: int = 0
    inspected: int = 0
    """Frames that the detectors looked at, whole or in part, those of the check among them; also
    where the answer was remembered (`text.memory`)."""
    inspected_share: float = 0.0
    """Pixels that the detectors ran on before the file was written, as share of all frames'
    pixels. The rest had been inspected in an earlier frame."""
    redactions: Mapping[str, int] = field(default_factory=dict)
    """Redacted lines by reason."""
    kept: int = 0
    """Lines of text that were kept as clinical."""
    dismissed: int = 0
    """Detections that were no text, counted each time one was looked at."""
    sector: Mapping[str, str | float] = field(default_factory=dict)
    """The insonified part of the picture: what it was found by and its share of the picture."""
    rectangles: tuple[tuple[int, int, int, int], ...] = ()
    """What was filled, in pixels: x0, y0, x1, y1, ends exclusive."""
    fill: str | None = None
    """With what they were filled, `black` or `mean`; None where nothing was."""
    scrubbed: Mapping[str, int] = field(default_factory=dict)
    """Header elements by action."""
    header: tuple[Mapping[str, Any], ...] = ()
    """What was done to header elements and why: action, tag, reason and how many; no values."""
    profile: Mapping[str, str] = field(default_factory=dict)
    """Name and SHA-256 of the profile, and the fingerprint of the key."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of cinescrub, the runtime and pydicom; of models their SHA-256."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall seconds by stage."""
    cores: float = 0.0
    """Cores in use, on average, while the input was in work: CPU seconds of the whole process, so
    those of other inputs in work too, over wall seconds."""
    transfer_syntax: str | None = None
    transfer_syntax_out: str | None = None
    sha256_in: str | None = None
    sha256_out: str | None = None
    fetched_from: Url | None = None
    """Where the input lies, if in an object store: then `source` was a copy, which is gone."""
    uploaded_to: Url | None = None
    """Where the output lies, if in an object store: then `output` was a copy, which is gone."""

    @property
    def origin(self) -> str:
        """What names the input."""
        return str(self.fetched_from or self.source)

    def require_ok(self) -> None:
        """Return if there is an output, for callers that want an error where there is none.

        Raises
        ------
        CinescrubError
            The one that the input ended with: of its class by exit code, with its one line.
        NotDicomError
            The input was skipped.
        """
        if self.status is Status.SKIPPED:
            raise NotDicomError(self.reason)
        if self.status is not Status.OK:
            raise error_of(self.exit_code)(self.reason)

    def to_json(self) -> str:
        """Return the report as one line of JSON, in ASCII: a path need not be valid UTF-8."""
        return json.dumps(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, ready for JSON."""
        return {
            "source": self.origin,
            "output": str(self.uploaded_to or self.output) if self.output else None,
            "status": self.status.value,
            "reason": self.reason,
            "resumed": self.resumed,
            "frames": self.frames,
            "inspected": self.inspected,
            "inspected_share": round(self.inspected_share, 4),
            "redactions": dict(self.redactions),
            "kept": self.kept,
            "dismissed": self.dismissed,
            "sector": dict(self.sector),
            "rectangles": [list(box) for box in self.rectangles],
            "fill": self.fill,
            "scrubbed": dict(self.scrubbed),
            "header": [dict(done) for done in self.header],
            "profile": dict(self.profile),
            "versions": dict(self.versions),
            "seconds": {stage: round(s, 4) for stage, s in self.seconds.items()},
            "cores": round(self.cores, 2),
            "transfer_syntax": self.transfer_syntax,
            "transfer_syntax_out": self.transfer_syntax_out,
            "sha256_in": self.sha256_in,
            "sha256_out": self.sha256_out,
        }

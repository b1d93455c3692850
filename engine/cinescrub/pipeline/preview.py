"""What `run` would do with a file, for the eyes of an operator. Holds no PHI."""

from __future__ import annotations

from dataclasses import dataclass

from cinescrub.dicom.source import Source
from cinescrub.dicom.standard import is_modality, is_registered
from cinescrub.pixels import registry
from cinescrub.report import FileReport

__all__ = ["Preview", "structure_of"]


@dataclass(frozen=True, slots=True)
class Preview:
    """What `run` would do with a file. Holds no PHI."""

    report: FileReport
    structure: dict[str, str | int | None]


def structure_of(source: Source) -> dict[str, str | int | None]:
    """Return what a file is, in words of the standard only."""
    info = source.info
    return {
        "transfer_syntax": registry.syntax_of(info.transfer_syntax).name,
        # Values of the standard only: a file may hold anything in these.
        "sop_class": info.sop_class if is_registered(info.sop_class) else "not registered",
        "modality": info.modality if is_modality(info.modality) else "not a known one",
        "frames": info.frames,
        "rows": info.rows,
        "columns": info.columns,
        "photometric": (
            info.photometric if registry.is_photometric(info.photometric) else "not a known one"
        ),
        "samples": info.samples,
        "bits_stored": info.bits_stored,
        "regions": len(info.regions),
        "bytes": source.size,
    }

"""deid's pixel cleaner: rectangles by manufacturer and model, from rules about the header.

It looks at no pixel. What its rules don't know stays as it is, and is saved as it was.
"""

from __future__ import annotations

import shutil
import tempfile
from importlib import metadata
from pathlib import Path

from cinescrub.testing.accuracy.peers.files import FilePeer

__all__ = ["open_peer"]


class _Deid:
    name = "deid"

    def __init__(self) -> None:
        from deid.dicom import DicomCleaner

        self.version = metadata.version("deid")
        self._cleaner = DicomCleaner

    def redact(self, path: Path, target: Path) -> None:
        """Ask for coordinates, fill them, save."""
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            cleaner = self._cleaner(output_folder=folder)
            found = cleaner.detect(str(path))
            if not found["flagged"]:
                shutil.copyfile(path, target)
                return
            cleaner.clean()
            shutil.move(cleaner.save_dicom(), target)


def open_peer() -> FilePeer:
    """Open deid's cleaner."""
    return _Deid()

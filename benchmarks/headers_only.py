"""The header half of a run, for measurements and tests: no model looks at a pixel.

The pieces are those of the engine, in its order. The output says that its pixels were not
inspected, and is for comparing headers, not for use.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cinescrub import masks
from cinescrub.dicom.audit import audit_file
from cinescrub.dicom.file_meta import fresh_file_meta
from cinescrub.dicom.profile import Profile, basic_profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.scrub import Claims, scrub
from cinescrub.dicom.source import open_source
from cinescrub.dicom.writer import OutputFile
from cinescrub.errors import ScrubError
from cinescrub.pipeline.apply import write_pixels
from cinescrub.pixels import registry
from cinescrub.stream import CancelToken
from cinescrub.types import Fill

__all__ = ["KEY", "scrub_headers"]

KEY = Pseudonyms(bytes(range(32)))


def scrub_headers(
    path: Path, target: Path, *, audited: bool = True, profile: Profile | None = None
) -> None:
    """Scrub one file's header, clean its pixel stream, write, audit and commit.

    Raises
    ------
    CinescrubError
        As in a run: the file is refused, or its audit found something.
    """
    profile = profile or basic_profile()
    with open_source(path) as source:
        info = source.info
        registry.check(info)
        outcome = scrub(source.header, profile=profile, pseudonyms=KEY, claims=Claims())
        header = outcome.dataset
        meta = fresh_file_meta(
            sop_class=str(header.SOPClassUID),
            sop_instance=str(header.SOPInstanceUID),
            transfer_syntax=info.transfer_syntax,
        )
        with OutputFile(target) as output:
            output.write_header(meta, header)
            write_pixels(
                output,
                source,
                masks.with_rectangles(info, np.empty((0, 4), np.int32)),
                fill=Fill.BLACK,
                token=CancelToken(),
                tell=lambda _: None,
            )
            output.finish()
            if audited:
                found = audit_file(output.path, outcome.search, profile=profile, uids=outcome.uids)
                if found:
                    raise ScrubError("; ".join(found))
            output.commit()

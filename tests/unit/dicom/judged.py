"""What the audit says of a header alone."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO

from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from cinescrub.dicom.judge import Judge
from cinescrub.dicom.profile import Profile, basic_profile
from cinescrub.dicom.search import IdentifierSearch
from cinescrub.dicom.structure import Encoding
from cinescrub.dicom.values import texts
from cinescrub.dicom.walker import Value, Walker
from cinescrub.policy.identifiers import HeaderIdentifier


def faults(
    header: Dataset | bytes,
    identifiers: Iterable[HeaderIdentifier] = (),
    *,
    profile: Profile | None = None,
    uids: frozenset[str] = frozenset(),
    implicit: bool = False,
    little: bool = True,
) -> list[str]:
    """Walk an encoded header as the audit does; a dataset is encoded first."""
    if isinstance(header, Dataset):
        target = DicomBytesIO()
        target.is_implicit_VR, target.is_little_endian = implicit, little
        write_dataset(target, header)
        header = target.getvalue()
    used = profile or basic_profile()
    walker = Walker(BytesIO(header), Encoding(implicit, little))
    search = IdentifierSearch(identifiers)
    found = list(walker.walk())
    sop_class = "".join(t for v in found if v.tag == 0x00080016 for t in texts_of(v))
    judge = Judge.of(used, sop_class, search, uids)
    return [fault for value in found for fault in judge.faults(value)]


def texts_of(value: Value) -> tuple[str, ...]:
    return texts(value.element, "UI", value.charset)

"""Reading the container and the header: preamble, file meta, encoding, all before the pixels.

The only place where pydicom parses a file of a user. Whatever it raises, warns or logs on
malformed input ends here: its messages can hold values of the dataset. Nothing is interpreted
beyond what finding the dataset and its encoding needs.
"""

from __future__ import annotations

import logging
import re
import warnings
from dataclasses import dataclass, replace
from threading import Lock
from typing import BinaryIO

from pydicom import Dataset, config
from pydicom.charset import convert_encodings, default_encoding
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import data_element_generator
from pydicom.tag import BaseTag
from pydicom.uid import UID

from cinescrub.dicom.structure import (
    ITEM,
    PIXEL_TAGS,
    UNDEFINED,
    Element,
    Encoding,
    elements,
    label,
    meta_elements,
)
from cinescrub.errors import CinescrubError, InputError, NotDicomError
from cinescrub.syntaxes import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE

__all__ = [
    "BULK_BYTES",
    "Container",
    "Layout",
    "guarded",
    "lay_out",
    "open_container",
    "quiet",
    "raw_element",
    "read_header",
    "syntax_name",
]

BULK_BYTES = 1 << 20
"""Private elements longer than 1 MiB are left out of the header: the scrub removes them unread."""

MAX_HEADER_BYTES = 1 << 26
"""64 MiB of header values besides these: more is refused, so that memory stays bounded."""

_DICOMDIR = "1.2.840.10008.1.3.10"  # Media Storage Directory Storage, PS3.6 table A-1
_SOP_CLASS = 0x00080016
_CHARSET = 0x00080005
_STANDARD_ROOT = b"1.2.840.10008."
_UID = re.compile(rb"[0-9.]{1,64}[\0 ]?")
_NO_META = (
    (IMPLICIT_LITTLE, True, True),
    (EXPLICIT_LITTLE, False, True),
    (EXPLICIT_BIG, False, False),
)

# pydicom logs values of the dataset at WARNING, and Python prints what nobody handles: PHI on a
# terminal. Its debug log is for its developers, so nothing that our users need is lost.
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)

_quiet_lock = Lock()
_quiet_users = 0
_quiet_saved: warnings.catch_warnings[None] | None = None


class quiet:  # noqa: N801 - reads as a word: `with quiet():`
    """Ignore warnings while pydicom reads: they hold values.

    Counted, as `warnings.catch_warnings` alone restores another thread's filters: the first one
    in saves them, the last one out restores them.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        global _quiet_users, _quiet_saved
        with _quiet_lock:
            if _quiet_users == 0:
                _quiet_saved = warnings.catch_warnings()
                _quiet_saved.__enter__()
                warnings.simplefilter("ignore")
            _quiet_users += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        global _quiet_users, _quiet_saved
        with _quiet_lock:
            _quiet_users -= 1
            if _quiet_users == 0 and _quiet_saved is not None:
                _quiet_saved.__exit__(None, None, None)
                _quiet_saved = None


class guarded(quiet):  # noqa: N801 - reads as a word
    """Turn whatever pydicom raises on malformed input into an InputError with a fixed message.

    The cause is dropped on purpose: its text can hold a value of the dataset.
    """

    __slots__ = ("_message",)

    def __init__(self, message: str) -> None:
        self._message = message

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        super().__exit__(kind, error, trace)
        # pydicom raises a dozen kinds, from RecursionError to struct.error
        if isinstance(error, Exception) and not isinstance(error, CinescrubError):
            raise InputError(self._message) from None


@dataclass(frozen=True, slots=True)
class Container:
    """What surrounds the dataset (PS3.10 7.1)."""

    meta: FileMetaDataset
    syntax: str
    """Transfer syntax UID, declared or proved."""
    dataset: int
    """Offset of the first byte of the dataset, deflated or not."""
    notes: tuple[str, ...]
    """What was concluded that the file doesn't say; no PHI."""

    @property
    def encoding(self) -> Encoding:
        """How the dataset's elements are encoded; encapsulated syntaxes are explicit, little."""
        return Encoding(self.syntax == IMPLICIT_LITTLE, self.syntax != EXPLICIT_BIG)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the root's elements are."""

    header: tuple[Element, ...]
    pixels: Element | None
    """Pixel Data, Float or Double Float Pixel Data; None if the dataset has none of them."""
    encoding: Encoding
    """Of the root: as declared, or as proved where the declaration is wrong."""
    notes: tuple[str, ...] = ()
    """What was tolerated; no PHI."""


def syntax_name(uid: str) -> str:
    """Return the standard's name of a UID, or a neutral one: a private UID is not shown."""
    known = UID(uid, validation_mode=config.IGNORE)  # a warning would hold the UID
    return known.name if known.name != uid else "private or unknown UID"


def open_container(file: BinaryIO, size: int) -> Container:
    """Find out by content whether `file` is DICOM, where its dataset starts and how it is encoded.

    Raises
    ------
    NotDicomError
        The content isn't DICOM, or it is a DICOMDIR.
    InputError
        It is DICOM but broken before the dataset.
    """
    file.seek(0)
    head = file.read(132)
    start = 132 if head[128:] == b"DICM" else 0
    meta, dataset = FileMetaDataset(), start
    if start or head[:2] == b"\x02\x00":
        try:
            meta, dataset = _read_meta(file, start, size)
        except InputError:
            if not start:  # it was a guess
                raise NotDicomError("not DICOM: no DICM prefix and no file meta") from None
            raise
    if _uid(meta, 0x00020002) == _DICOMDIR:
        raise NotDicomError("DICOMDIR: a directory of instances, not an instance")
    syntax = _uid(meta, 0x00020010)
    if syntax:
        if not start and not syntax.encode().startswith(_STANDARD_ROOT):
            raise NotDicomError("not DICOM: no DICM prefix and no file meta")
        return Container(meta, syntax, dataset, ())
    return _without_syntax(file, size, meta, dataset, prefixed=bool(start))


def _read_meta(file: BinaryIO, start: int, size: int) -> tuple[FileMetaDataset, int]:
    """Read group 0002: always Explicit VR Little Endian (PS3.10 7.1)."""
    file.seek(start)
    stop = start
    found: list[RawDataElement] = []
    for element in meta_elements(file, size):
        if element.length == UNDEFINED or element.value + element.length > size:
            raise InputError("truncated: the file ends inside the file meta information")
        stop = element.value + element.length
        if stop - start > BULK_BYTES:
            raise InputError("the file meta information is longer than 1 MiB: refused")
        file.seek(element.value)
        value = file.read(element.length)
        tag, vr, length, _, at = element
        found.append(RawDataElement(BaseTag(tag), vr, length, value, at, False, True))
    with guarded("malformed: the file meta information can't be read"):
        return FileMetaDataset({raw.tag: raw for raw in found}), stop


def _uid(dataset: Dataset, tag: int) -> str:
    """Return a single-valued UID, or nothing."""
    raw = raw_element(dataset, tag)
    if raw is not None and raw.VR == "UI" and raw.value and _UID.fullmatch(raw.value):
        return str(raw.value.rstrip(b"\0 ").decode("ascii"))
    with guarded(f"malformed: {label(tag)} can't be read"):
        value: object = dataset[BaseTag(tag)].value if BaseTag(tag) in dataset else None
    return str(value).strip("\0 ") if isinstance(value, str) else ""


def _without_syntax(
    file: BinaryIO, size: int, meta: FileMetaDataset, dataset: int, *, prefixed: bool
) -> Container:
    """Find the one native encoding that the dataset parses in; PS3.10 requires it to be said."""
    proved, plausible = [], prefixed
    for syntax, implicit, little in _NO_META:
        whole, known = _parses(file, size, dataset, Encoding(implicit, little), native=True)
        plausible = plausible or known
        if whole and known:
            proved.append(syntax)
    if len(proved) == 1:
        note = f"no transfer syntax stated: read as {syntax_name(proved[0])}, which alone parses"
        return Container(meta, proved[0], dataset, (note,))
    if not plausible:
        raise NotDicomError("not DICOM: no DICM prefix and no elements of a dataset")
    raise InputError("the transfer syntax is not stated and can't be proved from the content")


def _parses(
    file: BinaryIO, size: int, start: int, encoding: Encoding, *, native: bool = False
) -> tuple[bool, bool]:
    """Whether the dataset parses to its (native) pixel data or end, and whether it is DICOM."""
    file.seek(start)
    known, before = False, 0
    try:
        for element in elements(file, encoding, size):
            if before == 0 and element.tag >> 16 != 0x0008:
                return False, False
            if element.tag <= before:  # PS3.5 7.1: ascending
                return False, known
            before = element.tag
            if element.tag == _SOP_CLASS:
                file.seek(element.value)
                known = file.read(len(_STANDARD_ROOT)) == _STANDARD_ROOT
            if element.tag in PIXEL_TAGS:
                return not native or element.length != UNDEFINED, known
    except InputError:
        return False, known
    return True, known


def lay_out(file: BinaryIO, start: int, encoding: Encoding, end: int | None) -> Layout:
    """List the root's elements up to the pixel data, all of them checked to be whole.

    Some writers state a transfer syntax and then write the other kind of VR. That is followed
    where the content proves it: not one element parses as declared, all of them do otherwise.

    Parameters
    ----------
    file : binary file
        Borrowed.
    start : int
        Offset of the dataset in it.
    encoding : Encoding
        As declared.
    end : int or None
        Where the file ends, None for a deflated stream.

    Raises
    ------
    InputError
        The dataset doesn't parse, or an element occurs twice.
    """
    file.seek(start)
    try:
        return _list(file, encoding, end)
    except InputError:
        other = Encoding(not encoding.implicit, encoding.little)
        if end is None or not all(_parses(file, end, start, other)):
            raise
    file.seek(start)
    kind = "implicit" if other.implicit else "explicit"
    layout = _list(file, other, end)
    note = f"the dataset has {kind} VR, against its transfer syntax: read as what it is"
    return replace(layout, notes=(*layout.notes, note))


def _list(file: BinaryIO, encoding: Encoding, end: int | None) -> Layout:
    header: list[Element] = []
    seen: set[int] = set()
    pixels: Element | None = None
    total = 0
    for element in elements(file, encoding, end):
        if element.tag in PIXEL_TAGS:
            pixels = element
            break
        if element.tag in seen and element.tag != ITEM:
            raise InputError(f"malformed: {label(element.tag)} occurs twice")
        seen.add(element.tag)
        header.append(element)
        if element.length != UNDEFINED and not _left_out(element):
            total += element.length
        if total > MAX_HEADER_BYTES:
            raise InputError("the header is longer than 64 MiB: refused to keep memory bounded")
    notes = ("a sequence item outside of any sequence was left out",) if ITEM in seen else ()
    return Layout(tuple(header), pixels, encoding, notes)


def _left_out(element: Element) -> bool:
    if element.length <= BULK_BYTES or element.tag == ITEM:
        return element.tag == ITEM
    private_bulk = bool(element.tag >> 16 & 1)
    return private_bulk and not (element.length == UNDEFINED and element.vr in ("SQ", "UN"))


def read_header(file: BinaryIO, layout: Layout) -> tuple[Dataset, tuple[int, ...]]:
    """Read what `layout` lists into a pydicom dataset.

    Parameters
    ----------
    file : binary file
        Borrowed.
    layout : Layout
        From `lay_out` of the same bytes.

    Returns
    -------
    dataset : Dataset
        Owned by the caller; values not yet converted by pydicom, and no pixel data.
    left_out : tuple of int
        Tags of private elements over `BULK_BYTES`, which were not read.
    """
    implicit, little = layout.encoding.implicit, layout.encoding.little
    held: dict[BaseTag, RawDataElement | DataElement] = {}
    codecs: str | list[str] = default_encoding
    left_out = []
    start, block = _at_once(file, layout)
    with guarded("malformed: the header can't be read"):
        for element in layout.header:
            tag, vr, length, at, value_at = element
            if _left_out(element):
                left_out.append(tag)
                continue
            key = BaseTag(tag)
            if length == UNDEFINED:
                file.seek(at)
                held[key] = next(data_element_generator(file, implicit, little, encoding=codecs))
                continue
            value = block[value_at - start : value_at - start + length]
            if len(value) < length:
                file.seek(value_at)
                value = file.read(length)
            stated = None if implicit else vr
            raw = RawDataElement(key, stated, length, value, value_at, implicit, little)
            held[key] = raw
            if tag == _CHARSET:
                codecs = convert_encodings(convert_raw_data_element(raw).value)
        dataset = Dataset(held)
        dataset.set_original_encoding(implicit, little, codecs)
    return dataset, tuple(left_out)


def _at_once(file: BinaryIO, layout: Layout) -> tuple[int, bytes]:
    """Read a header of common size in one go; return its offset and its bytes, perhaps none."""
    if not layout.header:
        return 0, b""
    start, last = layout.header[0].start, layout.header[-1]
    end = last.value + (0 if last.length == UNDEFINED else last.length)
    if end - start > BULK_BYTES:
        return start, b""
    file.seek(start)
    return start, file.read(end - start)


def raw_element(dataset: Dataset, tag: int) -> RawDataElement | None:
    """Return an element as it was read, not converted; None if there is none such."""
    if BaseTag(tag) not in dataset:
        return None
    # pydicom's annotation says DataElement, which this is only once it was converted
    element: object = dataset.get_item(BaseTag(tag), keep_deferred=True)
    return element if isinstance(element, RawDataElement) else None

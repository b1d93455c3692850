"""What the header says of the pixels, checked: `CineInfo` out, or a refusal that names the tag.

Reads values of a header; opens nothing and decodes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from cinescrub.dicom.header import guarded, raw_element, syntax_name
from cinescrub.dicom.palette import read_palette
from cinescrub.dicom.structure import label
from cinescrub.dicom.values import dictionary_vr, first_text
from cinescrub.errors import InputError
from cinescrub.types import CineInfo, Palette, Region

__all__ = ["describe", "refuse_without_pixels", "require_identity"]

_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
_MODALITY = 0x00080060
_MANUFACTURER, _MODEL = 0x00080070, 0x00081090
_CINE_RATE, _FRAME_TIME = 0x00180040, 0x00181063
_REGIONS = 0x00186011
_CORNERS = (0x00186018, 0x0018601A, 0x0018601C, 0x0018601E)
_SAMPLES, _PHOTOMETRIC, _PLANAR, _FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
_ROWS, _COLUMNS = 0x00280010, 0x00280011
_ALLOCATED, _STORED, _HIGH_BIT, _SIGNED = 0x00280100, 0x00280101, 0x00280102, 0x00280103

_SAMPLES_OF = {  # PS3.3 C.7.6.3.1.2
    "MONOCHROME1": 1,
    "MONOCHROME2": 1,
    "PALETTE COLOR": 1,
    "RGB": 3,
    "YBR_FULL": 3,
    "YBR_FULL_422": 3,
    "YBR_PARTIAL_420": 3,
    "YBR_PARTIAL_422": 3,
    "YBR_ICT": 3,
    "YBR_RCT": 3,
}
_MAX_RATE = 1e6
_MAX_FRAMES = 2**31 - 1  # VR IS, PS3.5 6.2


@dataclass(frozen=True, slots=True)
class _Bits:
    allocated: int
    stored: int
    high: int
    signed: bool


def describe(header: Dataset, transfer_syntax: str, *, little: bool, words: bool) -> CineInfo:
    """Return what decoding, masking and writing need to know.

    Parameters
    ----------
    header : Dataset
        All elements before the pixel data, as read.
    transfer_syntax : str
        UID.
    little : bool
        Byte order of the header.
    words : bool
        Whether the pixel data are 16-bit words (VR OW).

    Raises
    ------
    InputError
        An attribute of the image is missing, not single-valued, out of range or contradicts
        another.
    """
    samples = _integer(header, _SAMPLES, 1, 4)
    photometric = _code(header, _PHOTOMETRIC)
    if samples == 4 or _SAMPLES_OF.get(photometric, samples) != samples:
        raise InputError(f"{samples} samples a pixel do not fit the photometric interpretation")
    bits = _bits(header)
    _check_overlays(header, bits)
    palette: Palette | None = None
    if photometric == "PALETTE COLOR":
        palette = read_palette(header, little=little, signed=bits.signed)
    return CineInfo(
        transfer_syntax=transfer_syntax,
        frames=_frames(header),
        rows=_integer(header, _ROWS, 1, 65535),
        columns=_integer(header, _COLUMNS, 1, 65535),
        samples=samples,
        photometric=photometric,
        bits_allocated=bits.allocated,
        bits_stored=bits.stored,
        high_bit=bits.high,
        signed=bits.signed,
        planar=_integer(header, _PLANAR, 0, 1, missing=0) if samples > 1 else 0,
        palette=palette,
        sop_class=_text(header, _SOP_CLASS),
        modality=_text(header, _MODALITY),
        regions=_regions(header),
        rate=_rate(header),
        device=tuple(filter(None, (_machine(header, tag) for tag in (_MANUFACTURER, _MODEL)))),
        words=words and not little and bits.allocated == 8,
    )


def require_identity(header: Dataset) -> None:
    """Refuse a dataset without SOP Class and SOP Instance UID (PS3.3 C.12.1, type 1)."""
    for tag in (_SOP_CLASS, _SOP_INSTANCE):
        uid = _text(header, tag)
        if not uid or len(uid) > 64:
            raise InputError(f"{label(tag)} is missing or not a UID: not a composite instance")


def refuse_without_pixels(header: Dataset) -> InputError:
    """Return the refusal of an object that has no Pixel Data, naming its kind."""
    kind = syntax_name(_text(header, _SOP_CLASS))
    return InputError(f"no pixel data: {kind} objects are not supported yet")


def _check_overlays(header: Dataset, bits: _Bits) -> None:
    """Refuse overlays in bits of the pixels that are used.

    Those in unused bits (retired; PS3.3-2004 C.9.2) go with all other unused bits, as the scrub
    takes overlay elements out. In used bits they couldn't be told from the picture.
    """
    # PS3.5 7.6 has sixteen groups of overlays, older files more. Most images have none.
    groups = {key >> 16 for key in header.keys()}  # noqa: SIM118 - a Dataset iterates over elements
    for group in sorted(g for g in groups if g >> 8 == 0x60 and not g & 1):
        own = _integer(header, group << 16 | 0x0100, 0, 65535, missing=1)
        bit = _integer(header, group << 16 | 0x0102, 0, 65535, missing=0)
        unused = bits.stored <= bit < bits.allocated
        if not unused and (own, bit) != (1, 0) and BaseTag(group << 16 | 0x3000) not in header:
            raise InputError(f"the overlay of group {group:04X} lies in no unused bit: malformed")


def _rate(header: Dataset) -> float | None:
    """Return frames a second; nothing depends on it but whether a counter is told from a clock."""
    for tag, times in ((_FRAME_TIME, True), (_CINE_RATE, False)):
        try:
            value = float(first_text(header, tag))
        except ValueError:
            continue
        if 0 < value < _MAX_RATE:
            return 1000 / value if times else value
    return None


def _bits(header: Dataset) -> _Bits:
    allocated = _integer(header, _ALLOCATED, 1, 64)
    if allocated not in (8, 16, 32):
        raise InputError(f"{label(_ALLOCATED)} is {allocated}: only 8, 16 and 32 are supported")
    stored = _integer(header, _STORED, 1, allocated)
    return _Bits(
        allocated,
        stored,
        _integer(header, _HIGH_BIT, stored - 1, allocated - 1, missing=stored - 1),
        bool(_integer(header, _SIGNED, 0, 1)),
    )


def _frames(header: Dataset) -> int:
    """Return NumberOfFrames; single-frame objects have none, and some writers leave it empty."""
    return _integer(header, _FRAMES, 1, _MAX_FRAMES, missing=1)


def _single(header: Dataset, tag: int) -> object:
    """Return the value of an element that may have one; None where it is missing or empty."""
    if BaseTag(tag) not in header:
        return None
    if (known := _plain(header, tag)) is not None:
        return known
    with guarded(f"malformed: {label(tag)} can't be read"):
        value: object = header[BaseTag(tag)].value
    if isinstance(value, MultiValue | list):  # numbers come as a list, text as a MultiValue
        raise InputError(f"malformed: {label(tag)} has several values")
    return None if value in ("", b"") else value


def _plain(header: Dataset, tag: int) -> int | str | None:
    """Return a value that reads in one way only, and leave the element as it was read.

    None for all others: those are pydicom's to convert.
    """
    raw = raw_element(header, tag)
    value = None if raw is None else raw.value
    if raw is None or not value:
        return None
    vr = raw.VR or dictionary_vr(tag)
    if vr == "US":
        return (
            int.from_bytes(value, "little" if raw.is_little_endian else "big")
            if len(value) == 2
            else None
        )
    if vr in ("CS", "UI") and _WORD.fullmatch(value):
        return value.rstrip(b"\0 ").decode("ascii")
    return int(value) if vr == "IS" and _DIGITS.fullmatch(value) else None


_WORD: Final = re.compile(rb"[A-Z0-9_.]+( [A-Z0-9_.]+)*[\0 ]?")
_DIGITS: Final = re.compile(rb"[0-9]{1,9} ?")


def _integer(
    header: Dataset, tag: int, lowest: int, highest: int, *, missing: int | None = None
) -> int:
    value = _single(header, tag)
    if value is None:
        if missing is None:
            raise InputError(f"{label(tag)} is missing")
        return missing
    if not isinstance(value, int):
        raise InputError(f"malformed: {label(tag)} is not a whole number")
    if not lowest <= value <= highest:
        raise InputError(f"{label(tag)} is out of range: {lowest} to {highest} is allowed")
    return int(value)


def _text(header: Dataset, tag: int) -> str:
    """Return a single text value, empty where there is none or several."""
    known = _plain(header, tag)
    if known is not None:
        return known if isinstance(known, str) else ""
    with guarded(f"malformed: {label(tag)} can't be read"):
        value: object = header[BaseTag(tag)].value if BaseTag(tag) in header else None
    return value.strip("\0 ") if isinstance(value, str) else ""


def _machine(header: Dataset, tag: int) -> str:
    """Return a name of the machine in ASCII, empty where there is none: nothing depends on it."""
    raw = raw_element(header, tag)
    if raw is not None:
        return (raw.value or b"").decode("ascii", "ignore").strip("\0 ")
    return str(header[BaseTag(tag)].value).strip("\0 ") if BaseTag(tag) in header else ""


def _code(header: Dataset, tag: int) -> str:
    value = _single(header, tag)
    if not isinstance(value, str) or not value.strip("\0 "):
        raise InputError(f"{label(tag)} is missing")
    return value.strip("\0 ")


def _regions(header: Dataset) -> tuple[Region, ...]:
    """Return the ultrasound regions. One that can't be read is left out.

    That is the safe side: what lies in no region counts as outside of the sector, where more is
    redacted.
    """
    with guarded(f"malformed: {label(_REGIONS)} can't be read"):
        element: DataElement | None = header.get(BaseTag(_REGIONS))
        items = list(element.value or ()) if element is not None and element.VR == "SQ" else []
    regions = []
    for item in items:
        try:
            region = _region(item)
        except InputError:
            continue
        regions.append(region)
    return tuple(regions)


def _region(item: Dataset) -> Region:
    x0, y0, x1, y1 = (_integer(item, tag, 0, 2**31 - 1) for tag in _CORNERS)
    return Region(
        x0,
        y0,
        x1,
        y1,
        spatial_format=_integer(item, 0x00186012, 0, 65535, missing=0),
        data_type=_integer(item, 0x00186014, 0, 65535, missing=0),
    )

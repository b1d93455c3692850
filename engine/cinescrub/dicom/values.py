"""Values of a header as they are stored, read without pydicom's conversions.

pydicom converts a value when it is asked for; on bad input it then warns, logs or raises with the
value in the message. So bytes are judged and decoded here, strictly, and kept values reach
the output as the very bytes that came in. Nothing here decides what is kept.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from functools import cache, lru_cache
from io import BytesIO
from typing import Final, Literal, TypeAlias

from pydicom import Dataset
from pydicom.datadict import dictionary_VM, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.values import convert_SQ

from cinescrub.dicom.charset import (
    DEFAULT_CHARSET,
    TEXT_VRS,
    Charset,
    charset_of_terms,
    decode,
    is_plain,
)
from cinescrub.dicom.header import guarded, quiet
from cinescrub.dicom.structure import Encoding, elements, label
from cinescrub.errors import InputError

__all__ = [
    "BULK_VRS",
    "DEFAULT_CHARSET",
    "NUMBER_VRS",
    "STRING_VRS",
    "Charset",
    "Parsed",
    "Stored",
    "charset_of",
    "checked_texts",
    "data",
    "decoded",
    "dictionary_vr",
    "first_text",
    "fits",
    "integer",
    "is_empty",
    "items",
    "representation",
    "stored",
    "texts",
]

Stored: TypeAlias = RawDataElement | DataElement
"""An element as pydicom holds it: raw if nobody has asked for its value yet."""

Parsed: TypeAlias = dict[int, tuple[Stored, Sequence[Dataset]]]
"""Items of sequences by the identity of their element."""

CHARSET_TAG: Final = 0x00080005
_CHARSET_KEY: Final = BaseTag(CHARSET_TAG)

_ORDER: Final[dict[bool, Literal["little", "big"]]] = {True: "little", False: "big"}
_SINGLE: Final = frozenset({"LT", "ST", "UT", "UR"})
"""VRs of one value, in which a backslash is a character (PS3.5 6.2)."""
STRING_VRS: Final = TEXT_VRS | _SINGLE | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI"}
"""VRs that are read the same in either byte order."""
BULK_VRS: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
"""VRs of bytes or numbers in any amount, in which text may hide."""
_SIZES: Final = {
    **{"US": 2, "SS": 2, "UL": 4, "SL": 4, "AT": 4, "FL": 4},
    **{"FD": 8, "SV": 8, "UV": 8, "OF": 4, "OD": 8, "OL": 4, "OV": 8, "OW": 2},
}
NUMBER_VRS: Final = frozenset({"US", "SS", "UL", "SL", "AT", "FL", "FD", "SV", "UV"})
"""VRs of as many numbers as the dictionary says. What they spell is found in the raw bytes."""

# What stands for another in real files. Of text the dictionary's VR holds: a sentence that is
# stated as LT isn't a defined term.
_TEXT: Final = frozenset({"LO", "SH", "CS", "UC", "ST", "LT", "UT"})
_ALIKE: Final = (
    _TEXT,
    frozenset({"DS", "IS"}),
    frozenset({"US", "SS", "UL", "SL", "OW", "OB"}),
    frozenset({"FL", "FD"}),
    frozenset({"DA", "TM", "DT"}),
)

# Grammars of values, a component each (PS3.5 6.2). They are as wide as is harmless: a digit too
# many or a lower-case letter is kept as stored, a sentence is not.
_GRAMMARS: Final = {
    "CS": re.compile(rb"[A-Za-z0-9_ ./+\-]{0,16}"),
    "DS": re.compile(rb"[0-9+\-eE., ]{0,32}"),
    "IS": re.compile(rb"[0-9+\-eE., ]{0,32}"),
    "UI": re.compile(rb"[0-9.]{0,64}"),
    "AS": re.compile(rb"[0-9]{0,3}[DWMYdwmy]? ?"),
    **dict.fromkeys(("DA", "DT", "TM"), re.compile(rb"[0-9.:+\- ]{0,28}")),
    "LO": re.compile(rb"[^\r\n\f\t\x00]{0,128}"),  # 64 characters, of up to 2 bytes here
    "SH": re.compile(rb"[^\r\n\f\t\x00]{0,128}"),  # 16 by the standard; codes are often longer
}


def charset_of(dataset: Dataset, inherited: Charset) -> Charset:
    """Return the character set that holds in `dataset`; an item inherits (PS3.5 7.5.3)."""
    if _CHARSET_KEY not in dataset:
        return inherited
    element = stored(dataset, CHARSET_TAG)
    return charset_of_terms(texts(element, "CS", DEFAULT_CHARSET))


def stored(dataset: Dataset, tag: int) -> Stored:
    """Return an element as it is held, read from its file if it was left there.

    Raises
    ------
    InputError
        It was left in the file and can't be read any more.
    """
    element = _held(dataset, tag, keep_deferred=True)
    if isinstance(element, RawDataElement) and element.value is None:
        with guarded(f"malformed: {label(tag)} can't be read"):
            return _held(dataset, tag, keep_deferred=False)
    return element


def _held(dataset: Dataset, tag: int, *, keep_deferred: bool) -> Stored:
    return dataset.get_item(BaseTag(tag), keep_deferred=keep_deferred)


@cache
def dictionary_vr(tag: int) -> str:
    """Return the VR that the data dictionary states, perhaps `US or SS`; nothing if unknown."""
    try:
        return dictionary_VR(tag)
    except KeyError:
        return ""


@lru_cache(maxsize=1 << 14)
def representation(stated: str | None, tag: int, *, signed: bool) -> str:
    """Return the one VR by which an element is read.

    Parameters
    ----------
    stated : str or None
        The VR that it has as it is held.
    tag : int
        Its tag.
    signed : bool
        PixelRepresentation, on which `US or SS` depends (PS3.5 annex A).

    Returns
    -------
    str
        Two letters; nothing where the dictionary doesn't know the tag, or where the element
        states a VR that can hold something else than the attribute does.
    """
    known = dictionary_vr(tag)
    if not known:
        return ""
    candidates = known.split(" or ")
    if stated in candidates:
        return str(stated)
    if stated in (None, "UN") or stated == known:
        return (
            ("SS" if signed and "SS" in candidates else "US") if "US" in candidates else known[:2]
        )
    alike = any({stated, *candidates} <= group for group in _ALIKE)
    return "" if not alike else known if known in _TEXT else str(stated)


def texts(element: Stored, vr: str, charset: Charset) -> tuple[str, ...]:
    """Return the values of a string element, without padding; what isn't valid text too."""
    if isinstance(element, RawDataElement):
        text = decode(element.value or b"", vr, charset, "replace")
        if "\\" not in text:
            return (text.strip("\0 "),)
        values = [text] if vr in _SINGLE else text.split("\\")
    else:
        values = _converted(element)
    return tuple(value.strip("\0 ") for value in values)


def first_text(dataset: Dataset, tag: int, charset: Charset | None = None) -> str:
    """Return the first value of a string element; nothing if there is none.

    Parameters
    ----------
    dataset : Dataset
        Borrowed.
    tag : int
        Of the element.
    charset : Charset, optional
        That holds in `dataset`; read from it by default.
    """
    if BaseTag(tag) not in dataset:
        return ""
    held = charset_of(dataset, DEFAULT_CHARSET) if charset is None else charset
    return "".join(texts(stored(dataset, tag), "LO", held)[:1])


def _converted(element: DataElement) -> list[str]:
    value = element.value
    if value is None:
        return []
    if isinstance(value, bytes):
        return value.decode("latin-1").split("\\")
    with quiet():  # a person's name is decoded when it is first asked for
        return [str(v) for v in value] if isinstance(value, MultiValue | list) else [str(value)]


def is_empty(element: Stored, vr: str) -> bool:
    """Whether an element has no value, or as a string padding only."""
    if isinstance(element, RawDataElement):
        value = element.value or b""
        return not (value.strip(b"\0 ") if vr in STRING_VRS else value)
    return bool(element.is_empty)


def data(element: Stored) -> bytes:
    """Return the bytes of an element of one of `BULK_VRS`."""
    value = element.value
    return bytes(value) if isinstance(value, bytes | bytearray) else b""


def integer(element: Stored) -> int | None:
    """Return the first value of a US element; None if there is none."""
    value = element.value
    if isinstance(element, RawDataElement):
        data = element.value or b""
        return int.from_bytes(data[:2], _ORDER[element.is_little_endian]) if data else None
    return value if isinstance(value, int) else None


def decoded(element: Stored, vr: str, charset: Charset) -> bool:
    """Whether a text is valid in its character set."""
    if not isinstance(element, RawDataElement) or vr not in TEXT_VRS:
        return True
    if is_plain(element.value or b""):
        return True
    try:
        decode(element.value or b"", vr, charset)
    except UnicodeError:
        return False
    return True


def fits(element: Stored, vr: str, tag: int) -> bool:
    """Whether a value is of the kind that its VR and multiplicity promise.

    What doesn't fit could be anything, e.g. a name in a decimal string or a sentence in 16-bit
    numbers: it isn't kept.
    """
    if isinstance(element, RawDataElement):
        value = element.value or b""
        if vr in _SIZES:
            count, rest = divmod(len(value), _SIZES[vr])
            return not rest and (vr not in NUMBER_VRS or count <= _most(tag))
    elif vr in _SIZES:
        return True  # pydicom made numbers of it
    else:
        value = "\\".join(_converted(element)).encode("utf-8", "replace")
    grammar = _GRAMMARS.get(vr)
    if grammar is None:
        return True
    if b"\\" not in value:
        return grammar.fullmatch(value.strip(b"\0 ")) is not None
    return all(grammar.fullmatch(part.strip(b"\0 ")) for part in value.split(b"\\"))


def checked_texts(
    element: Stored, vr: str, tag: int, charset: Charset
) -> tuple[tuple[str, ...], bool]:
    """Return the values of a string element, and whether they are what `fits` and `decoded` ask.

    One pass for what most elements hold, a single value in ASCII.
    """
    if isinstance(element, RawDataElement):
        value = element.value or b""
        if is_plain(value) and b"\\" not in value:
            plain, grammar = value.strip(b"\0 "), _GRAMMARS.get(vr)
            valid = grammar is None or grammar.fullmatch(plain) is not None
            return (plain.decode("ascii"),), valid
    valid = fits(element, vr, tag) and decoded(element, vr, charset)
    return texts(element, vr, charset), valid


@cache
def _most(tag: int) -> int:
    """Return how many values an attribute may have (PS3.6 VM)."""
    if not dictionary_vr(tag):  # a private element: its list states no multiplicity
        return 1 << 30
    last = dictionary_VM(tag).rpartition("-")[2]
    return int(last) if last.isdigit() else 1 << 30


_ITEM: Final = b"\xfe\xff\x00\xe0"
_MOST_ITEMS: Final = 100_000
"""With those of sequences in it. A cine of 5,000 frames that describes each has half as many; each
takes a tenth of a millisecond and a kilobyte."""


def items(
    element: Stored, tag: int, charset: Charset, parsed: Parsed | None = None
) -> Sequence[Dataset]:
    """Return the items of a sequence, borrowed; those of a UN one are implicit VR (PS3.5 6.2.2).

    Parameters
    ----------
    element : Stored
        The sequence.
    tag : int
        Its tag.
    charset : Charset
        That holds around it.
    parsed : dict, optional
        What was parsed before, by element; is added to.

    Raises
    ------
    InputError
        The bytes are not those of a sequence, or of one with more than `_MOST_ITEMS`.
    """
    if parsed is not None:
        if id(element) not in parsed:  # the element is held too, so that no other gets its identity
            parsed[id(element)] = element, items(element, tag, charset)
        return parsed[id(element)][1]
    message = f"malformed: {label(tag)} is not a readable sequence"
    with guarded(message):
        if isinstance(element, RawDataElement):
            unknown = element.VR == "UN"
            if (element.value or b"").count(_ITEM) > _MOST_ITEMS:
                raise InputError(f"malformed: {label(tag)} has more than {_MOST_ITEMS} items")
            if unknown:
                _check_sequence(tag, element.value or b"")
            found: Sequence[Dataset] = convert_SQ(
                element.value or b"",
                unknown or element.is_implicit_VR,
                unknown or element.is_little_endian,
                list(charset.codecs),
            )
        else:
            found = element.value or []
        if all(isinstance(item, Dataset) for item in found):
            return list(found)
    raise InputError(message)


def _check_sequence(tag: int, value: bytes) -> None:
    """Refuse bytes that are no sequence: pydicom reads what it finds as items.

    Sequences that say that they are one were checked when the file was opened.
    """
    head = struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value))
    encoding = Encoding(implicit=True, little=True)
    try:
        for _ in elements(BytesIO(head + value), encoding, len(head) + len(value)):
            pass  # the walk itself checks every item and length
    except InputError:  # it may name a "tag" made of the value's own letters
        raise InputError(f"malformed: {label(tag)} is not a readable sequence") from None

"""Specific Character Set (0008,0005): its terms, and text decoded by them.

Facts of PS3.3 C.12.1.1.2 and PS3.5 6.1. Bytes in, text out; nothing here sees a dataset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

__all__ = [
    "DEFAULT_CHARSET",
    "TEXT_VRS",
    "Charset",
    "charset_of_terms",
    "decode",
    "is_plain",
    "readings",
]

TEXT_VRS: Final = frozenset({"LO", "SH", "PN", "UC", "LT", "ST", "UT"})
"""VRs to which the character set applies; the others are ASCII (PS3.5 6.1.2.2)."""

_ASCII: Final = "iso8859"
"""pydicom's name for the default repertoire (ISO-IR 6), which is ASCII (PS3.5 6.1.1)."""

# Tables C.12-2 to C.12-5: number of ISO-IR to codec. The codecs have pydicom's names, as it writes
# values as they were read only where its idea of the character set is the one that was read.
_SINGLE: Final = MappingProxyType(
    {
        **{"6": _ASCII, "13": "shift_jis", "100": "latin_1", "101": "iso8859_2"},
        **{"109": "iso8859_3", "110": "iso8859_4", "126": "iso_ir_126", "127": "iso_ir_127"},
        **{"138": "iso_ir_138", "144": "iso_ir_144", "148": "iso_ir_148", "166": "iso_ir_166"},
    }
)
_MULTI: Final = MappingProxyType(
    {"87": "iso2022_jp", "159": "iso2022_jp_2", "149": "euc_kr", "58": "iso_ir_58"}
)
_ALONE: Final = MappingProxyType({"ISO_IR 192": "UTF8", "GB18030": "GB18030", "GBK": "GBK"})
"""Table C.12-5: these are without code extensions."""

# Escape sequences of tables C.12-3 and C.12-4. Those of iso2022_* are read by the codec itself.
_ESCAPES: Final = MappingProxyType(
    {
        **{b"\x1b(B": _ASCII, b"\x1b(J": "shift_jis", b"\x1b)I": "shift_jis"},
        **{b"\x1b-A": "latin_1", b"\x1b-B": "iso8859_2", b"\x1b-C": "iso8859_3"},
        **{b"\x1b-D": "iso8859_4", b"\x1b-F": "iso_ir_126", b"\x1b-G": "iso_ir_127"},
        **{b"\x1b-H": "iso_ir_138", b"\x1b-L": "iso_ir_144", b"\x1b-M": "iso_ir_148"},
        **{b"\x1b-T": "iso_ir_166", b"\x1b$B": "iso2022_jp", b"\x1b$(D": "iso2022_jp_2"},
        **{b"\x1b$)C": "euc_kr", b"\x1b$)A": "iso_ir_58"},
    }
)
_ESCAPED: Final = re.compile(rb"(?=\x1b)")
_RESET: Final = re.compile(rb"([\\^=\r\n\f\t])")
"""After a delimiter the first character set holds again (PS3.5 6.1.2.5.3)."""

_SPELT: Final = re.compile(r"ISO[ _-]*(2022)?[ _-]*IR[ _-]*(\d+)")
_OTHER_SPELLINGS: Final = MappingProxyType(
    {
        **dict.fromkeys(("UTF8", "UTF-8", "UTF_8", "ISO_IR_192"), "ISO_IR 192"),
        **dict.fromkeys(("GB 18030", "GB-18030"), "GB18030"),
        **dict.fromkeys(("ISO 2022 GBK", "ISO 2022 58"), "GBK"),
        **dict.fromkeys(("ISO-8859-1", "ISO8859-1", "LATIN1"), "ISO_IR 100"),
    }
)
"""What writers state that mean it; each spelling is harmless text of its own."""


@dataclass(frozen=True, slots=True)
class Charset:
    """What (0008,0005) of a dataset says."""

    terms: tuple[str, ...] = ()
    """As the standard spells them; empty if there are none or one of them is unknown."""
    codecs: tuple[str, ...] = (_ASCII,)
    """Of the terms, in order. An unknown term makes it ASCII: other bytes then aren't valid."""


DEFAULT_CHARSET: Final = Charset()


def charset_of_terms(stored: Sequence[str]) -> Charset:
    """Return the character set that the values of (0008,0005) stand for.

    Parameters
    ----------
    stored : sequence of str
        As read, without padding. A first value that is empty is the default repertoire.
    """
    return _charset_of(tuple(stored))


@lru_cache(maxsize=256)  # what devices write is one of few
def _charset_of(stored: tuple[str, ...]) -> Charset:
    if not any(stored):
        return DEFAULT_CHARSET
    terms = [_term(term) for term in stored]
    codecs = [_codec(term) for term in terms]
    if "" in codecs:
        return DEFAULT_CHARSET
    if terms[0] in _ALONE:  # no code extensions (table C.12-5)
        return Charset(tuple(terms[:1]), tuple(codecs[:1]))
    kept = [0, *(at for at in range(1, len(terms)) if terms[at] not in _ALONE)]
    if len(kept) > 1:  # with code extensions the terms are those of table C.12-3
        terms = [term.replace("ISO_IR ", "ISO 2022 IR ") for term in terms]
    return Charset(tuple(terms[at] for at in kept), tuple(codecs[at] for at in kept))


def _term(stored: str) -> str:
    """Return the standard's spelling of a term, or the term as it is."""
    plain = stored.strip("\0 ").upper()
    plain = _OTHER_SPELLINGS.get(plain, plain)
    match = _SPELT.fullmatch(plain)
    if match is None or plain in _ALONE:
        return plain
    number = match[2]
    if number == "192":
        return "ISO_IR 192"
    return f"ISO 2022 IR {number}" if match[1] or number in _MULTI else f"ISO_IR {number}"


def _codec(term: str) -> str:
    """Return Python's codec of a term; nothing if the term is unknown."""
    if not term:
        return _ASCII
    number = term.rpartition(" ")[2]
    return _ALONE.get(term) or _SINGLE.get(number, "") or _MULTI.get(number, "")


def is_plain(value: bytes) -> bool:
    """Whether a value is ASCII without escape sequences, and so the same in every character set."""
    return value.isascii() and b"\x1b" not in value


def decode(value: bytes, vr: str, charset: Charset, errors: str = "strict") -> str:
    """Decode a value, delimiters and padding included.

    Parameters
    ----------
    value : bytes
        Of a string VR.
    vr : str
        The character set applies to `TEXT_VRS`; other values are ASCII.
    charset : Charset
        That holds where the value stands.
    errors : str
        `strict`, or `replace`: then bytes that aren't valid in the character set are read as
        UTF-8 if they are that, else as Latin-1, and with them those up to the next escape sequence.
        Nothing is lost: an absent or wrong character set, or one that is right for a part of a
        name only, must not hide the rest.

    Raises
    ------
    UnicodeError
        The value isn't valid in its character set, and `errors` is `strict`.
    """
    if is_plain(value):
        return value.decode("ascii")
    try:
        return _strict(value, charset) if vr in TEXT_VRS else value.decode("ascii")
    except UnicodeError:
        if errors == "strict":
            raise
    if vr not in TEXT_VRS:
        return _guessed(value)
    return "".join(_decode_leniently(part, charset) for part in _ESCAPED.split(value))


def _strict(value: bytes, charset: Charset) -> str:
    first = charset.codecs[0]
    if b"\x1b" not in value:
        return _read(value, first)
    return "".join(_decode_part(part, charset) for part in _ESCAPED.split(value))


def _decode_part(part: bytes, charset: Charset) -> str:
    """Decode what stands between two escape sequences (PS3.5 6.1.2.5)."""
    first = charset.codecs[0]
    if not part.startswith(b"\x1b"):
        return _read(part, first)
    code = part[:4] if part[1:2] == b"$" and part[2:3] in b"()" else part[:3]
    codec = _ESCAPES.get(code)
    if codec is None:
        raise UnicodeDecodeError(first, part, 0, len(code), "not an escape sequence of PS3.3")
    if codec.startswith("iso2022"):
        return _read(part, codec)  # it needs its escape sequence, and has no delimiters in it
    escaped, *after = _RESET.split(part[len(code) :], maxsplit=1)
    # ASCII in G0 replaces nothing in G1: high bytes are the first set's still.
    text = _read(escaped, first if codec == _ASCII else codec)
    return text + "".join(_read(rest, first) for rest in after)


def _decode_leniently(part: bytes, charset: Charset) -> str:
    try:
        return _decode_part(part, charset)
    except UnicodeError:
        return _guessed(part)


def _guessed(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeError:
        return value.decode("latin-1")


def _read(part: bytes, codec: str) -> str:
    return part.decode("ascii" if codec == _ASCII else codec)


def readings(text: str) -> Iterator[str]:
    """Yield a text, and what it is where it is UTF-8 that was declared as Latin-1."""
    yield text
    if not text.isascii():
        try:
            again = text.encode("latin-1").decode("utf-8")
        except UnicodeError:
            return
        yield again

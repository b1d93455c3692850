"""Which transfer syntaxes and pixel layouts are handled, and in which syntax output is written.

Everything that can be refused is refused here, from the header alone, before a pixel is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from cinescrub.errors import InputError
from cinescrub.syntaxes import ROOT
from cinescrub.types import CineInfo

__all__ = [
    "MAX_PIXELS",
    "Family",
    "Syntax",
    "changes_all",
    "check",
    "is_lossless",
    "is_photometric",
    "output_photometric",
    "output_syntax",
    "syntax_of",
    "uids",
]

MAX_PIXELS: Final = 100_000_000
"""Largest frame that is accepted: far above any ultrasound image, and a bound on what a header of
a few bytes can make us allocate."""


class Family(Enum):
    """How frames are coded; one module or codec handles each."""

    NATIVE = auto()
    RLE = auto()
    JPEG = auto()
    JPEG_LOSSLESS = auto()
    JPEG_LS = auto()
    J2K = auto()
    HTJ2K = auto()


@dataclass(frozen=True, slots=True)
class Syntax:
    """A transfer syntax that is handled (names: PS3.6 Table A-1)."""

    name: str
    family: Family
    output: str
    """UID that a redacted object is written in: itself, where our encoder keeps its promises."""


_SUPPORTED: Final[dict[str, Syntax]] = {
    ROOT + suffix: Syntax(name, family, ROOT + (suffix if output is None else output))
    for suffix, name, family, output in (
        ("", "Implicit VR Little Endian", Family.NATIVE, None),
        (".1", "Explicit VR Little Endian", Family.NATIVE, None),
        (".1.99", "Deflated Explicit VR Little Endian", Family.NATIVE, None),
        (".2", "Explicit VR Big Endian", Family.NATIVE, None),
        (".5", "RLE Lossless", Family.RLE, None),
        (".4.50", "JPEG Baseline (Process 1)", Family.JPEG, None),
        (".4.51", "JPEG Extended (Process 2 & 4)", Family.JPEG, None),
        (".4.57", "JPEG Lossless, Non-Hierarchical (Process 14)", Family.JPEG_LOSSLESS, None),
        (
            ".4.70",
            "JPEG Lossless, Non-Hierarchical, First-Order Prediction",
            Family.JPEG_LOSSLESS,
            None,
        ),
        (".4.80", "JPEG-LS Lossless", Family.JPEG_LS, None),
        # A second lossy generation is never made. These three allow frames coded without loss
        # (PS3.5 A.4.3, A.4.4, 10.18): what is touched is, the other frames stay as they are.
        (".4.81", "JPEG-LS Lossy (Near-Lossless)", Family.JPEG_LS, None),
        (".4.90", "JPEG 2000 (Lossless Only)", Family.J2K, None),
        (".4.91", "JPEG 2000", Family.J2K, None),
        (".4.201", "High-Throughput JPEG 2000 (Lossless Only)", Family.HTJ2K, None),
        # RPCL order (.202) is a promise about progression that our encoder doesn't give.
        (
            ".4.202",
            "High-Throughput JPEG 2000 with RPCL Options (Lossless Only)",
            Family.HTJ2K,
            ".4.201",
        ),
        (".4.203", "High-Throughput JPEG 2000", Family.HTJ2K, None),
    )
}

_WITH_LOSS: Final = frozenset(
    ROOT + suffix for suffix in (".4.50", ".4.51", ".4.81", ".4.91", ".4.203")
)

_REFUSED: Final[dict[str, str]] = {
    ROOT + suffix: name
    for suffix, name in (
        (".1.98", "Encapsulated Uncompressed Explicit VR Little Endian"),
        (".4.52", "JPEG Extended, arithmetic (Process 3 & 5)"),
        (".4.53", "JPEG Spectral Selection, Non-Hierarchical (Process 6 & 8)"),
        (".4.54", "JPEG Spectral Selection, arithmetic (Process 7 & 9)"),
        (".4.55", "JPEG Full Progression, Non-Hierarchical (Process 10 & 12)"),
        (".4.56", "JPEG Full Progression, arithmetic (Process 11 & 13)"),
        (".4.58", "JPEG Lossless, arithmetic (Process 15)"),
        (".4.59", "JPEG Extended, Hierarchical (Process 16 & 18)"),
        (".4.60", "JPEG Extended, Hierarchical (Process 17 & 19)"),
        (".4.61", "JPEG Spectral Selection, Hierarchical (Process 20 & 22)"),
        (".4.62", "JPEG Spectral Selection, Hierarchical (Process 21 & 23)"),
        (".4.63", "JPEG Full Progression, Hierarchical (Process 24 & 26)"),
        (".4.64", "JPEG Full Progression, Hierarchical (Process 25 & 27)"),
        (".4.65", "JPEG Lossless, Hierarchical (Process 28)"),
        (".4.66", "JPEG Lossless, Hierarchical (Process 29)"),
        (".4.92", "JPEG 2000 Part 2 Multi-component (Lossless Only)"),
        (".4.93", "JPEG 2000 Part 2 Multi-component"),
        (".4.94", "JPIP Referenced"),
        (".4.95", "JPIP Referenced Deflate"),
        (".4.100", "MPEG2 Main Profile / Main Level"),
        (".4.100.1", "Fragmentable MPEG2 Main Profile / Main Level"),
        (".4.101", "MPEG2 Main Profile / High Level"),
        (".4.101.1", "Fragmentable MPEG2 Main Profile / High Level"),
        (".4.102", "MPEG-4 AVC/H.264 High Profile / Level 4.1"),
        (".4.102.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1"),
        (".4.103", "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1"),
        (".4.103.1", "Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1"),
        (".4.104", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video"),
        (".4.104.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video"),
        (".4.105", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video"),
        (".4.105.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video"),
        (".4.106", "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2"),
        (".4.106.1", "Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2"),
        (".4.107", "HEVC/H.265 Main Profile / Level 5.1"),
        (".4.108", "HEVC/H.265 Main 10 Profile / Level 5.1"),
        (".4.110", "JPEG XL Lossless"),
        (".4.111", "JPEG XL JPEG Recompression"),
        (".4.112", "JPEG XL"),
        (".4.204", "JPIP HTJ2K Referenced"),
        (".4.205", "JPIP HTJ2K Referenced Deflate"),
        (".6.1", "RFC 2557 MIME encapsulation"),
        (".6.2", "XML Encoding"),
        (".7.1", "SMPTE ST 2110-20 Uncompressed Progressive Active Video"),
        (".7.2", "SMPTE ST 2110-20 Uncompressed Interlaced Active Video"),
        (".7.3", "SMPTE ST 2110-30 PCM Digital Audio"),
        (".8.1", "Deflated Image Frame Compression"),
    )
}


def syntax_of(transfer_syntax: str) -> Syntax:
    """Return the entry of a transfer syntax.

    Raises
    ------
    InputError
        It isn't handled; the message has its name of the standard.
    """
    syntax = _SUPPORTED.get(transfer_syntax)
    if syntax is not None:
        return syntax
    name = _REFUSED.get(transfer_syntax)
    if name is None:
        # A UID that is no standard syntax may be anything: it isn't repeated.
        raise InputError("the transfer syntax is private or unknown: convert the file first")
    raise InputError(f"transfer syntax {name} is not supported: convert the file first")


def is_lossless(transfer_syntax: str) -> bool:
    """Whether a transfer syntax that is handled never loses anything of a sample."""
    return transfer_syntax not in _WITH_LOSS


def uids() -> tuple[str, ...]:
    """Return the UIDs of the transfer syntaxes that are handled."""
    return tuple(_SUPPORTED)


def names() -> tuple[str, ...]:
    """Return the names of the transfer syntaxes that are handled."""
    return tuple(syntax.name for syntax in _SUPPORTED.values())


def output_syntax(info: CineInfo, *, changed: bool = True) -> str:
    """Return the transfer syntax UID that an object is written in.

    It is the input's own, but of redacted objects (`changed`) where our encoder can't promise what
    the syntax does: frames that are not touched are valid in both.
    """
    return syntax_of(info.transfer_syntax).output if changed else info.transfer_syntax


def output_photometric(info: CineInfo) -> str:
    """Return the PhotometricInterpretation of a redacted object.

    Touched frames are coded without loss, where the irreversible transform of JPEG 2000 has no
    place: the reversible one takes it (PS3.5 8.2.4).
    """
    return "YBR_RCT" if info.photometric == "YBR_ICT" else info.photometric


def changes_all(info: CineInfo) -> bool:
    """Whether every frame of a redacted object is written anew, also those without a rectangle.

    Where `output_photometric` differs: it is one for all frames.
    """
    return output_photometric(info) != info.photometric


def check(info: CineInfo) -> None:
    """Refuse what the header alone shows can't be handled, before a pixel is read.

    Raises
    ------
    InputError
        With what is not supported; no value of free text is repeated.
    """
    family = syntax_of(info.transfer_syntax).family
    _check_size(info)
    _check_photometric(info, family)
    _check_depth(info, family)
    if family is Family.NATIVE:
        _check_native(info)
    if family is Family.JPEG:
        _check_jpeg(info)


def _check_size(info: CineInfo) -> None:
    if info.rows < 1 or info.columns < 1 or info.frames < 1:
        raise InputError("the image has no rows, columns or frames")
    if info.rows * info.columns > MAX_PIXELS:
        raise InputError(
            f"a frame of {info.columns} x {info.rows} pixels is over the limit of {MAX_PIXELS}"
        )


_BY_SAMPLES: Final[dict[int, frozenset[str]]] = {
    1: frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"}),
    3: frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT"}),
}

_ALLOWED: Final[dict[Family, frozenset[str]]] = {
    # PS3.5 8.2: which photometric interpretations a coding may carry. 4:2:2 exists natively and in
    # JPEG only; RCT and ICT are JPEG 2000's own transforms.
    Family.NATIVE: _BY_SAMPLES[1] | {"RGB", "YBR_FULL", "YBR_FULL_422"},
    Family.RLE: _BY_SAMPLES[1] | {"RGB", "YBR_FULL"},
    Family.JPEG: frozenset({"MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422"}),
    Family.JPEG_LOSSLESS: _BY_SAMPLES[1] | {"RGB", "YBR_FULL", "YBR_FULL_422"},
    Family.JPEG_LS: _BY_SAMPLES[1] | {"RGB", "YBR_FULL"},
    Family.J2K: _BY_SAMPLES[1] | {"RGB", "YBR_FULL", "YBR_RCT", "YBR_ICT"},
    Family.HTJ2K: _BY_SAMPLES[1] | {"RGB", "YBR_FULL", "YBR_RCT", "YBR_ICT"},
}

_OTHER_PHOTOMETRICS: Final = frozenset(
    {"HSV", "ARGB", "CMYK", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "XYB"}
)


def is_photometric(name: str) -> bool:
    """Whether a name is one of the standard's (PS3.3 C.7.6.3.1.2), supported or not."""
    return name in _OTHER_PHOTOMETRICS.union(*_BY_SAMPLES.values())


def _check_photometric(info: CineInfo, family: Family) -> None:
    if info.photometric in _OTHER_PHOTOMETRICS:
        raise InputError(f"photometric interpretation {info.photometric} is not supported")
    kinds = _BY_SAMPLES.get(info.samples)
    if kinds is None:
        raise InputError(f"{info.samples} samples a pixel are not supported")
    if info.photometric not in kinds:
        raise InputError("the photometric interpretation is unknown or doesn't fit the samples")
    if info.photometric not in _ALLOWED[family]:
        raise InputError(
            f"photometric interpretation {info.photometric} is not valid in this transfer syntax"
        )
    if info.photometric == "PALETTE COLOR" and (info.palette is None or info.bits_allocated > 16):
        raise InputError("a palette colour image has no palette, or indices of more than 16 bits")


def _check_depth(info: CineInfo, family: Family) -> None:
    depths = (8, 16, 32) if family in (Family.NATIVE, Family.RLE) else (8, 16)
    if info.bits_allocated not in depths:
        raise InputError(f"{info.bits_allocated} bits allocated are not supported in this syntax")
    if not 1 <= info.bits_stored <= info.bits_allocated:
        raise InputError("bits stored are not in 1 .. bits allocated")
    if info.high_bit != info.bits_stored - 1:
        raise InputError("the high bit is not bits stored - 1 (PS3.5 8.1.1): not supported")
    if info.signed and info.photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise InputError("signed colour samples are not supported")
    if info.samples == 3 and info.planar not in (0, 1):
        raise InputError("the planar configuration is neither 0 nor 1")


def _check_native(info: CineInfo) -> None:
    if info.photometric == "YBR_FULL_422" and (
        info.bits_allocated != 8 or info.columns % 2 or info.planar
    ):
        raise InputError("native YBR_FULL_422 needs 8 bits, even columns and planar 0")
    if info.words:
        if info.bits_allocated != 8 or info.little_endian:
            raise InputError("byte pairs are swapped in 8-bit big endian words only")
        if info.frame_bytes % 2:
            raise InputError("8-bit big endian words with frames of odd length: not supported")


def _check_jpeg(info: CineInfo) -> None:
    if info.bits_allocated != 8 or info.bits_stored != 8:
        raise InputError("lossy JPEG of more than 8 bits is not supported: convert the file first")
    if info.signed:
        raise InputError("signed samples in lossy JPEG are not supported")

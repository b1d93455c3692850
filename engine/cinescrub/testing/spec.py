"""What a made cine shall be: one frozen value, from which everything else follows.

Values only. Nothing here draws or writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cinescrub.errors import ConfigError

__all__ = ["CineSpec", "Dress", "Dynamic", "Photometric", "Syntax", "Tier", "VendorLook"]


class Syntax(StrEnum):
    """Transfer syntaxes that cines are made in (PS3.5 section 10, PS3.6 table A-1)."""

    IMPLICIT_LITTLE = "1.2.840.10008.1.2"
    EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
    DEFLATED = "1.2.840.10008.1.2.1.99"
    EXPLICIT_BIG = "1.2.840.10008.1.2.2"
    RLE = "1.2.840.10008.1.2.5"
    JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
    JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
    JPEG_LS = "1.2.840.10008.1.2.4.80"
    JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"

    @property
    def native(self) -> bool:
        """Whether frames are stored without encapsulation."""
        return self in _NATIVE


_NATIVE: Final = frozenset(
    {Syntax.IMPLICIT_LITTLE, Syntax.EXPLICIT_LITTLE, Syntax.DEFLATED, Syntax.EXPLICIT_BIG}
)


class Photometric(StrEnum):
    """PhotometricInterpretation as stored (PS3.3 C.7.6.3.1.2)."""

    RGB = "RGB"
    MONOCHROME1 = "MONOCHROME1"
    MONOCHROME2 = "MONOCHROME2"
    YBR_FULL = "YBR_FULL"
    YBR_FULL_422 = "YBR_FULL_422"
    YBR_RCT = "YBR_RCT"
    PALETTE = "PALETTE COLOR"

    @property
    def gray(self) -> bool:
        """Whether colour is lost."""
        return self in (Photometric.MONOCHROME1, Photometric.MONOCHROME2)


class VendorLook(StrEnum):
    """Whose way to arrange a screen a layout resembles: ideas of place and colour, no more."""

    GE = "ge"
    PHILIPS = "philips"
    SIEMENS = "siemens"
    SONOSITE = "sonosite"
    ALOKA = "aloka"
    ATL = "atl"
    LOGIQ = "logiq"
    TWIN = "twin"
    """Two pictures, one over the other, with a second banner in the middle."""
    QUAD = "quad"
    """Four pictures."""
    LIGHT = "light"
    """Dark letters on a light banner."""
    APP = "app"
    """A probe on a telephone."""


class Dress(StrEnum):
    """How all letters of a cine are dressed, whatever the layout says."""

    PLAIN = "plain"
    """As the layout says."""
    COLOURED = "coloured"
    """Each line in a colour of its own."""
    INVERSE = "inverse"
    """Dark on a bar in the line's own colour."""
    HOLLOW = "hollow"
    """Outlines of letters only."""
    CHROMA = "chroma"
    """In another colour of the same luma as the bar behind: seen in colour, not in grey."""
    WHITE = "white"
    """Dark letters on a picture that is white but for the sector."""
    BARE = "bare"
    """Without the dark rim around letters over tissue."""
    CODES = "codes"
    """Numbers of the patient and the visit as a bar code and a matrix, on paper."""


class Dynamic(StrEnum):
    """What changes over the frames, besides speckle."""

    STATIC = "static"
    CLOCK = "clock"
    """A running clock and a frame counter."""
    FLASH = "flash"
    """A name over tissue and an ID beside it, each in one single frame."""
    FADE = "fade"
    """A name comes up slowly."""
    SCROLL = "scroll"
    """A name moves through a line."""
    BLINK = "blink"
    """A name comes and goes."""
    PATIENT = "patient"
    """The banner changes to another patient half way."""
    WORKSHEET = "worksheet"
    """A page of results in the middle of the cine."""
    CUT = "cut"
    """Another scene half way, below the same banner."""
    HANDHELD = "handheld"
    """All of it moves, as in footage of a screen."""
    FROZEN = "frozen"
    """Nothing changes at all."""


@dataclass(frozen=True, slots=True)
class Tier:
    """How hard it is made to read."""

    name: str = "clean"
    text_px: int | None = None
    """Height of capitals; the layout's own where None."""
    contrast: int | None = None
    """Levels of 255 between text and its background; the layout's own where None."""
    blur_px: float = 0.0
    """Sigma of a Gaussian over the whole picture."""
    noise: float = 0.0
    """Standard deviation of white noise over the whole picture, levels of 255."""
    jpeg_quality: int | None = None
    """Quality of a lossy generation: of the stored one in JPEG baseline (90 where None), of one
    before storing in the other syntaxes (none where None)."""


_LOSSLESS_COLOUR: Final = frozenset(
    {Photometric.RGB, Photometric.MONOCHROME1, Photometric.MONOCHROME2, Photometric.PALETTE}
)
_ALLOWED: Final[dict[Syntax, frozenset[Photometric]]] = {
    Syntax.RLE: _LOSSLESS_COLOUR | {Photometric.YBR_FULL},
    Syntax.JPEG_BASELINE: frozenset(
        {
            Photometric.RGB,
            Photometric.MONOCHROME1,
            Photometric.MONOCHROME2,
            Photometric.YBR_FULL,
            Photometric.YBR_FULL_422,
        }
    ),
    Syntax.JPEG_LOSSLESS: _LOSSLESS_COLOUR,
    Syntax.JPEG_LS: _LOSSLESS_COLOUR,
    Syntax.JPEG_2000_LOSSLESS: _LOSSLESS_COLOUR | {Photometric.YBR_RCT},
}
"""Photometric interpretations by syntax, PS3.5 section 8.2; native ones take all but YBR_RCT."""


@dataclass(frozen=True, slots=True)
class CineSpec:
    """One made cine. Equal specs give equal bytes."""

    seed: int = 0
    frames: int = 30
    rows: int = 480
    columns: int = 640
    look: VendorLook = VendorLook.PHILIPS
    photometric: Photometric = Photometric.RGB
    syntax: Syntax = Syntax.EXPLICIT_LITTLE
    planar: int = 0
    """PlanarConfiguration of native colour; 1 is by plane."""
    palette_bits: int = 8
    """Width of a palette index: 8 or 16."""
    dynamic: Dynamic = Dynamic.STATIC
    tier: Tier = field(default_factory=Tier)
    face: str | None = None
    """A face of `fonts.TextStyle`; the layout's own where None."""
    rotation: int = 0
    """Degrees by which the operator's texts are turned: 0, 90, 180, 270."""
    spacing_px: int = 0
    """Extra pixels between the letters of banners."""
    dress: Dress = Dress.PLAIN
    edge: bool = False
    """Whether lines near an edge of the picture are pushed to it: their ink touches it."""
    stretch: float = 1.0
    """How wide letters are set, 0.6 to 1.6 of the face's own width."""
    planted: bool = True
    """Whether identifiers are hidden all over the header and the container."""
    frame_time_ms: float = 33.3
    take: int = 0
    """Which cine of an exam: another one has other tissue and an instance UID of its own, below the
    same screen of the same patient."""

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ConfigError("a cine has at least one frame")
        if not (96 <= self.rows <= 8192 and 96 <= self.columns <= 8192):
            raise ConfigError("made cines are 96 to 8192 pixels wide and high")
        if self.palette_bits not in (8, 16):
            raise ConfigError("a palette index has 8 or 16 bits")
        if not 0.6 <= self.stretch <= 1.6:
            raise ConfigError("letters are set at 0.6 to 1.6 of their width")
        self._check_storage()

    def _check_storage(self) -> None:
        if self.photometric is Photometric.YBR_FULL_422 and self.columns % 2:
            raise ConfigError("YBR_FULL_422 needs an even number of columns")
        if self.planar not in (0, 1) or (self.planar and not self._has_planes):
            raise ConfigError("planes are for native RGB and YBR_FULL only")
        allowed = _ALLOWED.get(self.syntax, frozenset(Photometric) - {Photometric.YBR_RCT})
        if self.photometric not in allowed:
            raise ConfigError(f"{self.photometric} is not stored in {self.syntax.name}")

    @property
    def _has_planes(self) -> bool:
        return self.syntax.native and self.photometric in (Photometric.RGB, Photometric.YBR_FULL)

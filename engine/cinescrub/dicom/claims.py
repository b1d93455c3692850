"""What the output says of its own de-identification: what ran, and no more.

Only attributes that state the work are written here. A claim that the input brought is replaced,
never added to: whether an earlier `Clean Pixel Data` is true can't be seen from here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Final

from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from cinescrub import __version__
from cinescrub.config import Policy
from cinescrub.dicom.options import BASIC, CODES, PIXELS, Option
from cinescrub.dicom.profile import Profile
from cinescrub.dicom.values import DEFAULT_CHARSET, stored, texts
from cinescrub.errors import ConfigError

__all__ = ["METHOD_CODES", "STAMPED", "Claims", "is_claim", "own_texts", "stamp"]

_DERIVATION: Final = "Burned-in text redacted by cinescrub"

IMAGE_TYPE: Final = 0x00080008
DERIVATION: Final = 0x00082111
REMOVED: Final = 0x00120062
METHOD: Final = 0x00120063
METHOD_CODES: Final = 0x00120064
BURNED_IN: Final = 0x00280301
TEMPORAL: Final = 0x00280303

STAMPED: Final = frozenset({DERIVATION, REMOVED, METHOD, METHOD_CODES, TEMPORAL})
"""Root elements that the profile removes and that are written anew."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What was done to the pixels, by whoever did it."""

    pixels_inspected: bool = False
    """Every frame was looked at for text, and the policy's decision on it was carried out."""
    pixels_changed: bool = False
    """At least one pixel is not that of the input."""
    pixels_verified: bool = False
    """The written pixels were read back and hold no text that the policy redacts. An output that
    fails this must not be published, as its header says that it passed."""
    policy: Policy = Policy.DEFAULT_DENY
    """What was redacted. One that redacts on evidence only keeps text that nobody knows to be
    harmless: the header then doesn't say that nothing is left."""

    @property
    def nothing_left(self) -> bool:
        """Whether all text that may identify is gone, and this was checked."""
        return self.pixels_verified and self.policy is not Policy.PHI_ONLY

    def __post_init__(self) -> None:
        if self.pixels_verified and not self.pixels_inspected:
            raise ConfigError("pixels can't be claimed verified without having been inspected")


def stamp(
    dataset: Dataset,
    claims: Claims,
    profile: Profile,
    ran: frozenset[Option],
) -> None:
    """Write into a scrubbed header what was done, in place.

    Parameters
    ----------
    dataset : Dataset
        A new one, from the scrub.
    claims : Claims
        What ran on the pixels.
    profile : Profile
        That was applied. One whose rules keep what the standard doesn't isn't the Basic Profile:
        its code and the claim that the identity is removed are left out.
    ran : frozenset of Option
        Those of its options that were carried out.
    """
    basic = not profile.exceptions
    # PS3.3 C.7.1.1: YES says that attributes *and pixel data* no longer hold the identity.
    _put(dataset, REMOVED, "CS", "YES" if claims.nothing_left and basic else "NO")
    _put(dataset, METHOD, "LO", list(_method(claims, profile.edition, basic=basic)))
    codes = [BASIC] if basic else []
    codes += [PIXELS] if claims.pixels_verified else []
    codes += sorted({CODES[option] for option in ran})
    _put(dataset, METHOD_CODES, "SQ", Sequence([_code(*code) for code in codes]))
    _put(dataset, TEMPORAL, "CS", _temporal(ran))
    if claims.nothing_left:
        _put(dataset, BURNED_IN, "CS", "NO")
    if claims.pixels_changed:
        _put(dataset, DERIVATION, "ST", _DERIVATION)
        _mark_derived(dataset)


@lru_cache(maxsize=8)  # editions
def own_texts(edition: str) -> frozenset[str]:
    """Return the texts that `stamp` may write: the audit doesn't search our own words."""
    written = {_DERIVATION, *BASIC, *PIXELS, *(text for code in CODES.values() for text in code)}
    for policy, verified, basic in product(Policy, (True, False), (True, False)):
        claims = Claims(pixels_inspected=True, pixels_verified=verified, policy=policy)
        written.update(_method(claims, edition, basic=basic))
    written.update(_method(Claims(), edition, basic=True))
    return frozenset(written)


def is_claim(tag: int, text: str) -> bool:
    """Tell whether a text is what `stamp` writes into an element, of this release or another.

    Parameters
    ----------
    tag : int
        Of `STAMPED` but the sequence, or of an item of it.
    text : str
        One value.
    """
    allowed = _CLAIMS[tag]
    return text in allowed if isinstance(allowed, frozenset) else bool(allowed.fullmatch(text))


_METHOD_TEXT: Final = re.compile(
    r"cinescrub \d+(?:\.\d+){1,3}(?:(?:a|b|rc|\.dev|\.post)\d+)*"
    r"|PS3\.15 20\d\d[a-e] Basic Profile(?: with exceptions of the site)?"
    r"|pixels not inspected"
    rf"|burned-in text redacted(?: \((?:{'|'.join(Policy)})\))?, (?:not )?verified"
)
_MEANT: Final = (BASIC, PIXELS, *CODES.values())
_CLAIMS: Final[dict[int, frozenset[str] | re.Pattern[str]]] = {
    DERIVATION: frozenset({_DERIVATION}),
    REMOVED: frozenset({"YES", "NO"}),
    METHOD: _METHOD_TEXT,
    TEMPORAL: frozenset({"UNMODIFIED", "MODIFIED", "REMOVED"}),
    0x00080100: frozenset(value for value, _ in _MEANT),
    0x00080102: frozenset({"DCM"}),
    0x00080104: frozenset(meaning for _, meaning in _MEANT),
}


def _temporal(ran: frozenset[Option]) -> str:
    """Return LongitudinalTemporalInformationModified (PS3.3 C.12.1.1.11)."""
    if Option.RETAIN_FULL_DATES in ran:
        return "UNMODIFIED"
    return "MODIFIED" if Option.RETAIN_MODIFIED_DATES in ran else "REMOVED"


def _method(claims: Claims, edition: str, *, basic: bool) -> tuple[str, ...]:
    """Return the values of DeidentificationMethod, of at most 64 characters each (LO)."""
    pixels = "pixels not inspected"
    if claims.pixels_inspected:
        checked = "verified" if claims.pixels_verified else "not verified"
        pixels = f"burned-in text redacted ({claims.policy}), {checked}"
    followed = "Basic Profile" if basic else "Basic Profile with exceptions of the site"
    return (f"cinescrub {__version__}", f"PS3.15 {edition} {followed}", pixels)


def _mark_derived(dataset: Dataset) -> None:
    """Set value 1 of ImageType (PS3.3 C.7.6.1.1.2): the pixels are not the original ones."""
    if IMAGE_TYPE not in dataset:
        return
    _, *others = texts(stored(dataset, IMAGE_TYPE), "CS", DEFAULT_CHARSET) or ("",)
    if others:  # without value 2 the element is empty or broken, and value 2 isn't ours to invent
        _put(dataset, IMAGE_TYPE, "CS", ["DERIVED", *others])


def _code(value: str, meaning: str) -> Dataset:
    named = ((0x00080100, "SH", value), (0x00080102, "SH", "DCM"), (0x00080104, "LO", meaning))
    made = [DataElement(BaseTag(t), vr, text, already_converted=True) for t, vr, text in named]
    return Dataset({element.tag: element for element in made})


def _put(dataset: Dataset, tag: int, vr: str, value: str | list[str] | Sequence) -> None:
    # Not validated: the further values of an ImageType are the input's, kept as they were.
    held = MultiValue(str, value) if type(value) is list else value
    dataset[BaseTag(tag)] = DataElement(BaseTag(tag), vr, held, already_converted=True)

"""One object's elements, each as the profile tells: kept, replaced, cleaned or gone.

What a value has to be to stay is decided here; what happens to which element is the profile's.
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from pydicom import Dataset, config
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID

from cinescrub.dicom import values
from cinescrub.dicom.cleaning import DATE_VRS, DESCRIPTOR_VRS, Cleaning
from cinescrub.dicom.dates import time_of
from cinescrub.dicom.dummies import dummy, empty
from cinescrub.dicom.identifiers import MAX_DEPTH
from cinescrub.dicom.iods import OPTIONAL, REQUIRED
from cinescrub.dicom.options import Option
from cinescrub.dicom.private import safe_representation
from cinescrub.dicom.profile import Action, Decision, Rules
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.search import IdentifierSearch
from cinescrub.dicom.standard import is_registered
from cinescrub.dicom.structure import label
from cinescrub.dicom.values import DEFAULT_CHARSET, Charset, Stored
from cinescrub.errors import InputError
from cinescrub.policy import patterns

__all__ = ["Scrubber"]

_CHARSET: Final = 0x00080005
_PATIENT_NAME: Final = 0x00100010
_PATIENT_ID: Final = 0x00100020
_ISSUER: Final = 0x00100021
_CLASSES: Final = frozenset({0x00080016, 0x00081150})
"""Of an object and of references. Nothing else can stand for them."""

_TRANSDUCER: Final = 0x00185010
_SERIAL: Final = re.compile(r"(?<![\d.])\d{5,}(?![\d.])")
"""Transducer Data is free for its vendor: some write the serial number behind the model."""
_PRIVATE_OPTIONS: Final = frozenset({Option.RETAIN_SAFE_PRIVATE, Option.RETAIN_TCIA_PRIVATE})
_PRIVATE_ROW: Final = "E.1-1 (gggg,eeee) where gggg is odd X"
_UNFIT: Final = "value isn't of its VR"
_ANYTHING: Final = "stated VR can hold something else than the attribute does"
_HELD: Final = "held an identifier of this file"
_OLDEST: Final = 89
_OLD: Final = "090Y"

Outcome: TypeAlias = tuple[Action, Stored | None, str]
"""What was done to an element, what is left of it, and why if not for the profile's reason."""


@dataclass(slots=True)
class Scrubber:
    """One scrub: what it works with, and what it has done so far."""

    rules: Rules
    options: frozenset[Option]
    pseudonyms: Pseudonyms
    search: IdentifierSearch
    cleaning: Cleaning
    parsed: values.Parsed
    """Items of the input's sequences: they are parsed once."""
    renamed: frozenset[str]
    """UIDs that are replaced although they name a class."""
    signed: bool
    encoding: tuple[bool, bool] | None
    """Implicit VR and little endian, of the output; None for a dataset made in memory."""
    done: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    unfit: list[int] = field(default_factory=list)
    uids: dict[str, str] = field(default_factory=dict)
    classes: set[str] = field(default_factory=set)
    """UIDs that were kept and that the standard doesn't register."""

    def level(self, source: Dataset, inherited: Charset, depth: int, parent: int) -> Dataset:
        """Return one dataset, root or item of the sequence `parent`, scrubbed."""
        if depth > MAX_DEPTH:
            raise InputError(f"malformed: sequences are nested deeper than {MAX_DEPTH}")
        charset = values.charset_of(source, inherited)
        held = {int(key): element for key, element in source.items()}
        made: dict[BaseTag, Stored] = {}
        decide, done = self.rules.decide, self.done
        private = [tag for tag in held if tag >> 16 & 1]
        for tag in sorted(held):
            if tag >> 16 & 1:
                continue
            decision = decide(tag, parent)
            action, element, why = self._element(source, held[tag], tag, decision, charset, depth)
            key = action._value_, tag, why or decision.reason
            done[key] = done.get(key, 0) + 1
            if element is not None:
                made[BaseTag(tag)] = element
        if private:
            made |= self._private(source, private, charset, depth)
        result = Dataset(made, parent_encoding=list(inherited.codecs))
        if self.encoding is not None:  # then pydicom writes raw values as they are
            result.set_original_encoding(*self.encoding, list(charset.codecs))
        if getattr(source, "is_undefined_length_sequence_item", False):
            result.is_undefined_length_sequence_item = True
        return result

    def _element(
        self,
        source: Dataset,
        element: Stored,
        tag: int,
        decision: Decision,
        charset: Charset,
        depth: int,
    ) -> Outcome:
        action = decision.action
        if action is Action.REMOVE:
            return action, None, ""
        if element.value is None:  # left in the file
            element = values.stored(source, tag)
        vr = values.representation(element.VR, tag, signed=self.signed)
        if not vr:
            return _of_another_kind(tag, decision.kind)
        if tag == _CHARSET:
            return self._charset(source)
        if vr == "SQ":
            return self._sequence(element, tag, action, charset, depth)
        if action is Action.KEEP:
            kept = self._kept(element, tag, vr, charset)
            required = decision.kind == REQUIRED and kept[0] is not action
            return _with_value(kept, tag, vr) if required else kept
        if action is Action.CLEAN:
            return self._cleaned(source, element, tag, vr, decision.otherwise, charset)
        return self._put_in_place(source, element, tag, vr, action, charset)

    def _put_in_place(
        self, source: Dataset, element: Stored, tag: int, vr: str, action: Action, charset: Charset
    ) -> Outcome:
        """Return what stands for a value that doesn't stay."""
        if action is Action.REMOVE:
            return action, None, ""
        if action is Action.UID or vr == "UI":  # a dummy of a UID is a UID of ours
            return self._uid(element, tag, vr, charset)
        return action, self._replaced(source, element, tag, vr, action, charset), ""

    def _charset(self, source: Dataset) -> Outcome:
        """Write the character set anew: as stored, it could hold anything."""
        terms = values.charset_of(source, DEFAULT_CHARSET).terms
        if not terms:
            return Action.REMOVE, None, "no character set of the standard"
        value = terms[0] if len(terms) == 1 else list(terms)
        return Action.KEEP, DataElement(_CHARSET, "CS", value), "character set, written anew"

    def _sequence(
        self, element: Stored, tag: int, action: Action, charset: Charset, depth: int
    ) -> Outcome:
        if action is Action.EMPTY:
            return action, empty(tag, "SQ"), ""
        items = [
            self.level(item, charset, depth + 1, tag)
            for item in values.items(element, tag, charset, self.parsed)
        ]
        if action is Action.DUMMY:
            # A dummy of a sequence is one item in which every value is one.
            items = [_hollow(item) for item in items[:1]]
        sequence = DataElement(tag, "SQ", Sequence(items))
        # Lengths stay defined or undefined as they were: kept sequences are then the same bytes.
        sequence.is_undefined_length = getattr(element, "is_undefined_length", False)
        return action, sequence, ""

    def _kept(self, element: Stored, tag: int, vr: str, charset: Charset) -> Outcome:
        texts: tuple[str, ...] = ()
        if vr in values.STRING_VRS:
            texts, valid = values.checked_texts(element, vr, tag, charset)
        else:
            valid = values.fits(element, vr, tag)
        if not valid:
            self.unfit.append(tag)
            if vr == "UI" and tag not in _CLASSES:  # most are required, and references have to hold
                action, replaced, _ = self._uid(element, tag, vr, charset)
                return action, replaced, _UNFIT
            return Action.EMPTY, empty(tag, vr), _UNFIT
        if vr in values.NUMBER_VRS:
            return self._as_stored(element, tag, vr)
        if vr == "UI":
            return self._kept_uid(element, tag, charset)
        if vr in values.BULK_VRS and self.search.finds_in_bytes(values.data(element)):
            return Action.REMOVE, None, _HELD
        return self._clean_text(texts, tag, vr) or self._as_stored(element, tag, vr)

    def _clean_text(self, texts: tuple[str, ...], tag: int, vr: str) -> Outcome | None:
        """Return what stands for texts that can't stay as they are; None if they can."""
        for text in texts:
            if self.search.finds(text, vr, tag):
                clean = empty(tag, vr) if vr in ("DS", "IS") else dummy(tag, vr)
                return Action.CLEAN, clean, _HELD
        if tag == _TRANSDUCER and Option.RETAIN_DEVICE not in self.options:
            models = ["" if _SERIAL.search(text) else text for text in texts]
            if models != list(texts):
                return Action.CLEAN, DataElement(tag, vr, models), "a number as of a serial one"
        if vr == "AS" and any(_is_old(age) for age in texts):
            return Action.CLEAN, DataElement(tag, vr, _OLD), "ages over 89 are one: 45 CFR 164.514"
        return None

    def _kept_uid(self, element: Stored, tag: int, charset: Charset) -> Outcome:
        uids = [uid for uid in values.texts(element, "UI", charset) if not is_registered(uid)]
        if any(uid in self.renamed or self.search.finds_in_uid(uid) for uid in uids):
            action, replaced, _ = self._uid(element, tag, "UI", charset)
            return action, replaced, _HELD
        self.classes.update(filter(None, uids))
        return self._as_stored(element, tag, "UI")

    def _as_stored(self, element: Stored, tag: int, vr: str) -> Outcome:
        """Return the same value in an element of the output's encoding."""
        if not isinstance(element, RawDataElement):
            value = copy.deepcopy(element.value)
            return Action.KEEP, DataElement(tag, vr, value, already_converted=True), ""
        implicit, little = self.encoding or (element.is_implicit_VR, element.is_little_endian)
        swapped = element.is_little_endian != little or (element.VR == "UN" and not little)
        if swapped and vr not in values.STRING_VRS:
            # Numbers of a UN sequence in a big-endian file: the byte order is another, and of
            # the values of a sequence item nobody can say what they were.
            self.unfit.append(tag)
            return Action.EMPTY, empty(tag, vr), _UNFIT
        value = element.value or b""
        if len(value) % 2:  # PS3.5 7.1.1: lengths are even
            value += b" " if vr in values.STRING_VRS and vr != "UI" else b"\0"
            element = element._replace(value=value, length=len(value))
        if vr != element.VR or implicit != element.is_implicit_VR or swapped:
            element = element._replace(VR=vr, is_implicit_VR=implicit, is_little_endian=little)
        return Action.KEEP, element, ""

    def _cleaned(
        self,
        source: Dataset,
        element: Stored,
        tag: int,
        vr: str,
        otherwise: Action,
        charset: Charset,
    ) -> Outcome:
        """Return a value that an option cleans; what can't be cleaned goes as without it."""
        texts = [text for text in values.texts(element, vr, charset) if vr in values.STRING_VRS]
        if values.is_empty(element, vr):
            return Action.CLEAN, empty(tag, vr), ""
        clocks: tuple[str, ...] = ()
        if vr == "DA" and (partner := time_of(tag)) is not None and partner in source:
            clocks = values.texts(values.stored(source, partner), "TM", charset)
        valid = values.fits(element, vr, tag) and values.decoded(element, vr, charset)
        new = self.cleaning.cleaned(texts, vr, tag, clocks) if valid else None
        if not new or None in new:
            action, replaced, _ = self._put_in_place(source, element, tag, vr, otherwise, charset)
            return action, replaced, "can't be cleaned" if vr in DATE_VRS else "not known clean"
        if new == texts:
            _, kept, why = self._as_stored(element, tag, vr)
            return Action.CLEAN, kept, why
        value = [text or "" for text in new]
        made = DataElement(
            tag, vr, value[0] if len(value) == 1 else value, validation_mode=config.IGNORE
        )
        return Action.CLEAN, made, ""

    def _uid(self, element: Stored, tag: int, vr: str, charset: Charset) -> Outcome:
        if vr != "UI":
            return Action.REMOVE, None, "no UID"
        old = [uid for uid in values.texts(element, vr, charset) if uid]
        new = [self.pseudonyms.uid(uid) for uid in old]
        self.uids.update(
            (before, after) for before, after in zip(old, new, strict=True) if before != after
        )
        if not new:
            return Action.UID, empty(tag, vr), ""
        if len(new) > 1:
            return Action.UID, DataElement(tag, vr, new), ""
        uid = UID(new[0], validation_mode=config.IGNORE)  # ours, or one of the standard
        return Action.UID, DataElement(BaseTag(tag), vr, uid, already_converted=True), ""

    def _replaced(
        self, source: Dataset, element: Stored, tag: int, vr: str, action: Action, charset: Charset
    ) -> DataElement:
        """Return a pseudonym, a dummy or nothing; what was empty stays empty."""
        value = "".join(values.texts(element, vr, charset)[:1])
        if tag in (_PATIENT_NAME, _PATIENT_ID):
            pseudonym = self._subject(source, tag, value, charset)
            return DataElement(tag, vr, pseudonym) if pseudonym else empty(tag, vr)
        if action is Action.EMPTY or values.is_empty(element, vr):
            return empty(tag, vr)
        return dummy(tag, vr)

    def _subject(self, source: Dataset, tag: int, value: str, charset: Charset) -> str:
        issuer = values.first_text(source, _ISSUER, charset)
        if tag == _PATIENT_ID:
            return self.pseudonyms.patient_id(value, issuer)
        identity = values.first_text(source, _PATIENT_ID, charset)
        return self.pseudonyms.name(value, patient_id=identity, issuer=issuer)

    def _private(
        self, source: Dataset, tags: list[int], charset: Charset, depth: int
    ) -> dict[BaseTag, Stored]:
        """Return those private elements that an option keeps, with their creators."""
        kept: dict[BaseTag, Stored] = {}
        asked = bool(self.options & _PRIVATE_OPTIONS)
        creators: set[int] = set()
        for tag in tags:
            element, action, why = None, Action.REMOVE, _PRIVATE_ROW
            block = tag >> 16 << 16 | tag >> 8 & 0xFF
            if asked and tag & 0xFFFF > 0xFF and block in source:
                action, element, why = self._safe(source, tag, block, charset, depth)
            if element is not None:
                kept[BaseTag(tag)] = element
                creators.add(block)
            if tag & 0xFFFF > 0xFF or not asked:
                self.done[action.value, tag, why] += 1
        for block in sorted(creators):
            creator = values.first_text(source, block)
            kept[BaseTag(block)] = DataElement(block, "LO", creator)
            self.done[Action.KEEP.value, block, "private creator of kept elements"] += 1
        return kept

    def _safe(self, source: Dataset, tag: int, block: int, charset: Charset, depth: int) -> Outcome:
        """Return a private element if a list says that it is safe and its value looks so."""
        element = values.stored(source, tag)
        creator = values.first_text(source, block)
        stated = None if element.VR is None else str(element.VR)
        vr = safe_representation(creator, tag, stated, self.options)
        if not vr:
            return Action.REMOVE, None, "private element on no list of safe ones"
        why = "retain-safe-private: listed by creator and VR"
        if vr == "SQ":
            action, kept, _ = self._sequence(element, tag, Action.KEEP, charset, depth)
            return action, kept, why
        if vr == "UI":
            action, kept, _ = self._uid(element, tag, vr, charset)
            return action, kept, why
        if vr in DATE_VRS and Option.RETAIN_FULL_DATES not in self.options:
            action, kept, _ = self._cleaned(source, element, tag, vr, Action.REMOVE, charset)
            return action, kept, why
        if vr in DESCRIPTOR_VRS and not self._says_nothing(element, vr, tag, charset):
            return Action.REMOVE, None, "text of a private element that isn't known clean"
        action, kept, other = self._kept(element, tag, vr, charset)
        if action is not Action.KEEP:
            return Action.REMOVE, None, other
        return action, kept, why

    def _says_nothing(self, element: Stored, vr: str, tag: int, charset: Charset) -> bool:
        texts = list(values.texts(element, vr, charset))
        if self.cleaning.reads_text:
            return self.cleaning.cleaned(texts, vr, tag) == texts
        return not any(patterns.find(text) for text in texts)


def _with_value(outcome: Outcome, tag: int, vr: str) -> Outcome:
    """Return a dummy where a value that an attribute requires would be empty (PS3.5 7.4.1)."""
    _, element, why = outcome
    if element is None or not values.is_empty(element, vr):
        return outcome
    if vr == "UI":
        raise InputError(f"malformed: {label(tag)} is no UID, and nothing can stand for it")
    return Action.DUMMY, dummy(tag, vr), why


def _of_another_kind(tag: int, kind: int) -> Outcome:
    """Return what stands for an element whose stated VR isn't the attribute's."""
    vr = values.dictionary_vr(tag)[:2]
    if not vr or kind == OPTIONAL or vr == "UI":
        return Action.REMOVE, None, _ANYTHING
    if kind == REQUIRED and vr != "SQ":
        return Action.DUMMY, dummy(tag, vr), _ANYTHING
    return Action.EMPTY, empty(tag, vr), _ANYTHING


def _is_old(age: str) -> bool:
    number = age.strip().rstrip("DWMYdwmy")
    a_year = _A_YEAR.get(age.strip()[-1:].upper(), 1)
    return number.isdecimal() and int(number) >= (_OLDEST + 1) * a_year


_A_YEAR: Final = {"D": 365.25, "W": 52.18, "M": 12}
"""In units of PS3.5 6.2, AS; a number without one is of years."""


def _hollow(item: Dataset) -> Dataset:
    """Return an item whose every value is a dummy; UIDs are ours already."""
    hollow = Dataset()
    for key in sorted(item.keys()):
        element = values.stored(item, int(key))
        vr = str(element.VR)
        if vr == "SQ" and isinstance(element, DataElement):
            hollow[key] = DataElement(key, vr, Sequence([_hollow(i) for i in element.value[:1]]))
        elif vr == "UI" or int(key) == _CHARSET:
            hollow[key] = element
        else:
            hollow[key] = (
                empty(int(key), vr) if values.is_empty(element, vr) else dummy(int(key), vr)
            )
    return hollow

"""What the standard itself names: registered UIDs, and the words of its own vocabulary.

Facts of PS3.6 as pydicom carries them. Nothing here sees a dataset.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

# Both dictionaries are what pydicom's own modules share; they are named in no `__all__`.
from pydicom.datadict import DicomDictionary  # type: ignore[attr-defined]
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

__all__ = ["everyday_words", "is_modality", "is_registered"]

_WORD: Final = re.compile(r"[^\W\d_]+")

# Defined terms of PS3.3 C.7.3.1.1.1.
_MODALITIES: Final = """
    ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES FID GM HC
    HD IO IOL IVOCT IVUS KER KO LEN LS M3D MG MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA
    PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN
    RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA XAPROTOCOL XC
"""

# Words of codes and defined terms that the names don't have: anatomy, directions, states.
_TERMS: Final = """
    apex apical axial basal base biplane body bone brain breast caudal chest circle coronal cross
    deep distal fetal fetus field foot four front head heart horn inferior insula joint knee
    lateral left liver long medial mean median neck none other parasternal post probe proximal
    rest right sagittal short side single small stone stress subcostal superior three tissue
    transverse triplane unknown upper valve ventricle vessel wall
    abdomen ankle aorta arm bladder brachial breast bronchus carotid cervix clavicle colon
    duodenum ear elbow esophagus eye femur finger gallbladder groin hand hip humerus kidney lung
    mediastinum nose ovary pancreas pelvis placenta prostate radius renal rib scrotum shoulder
    skin skull spine spleen sternum stomach testis thigh thorax thumb thyroid toe tongue tricuspid
    ulna uterus uvula vagina vein wrist mitral aortic atrial atrium artery arterial venous adult
"""


def is_registered(uid: str) -> bool:
    """Whether PS3.6 annex A registers a UID.

    To be under the standard's root 1.2.840.10008 isn't enough: files with instance UIDs made up
    there exist.
    """
    return uid in UID_dictionary


def is_modality(term: str) -> bool:
    """Whether a value is a defined term of Modality, and so names nobody."""
    return term in _MODALITIES.split()


@cache
def everyday_words() -> frozenset[str]:
    """Return the words, in lower case, of the names of attributes, classes and terms."""
    names = [str(entry[2]) for entry in DicomDictionary.values()]
    names += [str(entry[0]) for entry in UID_dictionary.values()]
    names += [_TERMS]
    return frozenset(word for name in names for word in _WORD.findall(name.casefold()))

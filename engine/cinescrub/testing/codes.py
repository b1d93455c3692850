"""Bar codes and matrices for made cines: what labels and screens show beside text.

Bar codes are Code 128 and say what they are given. Matrices have the border of a Data Matrix and
modules drawn from their text: no reader takes them, which nothing here needs.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np

from cinescrub.testing.fonts import Coverage

__all__ = ["bar_code", "matrix_code"]

# Widths of bars and gaps of the 106 symbols and the stop, ISO/IEC 15417, table 1.
# fmt: off
_SYMBOLS: Final = (
    "212222", "222122", "222221", "121223", "121322", "131222", "122213", "122312",
    "132212", "221213", "221312", "231212", "112232", "122132", "122231", "113222",
    "123122", "123221", "223211", "221132", "221231", "213212", "223112", "312131",
    "311222", "321122", "321221", "312212", "322112", "322211", "212123", "212321",
    "232121", "111323", "131123", "131321", "112313", "132113", "132311", "211313",
    "231113", "231311", "112133", "112331", "132131", "113123", "113321", "133121",
    "313121", "211331", "231131", "213113", "213311", "213131", "311123", "311321",
    "331121", "312113", "312311", "332111", "314111", "221411", "431111", "111224",
    "111422", "121124", "121421", "141122", "141221", "112214", "112412", "122114",
    "122411", "142112", "142211", "241211", "221114", "413111", "241112", "134111",
    "111242", "121142", "121241", "114212", "124112", "124211", "411212", "421112",
    "421211", "212141", "214121", "412121", "111143", "111341", "131141", "114113",
    "114311", "411113", "411311", "113141", "114131", "311141", "411131", "211412",
    "211214", "211232", "2331112",
)
# fmt: on
_START_B: Final = 104
_STOP: Final = 106
_FIRST: Final = " "
"""Code set B begins with it."""
_SIDE: Final = 18
"""Modules of a matrix: room for 18 letters."""


def bar_code(text: str, *, module_px: int = 2, height_px: int = 24) -> Coverage:
    """Draw a Code 128 of printable ASCII, in code set B.

    Parameters
    ----------
    text : str
        What it says; other characters are left out.
    module_px, height_px : int
        Width of the narrowest bar, and height.

    Returns
    -------
    (h, w) uint8 array
        255 where bars are, owned by the caller; it begins and ends with one.
    """
    values = [ord(one) - ord(_FIRST) for one in text if _FIRST <= one <= "~"]
    check = (_START_B + sum(k * value for k, value in enumerate(values, 1))) % 103
    widths = [int(w) for k in (_START_B, *values, check, _STOP) for w in _SYMBOLS[k]]
    row = np.repeat(np.arange(len(widths)) % 2 == 0, np.array(widths) * module_px)
    return np.tile(row.astype(np.uint8) * np.uint8(255), (height_px, 1))


def matrix_code(text: str, *, module_px: int = 3) -> Coverage:
    """Draw a square of modules that follow from `text`.

    Returns
    -------
    (h, w) uint8 array
        255 where modules are dark, owned by the caller.
    """
    seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
    dark = np.random.default_rng(seed).random((_SIDE, _SIDE)) < 0.5
    dark[0] = np.arange(_SIDE) % 2 == 0
    dark[:, -1] = np.arange(_SIDE) % 2 == 1
    dark[:, 0] = dark[-1] = True
    modules = np.ones((module_px, module_px), np.uint8)
    return np.kron(dark.astype(np.uint8) * np.uint8(255), modules)

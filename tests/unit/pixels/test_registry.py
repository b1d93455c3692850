from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cinescrub.errors import InputError
from cinescrub.pixels.registry import (
    MAX_PIXELS,
    check,
    output_photometric,
    output_syntax,
    syntax_of,
)
from cinescrub.types import CineInfo, Palette

ROOT = "1.2.840.10008.1.2"
GRAY = CineInfo(ROOT + ".1", 1, 4, 6, 1, "MONOCHROME2", 8, 8, 7, False, 0)
PALETTE = Palette(np.zeros((256, 3), np.uint8))


@pytest.mark.parametrize(
    "suffix",
    ["", ".1", ".2", ".1.99", ".5", ".4.50", ".4.51", ".4.57", ".4.70", ".4.80", ".4.90", ".4.201"],
)
def test_a_supported_syntax_is_written_as_itself(suffix: str) -> None:
    syntax_of(ROOT + suffix)

    assert output_syntax(replace(GRAY, transfer_syntax=ROOT + suffix)) == ROOT + suffix


@pytest.mark.parametrize("suffix", [".4.81", ".4.91", ".4.203"])
def test_a_syntax_that_allows_loss_stays(suffix: str) -> None:
    assert output_syntax(replace(GRAY, transfer_syntax=ROOT + suffix)) == ROOT + suffix


def test_a_promise_that_our_encoder_does_not_keep_is_not_made() -> None:
    assert output_syntax(replace(GRAY, transfer_syntax=ROOT + ".4.202")) == ROOT + ".4.201"


def test_the_irreversible_transform_becomes_the_reversible_one() -> None:
    info = replace(GRAY, transfer_syntax=ROOT + ".4.91", samples=3, photometric="YBR_ICT")

    assert output_photometric(info) == "YBR_RCT"
    assert output_photometric(replace(info, photometric="RGB")) == "RGB"


@pytest.mark.parametrize(
    ("suffix", "name"),
    [
        (".4.53", "JPEG Spectral Selection"),
        (".4.55", "JPEG Full Progression"),
        (".4.94", "JPIP"),
        (".4.100", "MPEG2"),
        (".4.102", "H.264"),
        (".4.107", "HEVC"),
        (".4.110", "JPEG XL"),
        (".7.1", "SMPTE ST 2110-20"),
    ],
)
def test_an_unsupported_syntax_is_refused_by_its_name(suffix: str, name: str) -> None:
    with pytest.raises(InputError, match=name):
        syntax_of(ROOT + suffix)


def test_an_unknown_syntax_is_refused_without_repeating_it() -> None:
    with pytest.raises(InputError) as caught:
        syntax_of("1.2.3.4444")

    assert "4444" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"bits_allocated": 16, "bits_stored": 12, "high_bit": 11, "signed": True},
        {"bits_allocated": 32, "bits_stored": 32, "high_bit": 31},
        {"samples": 3, "photometric": "RGB", "planar": 1},
        {"samples": 3, "photometric": "YBR_FULL_422"},
        {"photometric": "PALETTE COLOR", "palette": PALETTE},
        {"transfer_syntax": ROOT + ".4.50"},
        {"transfer_syntax": ROOT + ".4.90", "samples": 3, "photometric": "YBR_RCT"},
        {"transfer_syntax": ROOT + ".2", "words": True},
    ],
    ids=lambda change: ",".join(map(str, change)) or "gray",
)
def test_what_can_be_handled_passes(change: dict[str, Any]) -> None:
    check(replace(GRAY, **change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, "no rows"),
        ({"rows": MAX_PIXELS}, "over the limit"),
        ({"samples": 4, "photometric": "CMYK"}, "CMYK"),
        ({"samples": 4, "photometric": "X"}, "4 samples"),
        ({"samples": 2, "photometric": "RGB"}, "2 samples"),
        ({"samples": 3}, "doesn't fit"),
        ({"photometric": "PALETTE COLOR"}, "no palette"),
        ({"bits_allocated": 1, "bits_stored": 1, "high_bit": 0}, "1 bits allocated"),
        ({"bits_allocated": 64, "bits_stored": 64, "high_bit": 63}, "64 bits allocated"),
        ({"bits_stored": 9, "high_bit": 8}, "bits stored"),
        ({"bits_stored": 7, "high_bit": 7}, "high bit"),
        ({"samples": 3, "photometric": "RGB", "signed": True}, "signed colour"),
        ({"samples": 3, "photometric": "RGB", "planar": 2}, "planar"),
        ({"samples": 3, "photometric": "YBR_FULL_422", "columns": 5}, "YBR_FULL_422"),
        ({"samples": 3, "photometric": "YBR_RCT"}, "not valid"),
        ({"words": True}, "big endian words"),
        ({"words": True, "transfer_syntax": ROOT + ".2", "rows": 3, "columns": 3}, "odd length"),
        ({"transfer_syntax": ROOT + ".4.50", "signed": True}, "signed"),
        (
            {
                "transfer_syntax": ROOT + ".4.51",
                "bits_allocated": 16,
                "bits_stored": 12,
                "high_bit": 11,
            },
            "more than 8 bits",
        ),
        (
            {
                "transfer_syntax": ROOT + ".4.80",
                "bits_allocated": 32,
                "bits_stored": 32,
                "high_bit": 31,
            },
            "32 bits",
        ),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
def test_what_cannot_be_handled_is_refused_from_the_header(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check(replace(GRAY, **change))


def test_an_unknown_photometric_value_is_not_repeated() -> None:
    with pytest.raises(InputError) as caught:
        check(replace(GRAY, photometric="DOE^JANE"))

    assert "DOE" not in str(caught.value)

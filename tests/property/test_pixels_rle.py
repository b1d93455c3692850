from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cinescrub.pixels import rle
from cinescrub.types import CineInfo


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 20),
    st.integers(1, 300),
    st.sampled_from([1, 3]),
    st.sampled_from([8, 16, 32]),
    st.sampled_from([1, 2, 300]),
    st.integers(0, 2**32 - 1),
)
def test_what_is_encoded_decodes_to_itself(
    rows: int, columns: int, samples: int, bits: int, variety: int, seed: int
) -> None:
    photometric = "RGB" if samples == 3 else "MONOCHROME2"
    info = CineInfo(
        "1.2.840.10008.1.2.5",
        1,
        rows,
        columns,
        samples,
        photometric,
        bits,
        bits,
        bits - 1,
        False,
        0,
    )
    shape = (rows, columns) if samples == 1 else (rows, columns, 3)
    values = np.random.default_rng(seed).integers(0, variety, shape) * 0x01030507
    stored = (values & ((1 << bits) - 1)).astype(info.dtype)

    decoded = rle.decode(rle.encode(stored), info)

    assert decoded.dtype == stored.dtype
    assert np.array_equal(decoded, stored)

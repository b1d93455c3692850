from __future__ import annotations

import logging
import shutil
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from cinescrub.errors import InputError
from cinescrub.pixels import jpeg_core, jpeg_walk
from cinescrub.pixels.huffman import Table
from cinescrub.pixels.jpeg_walk import Component, Rewritten

Core: TypeAlias = Callable[..., Rewritten]

ONE_CODE = Table(bytes([1, *[0] * 15]), b"\0")
"""One symbol, coded as 0: DC difference 0, or EOB."""
GRAY = (Component(ONE_CODE, ONE_CODE, 0, 1),)
COVERED = np.array([True, False, False, False])

CORES = [
    pytest.param(jpeg_walk.rewrite, id="pure"),
    pytest.param(
        jpeg_core.rewrite,
        id="compiled",
        marks=pytest.mark.skipif(not jpeg_core.COMPILED, reason="built without a compiler"),
    ),
]


def test_it_is_compiled_where_it_can_be() -> None:
    headers = Path(sysconfig.get_path("include"), "Python.h")
    if shutil.which("cc") is None or not headers.is_file():
        pytest.skip("no compiler, or no Python headers")

    assert jpeg_core.COMPILED
    assert jpeg_core.describe() == "compiled JPEG core"


def test_without_it_the_result_is_the_same_and_a_warning_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fast = jpeg_core.rewrite(b"\x00", GRAY, COVERED, 0)
    monkeypatch.setattr(jpeg_core, "COMPILED", False)
    jpeg_core._warn_once.cache_clear()

    with caplog.at_level(logging.WARNING):
        slow = [jpeg_core.rewrite(b"\x00", GRAY, COVERED, 0) for _ in range(2)]

    assert slow == [fast, fast]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "slow" in jpeg_core.describe()


@pytest.mark.parametrize("rewrite", CORES)
class TestRewrite:
    def test_flat_blocks(self, rewrite: Core) -> None:
        assert rewrite(b"\x00", GRAY, COVERED, 0) == (b"\x00", (1,))

    def test_bits_behind_the_last_block_are_cut_and_padded_with_ones(self, rewrite: Core) -> None:
        three = COVERED[:3]

        assert rewrite(b"\x02SECRET", GRAY, three, 0) == (b"\x03", (1,))

    def test_a_missing_code_is_named(self, rewrite: Core) -> None:
        components = (Component(ONE_CODE, ONE_CODE, 5, 1),)

        assert rewrite(b"\x00", components, COVERED, 0) == (None, (0b1001,))

    def test_a_missing_end_of_block_is_named(self, rewrite: Core) -> None:
        # The only AC code is a run of no zeros and one bit: 63 of them fill a block.
        ac = Table(bytes([1, *[0] * 15]), b"\x01")

        result = rewrite(bytes(70), (Component(ONE_CODE, ac, 0, 1),), COVERED, 0)

        assert result == (None, (1,))

    def test_restart_intervals_without_covered_units_are_copied_unread(self, rewrite: Core) -> None:
        data = b"\x0f\xff\xd0anything\xff\x00\xff\xff\xd1\x0f\xff\xd2\x0f"

        result = rewrite(data, GRAY, COVERED, 1)

        assert result == (b"\x3f" + data[1:], (1,))

    def test_fill_bytes_in_front_of_a_marker_are_dropped_with_their_interval(
        self, rewrite: Core
    ) -> None:
        data = b"\x0f\xff\xff\xff\xd0\x0f"

        assert rewrite(data, GRAY, COVERED[:2], 1) == (b"\x3f\xff\xd0\x0f", (1,))

    @pytest.mark.parametrize(
        ("data", "restart", "message"),
        [
            pytest.param(b"", 0, "can't be read", id="empty"),
            pytest.param(b"\xff", 0, "can't be read", id="fill byte only"),
            pytest.param(b"\xff\x00", 0, "can't be read", id="unknown code"),
            pytest.param(b"\x00\xff\xfe", 0, "can't be read", id="another marker"),
            pytest.param(b"\x00\xff\xd0\x00", 0, "restart intervals", id="one too many"),
            pytest.param(b"\x00\xff\xd0\x00", 1, "restart intervals", id="too few"),
            pytest.param(b"", 1, "restart intervals", id="none"),
            pytest.param(b"\x00\xff\xd1\x00", 2, "out of order", id="out of order"),
        ],
    )
    def test_damage_is_refused(
        self, rewrite: Core, data: bytes, restart: int, message: str
    ) -> None:
        with pytest.raises(InputError, match=message):
            rewrite(data, GRAY, COVERED, restart)

    def test_levels_beyond_those_of_samples_are_refused(self, rewrite: Core) -> None:
        # DC category 15, value 32767, thrice, in front of a covered unit.
        dc = Table(bytes([1, *[0] * 15]), b"\x0f")
        block = "0" + "1" * 15 + "0"
        bits = block * 3 + "0" + "0" * 15 + "0"
        data = int(bits.ljust(72, "1"), 2).to_bytes(9, "big").replace(b"\xff", b"\xff\x00")

        with pytest.raises(InputError, match="beyond"):
            rewrite(data, (Component(dc, ONE_CODE, 0, 1),), COVERED[::-1].copy(), 0)

"""What is freed goes back: a process does not stay as large as it once was."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_SCRIPT = """
import numpy as np

from cinescrub.runtime.heap import give_back_freed
from cinescrub.telemetry import resident_bytes

asked = {asked}
if asked:
    assert give_back_freed()
np.ones(1 << 22).sum()  # glibc learns of large blocks as the first of them is freed
before = resident_bytes()
kept = []
for _ in range(8):
    blocks = []
    for _ in range(32):
        blocks.append(np.ones(2 << 20, np.uint8))
        kept.append(bytearray(100_000))  # small, stays, and pins a heap's end
    del blocks
print((resident_bytes() - before) // 2**20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_large_blocks_go_back_though_small_ones_stay_between_them() -> None:
    grown = {}
    for asked in (True, False):
        script = _SCRIPT.format(asked=asked)
        run = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        grown[asked] = int(run.stdout)

    assert grown[True] < 25 + 8  # what stays, and a little
    assert grown[False] > grown[True] + 16

"""Run `cinescrub` with fake models in a process of its own, and kill it at a chosen moment.

`python resumable.py MOMENT COUNT ARGUMENTS...`: the process ends itself with SIGKILL, as `kill -9`
does, when the moment comes for the COUNT-th time; 0 is never.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.integration.conftest import Indifferent, ShineDetector, Stammerer

from cinescrub.bundle import Slot
from cinescrub.cli import main, run
from cinescrub.dicom.writer import OutputFile
from cinescrub.pipeline import engine, inspection
from cinescrub.pipeline.ledger import Ledger
from cinescrub.pipeline.redactor import Redactor
from cinescrub.text.detector import CraftDetector
from cinescrub.text.inspect import Inspector
from cinescrub.text.memory import LookMemory
from cinescrub.text.recognizer import Recognizer

MOMENTS: dict[str, tuple[Any, str, bool]] = {
    # owner, name, whether the kill comes after it
    "inspected": (Redactor, "inspect", True),
    "header written": (OutputFile, "write_header", True),
    "pixels written": (engine, "write_pixels", True),
    "checked": (inspection, "_check", True),
    "about to record": (Ledger, "record", False),
    "recorded": (Ledger, "record", True),
    "renamed": (OutputFile, "commit", True),
    "never": (OutputFile, "commit", True),
}


def kill_at(moment: str, count: int) -> None:
    """Arrange the end."""
    owner, name, after = MOMENTS[moment]
    original: Callable[..., Any] = getattr(owner, name)
    met = 0

    def fatal(*given: Any, **named: Any) -> Any:
        nonlocal met
        met += 1
        if met == count and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*given, **named)
        if met == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, fatal)


def fakes(_config: object, *, memory: LookMemory) -> Inspector:
    """Open fakes behind the memory, as the real models are opened."""
    return Inspector(
        [memory.detector(CraftDetector(ShineDetector()), "shine")],
        [memory.reader(Recognizer(Stammerer()))],
        memory.scorer(Indifferent()),
    )


if __name__ == "__main__":
    kill_at(sys.argv[1], int(sys.argv[2]))
    for module, name, fake in (
        (engine, "open_inspector", fakes),
        (engine, "versions_of", lambda _: {slot.value: "0" for slot in Slot}),
        (run, "ensure_models", lambda _: None),
    ):
        setattr(module, name, fake)
    sys.argv = ["cinescrub", *sys.argv[3:]]
    main()

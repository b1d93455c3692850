"""What opens engines of fakes in the workers of a cluster, some of which die or differ."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from tests.integration.conftest import Indifferent, ShineDetector, Stammerer

from cinescrub.config import EngineConfig
from cinescrub.dicom.profile import basic_profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.writer import OutputFile
from cinescrub.errors import ModelError
from cinescrub.pipeline.engine import Engine
from cinescrub.pipeline.state import Rows
from cinescrub.text.detector import CraftDetector
from cinescrub.text.inspect import Inspector
from cinescrub.text.recognizer import Recognizer


def open_engine(
    config: EngineConfig, *, key: bytes, rows: Rows | None, versions: dict[str, str] | None = None
) -> Engine:
    """Open fakes with the key that came."""
    inspector = Inspector(
        [CraftDetector(ShineDetector())], [Recognizer(Stammerer())], Indifferent()
    )
    return Engine(
        config, inspector, Pseudonyms(key), basic_profile(), versions=versions or {}, rows=rows
    )


def differing(config: EngineConfig, **given: Any) -> Engine:
    """Open engines of which no two are the same."""
    return open_engine(config, versions={"craft": str(os.getpid())}, **given)


class Deadly:
    """Opens engines that die of inputs: of `once-...` the first time, of `always-...` each time.

    They die where most is at stake: when the output is written and has no name yet.
    """

    def __init__(self, marks: Path, *, last: bool = False) -> None:
        self.marks = marks
        self.last = last
        """Whether no engine can be opened any more after one died."""

    def __call__(self, config: EngineConfig, **given: Any) -> Engine:
        if self.last and any(self.marks.iterdir()):
            raise ModelError("no models here")
        engine = open_engine(config, **given)
        work, commit = engine._deidentify, OutputFile.commit
        doomed = False

        def begins(job: Any, targets: Any) -> None:
            nonlocal doomed
            mark = self.marks / job.path.name
            doomed = mark.name.startswith("always") or (
                mark.name.startswith("once") and not mark.exists()
            )
            if doomed:
                mark.touch()
            work(job, targets)

        def dies(output: OutputFile) -> None:
            if doomed:
                os.kill(os.getpid(), signal.SIGKILL)
            commit(output)

        setattr(engine, "_deidentify", begins)  # noqa: B010  # a process of its own
        setattr(OutputFile, "commit", dies)  # noqa: B010
        return engine


class Placed:
    """Opens engines, and notes on which node."""

    def __init__(self, marks: Path) -> None:
        self.marks = marks

    def __call__(self, config: EngineConfig, **given: Any) -> Engine:
        import ray

        (self.marks / ray.get_runtime_context().get_node_id()).touch()
        return open_engine(config, **given)

"""Many inputs, one after the other: what to read, where to write, what to do when one fails.

A fault of one input is a line of the report; the rest goes on. Inputs are never modified.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from cinescrub.pipeline.engine import Engine, Observer, Targets
from cinescrub.report import FileReport, Status
from cinescrub.stream import CancelToken

__all__ = ["find_inputs", "run_all"]

logger = logging.getLogger(__name__)


def find_inputs(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that are named, and those in folders, depth first and sorted.

    Nothing is opened: what a file is decides its content, later. What is no file (paths that
    don't exist, folders that can't be read, dangling links) is yielded as it is, so that each
    ends as a line of the report and nothing is left out in silence. So are links to folders,
    which are not followed, since they can lead round in circles. A file that is reached twice is
    yielded once.
    """
    seen: set[tuple[int, int]] = set()
    for path in paths:
        for found in _walk(path):
            try:
                status = found.stat()
            except OSError:
                yield found
                continue
            identity = (status.st_dev, status.st_ino)
            if identity not in seen:
                seen.add(identity)
                yield found


def _walk(path: Path) -> Iterator[Path]:
    if not os.path.isdir(path):  # pathlib's raises on a name that is too long
        yield path
        return
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError:
        yield path
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        else:
            yield Path(entry.path)


def run_all(
    engine: Engine,
    inputs: Iterable[Path],
    targets: Targets,
    *,
    token: CancelToken,
    observer: Observer,
    fail_fast: bool = False,
) -> Iterator[FileReport]:
    """De-identify inputs in order and yield a report for each as it ends.

    Parameters
    ----------
    engine : Engine
        The loaded models and settings.
    inputs : iterable of Path
        As `find_inputs` yields them.
    targets : Targets
        Where outputs go.
    token : CancelToken
        Stops the run; the input in work leaves nothing behind.
    observer : Observer
        Told of progress.
    fail_fast : bool
        Stop after the first input that ends as quarantined or failed.
    """
    for path in inputs:
        token.check()
        observer.begins(path)
        report = engine.run(path, targets, token=token, observer=observer)
        logger.info("%s after %.1f s", report.status, sum(report.seconds.values()))
        yield report
        if fail_fast and report.status in {Status.QUARANTINED, Status.FAILED}:
            return

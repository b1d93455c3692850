"""Many inputs, in order or side by side: what to read, where to write, what if one fails.

A fault of one input is a line of the report; the rest goes on. Inputs are never modified.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any, Protocol

from cinescrub.errors import CancelledError
from cinescrub.kinds import Location
from cinescrub.pipeline.job import Observer
from cinescrub.pipeline.targets import Targets
from cinescrub.report import FileReport, Status
from cinescrub.stream import CancelToken, mapped

__all__ = ["Runner", "find_inputs", "run_all"]

logger = logging.getLogger(__name__)


class Runner(Protocol):
    """Who works on one input: an engine here, or what leads to one."""

    def run(
        self, source: Any, out: Targets, /, *, token: CancelToken, observer: Observer
    ) -> FileReport:
        """De-identify one input; called from several threads at once.

        Raises
        ------
        CancelledError
            The token was set.
        """


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
    waiting = [(path, os.path.isdir(path))]  # pathlib's raises on a name that is too long
    while waiting:  # a tree may be deeper than calls can be nested
        path, is_folder = waiting.pop()
        entries = None
        if is_folder:
            with suppress(OSError), os.scandir(path) as found:
                entries = sorted(found, key=lambda entry: entry.name, reverse=True)
        if entries is None:
            yield path
        else:
            waiting += [(Path(e.path), e.is_dir(follow_symlinks=False)) for e in entries]


def run_all(
    runner: Runner,
    inputs: Iterable[Location],
    targets: Targets,
    *,
    token: CancelToken,
    observer: Observer,
    fail_fast: bool = False,
    jobs: int = 1,
) -> Iterator[FileReport]:
    """De-identify inputs and yield their reports, in their order.

    Outputs are the same for any number of jobs.

    Parameters
    ----------
    runner : Runner
        The engine, or what leads to one.
    inputs : iterable of Path or Url
        What it takes; files as `find_inputs` yields them.
    targets : Targets
        Where outputs go.
    token : CancelToken
        Stops the run; the input in work leaves nothing behind.
    observer : Observer
        Told of progress.
    fail_fast : bool
        Stop after the first input that ends as quarantined or failed. Of those that are in work
        then, the ones that are finished have their reports; the others leave nothing behind.
    jobs : int
        Inputs that are worked on at once, each in a thread.
    """
    if jobs > 1:
        yield from _side_by_side(runner, inputs, targets, token, observer, fail_fast, jobs)
        return
    for path in inputs:
        token.check()
        observer.begins(path)
        report = runner.run(path, targets, token=token, observer=observer)
        logger.info("%s after %.1f s", report.status, sum(report.seconds.values()))
        yield report
        if fail_fast and report.status in {Status.QUARANTINED, Status.FAILED}:
            return


def _side_by_side(
    runner: Runner,
    inputs: Iterable[Location],
    targets: Targets,
    token: CancelToken,
    observer: Observer,
    fail_fast: bool,
    jobs: int,
) -> Iterator[FileReport]:
    own = CancelToken()  # of the inputs in work: set by the operator, or by a failure

    def work(item: tuple[int, Location]) -> FileReport | None:
        number, path = item
        place = targets.in_turn(number)
        try:
            observer.begins(path)
            return runner.run(path, place, token=own, observer=observer)
        except CancelledError:
            return None
        finally:
            place.leave()

    def stop() -> None:
        own.cancel(token.cause or CancelledError("the run was stopped"))

    wanted = enumerate(takewhile(lambda _: own.cause is None, inputs))
    token.check()
    # A token of its own: what is finished is reported, also after the run was stopped.
    with (
        token.wakes(stop),
        mapped(work, wanted, workers=jobs, token=CancelToken()) as reports,
    ):
        try:
            for report in reports:
                if report is not None:
                    logger.info("%s after %.1f s", report.status, sum(report.seconds.values()))
                    yield report
                    if fail_fast and report.status in {Status.QUARANTINED, Status.FAILED}:
                        stop()
        except BaseException:
            stop()
            raise
    token.check()

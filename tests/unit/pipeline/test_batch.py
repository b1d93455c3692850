"""Which inputs a run has, in which order, and what ends it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from cinescrub.errors import CancelledError
from cinescrub.kinds import Location
from cinescrub.pipeline.batch import find_inputs, run_all
from cinescrub.pipeline.engine import Engine, Targets
from cinescrub.report import FileReport, Status
from cinescrub.stream import CancelToken


def _tree(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def _found(root: Path, *given: str) -> list[str]:
    return [str(path.relative_to(root)) for path in find_inputs([root / name for name in given])]


# --- find_inputs -----------------------------------------------------------------------------


def test_nothing_gives_nothing(tmp_path: Path) -> None:
    assert list(find_inputs([])) == []
    assert list(find_inputs([tmp_path])) == []


def test_folders_are_walked_depth_first_and_sorted(tmp_path: Path) -> None:
    _tree(tmp_path, "b.dcm", "a/2.dcm", "a/10.dcm", "a/inner/x", "c/.hidden", "B.dcm")

    assert _found(tmp_path, ".") == [
        "B.dcm",
        "a/10.dcm",
        "a/2.dcm",
        "a/inner/x",
        "b.dcm",
        "c/.hidden",
    ]


def test_a_tree_may_be_deeper_than_calls_can_be_nested(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=folder)
        inner = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)

    found = list(find_inputs([tmp_path]))
    # Python's own can't remove it.
    subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)

    assert len(found) <= 1


def test_what_is_named_comes_in_the_order_given(tmp_path: Path) -> None:
    _tree(tmp_path, "1", "2", "z/3", "z/4")

    assert _found(tmp_path, "2", "z", "1") == ["2", "z/3", "z/4", "1"]


def test_a_file_reached_twice_is_yielded_once(tmp_path: Path) -> None:
    _tree(tmp_path, "in/a", "in/b")
    os.link(tmp_path / "in" / "a", tmp_path / "in" / "hard")
    (tmp_path / "in" / "soft").symlink_to("b")

    assert _found(tmp_path, "in", "in/b", "in", "in/a") == ["in/a", "in/b"]


def test_files_with_equal_content_are_two_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("same")
    (tmp_path / "b").write_text("same")

    assert _found(tmp_path, ".") == ["a", "b"]


def test_links_that_lead_round_in_circles_end(tmp_path: Path) -> None:
    _tree(tmp_path, "in/a", "in/deep/b")
    (tmp_path / "in" / "deep" / "up").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "self").symlink_to("self")

    found = _found(tmp_path, "in")

    # A link to a folder is not followed, but it is told of: it ends as a line of the report.
    assert found == ["in/a", "in/deep/b", "in/deep/up", "in/self"]


def test_a_link_to_a_file_is_that_file_and_a_named_link_to_a_folder_is_followed(
    tmp_path: Path,
) -> None:
    _tree(tmp_path, "elsewhere/a", "in/b")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere" / "a")
    (tmp_path / "folder").symlink_to(tmp_path / "elsewhere")

    assert _found(tmp_path, "in") == ["in/b", "in/link"]
    assert _found(tmp_path, "folder") == ["folder/a"]


@pytest.mark.parametrize("name", ["gone", "in/gone", "x" * 300], ids=["file", "inside", "too-long"])
def test_what_is_not_there_is_yielded_as_it_is(tmp_path: Path, name: str) -> None:
    _tree(tmp_path, "in/a")

    assert _found(tmp_path, name, "in") == [name, "in/a"]


def test_dangling_links_and_special_files_are_not_left_out_in_silence(tmp_path: Path) -> None:
    _tree(tmp_path, "in/a")
    (tmp_path / "in" / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "in" / "pipe")

    assert _found(tmp_path, "in") == ["in/a", "in/dangling", "in/pipe"]


def test_a_file_that_vanishes_while_others_are_worked_on_is_still_yielded(tmp_path: Path) -> None:
    _tree(tmp_path, "in/a", "in/b", "in/c")
    found = find_inputs([tmp_path / "in"])

    first = next(found)
    (tmp_path / "in" / "b").unlink()

    assert [path.name for path in (first, *found)] == ["a", "b", "c"]


def test_a_folder_that_vanishes_is_yielded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _tree(tmp_path, "in/a", "in/deep/b")
    scandir = os.scandir

    def vanishing(path: Path) -> Iterator[os.DirEntry[str]]:
        if Path(path).name == "deep":
            raise FileNotFoundError
        return scandir(path)

    monkeypatch.setattr(os, "scandir", vanishing)

    assert _found(tmp_path, "in") == ["in/a", "in/deep"]


# --- run_all ---------------------------------------------------------------------------------


class _Engine:
    """Ends each input as its name says, and remembers which it was given."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def run(self, path: Path, _targets: object, **_: object) -> FileReport:
        self.ran.append(path.name)
        return FileReport(path, Status(path.name.rpartition("-")[2]))


class _Observer:
    def __init__(self) -> None:
        self.begun: list[str] = []

    def begins(self, source: Location) -> None:
        self.begun.append(Path(source).name)

    def frames(self, stage: str, done: int, total: int) -> None:
        pass


def _run(
    engine: _Engine,
    names: list[str],
    *,
    token: CancelToken | None = None,
    observer: _Observer | None = None,
    fail_fast: bool = False,
) -> Iterator[FileReport]:
    return run_all(
        cast(Engine, engine),
        map(Path, names),
        Targets(Path("out")),
        token=token or CancelToken(),
        observer=observer or _Observer(),
        fail_fast=fail_fast,
    )


_ALL = ["1-ok", "2-skipped", "3-quarantined", "4-failed", "5-ok"]


def test_every_input_has_its_report_in_order() -> None:
    engine, observer = _Engine(), _Observer()

    reports = list(_run(engine, _ALL, observer=observer))

    assert [report.source.name for report in reports] == _ALL
    assert engine.ran == observer.begun == _ALL


@pytest.mark.parametrize(
    ("names", "ran"),
    [
        (_ALL, _ALL[:3]),
        (["1-skipped", "2-failed", "3-ok"], ["1-skipped", "2-failed"]),
        (["1-ok", "2-skipped"], ["1-ok", "2-skipped"]),
    ],
    ids=["quarantined", "failed", "none"],
)
def test_fail_fast_ends_with_the_report_of_the_first_failure(
    names: list[str], ran: list[str]
) -> None:
    engine = _Engine()

    reports = list(_run(engine, names, fail_fast=True))

    assert [report.source.name for report in reports] == ran
    assert engine.ran == ran


def test_a_report_is_given_before_the_next_input_is_begun() -> None:
    engine = _Engine()

    next(_run(engine, _ALL))

    assert engine.ran == _ALL[:1]


def test_no_input_is_begun_after_the_run_was_stopped() -> None:
    engine, token = _Engine(), CancelToken()
    reports = _run(engine, _ALL, token=token)
    next(reports)

    token.cancel(CancelledError("stopped"))

    with pytest.raises(CancelledError):
        next(reports)
    assert engine.ran == _ALL[:1]

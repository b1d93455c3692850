"""Room on the disk and in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinescrub.node import resources
from cinescrub.node.resources import Resources, available_memory, free_space


def test_what_is_lacking_is_told_in_a_word(tmp_path: Path) -> None:
    assert Resources(tmp_path, 0, 0).lacking() is None
    assert Resources(tmp_path, 2**30, 0).lacking() == "disk"
    assert Resources(tmp_path, 0, 2**20).lacking() == "memory"


def test_a_folder_that_is_gone_has_no_room(tmp_path: Path) -> None:
    assert free_space(tmp_path) > 0
    assert free_space(tmp_path / "gone") == 0


def _group(folder: Path, limit: str, used: int, cached: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\ninactive_file {cached}\n")


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ([("1000", 400, 0)], 600),
        ([("1000", 400, 100)], 700),
        ([("1000", 2000, 0)], 0),
        ([("1000", 400, 0), ("900", 800, 0)], 100),
        ([("max", 400, 0), ("900", 800, 0)], 100),
    ],
    ids=["plain", "cached", "over", "parent-is-tighter", "parent-only"],
)
def test_the_tightest_control_group_counts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limits: list[tuple[str, int, int]],
    left: int,
) -> None:
    place = tmp_path / "root" / "slice" / "service"
    monkeypatch.setattr(resources, "_CGROUPS", tmp_path / "root")
    monkeypatch.setattr(resources, "_OWN", tmp_path / "cgroup")
    (tmp_path / "cgroup").write_text("0::/slice/service\n")
    for folder, (limit, used, cached) in zip((place, place.parent), limits, strict=False):
        _group(folder, limit, used, cached)

    assert available_memory() == left

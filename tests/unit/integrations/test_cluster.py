"""How a cluster is divided, what its machines are told, and who can open a sealed key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cryptography.hazmat.primitives.hpke", reason="needs cinescrub[ray]")

from cryptography.exceptions import InvalidTag

from cinescrub.config import EngineConfig
from cinescrub.errors import ClusterError
from cinescrub.integrations.cluster import (
    Sealed,
    Share,
    as_given,
    everywhere,
    seal,
    share_of,
)
from cinescrub.kinds import Url
from cinescrub.report import FileReport, Status


def _node(cpus: float, gpus: float | None = None, *, alive: bool = True) -> dict[str, Any]:
    resources = {"CPU": cpus} | ({} if gpus is None else {"GPU": gpus})
    return {"Alive": alive, "Resources": resources}


@pytest.mark.parametrize(
    ("nodes", "actors", "gpus", "share"),
    [
        ([_node(2)], None, 0.0, Share(2, 1, 0.0)),
        ([_node(8), _node(4)], None, 0.0, Share(12, 1, 0.0)),
        ([_node(8), _node(4)], 3, 0.0, Share(3, 4, 0.0)),
        ([_node(8), _node(4)], 2, 0.0, Share(2, 4, 0.0)),
        ([_node(8), _node(4)], 1, 0.0, Share(1, 8, 0.0)),
        ([_node(8, 1), _node(4)], None, 0.25, Share(4, 2, 0.25)),
        ([_node(16, 2), _node(16, 2)], None, 1.0, Share(4, 8, 1.0)),
        ([_node(2), _node(64, alive=False)], None, 0.0, Share(2, 1, 0.0)),
        ([{"Alive": True, "Resources": {}}, _node(1)], None, 0.0, Share(1, 1, 0.0)),
    ],
)
def test_all_workers_fit_with_as_many_cores_as_there_are(
    nodes: list[dict[str, Any]], actors: int | None, gpus: float, share: Share
) -> None:
    assert share_of(nodes, actors, gpus) == share


@pytest.mark.parametrize(
    ("nodes", "actors", "gpus"),
    [([], None, 0.0), ([_node(2)], 3, 0.0), ([_node(2)], None, 0.5), ([_node(8, 1)], 3, 0.5)],
)
def test_more_workers_than_fit_are_refused(
    nodes: list[dict[str, Any]], actors: int | None, gpus: float
) -> None:
    with pytest.raises(ClusterError, match="room for"):
        share_of(nodes, actors, gpus)


def test_only_who_it_is_for_opens_a_sealed_secret() -> None:
    one, other = Sealed(), Sealed()
    sealed = seal(b"the site's key", one.public_key())

    assert b"site" not in sealed
    assert one.opened(sealed) == b"the site's key"
    with pytest.raises(InvalidTag):
        other.opened(sealed)
    assert sealed != seal(b"the site's key", one.public_key())


def test_paths_of_settings_are_the_same_from_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = EngineConfig(models="models", key_file="key", profile="site.toml", state="state")  # type: ignore[arg-type]

    told = everywhere(config)

    assert told.models == tmp_path / "models"
    assert (told.key_file, told.state) == (tmp_path / "key", tmp_path / "state")
    assert told.profile == str(tmp_path / "site.toml")
    assert everywhere(EngineConfig()).profile == "basic"


def test_a_report_names_what_the_operator_named() -> None:
    there = FileReport(Path("/a/in/x"), Status.OK, Path("/a/out/1/2/3.dcm"))

    here = as_given(there, Path("in/x"), Path("out"))

    assert (here.source, here.output) == (Path("in/x"), Path("out/1/2/3.dcm"))


def test_a_report_on_objects_stays_as_it_is() -> None:
    url = Url("s3://out/1/2/3.dcm")
    there = FileReport(
        Path("/a/copy"), Status.OK, Path("/a/1/2/3.dcm"),
        fetched_from=Url("s3://in/x"), uploaded_to=url,
    )  # fmt: skip

    assert as_given(there, Url("s3://in/x"), Path("out")) == there

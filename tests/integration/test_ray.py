"""Workers on two nodes give what one machine gives, also where some of them die."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.integration import cluster_fakes
from tests.integration.conftest import KEY, make_engine
from tests.integration.test_jobs import _files, _told, inputs  # noqa: F401  # a fixture

from cinescrub.config import EngineConfig
from cinescrub.errors import CancelledError, ClusterError, ConfigError
from cinescrub.pipeline.batch import run_all
from cinescrub.pipeline.engine import Targets
from cinescrub.pipeline.job import Nobody
from cinescrub.report import FileReport, Status
from cinescrub.stream import CancelToken
from cinescrub.testing import CineSpec, make_cine

ray = pytest.importorskip("ray", reason="needs cinescrub[ray]")

from ray.cluster_utils import Cluster as RayCluster  # noqa: E402

from cinescrub.integrations import ray as ours  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # Ray's own

_STORE_BYTES = 80 << 20


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """Two nodes of one core each, on this machine."""
    cluster = RayCluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 1,
            "object_store_memory": _STORE_BYTES,
            "include_dashboard": False,
        },
    )
    cluster.add_node(num_cpus=1, object_store_memory=_STORE_BYTES)
    cluster.connect(namespace="tests")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def config(tmp_path: Path) -> EngineConfig:
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_bytes(KEY)
    return EngineConfig(ink_rule=False, key_file=key)


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """Where workers leave marks."""
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


@contextmanager
def _joined(config: EngineConfig, out: Path, **options: Any) -> Iterator[Any]:
    options = {"open_engine": cluster_fakes.open_engine, **options}
    with ours.open_cluster(config, out, address="auto", **options) as cluster:
        yield cluster


def _reports(cluster: Any, paths: list[Path], out: Path, **options: Any) -> Iterator[FileReport]:
    return run_all(
        cluster,
        paths,
        Targets(out, cluster.places),
        token=options.pop("token", CancelToken()),
        observer=Nobody(),
        jobs=cluster.jobs,
        **options,
    )


def _run(config: EngineConfig, paths: list[Path], out: Path, **options: Any) -> list[FileReport]:
    with _joined(config, out, **options) as cluster:
        return list(_reports(cluster, paths, out))


def _alone(config: EngineConfig, paths: list[Path], out: Path) -> list[FileReport]:
    targets = Targets.open(out, [])
    return list(
        run_all(make_engine(config), paths, targets, token=CancelToken(), observer=Nobody())
    )


def _cines(folder: Path, *names: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for seed, name in enumerate(names):
        make_cine(CineSpec(seed=seed, frames=2, rows=96, columns=128), folder / name)
    return [folder / name for name in names]


def test_outputs_and_reports_are_those_of_one_machine(
    nodes: Any,
    inputs: list[Path],  # noqa: F811
    config: EngineConfig,
    tmp_path: Path,
) -> None:
    alone = _alone(config, inputs, tmp_path / "alone")

    reports = _run(config, inputs, tmp_path / "out")

    assert _told(reports, tmp_path / "out") == _told(alone, tmp_path / "alone")
    assert _files(tmp_path / "out") == _files(tmp_path / "alone")
    assert [report.status for report in reports].count(Status.OK) == 7


def test_paths_are_told_as_they_were_given(
    nodes: Any, config: EngineConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _cines(tmp_path / "in", "a.dcm")
    monkeypatch.chdir(tmp_path)

    (report,) = _run(config, [Path("in/a.dcm")], Path("out"))

    assert report.source == Path("in/a.dcm")
    assert report.output is not None
    assert report.output.parts[0] == "out"
    assert report.output.is_file()


def test_workers_with_spools_of_their_own_share_the_places_in_the_store(
    nodes: Any, config: EngineConfig, tmp_path: Path
) -> None:
    with _joined(config, tmp_path / "out") as cluster:
        one, other = (replace(cluster.places, root=tmp_path / name) for name in ("a", "b"))
        first = one.take(0, "x", [tmp_path / "a" / "1.dcm", tmp_path / "a" / "2.dcm"])
        one.settle(tmp_path / "a" / "1.dcm")

        second = other.take(1, "y", [tmp_path / "b" / "1.dcm", tmp_path / "b" / "2.dcm"])

    assert (first, second) == (0, 1)


def test_both_nodes_work(nodes: Any, config: EngineConfig, tmp_path: Path, marks: Path) -> None:
    with _joined(config, tmp_path / "out", open_engine=cluster_fakes.Placed(marks)) as cluster:
        assert cluster.jobs == 2

    assert len(list(marks.iterdir())) == 2


def test_an_input_whose_worker_dies_goes_to_another(
    nodes: Any, config: EngineConfig, tmp_path: Path, marks: Path
) -> None:
    paths = _cines(tmp_path / "in", "a", "once-b", "c", "once-d", "e", "f")
    alone = _alone(config, paths, tmp_path / "alone")

    reports = _run(config, paths, tmp_path / "out", open_engine=cluster_fakes.Deadly(marks))

    assert len(list(marks.iterdir())) == 2  # they died
    assert _told(reports, tmp_path / "out") == _told(alone, tmp_path / "alone")
    assert _files(tmp_path / "out") == _files(tmp_path / "alone")  # nothing half-written either


def test_an_input_that_kills_every_worker_is_quarantined_and_the_rest_goes_on(
    nodes: Any, config: EngineConfig, tmp_path: Path, marks: Path
) -> None:
    paths = _cines(tmp_path / "in", "always-a", "b", "c")
    paths.append(tmp_path / "in" / "copy-of-a")
    paths[-1].write_bytes(paths[0].read_bytes())

    reports = _run(config, paths, tmp_path / "out", open_engine=cluster_fakes.Deadly(marks))

    assert [report.status for report in reports] == ["quarantined", "ok", "ok", "ok"]
    assert reports[0].exit_code == 4
    assert "died 3 times" in str(reports[0].reason)
    outputs = {report.output for report in reports} - {None}
    assert {path for path in (tmp_path / "out").rglob("*") if path.is_file()} == outputs


def test_a_run_whose_workers_are_all_gone_ends(
    nodes: Any, config: EngineConfig, tmp_path: Path, marks: Path
) -> None:
    paths = _cines(tmp_path / "in", "always-a", "always-b", "c", "d")

    with pytest.raises(ClusterError, match="no worker"):
        _run(config, paths, tmp_path / "out", open_engine=cluster_fakes.Deadly(marks, last=True))


def test_a_run_whose_desk_is_gone_ends(nodes: Any, config: EngineConfig, tmp_path: Path) -> None:
    paths = _cines(tmp_path / "in", "a", "b", "c")

    with (  # noqa: PT012  # leaving the block asks the desk too
        pytest.raises(ClusterError, match="cluster is gone"),
        _joined(config, tmp_path / "out") as cluster,
    ):
        ray.kill(cluster.places.desk)
        list(_reports(cluster, paths, tmp_path / "out"))

    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_the_worker_that_is_left_does_the_rest(
    nodes: Any, config: EngineConfig, tmp_path: Path, marks: Path
) -> None:
    paths = _cines(tmp_path / "in", "once-a", "b", "c", "d")

    reports = _run(
        config, paths, tmp_path / "out", open_engine=cluster_fakes.Deadly(marks, last=True)
    )

    assert [report.status for report in reports] == ["ok"] * 4


def test_a_cluster_resumes_what_a_machine_began_and_the_other_way_round(
    nodes: Any, config: EngineConfig, tmp_path: Path
) -> None:
    paths = _cines(tmp_path / "in", "a", "b")
    config = replace(config, state=tmp_path / "state", resume=True)

    first = _run(config, paths, tmp_path / "out")
    paths += _cines(tmp_path / "more", "c", "d", "e")[2:]
    again = _run(config, paths, tmp_path / "out")

    assert [report.resumed for report in first] == [False, False]
    assert [report.resumed for report in again] == [True, True, False]
    assert [r.sha256_out for r in again][:2] == [r.sha256_out for r in first]


def test_the_first_failure_ends_a_run_that_asks_for_it(
    nodes: Any, config: EngineConfig, tmp_path: Path
) -> None:
    paths = _cines(tmp_path / "in", "a", "b", "c", "d", "e", "f", "g", "h")
    paths[1].write_bytes(paths[1].read_bytes()[:-999])

    with _joined(config, tmp_path / "out") as cluster:
        reports = list(_reports(cluster, paths, tmp_path / "out", fail_fast=True))

    assert [report.status for report in reports][:2] == ["ok", "quarantined"]
    assert len(reports) < len(paths)
    outputs = {report.output for report in reports} - {None}
    assert {path for path in (tmp_path / "out").rglob("*") if path.is_file()} == outputs


def test_a_stopped_run_leaves_what_it_reported_and_nothing_else(
    nodes: Any, config: EngineConfig, tmp_path: Path
) -> None:
    paths = _cines(tmp_path / "in", *"abcdefgh")
    token = CancelToken()
    with _joined(config, tmp_path / "out") as cluster:
        reports = _reports(cluster, paths, tmp_path / "out", token=token)
        told = [next(reports)]
        token.cancel(CancelledError("stopped"))

        with pytest.raises(CancelledError, match="stopped"):
            told.extend(reports)

    assert len(told) < len(paths)
    outputs = {report.output for report in told} - {None}
    assert {path for path in (tmp_path / "out").rglob("*") if path.is_file()} == outputs


def test_an_input_in_work_is_stopped_at_once(
    nodes: Any, config: EngineConfig, tmp_path: Path
) -> None:
    path = tmp_path / "long"
    make_cine(CineSpec(seed=1, frames=120, rows=480, columns=640), path)
    token = CancelToken()
    with _joined(config, tmp_path / "out", actors=1) as cluster:
        reports = _reports(cluster, [path], tmp_path / "out", token=token)
        begun = time.monotonic()
        timer = threading.Timer(1.0, token.cancel, [CancelledError("stopped")])
        timer.start()
        with pytest.raises(CancelledError):
            next(reports)
        timer.join()

    assert time.monotonic() - begun < 20
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_workers_that_differ_are_refused(nodes: Any, config: EngineConfig, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="differ in craft"):
        _run(config, [], tmp_path / "out", open_engine=cluster_fakes.differing)


def test_more_workers_than_there_is_room_for_are_refused(
    nodes: Any, config: EngineConfig, tmp_path: Path
) -> None:
    with pytest.raises(ClusterError, match="room for 2"):
        _run(config, [], tmp_path / "out", actors=3)
    with pytest.raises(ClusterError, match="room for 0"):
        _run(config, [], tmp_path / "out", gpus_per_actor=0.5)


def test_neither_key_nor_names_are_in_what_ray_writes(
    nodes: Any, config: EngineConfig, tmp_path: Path, marks: Path
) -> None:
    paths = _cines(tmp_path / "in", "JONES^MARY", "always-dies")
    config = replace(config, state=tmp_path / "state")

    _run(config, paths, tmp_path / "out", open_engine=cluster_fakes.Deadly(marks))

    written = [
        path.read_bytes() for path in Path(nodes.head_node.get_session_dir_path()).rglob("*")
        if path.is_file()
    ]  # fmt: skip
    assert len(written) > 5
    for form in (KEY, KEY.hex().encode(), repr(KEY).encode(), b"JONES", b"MARY"):
        assert not [True for content in written if form in content]


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001"])
def test_a_client_address_is_refused(config: EngineConfig, tmp_path: Path, address: str) -> None:
    with (
        pytest.raises(ConfigError, match="client port"),
        ours.open_cluster(config, tmp_path / "out", address=address),
    ):
        pytest.fail("it was joined")

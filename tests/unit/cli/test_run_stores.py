"""`run` from and into stores: an S3 server on loopback, and a store in memory for its faults."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import pytest
import s3fs
from fsspec.implementations.memory import MemoryFileSystem
from moto.server import ThreadedMotoServer

from cinescrub.errors import ConfigError, InputError, OutputError
from cinescrub.integrations import stores
from cinescrub.integrations.stores import located, objects_in, open_stores
from cinescrub.kinds import Url
from cinescrub.pipeline.engine import Engine
from cinescrub.testing.leaks import find_leaks
from cinescrub.testing.reader import read_frames

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Command
from tests.unit.cli.conftest import left_in, made


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """An S3 of its own."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of an empty S3, as the command's environment has it."""
    for name, value in (
        ("AWS_ENDPOINT_URL", server),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    client = s3fs.S3FileSystem(use_listings_cache=False)
    for bucket in ("inputs", "outputs"):
        if client.exists(bucket):
            client.rm(bucket, recursive=True)
        client.mkdir(bucket)
    yield client
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def memory() -> Iterator[Any]:
    """An empty store in memory."""
    MemoryFileSystem.store.clear()
    yield fsspec.filesystem("memory", use_listings_cache=False)
    MemoryFileSystem.store.clear()


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `run` take a store in memory, which it refuses: it ends with the process."""
    monkeypatch.setitem(stores._STORES, "memory", ("memory", "fsspec"))


@pytest.fixture(autouse=True)
def spools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where spools are made."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def _put(client: Any, folder: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        path = folder / "made" / Path(name).name
        made(path, seed=seed)
        client.put_file(str(path), name)


def _lines(report: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in report.read_text().splitlines()]


# --- S3 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_prefix_goes_to_a_prefix(
    cinescrub: Command, s3: Any, tmp_path: Path, fake_models: Path, spools: Path, jobs: int
) -> None:
    _put(
        s3,
        tmp_path,
        "inputs/pre/b/two",
        "inputs/pre/a",
        "inputs/pre/b/one",
        "inputs/prefix-of-another/x",
    )
    (tmp_path / "notes").write_text("no DICOM\n" * 40)
    s3.put_file(str(tmp_path / "notes"), "inputs/pre/c")
    report = tmp_path / "report.jsonl"

    outcome = cinescrub(
        "run", "s3://inputs/pre", "--out", "s3://outputs/to/", "--models", fake_models,
        "--report", report, "--jobs", jobs,
    )  # fmt: skip

    assert outcome.code == 0, outcome.err
    lines = _lines(report)
    assert [(line["source"], line["status"]) for line in lines] == [
        ("s3://inputs/pre/a", "ok"),
        ("s3://inputs/pre/b/one", "ok"),
        ("s3://inputs/pre/b/two", "ok"),
        ("s3://inputs/pre/c", "skipped"),
    ]
    outputs = [line["output"] for line in lines if line["output"]]
    assert sorted(f"s3://{name}" for name in s3.find("outputs")) == sorted(outputs)
    assert all(url.startswith("s3://outputs/to/2.25.") for url in outputs)
    assert {"fetch", "upload"} <= lines[0]["seconds"].keys()
    assert left_in(spools) == []


def test_outputs_are_those_of_the_same_files_on_a_disk(
    cinescrub: Command, s3: Any, tmp_path: Path, fake_models: Path
) -> None:
    _put(s3, tmp_path, "inputs/a", "inputs/b")

    here = cinescrub("run", tmp_path / "made", "--out", tmp_path / "out", "--models", fake_models)
    there = cinescrub("run", "s3://inputs", "--out", "s3://outputs", "--models", fake_models)

    assert (here.code, there.code) == (0, 0)
    names = left_in(tmp_path / "out")
    assert [name.removeprefix("outputs/") for name in s3.find("outputs")] == names
    for name in names:
        assert s3.cat_file(f"outputs/{name}") == (tmp_path / "out" / name).read_bytes()


def test_a_store_to_a_folder_and_a_folder_to_a_store(
    cinescrub: Command, s3: Any, tmp_path: Path, fake_models: Path, spools: Path
) -> None:
    _put(s3, tmp_path, "inputs/a")

    inwards = cinescrub("run", "s3://inputs/a", "--out", tmp_path / "out", "--models", fake_models)
    outwards = cinescrub("run", tmp_path / "made", "--out", "s3://outputs", "--models", fake_models)

    assert (inwards.code, outwards.code) == (0, 0)
    (name,) = left_in(tmp_path / "out")
    assert s3.find("outputs") == [f"outputs/{name}"]
    assert left_in(spools) == []


def test_a_run_is_resumed_with_its_outputs_in_the_store(
    cinescrub: Command, s3: Any, tmp_path: Path, fake_models: Path
) -> None:
    _put(s3, tmp_path, "inputs/a", "inputs/b", "inputs/c")
    report, state = tmp_path / "report.jsonl", tmp_path / "state"
    run = (
        "run", "s3://inputs", "--out", "s3://outputs", "--models", fake_models, "--state", state,
        "--resume", "--report", report,
    )  # fmt: skip
    cinescrub(*run)
    first = _lines(report)
    gone, changed = (line["output"].removeprefix("s3://") for line in first[:2])
    s3.rm_file(gone)
    s3.pipe_file(changed, b"something else")

    outcome = cinescrub(*run)

    assert outcome.code == 0
    assert [line["resumed"] for line in _lines(report)] == [False, False, True]
    assert [line["output"] for line in _lines(report)] == [line["output"] for line in first]
    assert len(s3.cat_file(changed)) > 1000


def test_what_is_not_there_or_broken_is_a_line_and_the_rest_goes_on(
    cinescrub: Command, s3: Any, tmp_path: Path, fake_models: Path, spools: Path
) -> None:
    _put(s3, tmp_path, "inputs/good", "inputs/whole")
    s3.pipe_file("inputs/broken", s3.cat_file("inputs/whole")[:-999])
    report = tmp_path / "report.jsonl"

    outcome = cinescrub(
        "run", "s3://inputs/missing", "s3://inputs/broken", "s3://inputs/good", "--out", "s3://outputs",
        "--models", fake_models, "--report", report,
    )  # fmt: skip

    assert outcome.code == 4
    assert [line["status"] for line in _lines(report)] == ["quarantined", "quarantined", "ok"]
    assert "quarantined: s3://inputs/missing: can't be fetched: no such object" in outcome.err
    assert len(s3.find("outputs")) == 1
    assert left_in(spools) == []


def test_a_bucket_that_is_not_there_is_told(
    cinescrub: Command, s3: Any, tmp_path: Path, fake_models: Path, spools: Path
) -> None:
    _put(s3, tmp_path, "inputs/a")

    outcome = cinescrub("run", "s3://inputs", "--out", "s3://nowhere", "--models", fake_models)

    assert outcome.code == 8
    assert "an output can't be put into the store" in outcome.err
    assert left_in(spools) == []


def test_an_output_holds_nothing_that_was_planted(
    cinescrub: Command, s3: Any, tmp_path: Path, fake_models: Path
) -> None:
    truth = made(tmp_path / "in.dcm")
    s3.put_file(str(tmp_path / "in.dcm"), "inputs/JONES")

    outcome = cinescrub(
        "run", "s3://inputs/JONES", "--out", "s3://outputs", "--models", fake_models
    )

    (name,) = s3.find("outputs")
    s3.get_file(name, str(tmp_path / "out.dcm"))
    assert find_leaks(tmp_path / "out.dcm", truth.planted) == ()
    assert len(list(read_frames(tmp_path / "out.dcm"))) == truth.frames
    assert "JONES" not in name + outcome.out + outcome.err


# --- faults ----------------------------------------------------------------------------------


def _memory_run(cinescrub: Command, models: Path, *more: str | Path) -> Any:
    return cinescrub("run", "memory://in", "--out", "memory://out", "--models", models, *more)


def test_copies_are_for_their_owner_alone_while_they_are_worked_on(
    cinescrub: Command,
    memory: Any,
    tmp_path: Path,
    fake_models: Path,
    spools: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _put(memory, tmp_path, "/in/JONES")
    seen: dict[str, int] = {}
    work = Engine._deidentify

    def look(self: Engine, *given: Any) -> None:
        for path in (spools, *spools.rglob("*")):
            seen[str(path.relative_to(spools))] = stat.S_IMODE(path.stat().st_mode)
        work(self, *given)

    monkeypatch.setattr(Engine, "_deidentify", look)

    assert _memory_run(cinescrub, fake_models).code == 0

    del seen["."]
    assert {mode for name, mode in seen.items() if "/" not in name} == {0o700}
    assert {mode for name, mode in seen.items() if "/" in name} == {0o600}
    assert len(seen) == 3  # the spool, its lock, the copy
    assert not [name for name in seen if "JONES" in name]
    assert left_in(spools) == []


def test_an_engine_that_fails_leaves_no_copy_and_no_object(
    cinescrub: Command,
    memory: Any,
    tmp_path: Path,
    fake_models: Path,
    spools: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _put(memory, tmp_path, "/in/a")

    def broken(*_: object) -> None:
        assert left_in(spools)
        raise RuntimeError("JONES")

    monkeypatch.setattr(Engine, "_write_until_clean", broken)

    outcome = _memory_run(cinescrub, fake_models)

    assert outcome.code == 1
    assert "JONES" not in outcome.err
    assert memory.find("/out") == []
    assert left_in(spools) == []


@pytest.mark.parametrize("name", ["put_file", "info", "open"])
def test_an_output_that_is_not_put_is_no_output(
    cinescrub: Command,
    memory: Any,
    tmp_path: Path,
    fake_models: Path,
    spools: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    _put(memory, tmp_path, "/in/a")
    original = getattr(MemoryFileSystem, name)
    report = tmp_path / "report.jsonl"

    def fails(self: Any, path: str, *given: Any, **named: Any) -> Any:
        place = given[0] if name == "put_file" else path
        if "out" in str(place).split("/")[:3]:
            raise ConnectionError(f"JONES {place}")
        return original(self, path, *given, **named)

    monkeypatch.setattr(MemoryFileSystem, name, fails)

    outcome = _memory_run(cinescrub, fake_models, "--report", report)

    (line,) = _lines(report)
    assert outcome.code == 8
    assert (line["status"], line["output"], line["sha256_out"]) == ("failed", None, None)
    assert "ConnectionError" in line["reason"]
    assert "JONES" not in outcome.err
    assert left_in(spools) == []


@pytest.mark.parametrize("what", [b"", b"shorter", None], ids=["empty", "short", "other"])
def test_an_object_that_differs_from_what_was_put_is_taken_away(
    cinescrub: Command,
    memory: Any,
    tmp_path: Path,
    fake_models: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: bytes | None,
) -> None:
    _put(memory, tmp_path, "/in/a")

    def damages(self: Any, path: str, name: str, **_: Any) -> None:
        content = Path(path).read_bytes()
        self.pipe_file(name, bytes(len(content)) if what is None else what)

    monkeypatch.setattr(MemoryFileSystem, "put_file", damages)

    outcome = _memory_run(cinescrub, fake_models)

    assert outcome.code == 8
    assert "not what was put" in outcome.err
    assert memory.find("/out") == []


def test_an_input_that_is_cut_off_on_its_way_is_not_worked_on(
    cinescrub: Command,
    memory: Any,
    tmp_path: Path,
    fake_models: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _put(memory, tmp_path, "/in/a")

    def cuts(self: Any, name: str, path: str, **_: Any) -> None:
        Path(path).write_bytes(self.cat_file(name)[:-100])

    monkeypatch.setattr(MemoryFileSystem, "get_file", cuts)

    outcome = _memory_run(cinescrub, fake_models)

    assert outcome.code == 4
    assert "can't be fetched whole" in outcome.err
    assert memory.find("/out") == []


def test_a_full_spool_is_told_before_the_input_is_fetched(
    cinescrub: Command,
    memory: Any,
    tmp_path: Path,
    fake_models: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _put(memory, tmp_path, "/in/a")
    usage = type("usage", (), {"free": 10})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    outcome = _memory_run(cinescrub, fake_models)

    assert outcome.code == 8
    assert "TMPDIR" in outcome.err


def test_after_a_failed_upload_a_copy_of_the_input_gets_the_place(
    cinescrub: Command,
    memory: Any,
    tmp_path: Path,
    fake_models: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _put(memory, tmp_path, "/in/a")
    memory.pipe_file("/in/b", memory.cat_file("/in/a"))
    original = MemoryFileSystem.put_file
    times = []

    def fails_once(self: Any, path: str, name: str, **named: Any) -> None:
        times.append(name)
        if len(times) == 1:
            raise ConnectionError
        original(self, path, name, **named)

    monkeypatch.setattr(MemoryFileSystem, "put_file", fails_once)
    report = tmp_path / "report.jsonl"

    _memory_run(cinescrub, fake_models, "--report", report)

    assert [line["status"] for line in _lines(report)] == ["failed", "ok"]
    assert len(memory.find("/out")) == 1


# --- places ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("s3://b/p/", Url("s3://b/p")),
        ("s3a://b/p", Url("s3://b/p")),
        ("gcs://b", Url("gs://b")),
        ("abfs://c/p", Url("az://c/p")),
        ("file:///a/b%20c", Path("/a/b c")),
        ("file://localhost/a", Path("/a")),
        ("a/b", Path("a/b")),
        ("a/b://c", Path("a/b://c")),
        ("C:", Path("C:")),
    ],
)
def test_a_word_is_a_path_or_a_place_in_a_store(text: str, place: Path | Url) -> None:
    assert located(text) == place
    assert type(located(text)) is type(place) or isinstance(place, Path)


@pytest.mark.parametrize(
    "text",
    ["http://h/p", "ftp://h/p", "file://host/p", "simplecache::s3://b", "s3://id:secret@b/p"],
)
def test_other_urls_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        located(text)

    assert text not in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "out", "lies_in"),
    [
        ("memory://a", "memory://a", True),
        ("memory://a", "memory://a/b", True),
        ("memory://a", "memory://ab", False),
        ("memory://a/b", "memory://a", False),
    ],
)
def test_a_target_inside_of_a_source_is_refused(given: str, out: str, lies_in: bool) -> None:
    def opened() -> None:
        with open_stores(located(out), [located(given)]):
            pass

    if lies_in:
        with pytest.raises(ConfigError, match="inside of a source"):
            opened()
    else:
        opened()


def test_a_missing_package_is_named(
    cinescrub: Command, tmp_path: Path, fake_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ImportError("Install gcsfs")

    monkeypatch.setattr(fsspec, "filesystem", missing)

    outcome = cinescrub("run", tmp_path / "in", "--out", "gs://b", "--models", fake_models)

    assert outcome.code == 2
    assert "pip install 'cinescrub[fsspec]' gcsfs" in outcome.err


def test_objects_come_in_order_and_marks_of_folders_do_not(memory: Any) -> None:
    for name in ("/in/b/2", "/in/b/1", "/in/a", "/in/c"):
        memory.pipe_file(name, b"x")

    found = list(objects_in([located("memory://in"), located("memory://none")]))  # type: ignore[list-item]

    assert found == ["memory:///in/a", "memory:///in/b/1", "memory:///in/b/2", "memory:///in/c",
                     "memory://none"]  # fmt: skip


def test_a_store_that_cant_be_listed_is_told(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise PermissionError("JONES")

    monkeypatch.setattr(MemoryFileSystem, "ls", refuses)

    with pytest.raises(InputError, match="access is denied"):
        next(objects_in([Url("memory://in")]))


def test_spools_of_killed_runs_are_removed_and_those_in_use_stay(spools: Path) -> None:
    old = time.time() - 3600
    for name in ("dead", "alive", "young", "foreign"):
        folder = spools / ("other" if name == "foreign" else f"cinescrub-spool-{name}")
        folder.mkdir(0o700)
        (folder / ".lock").touch(0o600)
        (folder / "copy").write_bytes(b"x")
        if name != "young":
            os.utime(folder, (old, old))
    lock = os.open(spools / "cinescrub-spool-alive" / ".lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)

    with open_stores(Url("memory://out"), [Url("memory://in")]):
        left = {path.name for path in spools.iterdir()}

    os.close(lock)
    assert "cinescrub-spool-dead" not in left
    assert {"cinescrub-spool-alive", "cinescrub-spool-young", "other"} <= left


def test_a_spool_that_cant_be_made_is_told(spools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spools.rmdir()

    with (
        pytest.raises(OutputError, match="TMPDIR"),
        open_stores(Url("memory://out"), [Url("memory://in")]),
    ):
        pytest.fail("there is no spool")


@pytest.mark.parametrize(
    "said",
    [
        {"ETag": '"900150983cd24fb0d6963f7d28e17f72"'},
        {"md5Hash": "kAFQmDzST7DWlj99KOF/cg=="},
        {
            "content_settings": {
                "content_md5": bytearray.fromhex("900150983cd24fb0d6963f7d28e17f72")
            }
        },
    ],
    ids=["s3", "gs", "az"],
)
def test_a_store_that_says_the_md5_is_believed(said: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")

    class Store:
        def info(self, _: str) -> dict[str, Any]:
            return {"size": 3, **said}

    assert stores._is_there(Store(), "x", path, "not asked for")

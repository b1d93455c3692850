"""A node between real peers: dcmtk and Orthanc, where they are installed."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from tests.e2e.conftest import Command, jpeg_cine
from tests.integration.node.certificates import Certificates, make_certificates
from tests.integration.node.conftest import small_cine, until

from cinescrub.testing import CineTruth, make_cine
from cinescrub.testing.leaks import find_leaks

_ORTHANC = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_PATIENCE_S = 120.0
_HOST = "127.0.0.1"
_ROOT = Path(__file__).resolve().parents[2]

needs_dcmtk = pytest.mark.skipif(shutil.which("storescu") is None, reason="no dcmtk is installed")
needs_orthanc = pytest.mark.skipif(
    _ORTHANC is None or not _PLUGIN.exists(), reason="no Orthanc with DICOMweb is installed"
)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((_HOST, port)) == 0


@contextmanager
def _process(
    arguments: list[str], port: int, log: Path, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a peer until the block ends; it listens when the block begins."""
    with (
        log.open("wb") as sink,
        subprocess.Popen(
            arguments, stdout=sink, stderr=sink, cwd=_ROOT, env=environment
        ) as process,
    ):
        try:
            until(lambda: _listens(port) or process.poll() is not None, _PATIENCE_S)
            assert process.poll() is None, log.read_text(errors="replace")
            yield process
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        finally:
            process.kill()


@dataclass(frozen=True)
class Orthanc:
    """An Orthanc of the test's own."""

    dicom: int
    http: int

    def ask(self, path: str, data: bytes | None = None) -> bytes:
        """Read what its own interface says, or post something to it."""
        url = f"http://{_HOST}:{self.http}{path}"
        answer = requests.post(url, data, timeout=60) if data else requests.get(url, timeout=60)
        answer.raise_for_status()
        return answer.content

    def forget(self, name: str) -> None:
        url = f"http://{_HOST}:{self.http}/instances/{name}"
        requests.delete(url, timeout=60).raise_for_status()

    def instances(self) -> list[str]:
        return list(json.loads(self.ask("/instances")))

    def files(self) -> list[bytes]:
        return [self.ask(f"/instances/{name}/file") for name in self.instances()]

    def route(self, kind: str) -> dict[str, Any]:
        if kind == "stow":
            return {"name": "web", "kind": "stow", "url": f"http://{_HOST}:{self.http}/dicom-web"}
        peer = {"name": "archive", "kind": "scu", "host": _HOST, "port": self.dicom}
        return peer | {"title": "ORTHANC"}


@contextmanager
def _orthanc(folder: Path, node: int = 104) -> Iterator[Orthanc]:
    own = Orthanc(_free_port(), _free_port())
    folder.mkdir()
    settings = {
        "Name": "test", "StorageDirectory": str(folder), "IndexDirectory": str(folder),
        "DicomPort": own.dicom, "HttpPort": own.http, "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True, "DicomCheckCalledAet": True,
        "DicomModalities": {"node": ["CINESCRUB", _HOST, node]},
        "Plugins": [str(_PLUGIN)], "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    arguments = [str(_ORTHANC), str(folder / "orthanc.json")]
    with _process(arguments, own.http, folder / "log"):
        until(lambda: _listens(own.dicom), _PATIENCE_S)
        yield own


def _storescp(folder: Path, port: int, *more: str) -> list[str]:
    folder.mkdir()
    return ["storescp", "-aet", "STORESCP", "+xa", "-od", str(folder), *more, str(port)]


def _toml(value: Any) -> str:
    """Encode what a node's settings hold; JSON's texts and numbers are TOML's."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(each)}" for name, each in value.items()) + "}"
    return json.dumps(value)


def _settings(folder: Path, port: int, routes: list[dict[str, Any]], **tables: Any) -> Path:
    spool = {"folder": str(folder / "spool"), "key_file": str(folder / "spool.key")}
    values = {
        "spool": spool, "listen": {"port": port}, "http": {"port": _free_port()},
        "retry": {"first_s": 0.2, "most_s": 1.0}, "route": routes,
    } | tables  # fmt: skip
    lines = [
        f"{name} = [{', '.join(map(_toml, value))}]"
        if isinstance(value, list)
        else f"{name} = {_toml(value)}"
        for name, value in values.items()
    ]
    path = folder / "node.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _storescu(port: int, path: Path, *more: str) -> int:
    arguments = ["storescu", "-R", "-aec", "CINESCRUB", *more, _HOST, str(port), str(path)]
    return subprocess.run(arguments, capture_output=True, timeout=60, check=False).returncode


def _body(data: bytes) -> bytes:
    """The data set of a file, without what each receiver writes before it."""
    return data[144 + int(dcmread(BytesIO(data)).file_meta.FileMetaInformationGroupLength) :]


def _real_cine() -> Path:
    """Thirty frames of a real echo, with text burned in."""
    path = get_testdata_file("examples_ybr_color.dcm", download=False)
    assert isinstance(path, str)
    return Path(path)


@dataclass(frozen=True)
class Through:
    """What three receivers got of two cines, and what `run` makes of the same."""

    at_storescp: list[bytes]
    at_orthanc: list[bytes]
    by_web: list[Dataset]
    by_run: dict[str, bytes]
    made: CineTruth
    status: dict[str, Any]


@pytest.fixture(scope="module")
def through(
    tmp_path_factory: pytest.TempPathFactory,
    command: Command,
    environment: dict[str, str],
    models_dir: Path,
    key: Path,
) -> Through:
    """Send a real and a made cine from storescu and Orthanc through one node to all receivers."""
    folder = tmp_path_factory.mktemp("through")
    inputs = folder / "in"
    inputs.mkdir()
    shutil.copyfile(_real_cine(), inputs / "real.dcm")
    made = make_cine(jpeg_cine(), inputs / "made.dcm")
    engine = {"models": str(models_dir), "key_file": str(key), "detail_frames": 1}
    engine_table = engine | {"verify_frames": 1}
    (folder / "run.toml").write_text(
        "".join(f"{k} = {_toml(v)}\n" for k, v in engine_table.items())
    )
    ran = command("run", inputs, "--out", folder / "run", "--config", folder / "run.toml")
    assert ran.code == 0, ran.err
    by_run = {path.stem: path.read_bytes() for path in (folder / "run").rglob("*.dcm")}
    port, scp_port = _free_port(), _free_port()
    scp = {"name": "dcmtk", "kind": "scu", "host": _HOST, "port": scp_port, "title": "STORESCP"}
    with (
        _process(_storescp(folder / "scp", scp_port), scp_port, folder / "scp.log"),
        _orthanc(folder / "archive", port) as archive,
        _orthanc(folder / "web") as web,
    ):
        routes = [scp, archive.route("scu"), web.route("stow")]
        config = _settings(folder, port, routes, engine=engine_table)
        serve = [sys.executable, "-m", "cinescrub", "serve", "--config", str(config)]
        with _process(serve, port, folder / "node.log", environment) as node:
            assert _storescu(port, inputs / "real.dcm", "-xy") == 0
            known = json.loads(archive.ask("/instances", (inputs / "made.dcm").read_bytes()))
            archive.ask("/modalities/node/store", json.dumps([known["ID"]]).encode())
            archive.forget(known["ID"])

            def status() -> dict[str, Any]:
                told = command("node", "status", "--config", config, "--json")
                return dict(json.loads(told.out))

            deadline = time.monotonic() + _PATIENCE_S
            while status()["sent"] < 2:
                assert time.monotonic() < deadline, (folder / "node.log").read_text()
                time.sleep(1)
            final = status()
            client = DICOMwebClient(f"http://{_HOST}:{web.http}/dicom-web")
            by_web = _fetched(client)
            at_orthanc = archive.files()
        assert node.returncode == 0
    return Through(
        [path.read_bytes() for path in (folder / "scp").iterdir()],
        at_orthanc,
        by_web,
        by_run,
        made,
        final,
    )


def _fetched(client: DICOMwebClient) -> list[Dataset]:
    """Find all instances by QIDO-RS and fetch them by WADO-RS."""
    found = client.search_for_instances()
    fetched = []
    for each in found:
        study, series, instance = (
            each[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")
        )
        kinds = (("application/dicom", "*"),)
        fetched.append(client.retrieve_instance(study, series, instance, media_types=kinds))
    return fetched


@pytest.mark.models
@needs_dcmtk
@needs_orthanc
def test_every_receiver_has_what_run_makes_byte_for_byte(through: Through) -> None:
    expected = sorted(_body(data) for data in through.by_run.values())

    assert len(expected) == 2
    assert sorted(map(_body, through.at_storescp)) == expected
    assert sorted(map(_body, through.at_orthanc)) == expected
    assert {str(each.SOPInstanceUID) for each in through.by_web} == set(through.by_run)


@pytest.mark.models
@needs_dcmtk
@needs_orthanc
def test_what_is_fetched_back_is_redacted_and_says_so(through: Through, tmp_path: Path) -> None:
    source = dcmread(_real_cine())
    for dataset in through.by_web:
        assert (dataset.PatientIdentityRemoved, dataset.BurnedInAnnotation) == ("YES", "NO")
        path = tmp_path / f"{dataset.SOPInstanceUID}.dcm"
        dataset.save_as(path)
        assert find_leaks(path, through.made.planted) == ()
    real = next(each for each in through.by_web if each.NumberOfFrames == source.NumberOfFrames)
    before, after = source.pixel_array, real.pixel_array
    changed = (before != after).any(axis=-1)
    assert after.shape == before.shape
    assert changed.any(axis=(1, 2)).all()  # the text that goes is in every frame
    assert changed.mean() < 0.2
    assert np.median(after[changed]) == 0  # filled; decoders interpolate chroma at the edges


@pytest.mark.models
@needs_dcmtk
@needs_orthanc
def test_the_node_says_that_all_of_it_was_sent(through: Through) -> None:
    states = {name: n for name, n in through.status.items() if name != "oldest_s"}

    assert states == {"received": 0, "working": 0, "held": 0, "failed": 0, "sent": 2}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def _dcmtk_tls(certificates: Certificates, who: str) -> list[str]:
    own = certificates.of(who)
    return ["+tls", str(own["key"]), str(own["certificate"]), "+cf", str(certificates.ca)]


@needs_dcmtk
def test_dcmtk_and_the_node_speak_tls_with_certificates(
    tmp_path: Path, certificates: Certificates
) -> None:
    truth = small_cine(tmp_path / "cine.dcm")
    port, scp_port = _free_port(), _free_port()
    tls = {name: str(path) for name, path in certificates.of("node").items()}
    scp = _storescp(tmp_path / "scp", scp_port, *_dcmtk_tls(certificates, "node"))
    route = {
        "name": "dcmtk", "kind": "scu", "host": "localhost", "port": scp_port,
        "title": "STORESCP", "tls": tls,
    }  # fmt: skip
    config = _settings(tmp_path, port, [route], listen={"port": port, "tls": tls})
    serve = [sys.executable, "-m", "tests.integration.node.fake_node", str(config)]
    with (
        _process(scp, scp_port, tmp_path / "scp.log"),
        _process(serve, port, tmp_path / "node.log"),
    ):
        assert _storescu(port, tmp_path / "cine.dcm") != 0
        assert _storescu(port, tmp_path / "cine.dcm", *_dcmtk_tls(certificates, "client")) == 0
        until(_some(tmp_path / "scp"), _PATIENCE_S)

    (output,) = (tmp_path / "scp").iterdir()
    assert find_leaks(output, truth.planted) == ()


def _some(folder: Path) -> Callable[[], bool]:
    return lambda: bool(list(folder.iterdir()))

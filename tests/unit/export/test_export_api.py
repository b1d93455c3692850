"""A bundle's folders appear whole or not at all, and say what was asked for wrongly."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from cinescrub import bundle
from cinescrub.bundle import Origin, Slot, TensorSpec
from cinescrub.errors import ConfigError, ModelError, OutputError
from cinescrub_export import parity, place
from cinescrub_export.api import export
from cinescrub_export.model import Built
from cinescrub_export.place import install


def built(content: bytes = b"model") -> Built:
    return Built(
        slot=Slot.CRAFT,
        name="made",
        precision="fp32",
        opset=17,
        inputs=(TensorSpec("frames", "uint8", ("N", "H", "W", "C")),),
        outputs=(TensorSpec("scores", "float32", ("N", "H/2", "W/2", 2)),),
        origin=Origin("made==1", "made.pth", "0" * 64, "none"),
        files={"model.onnx": content, "NOTICE": b"made"},
    )


def test_an_installed_folder_passes_the_engine_s_own_check(tmp_path: Path) -> None:
    contract = install(built(), tmp_path / "new" / "models")

    assert bundle.verify(tmp_path / "new" / "models", Slot.CRAFT) == contract
    assert [p.name for p in (tmp_path / "new" / "models").iterdir()] == ["craft"]


def test_an_old_folder_is_replaced_whole(tmp_path: Path) -> None:
    install(built(b"old"), tmp_path)
    (tmp_path / "craft" / "leftover").write_bytes(b"")

    install(built(b"new"), tmp_path)

    assert (tmp_path / "craft" / "model.onnx").read_bytes() == b"new"
    assert not (tmp_path / "craft" / "leftover").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["craft"]


def test_a_failure_while_writing_leaves_the_old_model_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(built(b"old"), tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(place, "save_contract", full)

    with pytest.raises(OutputError, match="No space left on device"):
        install(built(b"new"), tmp_path)
    assert (tmp_path / "craft" / "model.onnx").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["craft"]


def test_a_failure_while_replacing_puts_the_old_model_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(built(b"old"), tmp_path)
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if target.name == "craft" and not self.name.endswith(".old"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)

    with pytest.raises(OutputError, match="Input/output error"):
        install(built(b"new"), tmp_path)
    assert (tmp_path / "craft" / "model.onnx").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["craft"]


def test_a_target_that_is_a_file_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "models").write_bytes(b"")

    with pytest.raises(OutputError, match="--out"):
        install(built(), tmp_path / "models")


def test_an_export_that_another_one_overtakes_replaces_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, overtaken = Path.rename, list[bool]()

    def slow(self: Path, target: Path) -> Path:
        if target.name == "craft" and not overtaken:
            overtaken.append(True)
            target.mkdir()
            (target / "model.onnx").write_bytes(b"other")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", slow)

    install(built(b"mine"), tmp_path)

    assert overtaken
    assert (tmp_path / "craft" / "model.onnx").read_bytes() == b"mine"
    assert [p.name for p in tmp_path.iterdir()] == ["craft"]


def test_the_bundle_is_readable_by_others_as_the_umask_says(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        install(built(), tmp_path)
    finally:
        os.umask(mask)

    assert (tmp_path / "craft").stat().st_mode & 0o777 == 0o755


def test_an_unknown_source_is_a_config_error_that_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rampart, stanford"):
        export([Slot.DEIDENTIFIER], tmp_path, source="other", progress=print)


def test_stanford_without_weights_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--weights"):
        export([Slot.DEIDENTIFIER], tmp_path, source="stanford", progress=print)


def test_a_folder_without_weights_leaves_no_bundle(tmp_path: Path) -> None:
    def never(command: Sequence[str]) -> int:
        pytest.fail(f"ran {command}")

    (tmp_path / "weights").mkdir()

    with pytest.raises(ModelError, match="craft_mlt_25k"):
        export(
            list(Slot), tmp_path / "out", weights=tmp_path / "weights", progress=print, run=never
        )
    assert not (tmp_path / "out").exists()


def test_parity_is_claimed_for_measured_bytes_only() -> None:
    known = next(iter(parity._MEASURED))

    assert "reference" in parity.measured(known)
    assert parity.measured(known[::-1]) == {}


@pytest.mark.models
def test_a_second_export_of_a_model_is_byte_identical(models_dir: Path, tmp_path: Path) -> None:
    first = bundle.verify(models_dir, Slot.RECOGNIZER)

    (second,) = export([Slot.RECOGNIZER], tmp_path, progress=print)

    assert second.files == first.files

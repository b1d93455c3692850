"""The MONAI transforms: paths and arrays in, nothing of a person out, in pipelines and workers."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from tests.integration.conftest import KEY, make_engine
from tests.integration.made import header, picture
from tests.integration.resumable import fakes as open_fakes

from cinescrub.bundle import Slot
from cinescrub.config import EngineConfig, MaskScope
from cinescrub.errors import InputError, NotDicomError, RedactionError
from cinescrub.pipeline.engine import Engine
from cinescrub.testing import CineSpec, CineTruth, make_cine

monai = pytest.importorskip("monai", reason="needs cinescrub[monai]")
torch = pytest.importorskip("torch", reason="needs cinescrub[monai]")

from monai.data import DataLoader, Dataset, MetaTensor, list_data_collate  # noqa: E402
from monai.transforms import Compose, Flipd, LoadImage, LoadImaged, ScaleIntensityd  # noqa: E402

from cinescrub.integrations import monai as ours  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # MONAI's and torch's own


@pytest.fixture(autouse=True)
def fakes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open engines of fakes, and forget those of other tests."""
    if request.node.get_closest_marker("models") is None:
        opened = classmethod(lambda _, config=None: make_engine(config))
        monkeypatch.setattr(Engine, "open", opened)
    monkeypatch.setattr(ours, "_loaded", {})


@pytest.fixture
def cine(tmp_path: Path) -> tuple[Path, CineTruth]:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "JONES^MARY.dcm"
    return path, make_cine(CineSpec(seed=1, frames=3, rows=96, columns=128), path)


def _words(path: Path) -> set[str]:
    """Return what the header says of the patient."""
    header = pydicom.dcmread(path)
    name = str(header.PatientName)
    return {*name.split("^"), str(header.PatientID), str(header.StudyInstanceUID)} - {""}


def _shown(tensor: Any) -> str:
    return json.dumps({k: str(v) for k, v in tensor.meta.items()}) + str(tensor.applied_operations)


def _load(path: Path, **reader: Any) -> Any:
    load = LoadImage(ours.CineReader(**reader), ensure_channel_first=True, expanduser=False)
    return load(path)


def test_a_path_gives_what_the_engine_writes(cine: tuple[Path, CineTruth], tmp_path: Path) -> None:
    path, _ = cine
    before = path.read_bytes()

    out = ours.DeidentifyUltrasound(out_dir=tmp_path / "out")(path)

    (written,) = (tmp_path / "out").rglob("*.dcm")
    expected = np.moveaxis(pydicom.dcmread(written).pixel_array, -1, 0)
    assert isinstance(out, MetaTensor)
    assert out.dtype == torch.uint8
    assert tuple(out.shape) == (3, 3, 96, 128)  # C, F, H, W
    assert np.array_equal(out.numpy(), expected)
    assert out.meta["filename_or_obj"] == str(written)
    assert json.loads(out.meta["cinescrub"])["status"] == "ok"
    assert json.loads(out.meta["dicom"])["00120062"]["Value"] == ["YES"]
    assert path.read_bytes() == before


def test_nothing_of_the_patient_or_the_path_is_in_the_metadata(
    cine: tuple[Path, CineTruth],
) -> None:
    path, _ = cine

    out = ours.DeidentifyUltrasound()(path)

    assert len(_words(path)) >= 3
    assert [word for word in {*_words(path), str(path.parent)} if word in _shown(out)] == []


def test_without_an_output_folder_nothing_stays_on_the_disk(
    cine: tuple[Path, CineTruth], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "tmp"
    private.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(private))

    ours.DeidentifyUltrasound()(cine[0])

    assert list(private.iterdir()) == []


def test_a_cine_may_come_again_as_it_does_every_epoch(
    cine: tuple[Path, CineTruth], tmp_path: Path
) -> None:
    transform = ours.DeidentifyUltrasound(out_dir=tmp_path / "out")

    first, again = transform(cine[0]), transform(cine[0])

    assert np.array_equal(first.numpy(), again.numpy())


def test_the_engine_is_loaded_when_it_is_needed_and_once(
    cine: tuple[Path, CineTruth], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def count(_: type, config: EngineConfig) -> Engine:
        opened.append(config)
        return make_engine(config)

    monkeypatch.setattr(Engine, "open", classmethod(count))
    transform = ours.DeidentifyUltrasound()
    other = ours.DeidentifyUltrasound(EngineConfig(mask_scope=MaskScope.INTERVAL))
    assert opened == []

    for each in (transform, transform, ours.DeidentifyUltrasound(), other):
        each(cine[0])

    assert opened == [EngineConfig(), EngineConfig(mask_scope=MaskScope.INTERVAL)]


@pytest.mark.parametrize(
    ("content", "error"), [(b"no DICOM\n" * 40, NotDicomError), (None, InputError)]
)
def test_a_cine_without_an_output_is_an_error_of_its_kind(
    cine: tuple[Path, CineTruth], content: bytes | None, error: type[Exception]
) -> None:
    path, _ = cine
    path.write_bytes(path.read_bytes()[:-999] if content is None else content)

    with pytest.raises(error) as raised:
        ours.DeidentifyUltrasound()(path)

    assert "JONES" not in str(raised.value)


def test_residual_text_is_an_error_and_leaves_nothing(
    cine: tuple[Path, CineTruth], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cinescrub.pipeline.redactor.Redactor.is_clean", lambda *_: False)

    with pytest.raises(RedactionError, match="review"):
        ours.DeidentifyUltrasound(out_dir=tmp_path / "out")(cine[0])

    assert list((tmp_path / "out").rglob("*.dcm")) == []


def test_an_array_with_its_header_gets_what_the_file_gets(cine: tuple[Path, CineTruth]) -> None:
    path, _ = cine
    by_file = ours.DeidentifyUltrasound()(path)
    loaded = _load(path, header=True)
    before = loaded.clone()

    out = ours.DeidentifyUltrasound()(loaded)

    assert loaded.dtype == out.dtype == torch.float32  # as LoadImage made it
    assert np.array_equal(out.numpy(), by_file.numpy())
    assert torch.equal(loaded, before)
    told = json.loads(out.meta["dicom"])
    assert told["00100010"] == json.loads(by_file.meta["dicom"])["00100010"]  # the pseudonym
    assert [word for word in {*_words(path), str(path.parent)} if word in _shown(out)] == []


def test_a_header_by_tags_as_other_readers_give_it_is_scrubbed_too(
    cine: tuple[Path, CineTruth],
) -> None:
    path, _ = cine
    header = pydicom.dcmread(path)
    meta = header.to_json_dict(bulk_data_threshold=10**9, suppress_invalid_tags=True)
    meta["filename_or_obj"] = str(path)

    out = ours.DeidentifyUltrasound()(np.moveaxis(header.pixel_array, -1, 0), meta)

    assert set(out.meta) == {"affine", "dicom", "cinescrub"}
    assert [word for word in _words(path) if word in _shown(out)] == []


def test_geometry_and_trace_of_a_tensor_stay() -> None:
    affine = torch.diag(torch.tensor([1.0, 0.3, 0.2, 1.0], dtype=torch.float64))
    meta = {"spatial_shape": np.array([2, 64, 96]), "patient": "JONES^MARY", "frame_rate": 25.0}
    tensor = MetaTensor(torch.zeros((1, 2, 64, 96), dtype=torch.uint8), affine, meta)
    tensor.push_applied_operation({"class": "Flip"})

    out = ours.DeidentifyUltrasound()(tensor)

    assert torch.equal(out.affine, affine)
    assert out.applied_operations == tensor.applied_operations
    assert out.meta["frame_rate"] == 25.0
    assert "patient" not in out.meta
    assert "dicom" not in out.meta


def test_a_still_keeps_its_shape() -> None:
    shape = (3, 64, 96)

    out = ours.DeidentifyUltrasound()(np.zeros(shape, np.uint8))

    assert tuple(out.shape) == shape


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 64, 96), np.uint8),
        np.zeros((64, 96), np.uint8),
        np.full((1, 2, 64, 96), 0.5, np.float32),
        np.full((1, 2, 64, 96), np.nan, np.float32),
        np.full((1, 2, 64, 96), 256, np.uint16),
        np.full((1, 2, 64, 96), -1, np.int16),
    ],
    ids=["channels", "no-channel", "scaled", "nan", "deep", "negative"],
)
def test_what_is_no_picture_is_refused(array: npt.NDArray[Any]) -> None:
    with pytest.raises(InputError):
        ours.DeidentifyUltrasound()(array)


def test_a_turned_array_is_refused_where_the_header_tells(cine: tuple[Path, CineTruth]) -> None:
    loaded = _load(cine[0], header=True)

    with pytest.raises(InputError, match="upright"):
        ours.DeidentifyUltrasound()(loaded.permute(0, 1, 3, 2))


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"00100010": 7}', '{"00100010": {"vr": "XX"}}'])
def test_metadata_that_are_no_header_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        ours.DeidentifyUltrasound()(np.zeros((1, 2, 64, 96), np.uint8), {"dicom": text})


@pytest.mark.parametrize(
    "kind", [ours.DeidentifyUltrasoundd, ours.DeidentifyUltrasoundD, ours.DeidentifyUltrasoundDict]
)
def test_a_dictionary_keeps_its_other_values(cine: tuple[Path, CineTruth], kind: type) -> None:
    data = {"image": str(cine[0]), "label": 3}

    out = kind("image")(data)

    assert out["label"] == 3
    assert tuple(out["image"].shape) == (3, 3, 96, 128)
    assert data == {"image": str(cine[0]), "label": 3}


def test_metadata_beside_an_array_are_used_and_replaced(cine: tuple[Path, CineTruth]) -> None:
    path, _ = cine
    load = LoadImaged(
        "image", ours.CineReader(header=True), image_only=False, ensure_channel_first=True
    )
    loaded = load({"image": str(path)})
    loaded["image"] = loaded["image"].as_tensor()
    assert "JONES" in str(loaded["image_meta_dict"]["filename_or_obj"])

    out = ours.DeidentifyUltrasoundd("image")(loaded)

    assert [word for word in _words(path) if word in str(out)] == []
    assert "dicom" in out["image_meta_dict"]


def test_a_missing_key_is_an_error_unless_allowed() -> None:
    with pytest.raises(KeyError):
        ours.DeidentifyUltrasoundd("image")({"label": 1})

    assert ours.DeidentifyUltrasoundd("image", allow_missing_keys=True)({"label": 1}) == {
        "label": 1
    }


def test_it_is_a_step_of_a_pipeline(cine: tuple[Path, CineTruth]) -> None:
    path, _ = cine
    steps = Compose(
        [
            ours.DeidentifyUltrasoundd("image"),
            ScaleIntensityd("image"),
            Flipd("image", spatial_axis=2),
        ]
    )

    out = steps({"image": str(path)})
    back = steps.transforms[-1].inverse(out)

    assert float(out["image"].max()) <= 1.0
    assert tuple(back["image"].shape) == (3, 3, 96, 128)
    assert [word for word in _words(path) if word in _shown(out["image"])] == []


def test_an_error_in_a_pipeline_has_ours_as_its_cause(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no DICOM\n" * 40)

    with pytest.raises(RuntimeError) as raised:
        Compose([ours.DeidentifyUltrasoundd("image")])({"image": str(path)})

    assert isinstance(raised.value.__cause__, NotDicomError)


def test_instances_are_pickled_without_their_engine(cine: tuple[Path, CineTruth]) -> None:
    transform = ours.DeidentifyUltrasoundd("image", EngineConfig(threads=1))
    transform({"image": str(cine[0])})

    again = pickle.loads(pickle.dumps(transform))  # noqa: S301  # our own

    assert tuple(again({"image": str(cine[0])})["image"].shape) == (3, 3, 96, 128)


def test_forked_workers_load_engines_of_their_own(
    cine: tuple[Path, CineTruth], tmp_path: Path
) -> None:
    path, _ = cine
    transform = ours.DeidentifyUltrasoundd("image")
    here = transform({"image": str(path)})["image"]  # an engine that the workers inherit
    data = Dataset([{"image": str(path)}] * 4, transform)
    loader = DataLoader(
        data, batch_size=2, num_workers=2, collate_fn=list_data_collate,
        multiprocessing_context="fork", timeout=120,
    )  # fmt: skip

    batches = list(loader)

    assert [tuple(batch["image"].shape) for batch in batches] == [(2, 3, 3, 96, 128)] * 2
    for batch in batches:
        for cine_out in batch["image"].numpy():
            assert np.array_equal(cine_out, here.numpy())
        assert [word for word in _words(path) if word in str(batch["image"].meta)] == []


@pytest.mark.models
def test_a_spawned_worker_gives_what_the_engine_gives(
    cine: tuple[Path, CineTruth], tmp_path: Path, models_dir: Path
) -> None:
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_bytes(bytes(range(32)))
    config = EngineConfig(models=models_dir, key_file=key, threads=1)
    with Engine.open(config) as engine:
        report = engine.run(cine[0], tmp_path / "alone")
    loader = DataLoader(
        Dataset([{"image": str(cine[0])}], ours.DeidentifyUltrasoundd("image", config)),
        num_workers=1, multiprocessing_context="spawn", timeout=300,
    )  # fmt: skip

    (batch,) = list(loader)

    assert report.output is not None
    expected = np.moveaxis(pydicom.dcmread(report.output).pixel_array, -1, 0)
    assert np.array_equal(batch["image"].numpy()[0], expected)


def test_the_reader_says_which_axes_it_gives(cine: tuple[Path, CineTruth]) -> None:
    path, _ = cine
    reader = ours.CineReader()

    frames, meta = reader.get_data(reader.read([path]))

    assert frames.shape == (3, 96, 128, 3)
    assert meta["original_channel_dim"] == -1
    assert list(meta["spatial_shape"]) == [3, 96, 128]
    assert "dicom" not in meta
    assert reader.verify_suffix("anything")


def test_the_reader_takes_one_file(cine: tuple[Path, CineTruth]) -> None:
    with pytest.raises(InputError, match="one path"):
        ours.CineReader().read([cine[0], cine[0]])


_OPEN = Engine.__dict__["open"]
_PAGE = Path(__file__).resolve().parents[2] / "docs" / "monai.md"
_BLOCKS = re.findall(r"```python\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def stateful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open engines of fakes as the real ones are opened, with their state."""
    monkeypatch.setattr(Engine, "open", _OPEN)
    for name, fake in (
        ("open_inspector", open_fakes),
        ("versions_of", lambda _: {slot.value: "0" for slot in Slot}),
        ("load_or_create_key", lambda _: KEY),
    ):
        monkeypatch.setattr(f"cinescrub.pipeline.engine.{name}", fake)


@pytest.mark.usefixtures("stateful")
@pytest.mark.parametrize("block", _BLOCKS, ids=["steps", "arrays", "workers"])
def test_an_example_of_the_document_runs(
    block: str,
    cine: tuple[Path, CineTruth],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cine[0].rename(tmp_path / "in" / "cine.dcm")
    monkeypatch.chdir(tmp_path)

    exec(compile(block, str(_PAGE), "exec"), {"__name__": "example"})  # noqa: S102  # our own text

    assert capsys.readouterr().out
    assert list((tmp_path / "out").rglob("*.dcm")) or "out_dir" not in block


def test_the_ten_lines_are_ten() -> None:
    lines = [line for line in _BLOCKS[0].splitlines() if line.strip(" )]")]

    assert len(lines) == 10


def test_deep_gray_comes_as_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The fake takes all for text that the window makes bright once the text is gone.
    monkeypatch.setattr("cinescrub.pipeline.redactor.Redactor.is_clean", lambda *_: True)
    samples = picture().astype(np.uint16) * 16
    path = tmp_path / "deep.dcm"
    header(
        "1.2.840.10008.1.2.1", 1, BitsAllocated=16, BitsStored=12, HighBit=11,
        PixelData=samples.tobytes(),
    ).save_as(path, enforce_file_format=True)  # fmt: skip

    out = ours.DeidentifyUltrasound(EngineConfig(ink_rule=False), tmp_path / "out")(path)

    (written,) = (tmp_path / "out").rglob("*.dcm")
    assert tuple(out.shape) == (1, 1, *samples.shape)
    assert np.array_equal(out.numpy()[0, 0], pydicom.dcmread(written).pixel_array)
    assert int(out.max()) > 255

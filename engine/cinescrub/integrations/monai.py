"""MONAI: a reader for cine DICOM, and transforms that de-identify before anything else sees a cine.

Arrays are upright and in the order of time: (F, H, W) with the channels first, (C, F, H, W), or
last, as the metadata's `original_channel_dim` says. Values of the metadata are numbers or
text of one line, so that batches collate.

The only module that imports torch or MONAI.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from monai.config import KeysCollection
from monai.data import ImageReader, MetaTensor
from monai.transforms import MapTransform, Transform
from monai.utils import ImageMetaKey, MetaKeys
from torch.utils.data import get_worker_info

from cinescrub.config import EngineConfig
from cinescrub.errors import InputError
from cinescrub.integrations.cine import Cine, read_cine
from cinescrub.pipeline.assembly import shared_by
from cinescrub.pipeline.engine import Engine, Targets
from cinescrub.report import FileReport

__all__ = [
    "CineReader",
    "DeidentifyUltrasound",
    "DeidentifyUltrasoundD",
    "DeidentifyUltrasoundDict",
    "DeidentifyUltrasoundd",
]

HEADER: Final = "dicom"
"""Metadata key of the header: one text, of the DICOM JSON Model (PS3.18 annex F)."""
REPORT: Final = "cinescrub"
"""Metadata key of what was done: one text, the report line in JSON without the source."""
RATE: Final = "frame_rate"
"""Metadata key of the frames a second; NaN where the header doesn't tell."""

_NUMERIC: Final = (
    MetaKeys.AFFINE,
    MetaKeys.ORIGINAL_AFFINE,
    "pixdim",
    "original_pixdim",
    MetaKeys.SPATIAL_SHAPE,
    MetaKeys.ORIGINAL_CHANNEL_DIM,
    RATE,
)
"""Metadata of an array that stays: numbers, none of which is of a person. The rest goes, as nobody
knows what a reader put there."""
_TAG_LENGTH: Final = 8


class CineReader(ImageReader):
    """Reads one cine DICOM file, for `LoadImage(reader=...)`: all that `cinescrub run` takes.

    The array is (F, H, W, 3) or (F, H, W), C order; `original_channel_dim` says which, so that
    `ensure_channel_first=True` gives (C, F, H, W). The affine scales rows and columns to
    millimetres where the header tells them; frames are one apart. Files are read as they are: to
    de-identify them is what the transforms are for.

    Parameters
    ----------
    header : bool
        Put the whole header into the metadata, under `dicom`. Of a file that was not de-identified
        it holds PHI; without it the metadata holds numbers only, and the path that MONAI adds.
    """

    def __init__(self, header: bool = False) -> None:
        self._header = header

    def verify_suffix(self, filename: Any) -> bool:
        """Take any name: content decides, and DICOM files often have no suffix."""
        return True

    def read(self, data: Any, **kwargs: Any) -> Cine:
        """Read the file of that path, or of the one path in a sequence.

        Raises
        ------
        InputError
            Several paths are given, or the file can't be handled.
        """
        paths = [data] if isinstance(data, str | os.PathLike) else list(data)
        if len(paths) != 1:
            raise InputError("a cine is one file: give one path")
        return read_cine(Path(paths[0]))

    def get_data(self, img: Cine) -> tuple[npt.NDArray[Any], dict[str, Any]]:
        """Return array and metadata of what was read."""
        frames = img.frames
        scale = [1.0, *np.nan_to_num(img.spacing, nan=1.0), 1.0]
        meta: dict[str, Any] = {
            MetaKeys.SPATIAL_SHAPE: np.asarray(frames.shape[:3]),
            MetaKeys.ORIGINAL_CHANNEL_DIM: -1 if frames.ndim == 4 else float("nan"),
            MetaKeys.ORIGINAL_AFFINE: np.diag(scale),
            MetaKeys.AFFINE: np.diag(scale),
            RATE: img.rate,
        }
        if self._header:
            meta[HEADER] = json.dumps(img.header)
        return frames, meta


class DeidentifyUltrasound(Transform):
    """De-identify a cine: a path in, or an array with its metadata; a `MetaTensor` out.

    - **Path**: the whole engine runs, from file to file, with its checks; then the written file is
      read. The tensor is (C, F, H, W), uint8, of gray deeper than 8 bits the stored values; its
      metadata hold the scrubbed header (`dicom`) and the report (`cinescrub`). `filename_or_obj`
      is the output's name.
    - **Array**: burned-in text is redacted in a copy. The header, if the metadata have one
      (`dicom`, or elements by tag as of `PydicomReader(prune_metadata=False)`), says what to look
      for and comes back scrubbed. Shape, dtype, affine and the trace of applied operations stay;
      all other metadata that aren't numbers of the geometry go.

    The engine is loaded when it is first needed, once a process, also in workers of a `DataLoader`,
    whether forked or spawned; there they share the cores. Instances can be pickled.

    Parameters
    ----------
    config : EngineConfig, optional
        Settings; the defaults are those of `cinescrub run`. With `state` and `resume` a file is
        worked on once, and later epochs read `out_dir`.
    out_dir : path, optional
        Where the de-identified files stay. Without it they are removed once they are read.
    """

    def __init__(
        self, config: EngineConfig | None = None, out_dir: str | os.PathLike[str] | None = None
    ) -> None:
        self._config = config or EngineConfig()
        self._out = None if out_dir is None else Path(out_dir)

    def __call__(self, img: Any, meta: Mapping[str, Any] | None = None) -> Any:
        """De-identify a file or an array.

        Parameters
        ----------
        img : path, or (C, F, H, W) or (C, H, W) array or tensor
            One channel, or three of R, G, B. An array is upright and unscaled: whole numbers of 0
            to 255, of any dtype. Not modified.
        meta : mapping, optional
            Metadata of an array that is no `MetaTensor`.

        Returns
        -------
        MetaTensor
            On the CPU; a plain tensor after `monai.data.set_track_meta(False)`.

        Raises
        ------
        CinescrubError
            There is no output: `NotDicomError`, `InputError`, `RedactionError` and the others of
            `cinescrub.errors`, with the report's reason. `Compose` makes it the cause of its own.
        """
        if isinstance(img, str | os.PathLike):
            return self._of_file(Path(img))
        return self._of_array(img, {**(meta or {}), **getattr(img, "meta", {})})

    def _of_file(self, path: Path) -> Any:
        engine = _engine(self._config)
        with _folder(self._out) as out:
            # Targets of its own: a cine comes once an epoch.
            report = engine.run(path, Targets.open(out, [path]))
            report.require_ok()
            assert report.output is not None  # noqa: S101  # it is ok
            reader = CineReader(header=True)
            frames, meta = reader.get_data(reader.read(report.output))
        kept = report.output if self._out is not None else report.output.relative_to(out)
        meta |= {ImageMetaKey.FILENAME_OR_OBJ: str(kept), REPORT: _told(report)}
        meta[MetaKeys.ORIGINAL_CHANNEL_DIM] = 0  # of what is given: `EnsureChannelFirst` leaves it
        first = np.moveaxis(frames, -1, 0) if frames.ndim == 4 else frames[None]
        return _tensor(np.ascontiguousarray(first), meta, None)

    def _of_array(self, img: Any, meta: Mapping[str, Any]) -> Any:
        array = np.asarray(img.detach().cpu() if isinstance(img, torch.Tensor) else img)
        frames = _frames_of(array)
        done = _engine(self._config).redact(frames, header=_header_of(meta), rate=_rate_of(meta))
        kept: dict[str, Any] = {key: meta[key] for key in _NUMERIC if _is_numeric(meta.get(key))}
        if done.header is not None:
            kept[HEADER] = json.dumps(done.header)
        kept[REPORT] = _told(done.report)
        first = np.moveaxis(frames, -1, 0) if frames.ndim == 4 else frames[None]
        out = np.ascontiguousarray(first.reshape(array.shape).astype(array.dtype))
        return _tensor(out, kept, getattr(img, "applied_operations", None))


class DeidentifyUltrasoundd(MapTransform):
    """`DeidentifyUltrasound` for dictionaries: paths or arrays under `keys`.

    Metadata beside an array, under `<key>_meta_dict` as older pipelines keep them, are used and
    replaced: what they hold of the header would stay otherwise.

    Parameters
    ----------
    keys : hashable or sequence of hashable
        Whose values are de-identified.
    config, out_dir
        As of `DeidentifyUltrasound`.
    meta_key_postfix : str
        What is added to a key for that of its metadata.
    allow_missing_keys : bool
        Pass over a key that isn't there.
    """

    def __init__(
        self,
        keys: KeysCollection,
        config: EngineConfig | None = None,
        out_dir: str | os.PathLike[str] | None = None,
        meta_key_postfix: str = "meta_dict",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self._transform = DeidentifyUltrasound(config, out_dir)
        self._postfix = meta_key_postfix

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of `data` with the values of `keys` de-identified."""
        out = dict(data)
        for key in self.key_iterator(out):
            beside = f"{key}_{self._postfix}"
            out[key] = self._transform(out[key], out.get(beside))
            if beside in out:
                out[beside] = getattr(out[key], "meta", {})
        return out


DeidentifyUltrasoundD = DeidentifyUltrasoundDict = DeidentifyUltrasoundd


@dataclass(slots=True)
class _Loaded:
    """The engines of one process."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    engines: dict[EngineConfig, Engine] = field(default_factory=dict)


_loaded: Final[dict[int, _Loaded]] = {}
"""By process: a forked child inherits engines whose threads it hasn't. They are never used there,
nor dropped, as that would wait for those threads."""


def _engine(config: EngineConfig) -> Engine:
    """Return this process's engine for these settings."""
    here = _loaded.setdefault(os.getpid(), _Loaded())
    with here.lock:
        if config not in here.engines:
            worker = get_worker_info()
            shared = config if worker is None else shared_by(config, worker.num_workers)
            here.engines[config] = Engine.open(shared)
        return here.engines[config]


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """Give the output folder, or a private one that is removed."""
    if out is not None:
        yield out
        return
    with tempfile.TemporaryDirectory(prefix="cinescrub-") as folder:
        yield Path(folder)


def _frames_of(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return a copy as (F, H, W) or (F, H, W, 3) uint8.

    Raises
    ------
    InputError
        It has another shape, or values that no stored frame has.
    """
    if array.ndim not in (3, 4) or array.shape[0] not in (1, 3) or not array.size:
        raise InputError(
            "an array is (C, F, H, W) or (C, H, W) with one or three channels:"
            " load it with ensure_channel_first=True"
        )
    with np.errstate(invalid="ignore"):  # NaN and the like differ from what they become
        whole = array.astype(np.uint8)
    if array.dtype != np.uint8 and not np.array_equal(whole, array):
        raise InputError("values are whole numbers of 0 to 255: de-identify before scaling")
    frames = whole if array.ndim == 4 else whole[:, None]
    last = frames[0] if array.shape[0] == 1 else np.moveaxis(frames, 0, -1)
    return np.array(last, order="C")


def _header_of(meta: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the header that metadata hold.

    Raises
    ------
    InputError
        What is under its key is no header.
    """
    by_tag = {key: value for key, value in meta.items() if _is_tag(key)}
    text = meta.get(HEADER)
    if text is None:
        return by_tag or None
    try:
        told = json.loads(text)
    except (TypeError, ValueError):
        raise InputError(f"the metadata's {HEADER!r} is not JSON") from None
    if not isinstance(told, dict):
        raise InputError(f"the metadata's {HEADER!r} is no JSON object")
    return {**told, **by_tag}


def _is_tag(key: object) -> bool:
    if not isinstance(key, str) or len(key) != _TAG_LENGTH:
        return False
    return all(c in "0123456789ABCDEFabcdef" for c in key)


def _rate_of(meta: Mapping[str, Any]) -> float | None:
    rate = meta.get(RATE)
    return float(rate) if isinstance(rate, int | float) and rate > 0 else None


def _is_numeric(value: object) -> bool:
    return value is not None and np.asarray(value).dtype.kind in "iuf"


def _told(report: FileReport) -> str:
    return json.dumps({k: v for k, v in report.to_dict().items() if k not in ("source", "output")})


def _tensor(array: npt.NDArray[Any], meta: dict[str, Any], applied: Sequence[Any] | None) -> Any:
    tensor = MetaTensor.ensure_torch_and_prune_meta(array, meta)
    if applied is not None and isinstance(tensor, MetaTensor):
        tensor.applied_operations = list(applied)
    return tensor

"""Fixtures that several test folders share: models, real files, a fresh place for each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cinescrub import bundle
from cinescrub.bundle import Slot
from cinescrub.errors import ModelError

_ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """An exported bundle: that of CINESCRUB_TEST_MODELS or the user's cache, made if missing."""
    models = Path(os.environ.get("CINESCRUB_TEST_MODELS") or bundle.default_models_dir())
    missing = tuple(slot for slot in Slot if not _is_there(models, slot))
    if missing:
        from cinescrub_export.api import export

        export(missing, models, progress=print)
    return models


def _is_there(models: Path, slot: Slot) -> bool:
    try:
        bundle.verify(models, slot)
    except ModelError:
        return False
    return True


@pytest.fixture(scope="session")
def real_dir() -> Path:
    """Real files beside the checkout; they are not part of the project."""
    folder = _ROOT.parent / "shared" / "data" / "dev"
    if not folder.is_dir():
        pytest.skip("no real files beside the checkout")
    return folder

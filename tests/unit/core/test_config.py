from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cinescrub.config import EngineConfig, Policy, load_config
from cinescrub.errors import ConfigError


def test_defaults_deny(tmp_path: Path) -> None:
    assert load_config(None).policy is Policy.DEFAULT_DENY


def test_flags_win_over_the_file_and_unset_flags_do_not(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('policy = "phi-only"\nthreads = 3\n')

    config = load_config(path, threads=1, policy=None)

    assert (config.policy, config.threads) == (Policy.PHI_ONLY, 1)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("polcy = 'all-text'", id="misspelt key"),
        pytest.param("policy = 'keep-all'", id="unknown policy"),
        pytest.param("threads = -1", id="below range"),
        pytest.param("threads = 1.5", id="not a whole number"),
        pytest.param("threads = true", id="a boolean is no number"),
        pytest.param("threads =", id="not TOML"),
        pytest.param("models = 5", id="not a path"),
    ],
)
def test_a_file_that_is_not_understood_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)

    with pytest.raises(ConfigError):
        load_config(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        load_config(tmp_path / "absent.toml")


def test_values_out_of_range_are_refused_from_code_too() -> None:
    with pytest.raises(ConfigError, match="batch_frames"):
        EngineConfig(batch_frames=0)


def test_words_and_paths_may_be_strings_in_python_too() -> None:
    config = EngineConfig(policy="all-text", models="models", options=["retain-uids"])  # type: ignore[arg-type]

    assert config.policy is Policy.ALL_TEXT
    assert (config.models, config.options) == (Path("models"), ("retain-uids",))


@pytest.mark.parametrize(
    "given",
    [{"policy": "all_text"}, {"fill": "white"}, {"threads": "2"}, {"ink_rule": 1}, {"resume": 1}],
    ids=lambda given: next(iter(given)),
)
def test_a_word_that_is_no_choice_never_passes_for_the_default(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        EngineConfig(**given)


@pytest.mark.parametrize("provider", ["cpu", "openvino", "tensorrt"])
def test_cuda_graphs_are_not_asked_of_another_provider(provider: str) -> None:
    with pytest.raises(ConfigError, match=f"needs provider cuda, not {provider}"):
        EngineConfig(cuda_graphs=True, provider=provider)  # type: ignore[arg-type]

"""The state of a site: kept from run to run, private, believed only with its key, safe to kill."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from cinescrub.errors import ConfigError, OutputError
from cinescrub.pipeline import state as state_module
from cinescrub.pipeline.state import State

KEY = bytes(range(32))


def _file(folder: Path) -> Path:
    return folder / "state.sqlite3"


def test_what_was_put_is_there_in_the_next_run(tmp_path: Path) -> None:
    with State.open(tmp_path / "state", KEY) as state:
        state.looks.put(b"a" * 16, b"boxes")
        assert state.looks.get(b"a" * 16) == b"boxes"
        assert state.inputs.get(b"a" * 16) is None

    with State.open(tmp_path / "state", KEY) as state:
        assert state.looks.get(b"a" * 16) == b"boxes"
        assert state.looks.get(b"b" * 16) is None


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    old = os.umask(0)
    try:
        with State.open(folder, KEY) as state:
            state.looks.put(b"a", b"b")
            state.flush()
            modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    finally:
        os.umask(old)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes == {0o600}


@pytest.mark.parametrize("which", ["folder", "file"])
def test_a_folder_that_others_may_use_is_refused(tmp_path: Path, which: str) -> None:
    folder = tmp_path / "state"
    State.open(folder, KEY).close()
    (folder if which == "folder" else _file(folder)).chmod(0o755)

    with pytest.raises(ConfigError, match="chmod"):
        State.open(folder, KEY)


def test_a_row_that_was_not_written_with_the_key_is_not_believed(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with State.open(folder, KEY) as state:
        state.looks.put(b"a" * 16, b"boxes")
        state.looks.put(b"b" * 16, b"other")
        state.inputs.put(b"a" * 16, b"line")
    database = sqlite3.connect(_file(folder))
    database.execute("UPDATE looks SET value = x'' WHERE key = ?", (b"a" * 16,))
    database.execute("INSERT INTO inputs SELECT * FROM looks WHERE key = ?", (b"b" * 16,))
    database.commit()
    database.close()

    with State.open(folder, KEY) as state:
        assert state.looks.get(b"a" * 16) is None
        assert state.inputs.get(b"b" * 16) is None
        assert state.looks.get(b"b" * 16) == b"other"
        assert state.inputs.get(b"a" * 16) == b"line"


def test_the_state_of_another_key_is_refused(tmp_path: Path) -> None:
    State.open(tmp_path / "state", KEY).close()

    with pytest.raises(ConfigError, match="another key"):
        State.open(tmp_path / "state", bytes(32))


def test_a_damaged_state_is_refused_with_what_to_do(tmp_path: Path) -> None:
    State.open(tmp_path / "state", KEY).close()
    _file(tmp_path / "state").write_bytes(b"no database" * 1000)

    with pytest.raises(ConfigError, match="damaged: remove"):
        State.open(tmp_path / "state", KEY)


def test_a_place_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match="can't be made"):
        State.open(tmp_path / "file" / "state", KEY)


def test_the_rows_that_were_not_used_longest_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_module, "_ROWS", 2)
    with State.open(tmp_path / "state", KEY) as state:
        state.looks.put(b"old", b"1")
        state.looks.put(b"used", b"2")
    with State.open(tmp_path / "state", KEY) as state:
        assert state.looks.get(b"used") == b"2"
        state.looks.put(b"new", b"3")

    with State.open(tmp_path / "state", KEY) as state:
        held = [state.looks.get(key) for key in (b"old", b"used", b"new")]

    assert held == [None, b"2", b"3"]


def test_a_flushed_row_survives_a_kill_and_leaves_a_sound_file(tmp_path: Path) -> None:
    code = f"""
        import os, signal
        from pathlib import Path
        from cinescrub.pipeline.state import State
        state = State.open(Path({str(tmp_path / "state")!r}), bytes(range(32)))
        state.looks.put(b"flushed", b"1")
        state.flush()
        state.looks.put(b"waiting", b"2")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert ended.returncode == -9

    with State.open(tmp_path / "state", KEY) as state:
        assert state.looks.get(b"flushed") == b"1"
        assert state.looks.get(b"waiting") is None
    check = sqlite3.connect(_file(tmp_path / "state"))
    assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    check.close()


def test_two_runs_share_a_state(tmp_path: Path) -> None:
    with (
        State.open(tmp_path / "state", KEY) as first,
        State.open(tmp_path / "state", KEY) as second,
    ):
        first.looks.put(b"a", b"1")
        first.flush()
        second.looks.put(b"b", b"2")
        second.flush()

        assert (first.looks.get(b"b"), second.looks.get(b"a")) == (b"2", b"1")


def test_closing_twice_is_closing(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state", KEY)
    state.close()
    state.close()

    with pytest.raises(OutputError, match="can't be read"):
        state.looks.get(b"a")

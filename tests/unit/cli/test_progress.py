"""What people see while it works: on a terminal a bar, elsewhere nothing, and never a path."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from cinescrub.cli.progress import Quiet, TerminalCount, TerminalProgress, progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _sit_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> _Terminal:
    """No fixture: pytest sets stderr anew between a fixture and its test."""
    screen = _Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return screen


def _work(observer: Quiet) -> None:
    with observer:
        for name in ("ROE_RICHARD_1970.dcm", "DOE_JANE.dcm"):
            observer.begins(Path("/archive/St_Elsewhere") / name)
            for stage in ("inspect", "apply"):
                for done in range(1, 4):
                    observer.frames(stage, done, 3)


def test_a_terminal_shows_stage_frames_and_number_but_no_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = _sit_at_a_terminal(monkeypatch)
    observer = progress()

    _work(observer)

    shown = terminal.getvalue()
    assert isinstance(observer, TerminalProgress)
    assert all(word in shown for word in ("#1", "#2", "inspect", "apply", "3/3"))
    assert not any(word in shown for word in ("ROE", "DOE", "RICHARD", "archive", "Elsewhere"))


def test_several_inputs_at_once_are_counted_and_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _sit_at_a_terminal(monkeypatch)
    observer = progress(jobs=2)

    _work(observer)

    shown = terminal.getvalue()
    assert isinstance(observer, TerminalCount)
    assert "#2" in shown
    assert not any(word in shown for word in ("ROE", "DOE", "RICHARD", "archive", "Elsewhere"))


@pytest.mark.parametrize("screen", [io.StringIO(), None], ids=["a-file", "closed"])
def test_elsewhere_nothing_is_shown(
    monkeypatch: pytest.MonkeyPatch, screen: io.StringIO | None
) -> None:
    monkeypatch.setattr(sys, "stderr", screen)

    observer = progress()
    _work(observer)

    assert not isinstance(observer, TerminalProgress)
    assert screen is None or screen.getvalue() == ""


def test_stdout_is_left_to_machines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = _sit_at_a_terminal(monkeypatch)

    _work(progress())

    assert capsys.readouterr().out == ""
    assert terminal.getvalue() != ""

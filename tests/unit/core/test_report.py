"""A report line as an error, for callers that want one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinescrub import errors
from cinescrub.report import FileReport, Status


def test_an_output_is_no_error() -> None:
    FileReport(Path("x"), Status.OK, Path("y")).require_ok()


@pytest.mark.parametrize(
    "kind",
    [
        errors.ConfigError,
        errors.ModelError,
        errors.InputError,
        errors.InferenceError,
        errors.RedactionError,
        errors.ScrubError,
        errors.OutputError,
        errors.CinescrubError,
    ],
)
def test_an_error_has_the_class_that_it_had_and_its_one_line(
    kind: type[errors.CinescrubError],
) -> None:
    line = FileReport(Path("JONES"), Status.QUARANTINED, reason="do this", exit_code=kind.exit_code)

    with pytest.raises(kind) as raised:
        line.require_ok()

    assert type(raised.value) is kind
    assert raised.value.message == "do this"


def test_what_was_skipped_is_no_dicom() -> None:
    with pytest.raises(errors.NotDicomError, match="a copy"):
        FileReport(Path("x"), Status.SKIPPED, reason="a copy").require_ok()

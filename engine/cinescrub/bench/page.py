"""A result as one HTML page that needs nothing else: table, picture, machine and settings."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from html import escape
from typing import Any, Final

import cv2

from cinescrub.bench.plot import draw_result
from cinescrub.bench.results import Result
from cinescrub.bench.table import Table, shown, table_of

__all__ = ["html_page", "png_picture"]

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; color: #20242c; max-width: 960px; margin: 2em auto; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { text-align: left; padding: 3px 10px; border-bottom: 1px solid #e2e4e8; }
td { font-variant-numeric: tabular-nums; }
img { max-width: 100%; }
"""


def png_picture(result: Result) -> bytes:
    """Return a result's picture, coded as PNG."""
    _, coded = cv2.imencode(".png", draw_result(result)[..., ::-1])
    return coded.tobytes()


def html_page(result: Result) -> str:
    """Return the page. It loads nothing, runs nothing, and escapes what it tells."""
    picture = b64encode(png_picture(result)).decode()
    title = escape(f"cinescrub bench {result.kind}")
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head>
<body>
<h1>{title}</h1>
<p>{escape(result.started)}. Medians, with the least and the largest of their runs; each run in a
process of its own, the cases in turn.</p>
{table_of(result).as_html()}
<img alt="{title}" src="data:image/png;base64,{picture}">
<h2>Machine</h2>
{_pairs(result.machine).as_html()}
<h2>Settings</h2>
{_pairs(result.settings).as_html()}
</body>
</html>
"""


def _pairs(values: Mapping[str, Any]) -> Table:
    return Table(
        ("", ""),
        tuple(
            (name, ", ".join(map(str, value)) if isinstance(value, list) else shown(value))
            for name, value in values.items()
        ),
    )

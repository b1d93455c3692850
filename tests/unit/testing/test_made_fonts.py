"""Text is drawn to exact ink, without a font file on the machine."""

from __future__ import annotations

import numpy as np
import pytest

from cinescrub.errors import ConfigError
from cinescrub.testing.fonts import TextStyle, draw_text, outline_of
from cinescrub.testing.glyphs import DOTS, GLYPHS


@pytest.mark.parametrize("face", ["sans", "italic", "bitmap"])
@pytest.mark.parametrize("height", [8, 14, 28, 60])
def test_capitals_have_the_height_that_was_asked_for(face: str, height: int) -> None:
    drawn = draw_text("H", TextStyle(height, face=face))

    # A dot-matrix face comes in whole dots; a scaled one rounds its size and its edges.
    slack = 4 if face == "bitmap" else 1 + height // 20
    assert abs((drawn >= 128).any(axis=1).sum() - height) <= slack


@pytest.mark.parametrize("text", ["Müller, Jörg", "TIS0.8 MI 1.3", "li wei", "I", "-", "16 cm²"])
@pytest.mark.parametrize("face", ["sans", "bitmap"])
def test_outer_rows_and_columns_hold_ink(text: str, face: str) -> None:
    drawn = draw_text(text, TextStyle(12, face=face))

    edges = (drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1])
    assert all(edge.any() for edge in edges)


def test_blank_text_has_no_ink() -> None:
    assert draw_text("   ", TextStyle(12)).size == 0


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotation_turns_the_same_ink(turn: int) -> None:
    upright = draw_text("ROTATE", TextStyle(16))

    turned = draw_text("ROTATE", TextStyle(16, rotation=turn))

    np.testing.assert_array_equal(np.rot90(upright, turn // 90), turned)


@pytest.mark.parametrize("face", ["sans", "bitmap"])
def test_letter_spacing_widens_a_line(face: str) -> None:
    tight = draw_text("SPACED", TextStyle(14, face=face))
    wide = draw_text("SPACED", TextStyle(14, face=face, spacing_px=6))

    # Five gaps of six pixels; a run without spacing may be kerned by a pixel or two.
    assert 26 <= wide.shape[1] - tight.shape[1] <= 34


def test_crisp_text_has_no_gray_edges() -> None:
    drawn = draw_text("crisp 4CH", TextStyle(11, crisp=True))

    assert set(np.unique(drawn)) == {0, 255}


def test_bold_text_has_more_ink() -> None:
    plain, bold = (draw_text("LVIDd", TextStyle(20, bold=b)) for b in (False, True))

    assert bold.astype(int).sum() > 1.15 * plain.astype(int).sum()


def test_a_rim_surrounds_the_ink() -> None:
    drawn = draw_text("LV", TextStyle(14))

    rim = outline_of(drawn)

    assert rim.shape == (drawn.shape[0] + 2, drawn.shape[1] + 2)
    assert (rim[1:-1, 1:-1] >= drawn).all()


def test_an_unreadable_font_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="font"):
        draw_text("A", TextStyle(face="/nowhere/face.ttf"))


@pytest.mark.parametrize(("height", "rotation"), [(4, 0), (201, 0), (12, 45)])
def test_styles_out_of_range_are_refused(height: int, rotation: int) -> None:
    with pytest.raises(ConfigError):
        TextStyle(height, rotation=rotation)


def test_every_glyph_fits_its_cell_and_differs_from_all_others() -> None:
    columns, rows = DOTS

    assert all(len(rows_of) in (7, rows) for rows_of in GLYPHS.values())
    assert all(int(digit, 32) < 2**columns for glyph in GLYPHS.values() for digit in glyph)
    # A dot-matrix O and 0 may be one shape, as on old machines.
    shapes = {glyph for letter, glyph in GLYPHS.items() if letter != "0"}
    assert len(shapes) == len(GLYPHS) - 1


def test_hollow_letters_have_no_ink_where_full_ones_do() -> None:
    full = draw_text("OH", TextStyle(24, crisp=True))
    hollow = draw_text("OH", TextStyle(24, crisp=True, hollow=True))

    assert hollow.shape == (full.shape[0] + 2, full.shape[1] + 2)
    assert not (hollow[1:-1, 1:-1].astype(bool) & full.astype(bool)).any()
    assert hollow.any()


@pytest.mark.parametrize("stretch", [0.75, 1.4])
def test_stretch_changes_the_width_alone(stretch: float) -> None:
    plain = draw_text("WIDTH", TextStyle(20))

    drawn = draw_text("WIDTH", TextStyle(20, stretch=stretch))

    assert drawn.shape[0] == plain.shape[0]
    assert drawn.shape[1] == pytest.approx(plain.shape[1] * stretch, abs=2)

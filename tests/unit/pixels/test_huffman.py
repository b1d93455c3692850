from __future__ import annotations

import pytest

from cinescrub.errors import InputError
from cinescrub.pixels.huffman import EOB, Table, ac_lookup, block_lookup, dc_lookup


def table(counts: dict[int, int], symbols: list[int]) -> Table:
    return Table(bytes(counts.get(length, 0) for length in range(1, 17)), bytes(symbols))


SMALL = table({2: 2, 3: 1}, [0, 4, 9])  # codes 00, 01, 100


def test_codes_are_canonical() -> None:
    assert SMALL.codes() == {0: (0b00, 2), 4: (0b01, 2), 9: (0b100, 3)}


def test_missing_symbols_are_added_and_existing_codes_stay() -> None:
    extended = SMALL.with_symbols({0, 1, 2, 3})

    codes = extended.codes()
    assert {symbol: codes[symbol] for symbol in SMALL.codes()} == SMALL.codes()
    assert {1, 2, 3} <= set(codes)
    texts = [f"{code:0{length}b}" for code, length in codes.values()]
    assert not any(a != b and b.startswith(a) for a in texts for b in texts)
    assert not any(set(text) == {"1"} for text in texts)


def test_a_table_that_has_the_symbols_is_kept() -> None:
    assert SMALL.with_symbols({4, 9}) is SMALL


def test_a_table_with_only_the_reserved_code_free_is_extended() -> None:
    full = table({1: 1, 2: 1, 3: 1}, [5, 6, 7])  # 0, 10, 110; 111 is reserved

    assert full.with_symbols({8}).codes()[8] == (0b1110, 4)


def test_a_full_code_space_is_refused() -> None:
    full = table(dict.fromkeys(range(1, 17), 1), list(range(16)))

    with pytest.raises(InputError, match="no room"):
        full.with_symbols({200})


@pytest.mark.parametrize(
    ("counts", "symbols"), [({1: 3}, [1, 2, 3]), ({2: 2}, [1])], ids=["too many", "too few"]
)
def test_an_impossible_table_is_refused(counts: dict[int, int], symbols: list[int]) -> None:
    with pytest.raises(InputError, match="corrupt"):
        table(counts, symbols)


def test_a_segment_holds_the_table() -> None:
    segment = SMALL.segment(0x11)

    assert segment[:4] == b"\xff\xc4\x00\x16"
    assert segment[4:] == bytes([0x11]) + SMALL.counts + SMALL.symbols


def test_a_dc_look_up_adds_the_bits_of_the_difference() -> None:
    lookup = dc_lookup(SMALL)

    assert lookup.total[0b01 << 14] == 2 + 4
    assert lookup.length[0b11 << 14] == 0


def test_a_dc_category_above_15_bits_is_refused() -> None:
    with pytest.raises(InputError, match="category"):
        dc_lookup(table({2: 1}, [16]))


def test_an_ac_look_up_joins_codes_that_fit_in_a_window() -> None:
    ac = table({1: 1, 2: 1}, [EOB, 0x11])  # 0: end; 10: one zero, then a 1-bit value

    window = 0b101_100_0_0_0000_0000
    lookup = ac_lookup(ac)

    assert (lookup.total[window], lookup.advance[window]) == (3, 2)
    assert lookup.totals[window] == 3 + 3 + 1
    assert lookup.advances[window] == 2 + 2 + 128


def test_codes_are_not_joined_over_the_end_of_a_window() -> None:
    ac = table({1: 1, 2: 1}, [0x0F, EOB])  # 0: a 15-bit value; 10: end

    lookup = ac_lookup(ac)

    assert lookup.totals[0] == 16  # one code and its value fill the window


def test_a_run_that_sequential_scans_do_not_have_is_no_code() -> None:
    lookup = ac_lookup(table({1: 1}, [0x30]))

    assert (lookup.total[0], lookup.advance[0]) == (0, 255)


def test_a_flat_block_is_found_in_one_look_up() -> None:
    dc = table({1: 1, 2: 1}, [0, 2])
    ac = table({1: 1}, [EOB])

    whole = block_lookup(dc, ac)

    assert whole[0b00 << 14] == 2
    assert whole[0b10_11_0 << 11] == 5

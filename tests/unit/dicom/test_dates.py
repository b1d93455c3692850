"""Dates moved by one distance, in whatever form they come."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinescrub.dicom.dates import DateShift, time_of

BACK = DateShift(-timedelta(days=100, hours=13, minutes=53, seconds=20))


@pytest.mark.parametrize(
    ("value", "clock", "moved"),
    [
        pytest.param("20240131", "", "20231022", id="as if it was noon"),
        pytest.param("20240131", "093000", "20231022", id="with its time, over midnight"),
        pytest.param("20240131", "150000", "20231023", id="with its time, within the day"),
        pytest.param("2024.01.31", "150000", "2023.10.23", id="ACR-NEMA"),
        pytest.param("20240101", "1500", "20230923", id="over the year"),
        pytest.param("20240231", "", None, id="no day"),
        pytest.param("31.01.2024", "", None, id="no DA"),
        pytest.param("00010101", "", None, id="out of the calendar"),
    ],
)
def test_a_date_moves(value: str, clock: str, moved: str | None) -> None:
    assert BACK.move_date(value, clock) == moved


@pytest.mark.parametrize(
    ("value", "moved"),
    [
        pytest.param("093000", "193640", id="over midnight"),
        pytest.param("093000.123456", "193640.123456", id="fractions stay"),
        pytest.param("0930", "1937", id="minutes"),
        pytest.param("09", "19", id="hours"),
        pytest.param("09:30:00", "19:36:40", id="ACR-NEMA"),
        pytest.param("246000", None, id="no time"),
        pytest.param("noon", None, id="no TM"),
    ],
)
def test_a_time_moves(value: str, moved: str | None) -> None:
    assert BACK.move_time(value) == moved


@pytest.mark.parametrize(
    ("value", "moved"),
    [
        pytest.param("20240131093000", "20231022193640", id="seconds"),
        pytest.param("20240131093000.5+0100", "20231022193640.5+0100", id="fraction and zone"),
        pytest.param("20240131", "20231022", id="day"),
        pytest.param("202401", "202310", id="month"),
        pytest.param("2024", "2024", id="year"),
        pytest.param("20241301", None, id="no month"),
        pytest.param("soon", None, id="no DT"),
    ],
)
def test_a_datetime_moves(value: str, moved: str | None) -> None:
    assert BACK.move_datetime(value) == moved


@pytest.mark.parametrize(
    ("text", "moved", "rest"),
    [
        pytest.param("seen 31.01.2024.", "seen 22.10.2023.", "seen  .", id="dots"),
        pytest.param("2024-01-31 echo", "2023-10-22 echo", "  echo", id="ISO"),
        pytest.param("on 20240131", "on 20231022", "on  ", id="digits"),
        pytest.param("5 MAR 2024", "25 NOV 2023", " ", id="named month"),
        pytest.param("1/31/2024", "10/22/2023", " ", id="month first, as the day is over 12"),
        pytest.param("03/04/2024", "03/04/2024", "03/04/2024", id="nobody can say"),
        pytest.param("31.02.2024", "31.02.2024", "31.02.2024", id="no day"),
        pytest.param("12345678", "12345678", "12345678", id="a number"),
    ],
)
def test_dates_in_text_move(text: str, moved: str, rest: str) -> None:
    written, left = BACK.move_text(text)

    assert written == moved
    assert left.split() == rest.split()


def test_a_time_is_found_beside_its_date() -> None:
    assert time_of(0x00080020) == 0x00080030  # Study
    assert time_of(0x00181200) == 0x00181201  # last calibration
    assert time_of(0x0040A121) == 0x0040A122  # of a content item
    assert time_of(0x00081040) is None


moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0)
)


@given(moments, moments, st.integers(-3650 * 86400, 0))
def test_intervals_stay_what_they_were(one: datetime, other: datetime, seconds: int) -> None:
    shift = DateShift(timedelta(seconds=seconds))

    def moved(moment: datetime) -> datetime:
        day, clock = moment.strftime("%Y%m%d"), moment.strftime("%H%M%S")
        date, time = shift.move_date(day, clock), shift.move_time(clock)
        assert date is not None
        assert time is not None
        assert shift.move_datetime(day + clock) == date + time
        return datetime.strptime(date + time, "%Y%m%d%H%M%S")

    assert moved(one) - moved(other) == one - other


@given(st.dates(datetime(1900, 1, 1).date()), st.dates(datetime(1900, 1, 1).date()))
def test_days_between_dates_without_a_time_stay_too(one: object, other: object) -> None:
    first, second = str(one).replace("-", ""), str(other).replace("-", "")
    moved = [BACK.move_date(first), BACK.move_date(second)]
    assert None not in moved

    def day(value: str | None) -> datetime:
        return datetime.strptime(value or "", "%Y%m%d")

    assert day(moved[0]) - day(moved[1]) == day(first) - day(second)

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cinescrub.config import Policy
from cinescrub.policy.decide import Line, decide
from cinescrub.policy.identifiers import HeaderIdentifier, IdentifierMatcher
from cinescrub.policy.readings import Reading, agree
from cinescrub.policy.settings import DecisionSettings
from cinescrub.policy.voting import compare, vote
from cinescrub.types import PhiKind, Reason

NOBODY = IdentifierMatcher()
BOX = (100, 300, 160, 315)
SIZE = (600, 800)

texts = st.sampled_from(
    [
        "MI 1.1",
        "M1 1.1",
        "MI 11",
        "LV",
        "LV DOE JANE",
        "DOE^JANE",
        "",
        "'i.",
        "17.01.2026",
        "Okonkwo",
    ]
)
readings = st.builds(
    Reading,
    texts,
    st.one_of(st.floats(0, 1), st.just(float("nan"))),
    st.one_of(st.floats(0, 1), st.just(float("nan"))),
)


def over(*read: tuple[str, float]) -> tuple[Reading, ...]:
    return vote([Reading(text, sure) for text, sure in read])


def reason(*read: tuple[str, float], matcher: IdentifierMatcher = NOBODY) -> Reason:
    return decide([Line(over(*read), BOX)], matcher=matcher, frame_size=SIZE).reasons[0]


def test_a_text_counts_once_with_its_greatest_confidence() -> None:
    (only,) = vote([Reading("LV", 0.2, 0.7), Reading("LV", 0.9, 0.1), Reading("LV", float("nan"))])

    assert only == Reading("LV", 0.9, 0.7, times=3)


def test_garbage_of_one_frame_does_not_take_a_line_that_the_others_read() -> None:
    frames = [("GAIN 60", 0.9), ("GA1N 60", 0.6), ("GAIN 60", 0.8), ("GAlN 6O", 0.5)]

    assert reason(*frames, ("~,_", 0.1), ("", 0.0)) is Reason.CLINICAL
    assert reason(frames[0], ("~,_", 0.1)) is Reason.UNKNOWN


def test_two_readings_outvote_nobody() -> None:
    assert not any(one.outvoted for one in over(("GAIN 60", 1.0), ("GAIN 60", 0.9), ("", 0.0)))


@pytest.mark.parametrize("flash", ["DOE JANE", "17.01.2026", "MRN1234567"])
@pytest.mark.parametrize("confidence", [0.01, 0.4, 0.99])
def test_what_stood_there_in_one_frame_still_takes_the_line(flash: str, confidence: float) -> None:
    matcher = IdentifierMatcher([HeaderIdentifier(PhiKind.PERSON, "DOE^JANE")])

    found = reason(*[("GAIN 60", 0.9)] * 20, (flash, confidence), matcher=matcher)

    assert found in {Reason.IDENTIFIER, Reason.PATTERN}


def test_a_sure_reading_of_one_frame_is_never_outvoted() -> None:
    assert reason(*[("GAIN 60", 0.9)] * 20, ("OKONKWO", 0.4)) is not Reason.CLINICAL


def test_what_an_average_blends_does_not_outweigh_its_frames() -> None:
    frames, blend = [Reading("GAIN 60", 0.9)] * 8, Reading("CAN 8", 0.7)

    fused, few = vote(frames, [blend]), vote(frames[:6], [blend])

    assert decide([Line(fused, BOX)], matcher=NOBODY, frame_size=SIZE).reasons == (Reason.CLINICAL,)
    assert not any(one.outvoted for one in few)


@pytest.mark.parametrize("seen", ["GAIN 60 OKONKWO", "GA1N 6O DOE JANE"])
def test_what_an_average_shows_besides_is_not_outvoted(seen: str) -> None:
    fused = vote([Reading("GAIN 60", 0.9)] * 20, [Reading(seen, 0.6)])

    assert not any(one.outvoted for one in fused)


def test_what_frames_show_too_is_no_blend() -> None:
    fused = vote([*[Reading("GAIN 60", 0.9)] * 20, Reading("OKOYE", 0.5)], [Reading("OKOYE", 0.5)])

    assert not any(one.outvoted for one in fused)


def test_an_average_is_evidence_like_a_frame() -> None:
    line = Line(vote([Reading("GAIN 60", 0.9)] * 20, [Reading("MRN1234", 0.7)]), BOX)

    assert decide([line], matcher=NOBODY, frame_size=SIZE).reasons == (Reason.PATTERN,)


def test_two_recognisers_that_read_the_same_confirm_each_other_in_a_banner() -> None:
    top = (100, 10, 160, 25)
    once, twice = ([Line(over(*[("Sector", 0.9)] * n), top)] for n in (1, 2))

    assert decide(once, matcher=NOBODY, frame_size=SIZE).reasons == (Reason.BANNER,)
    assert decide(twice, matcher=NOBODY, frame_size=SIZE).reasons == (Reason.CLINICAL,)


def test_nothing_read_gives_nothing() -> None:
    assert vote([]) == ()


@given(st.lists(readings, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_frames_does_not_matter(given: list[Reading], random: object) -> None:
    shuffled = list(given)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random

    assert vote(shuffled) == vote(given)


@given(
    st.lists(readings, min_size=1, max_size=12),
    st.lists(readings, max_size=3),
    st.sampled_from(list(Policy)),
)
def test_a_vote_never_keeps_what_holds_evidence(
    given: list[Reading], averaged: list[Reading], policy: Policy
) -> None:
    alone = [
        decide([Line((one,), BOX)], matcher=NOBODY, frame_size=SIZE, policy=policy).reasons[0]
        for one in (*given, *averaged)
    ]

    assume({Reason.PATTERN, Reason.IDENTIFIER, Reason.ALL_TEXT} & set(alone))

    together = decide(
        [Line(vote(given, averaged), BOX)], matcher=NOBODY, frame_size=SIZE, policy=policy
    )

    assert together.redact.all()


@given(st.lists(readings, max_size=12))
def test_no_text_is_dropped(given: list[Reading]) -> None:
    assert [one.text for one in vote(given)] == sorted({one.text for one in given})


@pytest.mark.parametrize(
    ("meant", "read", "same"),
    [
        ("TIS0.8 MI 1.3", "T1SO.8 M1 1,3", True),
        ("LV 4CH", "LV4CH", True),
        ("corner", "comer", True),
        ("2D", "ZO", True),
        ("LV", "LV DOE JANE", False),
        ("LV", "", False),
        ("GAIN", "ROUX", False),
    ],
)
def test_readings_agree_when_they_may_be_of_one_text(meant: str, read: str, same: bool) -> None:
    assert agree(meant, read, edits=0.34) is same
    assert agree(read, meant, edits=0.34) is same


def test_a_reading_hardly_believed_need_only_be_as_long() -> None:
    assert agree("GAIN 60", "~b1^w8_x", edits=0.34, doubtful=True)
    assert not agree("LV", "~b1^w8_x", edits=0.34, doubtful=True)


def test_what_all_read_alike_in_one_frame_stays_marked_so() -> None:
    (fused,) = vote([Reading("ELVIS", 0.9, agreed=True), Reading("ELVIS", 0.4)])

    assert fused.agreed


def _marks(*look: tuple[str, float]) -> list[tuple[bool, bool]]:
    compared = compare([Reading(*each) for each in look], DecisionSettings())
    return [(reading.cut, reading.alone) for reading in compared]


def test_what_one_recogniser_left_out_marks_both() -> None:
    assert _marks(("HR 72bpm 478", 0.5), ("HR 72bpm", 0.7)) == [(False, True), (True, False)]
    assert _marks(("HR 72bpm 4", 0.5), ("HR 72bpm", 0.7)) == [(False, False)] * 2, "dust"
    assert _marks(("HR 72bpm 478", 0.05), ("HR 72bpm", 0.7))[1] == (False, False), "not read"
    assert _marks(("LIVER", 0.7), ("", 0.0)) == [(False, False), (True, False)]
    assert _marks(("LIVER", 0.7)) == [(False, False)], "nobody else looked"


@pytest.mark.parametrize(
    "line",
    [
        (("HR 72bpm 478", 0.5), ("HR 72bpm", 0.7)),
        (("GA 20w3d 25g", 0.5), ("GA 20w3d ", 0.9)),
        (("5842.31 cm", 0.4), ("42.31cm", 0.9)),
        (("43= LV", 0.6), ("LV", 0.3)),
        (("RT KIDNEY 822", 0.4), ("RT KIDNEY", 0.9)),
    ],
)
def test_a_korean_name_in_a_line_takes_the_line_along(line: tuple[tuple[str, float], ...]) -> None:
    look = compare([Reading(*each) for each in line], DecisionSettings())

    assert decide([Line(vote(look), BOX)], matcher=NOBODY, frame_size=SIZE).redact.all()


def _is_kept(*look: Reading) -> bool:
    compared = compare(look, DecisionSettings())
    return not decide([Line(vote(compared), BOX)], matcher=NOBODY, frame_size=SIZE).redact.any()


def test_a_reading_with_unread_letters_does_not_keep_a_line() -> None:
    left_out = Reading("LIVER", 0.98, unread=True)

    assert not _is_kept(left_out, left_out)
    assert _is_kept(left_out, Reading("LIVER", 0.6)), "the other one has read them"
    assert not _is_kept(left_out, Reading("LIVER @", 0.6, weakest=0.5)), "as no letter"


def test_letters_that_were_not_read_in_one_look_are_not_read_by_another() -> None:
    looks = [Reading("LIVER", 0.9), Reading("LIVER", 0.98, unread=True)]

    assert vote(looks)[0].unread
    assert vote(looks[::-1])[0].unread


def test_a_line_is_kept_if_one_recogniser_is_sure_of_each_glyph() -> None:
    guessed = Reading("LIVER A1", 0.9, weakest=0.5)

    assert not _is_kept(guessed, guessed)
    assert _is_kept(guessed, Reading("LIVER A1", 0.5, weakest=0.9))
    assert _is_kept(*vote([guessed, Reading("LIVER A1", 0.5, weakest=0.9)]))
    assert not _is_kept(guessed, Reading("LIVER", 0.9, weakest=0.9, unread=True))


def test_a_certain_reading_may_have_more_than_another_one_but_no_number_more() -> None:
    def kept(more: str, less: str) -> bool:
        look = compare([Reading(more, 0.95), Reading(less, 0.4)], DecisionSettings())
        return not decide([Line(vote(look), BOX)], matcher=NOBODY, frame_size=SIZE).redact.any()

    assert kept("GA 20w3d", "GA 20")
    assert not kept("GA 20w3d 478", "GA 20w3d")


def test_one_look_in_which_nothing_was_left_out_is_enough() -> None:
    settings = DecisionSettings()
    clear = compare([Reading("HR 72bpm", 0.9), Reading("HR 72bpm", 0.8)], settings)
    noisy = compare([Reading("HR 72bpm", 0.9), Reading("HR 72bpm oJ", 0.2)], settings)

    assert noisy[0].cut
    assert not vote([*clear, *noisy])[0].cut

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from cinescrub.config import Policy
from cinescrub.policy import ocr
from cinescrub.policy.decide import Line, Reading, decide
from cinescrub.policy.identifiers import HeaderIdentifier, IdentifierMatcher
from cinescrub.types import PhiKind, Reason

SIZE = (600, 800)
CONFUSED = (
    ("O", "0"), ("I", "1"), ("I", "l"), ("I", "|"), ("S", "5"), ("B", "8"), ("Z", "2"), ("G", "6"),
    ("m", "rn"), ("d", "cl"), ("w", "vv"),
)  # fmt: skip
SWAPS = [*CONFUSED, *((b, a) for a, b in CONFUSED)]
CLINICAL = ("MI 1.1", "LV", "LV 4CH", "C5-1", "GAIN 60", "16cm", "SUBCOSTAL", "12")

letters = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghilmnorsuvwÅéü", min_size=2, max_size=12)
ids = st.text("0123456789ABDIOSZ", min_size=2, max_size=12)
identifiers = st.one_of(
    st.builds(lambda f, g: HeaderIdentifier(PhiKind.PERSON, f"{f}^{g}"), letters, letters),
    st.builds(lambda value: HeaderIdentifier(PhiKind.IDENTIFIER, value), ids),
)
boxes = st.builds(
    lambda x, y, w, h: (x, y, x + w, y + h),
    st.integers(0, 700),
    st.integers(0, 560),
    st.integers(5, 90),
    st.integers(5, 40),
)
texts = st.one_of(
    st.sampled_from([*CLINICAL, "Name:", "ID", "DOE", "17.01.2026", "HP", "", "Okonkwo"]),
    st.text("abdeilmnorstv ABDEHILMNOPRSTV0123456789.,:;/-%^|!é²\x00\u4e2d", max_size=20),
)
readings = st.builds(
    Reading,
    text=texts,
    confidence=st.floats(0, 1),
    phi_score=st.floats(0, 1),
    outvoted=st.booleans(),
)
lines = st.builds(
    Line,
    readings=st.lists(readings, max_size=3).map(tuple),
    box=boxes,
    counter=st.booleans(),
)
matchers = st.lists(identifiers, max_size=2).map(IdentifierMatcher)


def printed(identifier: HeaderIdentifier) -> str:
    return identifier.value.replace("^", " ")


@given(identifiers, st.data(), st.sampled_from(CLINICAL), st.sampled_from(list(Policy)))
def test_an_identifier_with_one_confusion_is_redacted_under_every_policy(
    identifier: HeaderIdentifier, data: st.DataObject, clinical: str, policy: Policy
) -> None:
    text = printed(identifier)
    possible = [(a, b) for a, b in SWAPS if a in text]
    if possible:
        a, b = data.draw(st.sampled_from(possible))
        text = text.replace(a, b, 1)
    shown = data.draw(st.sampled_from([text, f"{clinical} {text}", f"{text} {clinical}"]))

    decisions = decide(
        [Line((Reading(shown, 0.9),), (100, 300, 200, 315))],
        matcher=IdentifierMatcher([identifier]),
        frame_size=SIZE,
        policy=policy,
    )

    assert decisions.redact.all()


@given(st.lists(lines, max_size=6), matchers)
def test_each_policy_redacts_a_part_of_what_the_stricter_one_does(
    given_lines: list[Line], matcher: IdentifierMatcher
) -> None:
    by_policy = {
        policy: decide(given_lines, matcher=matcher, frame_size=SIZE, policy=policy).redact
        for policy in Policy
    }

    assert not (by_policy[Policy.PHI_ONLY] & ~by_policy[Policy.DEFAULT_DENY]).any()
    assert not (by_policy[Policy.DEFAULT_DENY] & ~by_policy[Policy.ALL_TEXT]).any()
    assert by_policy[Policy.ALL_TEXT].all()


@given(st.lists(lines, max_size=6), matchers, st.data())
def test_the_order_of_lines_does_not_matter(
    given_lines: list[Line], matcher: IdentifierMatcher, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(given_lines))))
    straight = decide(given_lines, matcher=matcher, frame_size=SIZE)

    shuffled = decide([given_lines[i] for i in order], matcher=matcher, frame_size=SIZE)

    assert shuffled.reasons == tuple(straight.reasons[i] for i in order)


@given(st.lists(lines, max_size=4), matchers, st.data())
def test_the_order_of_readings_does_not_matter(
    given_lines: list[Line], matcher: IdentifierMatcher, data: st.DataObject
) -> None:
    shuffled = [
        replace(line, readings=tuple(data.draw(st.permutations(line.readings))))
        for line in given_lines
    ]

    straight = decide(given_lines, matcher=matcher, frame_size=SIZE)

    assert decide(shuffled, matcher=matcher, frame_size=SIZE).reasons == straight.reasons


@given(lines, readings, matchers, st.sampled_from([Policy.DEFAULT_DENY, Policy.ALL_TEXT]))
def test_one_more_reading_never_keeps_a_line_that_goes_on_evidence(
    line: Line, more: Reading, matcher: IdentifierMatcher, policy: Policy
) -> None:
    before = decide([line], matcher=matcher, frame_size=SIZE, policy=policy)
    assume(before.reasons[0] in {Reason.IDENTIFIER, Reason.PATTERN, Reason.ALL_TEXT})
    longer = replace(line, readings=(*line.readings, more))

    after = decide([longer], matcher=matcher, frame_size=SIZE, policy=policy)

    assert after.redact.all()


@given(st.lists(lines, max_size=4), lines, matchers)
def test_another_line_of_phi_never_keeps_a_line_that_went(
    given_lines: list[Line], other: Line, matcher: IdentifierMatcher
) -> None:
    alone = decide(given_lines, matcher=matcher, frame_size=SIZE).redact

    together = decide([*given_lines, other], matcher=matcher, frame_size=SIZE).redact

    assert not (alone & ~together[:-1]).any()


@given(st.text("bcdfgjkqvwxz", min_size=4, max_size=9), st.sampled_from(CLINICAL), st.booleans())
def test_an_unknown_word_anywhere_redacts_the_line(word: str, clinical: str, first: bool) -> None:
    text = f"{word} {clinical}" if first else f"{clinical} {word}"

    decisions = decide(
        [Line((Reading(text, 1.0),), (100, 300, 200, 315))],
        matcher=IdentifierMatcher(),
        frame_size=SIZE,
    )

    assert decisions.redact.all()


@given(st.sampled_from(SWAPS), st.text("abcdilmnorsvwOISBZG0152|", max_size=12), st.integers(0, 12))
def test_a_skeleton_outlives_any_one_confusion(
    swap: tuple[str, str], text: str, place: int
) -> None:
    a, b = swap
    place = min(place, len(text))
    meant, read = (text[:place] + glyph + text[place:] for glyph in (a, b))

    assert ocr.skeleton(ocr.fold(meant)) == ocr.skeleton(ocr.fold(read))


@st.composite
def near_parts(draw: st.DrawFn) -> tuple[str, str, int]:
    """Return a pattern, a text that holds it with a few glyphs changed, and how many may be."""
    pattern = draw(st.text("abcde", min_size=3, max_size=8))
    limit, part = draw(st.integers(0, 2)), pattern
    for _ in range(draw(st.integers(0, limit))):
        at = draw(st.integers(0, len(part)))
        part = part[:at] + draw(st.text("abcde", max_size=1)) + part[at + draw(st.booleans()) :]
    return pattern, draw(st.text("abcde", max_size=4)) + part + draw(st.text("abcde")), limit


@given(near_parts())
def test_a_near_part_is_never_dismissed_by_its_pieces(made: tuple[str, str, int]) -> None:
    pattern, text, limit = made
    assert ocr.substring_edits(pattern, text, limit)

    assert any(piece in text for piece in ocr.pieces(pattern, limit))


@given(st.text("ab", max_size=5), st.text("ab", max_size=5), st.integers(0, 3))
def test_edits_agree_with_the_plain_recurrence(a: str, b: str, limit: int) -> None:
    def distance(x: str, y: str) -> int:
        if not x or not y:
            return len(x) + len(y)
        swap = distance(x[:-1], y[:-1]) + (x[-1] != y[-1])
        return min(swap, distance(x[:-1], y) + 1, distance(x, y[:-1]) + 1)

    assert ocr.edits(a, b, limit) == (distance(a, b) <= limit)

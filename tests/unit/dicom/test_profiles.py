"""Profiles as TOML: the ready ones, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinescrub.dicom.iods import OPTIONAL, REQUIRED
from cinescrub.dicom.options import Option
from cinescrub.dicom.profile import Action, basic_profile
from cinescrub.dicom.profiles import READY, lines, load_profile
from cinescrub.errors import ConfigError

CINE = "1.2.840.10008.5.1.4.1.1.3.1"
HEAD = 'name = "site"\nabout = "ours"\n'


def written(folder: Path, text: str) -> str:
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", READY)
def test_ready_profiles_follow_the_standard(name: str) -> None:
    profile = load_profile(name)

    assert profile.name == name
    assert profile.exceptions == ()
    assert all(line.reason for line in lines(profile))


def test_basic_is_the_basic_profile() -> None:
    assert load_profile("basic").sha256 == basic_profile().sha256


def test_research_echo_keeps_machine_body_and_intervals() -> None:
    rules = load_profile("research-echo").for_object(CINE)

    assert [rules.decide(tag).action for tag in (0x00101020, 0x00181000, 0x00080020)] == [
        Action.KEEP,
        Action.KEEP,
        Action.CLEAN,
    ]
    assert rules.decide(0x00100010).action is Action.EMPTY
    assert rules.decide(0x00102110).action is Action.REMOVE


def test_public_release_removes_what_it_does_not_name() -> None:
    rules = load_profile("public-release").for_object(CINE)

    assert rules.decide(0x00186011).action is Action.KEEP
    assert rules.decide(0x00180015).action is Action.KEEP
    assert rules.decide(0x00181020).action is Action.REMOVE  # software, kept by the basic profile
    assert rules.decide(0x00080020).action is Action.EMPTY  # study date, type 2
    assert rules.decide(0x00080018).action is Action.UID


def test_rules_and_options_of_a_site_are_laid_over_a_ready_profile(tmp_path: Path) -> None:
    name = written(
        tmp_path,
        HEAD + 'extends = "research-echo"\noptions = ["retain-uids"]\n'
        '[[rule]]\nelement = ["StageName", "(0018,1020)"]\naction = "X"\nreason = "not used"\n',
    )

    profile = load_profile(name, ("clean-descriptors",))

    rules = profile.for_object(CINE)
    assert rules.decide(0x00082120).action is Action.REMOVE
    assert rules.decide(0x00181020).reason.startswith("profile site+clean-descriptors: not used")
    assert profile.options >= {
        Option.RETAIN_UIDS,
        Option.CLEAN_DESCRIPTORS,
        Option.RETAIN_MODIFIED_DATES,
    }
    assert profile.name == "site+clean-descriptors"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "`name` is missing", id="empty"),
        pytest.param('name = "a/b"\nabout = "x"\n', "letters, digits", id="name that is a path"),
        pytest.param(HEAD + "option = []\n", "unknown key option", id="misspelt key"),
        pytest.param(HEAD + 'options = ["retain-date"]\n', "unknown option", id="misspelt option"),
        pytest.param(HEAD + 'options = "retain-uids"\n', "list of names", id="option as a text"),
        pytest.param(HEAD + 'unlisted = "keep"\n', "`unlisted`", id="unlisted"),
        pytest.param(HEAD + 'extends = "mine"\n', "`extends`", id="extends"),
        pytest.param(HEAD + "rule = 3\n", "[[rule]]", id="rules as a number"),
        pytest.param(HEAD + "[[rule]]\n", "`action` is missing", id="empty rule"),
        pytest.param(
            HEAD + '[[rule]]\nelement = "PatientName"\naction = "K"\n',
            "`reason` is missing",
            id="no reason",
        ),
        pytest.param(
            HEAD + '[[rule]]\nelement = "PatientNam"\naction = "X"\nreason = "x"\n',
            "no element",
            id="misspelt element",
        ),
        pytest.param(
            HEAD + '[[rule]]\nelement = "(6000,3000)"\naction = "K"\nreason = "x"\n',
            "always goes",
            id="overlay",
        ),
        pytest.param(
            HEAD + '[[rule]]\nelement = "OriginalAttributesSequence"\naction = "K"\nreason = "x"\n',
            "always goes",
            id="original attributes",
        ),
        pytest.param(
            HEAD + '[[rule]]\nelement = "PatientName"\naction = "Q"\nreason = "x"\n',
            "no action",
            id="action",
        ),
        pytest.param(
            HEAD
            + '[[rule]]\nelement = ["PatientSex", "(0010,0040)"]\naction = "X"\nreason = "x"\n',
            "has a rule already",
            id="twice",
        ),
        pytest.param(
            HEAD + 'options = ["retain-full-dates", "retain-modified-dates"]\n',
            "not both",
            id="two options on dates",
        ),
        pytest.param("name = ", "not TOML", id="not TOML"),
    ],
)
def test_a_wrong_profile_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_profile(written(tmp_path, text))

    assert said in caught.value.message


def test_a_missing_file_is_told_with_the_ready_profiles(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="research-echo"):
        load_profile(str(tmp_path / "none.toml"))


def test_every_row_of_the_table_is_shown_once() -> None:
    shown = [line.element for line in lines(basic_profile())]

    assert len(shown) == len(set(shown))
    assert len(shown) == 656 + len(basic_profile().beyond)


def test_an_allow_list_leaves_what_the_object_requires_to_the_basic_profile() -> None:
    """A dummy of a defined term, or 0 for a scale, would break the object."""
    strict = load_profile("public-release")
    contrast, presentation, station_name = 0x00089209, 0x00089205, 0x00081010

    for tag in (contrast, presentation):
        assert strict.decide(tag, REQUIRED).action is Action.KEEP
        assert strict.decide(tag, OPTIONAL).action is Action.REMOVE
    assert strict.decide(station_name, REQUIRED).action is Action.DUMMY
    assert strict.decide(0x00100010, REQUIRED).action is not Action.KEEP

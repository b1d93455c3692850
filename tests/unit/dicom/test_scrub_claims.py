"""What the output says of its own de-identification."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydicom import Dataset

from cinescrub.config import Policy
from cinescrub.dicom.profile import basic_profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.scrub import Claims, scrub
from cinescrub.errors import ConfigError

NOTHING = Claims()
INSPECTED = Claims(pixels_inspected=True, pixels_changed=True)
VERIFIED = Claims(pixels_inspected=True, pixels_verified=True)
REDACTED = Claims(pixels_inspected=True, pixels_changed=True, pixels_verified=True)


def scrubbed(claims: Claims, **elements: object) -> Dataset:
    source = Dataset()
    values = {"ImageType": ["ORIGINAL", "PRIMARY", "TEE"], "PatientID": "4711", **elements}
    for keyword, value in values.items():
        setattr(source, keyword, value)
    profile, key = basic_profile(), Pseudonyms(b"k" * 32)
    return scrub(source, profile=profile, pseudonyms=key, claims=claims).dataset


def codes(dataset: Dataset) -> list[str]:
    return [item.CodeValue for item in dataset.DeidentificationMethodCodeSequence]


@pytest.mark.parametrize(
    ("claims", "removed", "expected", "burned_in"),
    [
        pytest.param(NOTHING, "NO", ["113100"], "YES", id="header only"),
        pytest.param(INSPECTED, "NO", ["113100"], "YES", id="redacted, not verified"),
        pytest.param(VERIFIED, "YES", ["113100", "113101"], "NO", id="nothing to redact"),
        pytest.param(REDACTED, "YES", ["113100", "113101"], "NO", id="redacted and verified"),
    ],
)
def test_claims_say_what_ran_and_no_more(
    claims: Claims, removed: str, expected: list[str], burned_in: str
) -> None:
    result = scrubbed(claims, BurnedInAnnotation="YES")

    assert result.PatientIdentityRemoved == removed
    assert codes(result) == expected
    assert result.BurnedInAnnotation == burned_in
    assert {item.CodingSchemeDesignator for item in result.DeidentificationMethodCodeSequence} == {
        "DCM"
    }


def test_a_policy_that_keeps_what_nobody_knows_claims_no_absence() -> None:
    result = scrubbed(replace(REDACTED, policy=Policy.PHI_ONLY), BurnedInAnnotation="YES")

    assert codes(result) == ["113100", "113101"]
    assert result.PatientIdentityRemoved == "NO"
    assert result.BurnedInAnnotation == "YES"


@pytest.mark.parametrize("policy", list(Policy))
def test_the_method_names_software_edition_and_policy_in_values_that_fit(policy: Policy) -> None:
    method = list(scrubbed(replace(REDACTED, policy=policy)).DeidentificationMethod)

    assert method[0].startswith("cinescrub ")
    assert "2026c" in method[1]
    assert method[2] == f"burned-in text redacted ({policy}), verified"
    assert all(len(value) <= 64 for value in method)


@pytest.mark.parametrize(
    ("claims", "first", "described"),
    [
        pytest.param(VERIFIED, "ORIGINAL", False, id="pixels as they were"),
        pytest.param(REDACTED, "DERIVED", True, id="pixels changed"),
    ],
)
def test_only_changed_pixels_are_derived(claims: Claims, first: str, described: bool) -> None:
    result = scrubbed(claims, DerivationDescription="cut out Mrs Doe")

    assert list(result.ImageType) == [first, "PRIMARY", "TEE"]
    assert ("DerivationDescription" in result) is described
    assert result.get("DerivationDescription") != "cut out Mrs Doe"


@pytest.mark.parametrize("image_type", ["", ["ORIGINAL"]], ids=["empty", "one value"])
def test_a_broken_image_type_is_not_made_up(image_type: object) -> None:
    result = scrubbed(REDACTED, ImageType=image_type)

    assert "DERIVED" not in str(result["ImageType"].value)


def test_earlier_claims_are_replaced() -> None:
    earlier = Dataset()
    earlier.CodeValue = "113101"
    earlier.CodingSchemeDesignator = "DCM"
    earlier.CodeMeaning = "Clean Pixel Data Option"

    result = scrubbed(
        NOTHING,
        PatientIdentityRemoved="YES",
        DeidentificationMethod="by hand, J. Doe",
        DeidentificationMethodCodeSequence=[earlier],
        LongitudinalTemporalInformationModified="UNMODIFIED",
    )

    assert codes(result) == ["113100"]
    assert result.PatientIdentityRemoved == "NO"
    assert "Doe" not in str(result.DeidentificationMethod)
    assert result.LongitudinalTemporalInformationModified == "REMOVED"


def test_verified_without_inspection_is_no_claim() -> None:
    with pytest.raises(ConfigError, match="without having been inspected"):
        Claims(pixels_verified=True)

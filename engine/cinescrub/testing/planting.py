"""Identifiers all over the header of a made cine: wherever real files hide them.

Each is recorded with the bytes that a search of an output must not find.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final

import numpy as np
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID

from cinescrub.testing.frames import Drawing
from cinescrub.testing.header import Header
from cinescrub.testing.spec import Syntax
from cinescrub.testing.truth import Planted

__all__ = ["plant"]

_STUDY_COMPONENT: Final = "1.2.840.10008.3.1.2.3.3"
_ICON_SIZE: Final = 64


def plant(header: Header, drawing: Drawing) -> None:
    """Write identifiers into a header, and record each in it; the same drawing, the same ones."""
    planter = _Planter(header, drawing)
    for each in _PLANTERS:
        each(planter)


class _Planter:
    """Writes identifiers into a header and records each."""

    def __init__(self, header: Header, drawing: Drawing) -> None:
        self.header = header
        self.drawing = drawing
        self.identity = drawing.identity
        self._rng = np.random.default_rng([drawing.spec.seed, 10])

    def token(self, prefix: str) -> str:
        """Return a word that occurs nowhere else: the prefix and eight drawn letters."""
        letters = "BCDFGHJKLMNPQRSTVWXZ"
        drawn = self._rng.integers(0, len(letters), 8)
        return prefix + "".join(letters[int(index)] for index in drawn)

    def person(self, prefix: str) -> str:
        """Return a person name of two components that occurs nowhere else."""
        return f"{self.token(prefix)}^{self.identity.given}"

    def digits(self, count: int) -> str:
        """Return drawn digits, the first of them not 0."""
        return "".join(
            str(d) for d in [self._rng.integers(1, 10), *self._rng.integers(0, 10, count - 1)]
        )

    def moment(self) -> str:
        """Return a time of day with a fraction that makes it unique."""
        return f"{self.identity.visit:%H%M%S}.{self.digits(6)}"

    def note(self, place: str, needle: str | bytes) -> None:
        """Record one planted identifier."""
        raw = needle.encode() if isinstance(needle, str) else needle
        self.header.planted.append(Planted(place, raw))

    def put(self, target: Dataset, place: str, keyword: str, value: str, needle: str = "") -> None:
        """Set an element by keyword, and record what of it must not be found again."""
        setattr(target, keyword, value)
        tag = Tag(keyword)
        self.note(f"{place}({tag.group:04X},{tag.element:04X})", needle or value)


def _plant_patient(p: _Planter) -> None:
    identity, root = p.identity, p.header.dataset
    # The names on the screen, and a token so that a search can't take a short name for a leak.
    family = p.token("Fam")
    root.PatientName = f"{identity.family}{family}^{identity.given}"
    p.note("(0010,0010)", family)
    root.PatientID = identity.id_digits
    p.note("(0010,0020)", identity.id_digits)
    born = identity.birth.strftime("%Y%m%d")
    p.put(root, "", "PatientBirthDate", born)
    p.put(root, "", "PatientBirthTime", p.moment())
    root.PatientSex, root.PatientAge = identity.sex, f"{identity.age:03d}Y"
    for keyword in ("IssuerOfPatientID", "MilitaryRank", "EthnicGroup", "Occupation"):
        p.put(root, "", keyword, p.token(keyword[0]))
    for keyword in ("PatientAddress", "PatientTelephoneNumbers", "PatientComments"):
        p.put(root, "", keyword, p.token(keyword[7]))
    for keyword in ("PatientBirthName", "PatientMotherBirthName", "ResponsiblePerson"):
        p.put(root, "", keyword, *_name_needle(p, keyword[0]))
    p.put(root, "", "OtherPatientIDs", p.token("O"))
    p.put(root, "", "AdditionalPatientHistory", f"seen by {(word := p.token('H'))}", word)


def _plant_visit(p: _Planter) -> None:
    identity, root = p.identity, p.header.dataset
    day = identity.visit
    for days, keyword in enumerate(("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")):
        p.put(root, "", keyword, (day + dt.timedelta(days=days)).strftime("%Y%m%d"))
    for keyword in ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime"):
        p.put(root, "", keyword, p.moment())
    p.put(root, "", "AcquisitionDateTime", f"{day:%Y%m%d%H%M%S}.{p.digits(6)}")
    root.AccessionNumber = identity.accession
    p.note("(0008,0050)", identity.accession)
    for keyword in ("InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName"):
        p.put(root, "", keyword, p.token(keyword[0]))
    for keyword in ("StationName", "DeviceSerialNumber", "ProtocolName", "StudyID"):
        p.put(root, "", keyword, p.token(keyword[0])[:12])
    for keyword in ("ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName"):
        p.put(root, "", keyword, *_name_needle(p, keyword[0]))
    p.put(root, "", "NameOfPhysiciansReadingStudy", *_name_needle(p, "N"))
    for keyword in ("StudyDescription", "SeriesDescription", "RequestedProcedureDescription"):
        p.put(root, "", keyword, f"echo {(word := p.token(keyword[0]))}", word)
    p.put(root, "", "ImageComments", f"pat. {(word := p.token('C'))}", word)
    p.put(root, "", "DerivationDescription", f"cut by {(word := p.token('D'))}", word)
    p.put(root, "", "FrameComments", p.token("F"))


def _plant_uids(p: _Planter) -> None:
    root, meta = p.header.dataset, p.header.meta
    stem = f"1.2.826.0.1.99999.{p.identity.id_digits}.{p.identity.visit:%Y%m%d%H%M%S}"
    for index, keyword in enumerate(("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"), 1):
        p.put(root, "", keyword, f"{stem}.{index}")
    p.put(root, "", "FrameOfReferenceUID", f"{stem}.4")
    meta.MediaStorageSOPInstanceUID = UID(root.SOPInstanceUID)
    p.note("(0002,0003)", root.SOPInstanceUID)


def _plant_sequences(p: _Planter) -> None:
    root = p.header.dataset
    reference = Dataset()
    reference.ReferencedSOPClassUID = _STUDY_COMPONENT
    uid = f"1.2.826.0.1.99999.{p.digits(20)}"
    p.put(reference, "(0008,1111)[0]", "ReferencedSOPInstanceUID", uid)
    root.ReferencedPerformedProcedureStepSequence = Sequence([reference])

    person = Dataset()
    person.PersonIdentificationCodeSequence = Sequence([_code(p)])
    p.put(person, "(0008,1072)[0]", "InstitutionName", p.token("N"))
    root.OperatorIdentificationSequence = Sequence([person])

    request, step, deep = Dataset(), Dataset(), Dataset()
    p.put(request, "(0040,0275)[0]", "RequestedProcedureID", p.token("R"))
    p.put(step, "(0040,0275)[0](0040,0008)[0]", "CodeMeaning", p.token("S"))
    p.put(deep, "(0040,0275)[0](0008,1110)[0]", "PatientName", *_name_needle(p, "Deep"))
    request.ScheduledProtocolCodeSequence = Sequence([step])
    request.ReferencedStudySequence = Sequence([deep])
    root.RequestAttributesSequence = Sequence([request])

    original, modified = Dataset(), Dataset()
    p.put(modified, "(0400,0561)[0](0400,0550)[0]", "PatientName", *_name_needle(p, "Old"))
    p.put(modified, "(0400,0561)[0](0400,0550)[0]", "PatientID", p.token("OLD"))
    original.ModifiedAttributesSequence = Sequence([modified])
    p.put(original, "(0400,0561)[0]", "ModifyingSystem", p.token("SYS"))
    root.OriginalAttributesSequence = Sequence([original])

    other = Dataset()
    p.put(other, "(0010,1002)[0]", "PatientID", p.token("OTH"))
    root.OtherPatientIDsSequence = Sequence([other])


def _code(p: _Planter) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "1", "99MADE"
    p.put(code, "(0008,1072)[0](0040,1101)[0]", "CodeMeaning", p.token("CM"))
    return code


def _plant_private(p: _Planter) -> None:
    root = p.header.dataset
    block = root.private_block(0x0099, "MADE CINE 01", create=True)
    for offset, vr in enumerate(("LO", "PN", "UT", "OB")):
        word = p.token(f"Priv{vr}")
        block.add_new(offset, vr, word.encode() if vr == "OB" else word)
        p.note(f"(0099,10{offset:02X})", word)
    inner = Dataset()
    p.put(inner, "(0099,1010)[0]", "PatientName", *_name_needle(p, "Copy"))
    block.add_new(0x10, "SQ", Sequence([inner]))
    blob = root.private_block(0x7FE1, "MADE MOVIE", create=True)
    word = p.token("Movie")
    blob.add_new(0x01, "OB", b"\0\1\2" + word.encode() + b"\3")
    p.note("(7FE1,1001)", word)


def _plant_unknown(p: _Planter) -> None:
    """Hide values behind VR UN, in a tag of the standard and in one that is in no dictionary."""
    root = p.header.dataset
    for tag in (Tag(0x0008, 0x1048), Tag(0x0010, 0x4FF1)):
        word = p.token("Unk")
        root.add(DataElement(tag, "UN", word.encode() + b" " * (len(word) % 2)))
        p.note(f"({tag.group:04X},{tag.element:04X})", word)


def _plant_overlay(p: _Planter) -> None:
    root, spec = p.header.dataset, p.drawing.spec
    word = p.token("Ovly")
    bits = word.encode().ljust((spec.rows * spec.columns + 7) // 8, b"\0")
    bits += b"\0" * (len(bits) % 2)
    for element, vr, value in (
        (0x0010, "US", spec.rows),
        (0x0011, "US", spec.columns),
        (0x0040, "CS", "G"),
        (0x0050, "SS", [1, 1]),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x3000, "OW", bits),
    ):
        root.add(DataElement(Tag(0x6000, element), vr, value))
    p.note("(6000,3000)", word)
    for element in (0x0022, 0x1500):
        text = p.token("OvTxt")
        root.add(DataElement(Tag(0x6000, element), "LO", text))
        p.note(f"(6000,{element:04X})", text)
    curve = p.token("Curve")
    root.add(DataElement(Tag(0x5000, 0x0022), "LO", curve))
    p.note("(5000,0022)", curve)


def _plant_icon(p: _Planter) -> None:
    """Add a thumbnail whose first rows hold the banner's name, and a needle in its last row."""
    word = p.token("Icon")
    picture = np.zeros((_ICON_SIZE, _ICON_SIZE), np.uint8)
    for stamp in p.drawing.stamps:
        x0, y0, x1, y1 = stamp.item.box
        rows = slice(
            y0 * _ICON_SIZE // p.drawing.spec.rows, -(-y1 * _ICON_SIZE // p.drawing.spec.rows)
        )
        width = p.drawing.spec.columns
        picture[rows, x0 * _ICON_SIZE // width : -(-x1 * _ICON_SIZE // width)] = 180
    needle = np.frombuffer(word.encode(), np.uint8)
    picture[-1, : len(needle)] = needle
    icon = Dataset()
    icon.SamplesPerPixel, icon.PhotometricInterpretation = 1, "MONOCHROME2"
    icon.Rows = icon.Columns = _ICON_SIZE
    icon.BitsAllocated = icon.BitsStored = 8
    icon.HighBit, icon.PixelRepresentation = 7, 0
    icon.add(DataElement(Tag("PixelData"), "OB", picture.tobytes()))
    p.header.dataset.IconImageSequence = Sequence([icon])
    p.note("(0088,0200)[0](7FE0,0010)", word)


_TEXTS: Final = (
    *((0x00081080, "LO"), (0x00184000, "LT"), (0x00189424, "LO"), (0x00324000, "LT")),
    *((0x00380300, "LO"), (0x00380400, "LO"), (0x00380500, "LO"), (0x00384000, "LT")),
    *((0x00400254, "LO"), (0x00402001, "LO"), (0x00402400, "LT"), (0x00420010, "ST")),
    *((0x00700081, "LO"), (0x00700084, "PN"), (0x00120020, "LO")),
    *((0x00120040, "LO"), (0x00181008, "LO"), (0x0018700A, "SH"), (0x00180030, "SH")),
    *((0x00100022, "CS"), (0x00102110, "LO"), (0x00102000, "LO"), (0x00102152, "LO")),
)
"""Elements of text of the checklist's headings 10 to 13, and their VRs."""
_UIDS: Final = (0x00080014, 0x00181002, 0x00200200, 0x300600C2, 0x00081195)
_MOMENTS: Final = (
    *((0x00080012, "DA"), (0x00080013, "TM"), (0x00181012, "DA"), (0x00181200, "DA")),
    *((0x00181078, "DT"), (0x00340007, "OB"), (0x001021D0, "DA"), (0x00380020, "DA")),
)
"""Dates in odd clothes (heading 15)."""


def _plant_checklist(p: _Planter) -> None:
    """Fill the places where real headers hide identifiers, one token each."""
    root = p.header.dataset
    for tag, vr in _TEXTS:
        word = p.token("T")
        root.add(DataElement(Tag(tag), vr, word.upper() if vr == "CS" else word))
        p.note(_label(tag), word)
    for number, tag in enumerate(_UIDS):
        uid = f"1.2.826.0.1.99999.{p.digits(14)}.{number}"
        root.add(DataElement(Tag(tag), "UI", uid))
        p.note(_label(tag), uid)
    for tag, vr in _MOMENTS:
        moment = f"{p.identity.visit:%Y%m%d%H%M%S}.{p.digits(6)}"
        value = {"DA": moment[:8], "TM": p.moment(), "DT": moment}.get(vr, moment)
        stored = f"{value} ".encode() if vr == "OB" else value
        root.add(DataElement(Tag(tag), vr, stored))
        p.note(_label(tag), value)


def _plant_kept(p: _Planter) -> None:
    """Put the patient's name into elements that a scrub keeps for what they are."""
    root = p.header.dataset
    family = str(root.PatientName).partition("^")[0]
    needle = p.header.planted[0].needle.decode()  # the part of it that is unique
    for keyword, value in (
        ("ManufacturerModelName", f"CX50 {family}"),
        ("SoftwareVersions", [f"5.0 {family}", "5.1"]),
        ("TransducerData", ["S5-1", family]),
        ("StageName", f"rest {family}"),
        ("ViewName", family),
    ):
        root.add(DataElement(Tag(keyword), dictionary_VR(keyword), value, validation_mode=IGNORE))
        p.note(_label(Tag(keyword)), needle)
    if family.isascii():  # a code string can't hold another one
        for keyword, upper in (
            ("BodyPartExamined", family.upper()),
            ("Laterality", family.upper()),
        ):
            root.add(DataElement(Tag(keyword), "CS", upper, validation_mode=IGNORE))
            p.note(_label(Tag(keyword)), needle)
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99MADE", family
    root.AnatomicRegionSequence = Sequence([code])
    p.note("(0008,2218)[0](0008,0104)", needle)
    unknown = DataElement(Tag("PixelSpacing"), "OB", family.encode() + b" " * (len(family) % 2))
    unknown.VR = "UN"  # given in the constructor, pydicom replaces it by the dictionary's
    root.add(unknown)
    p.note("(0028,0030) as UN", needle)
    profile = b"\0\0" + family.encode() + b"\0" * (len(family) % 2)
    root.ICCProfile = profile
    p.note("(0028,2000)", needle)


def _plant_trees(p: _Planter) -> None:
    """Hide values in the sequences of objects that an image refers to, or that lie in it."""
    root = p.header.dataset
    content, nested = Dataset(), Dataset()
    p.put(nested, "(0040,A730)[0](0040,A730)[0]", "TextValue", p.token("Sr"))
    p.put(nested, "(0040,A730)[0](0040,A730)[0]", "PersonName", *_name_needle(p, "Srp"))
    p.put(content, "(0040,A730)[0]", "DateTime", f"{p.identity.visit:%Y%m%d}{p.moment()}")
    content.ContentSequence = Sequence([nested])
    root.ContentSequence = Sequence([content])

    graphic, text = Dataset(), Dataset()
    p.put(text, "(0070,0001)[0](0070,0008)[0]", "UnformattedTextValue", p.token("Gr"))
    graphic.TextObjectSequence = Sequence([text])
    root.GraphicAnnotationSequence = Sequence([graphic])
    wave = Dataset()
    p.put(wave, "(0040,B020)[0]", "UnformattedTextValue", p.token("Wa"))
    root.WaveformAnnotationSequence = Sequence([wave])

    frame, content = Dataset(), Dataset()
    moment = f"{p.identity.visit:%Y%m%d}{p.moment()}"
    p.put(content, "(5200,9230)[0](0020,9111)[0]", "FrameAcquisitionDateTime", moment)
    p.put(content, "(5200,9230)[0](0020,9111)[0]", "FrameComments", p.token("Fc"))
    frame.FrameContentSequence = Sequence([content])
    root.PerFrameFunctionalGroupsSequence = Sequence([frame])

    for keyword in ("SourceImageSequence", "ReferencedImageSequence", "RelatedSeriesSequence"):
        item = Dataset()
        uid = f"1.2.826.0.1.99999.{p.digits(18)}"
        name = "StudyInstanceUID" if keyword.startswith("Related") else "ReferencedSOPInstanceUID"
        p.put(item, f"{_label(Tag(keyword))}[0]", name, uid)
        setattr(root, keyword, Sequence([item]))
    site = Dataset()
    site.CodeValue, site.CodingSchemeDesignator = "1", "99MADE"
    p.put(site, "(0008,0082)[0]", "CodeMeaning", p.token("Si"))
    root.InstitutionCodeSequence = Sequence([site])
    context = Dataset()
    p.put(context, "(0040,0555)[0]", "TextValue", p.token("Ac"))
    root.AcquisitionContextSequence = Sequence([context])


def _plant_blobs(p: _Planter) -> None:
    """Hide values in bulk data: curves, waveforms, photos, encrypted and signed attributes."""
    root = p.header.dataset
    for tag, vr in ((0x50003000, "OW"), (0x00420011, "OB"), (0x00101100, "SQ")):
        word = p.token("Blob")
        if vr == "SQ":
            photo = Dataset()
            photo.add(DataElement(Tag(0x00420011), "OB", word.encode()))
            root.add(DataElement(Tag(tag), "SQ", Sequence([photo])))
        else:
            root.add(DataElement(Tag(tag), vr, word.encode()))
        p.note(_label(tag), word)
    channel, encrypted = Dataset(), Dataset()
    channel.add(DataElement(Tag(0x54001010), "OW", (word := p.token("Wave")).encode()))
    root.add(DataElement(Tag(0x54000100), "SQ", Sequence([channel])))
    p.note("(5400,0100)[0](5400,1010)", word)
    encrypted.EncryptedContent = (word := p.token("Encr")).encode()
    encrypted.EncryptedContentTransferSyntaxUID = "1.2.840.10008.1.2.1"
    root.EncryptedAttributesSequence = Sequence([encrypted])
    p.note("(0400,0500)[0](0400,0520)", word)
    signature = Dataset()
    signature.CertificateOfSigner = (word := p.token("Sign")).encode()
    p.header.tail.DigitalSignaturesSequence = Sequence([signature])
    p.note("(FFFA,FFFA)[0](0400,0115)", word)


def _label(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _plant_container(p: _Planter) -> None:
    header = p.header
    word = p.token("Preamble")
    header.preamble = (b"II*\0" + word.encode()).ljust(128, b"\0")
    p.note("preamble", word)
    for keyword in (
        "SourceApplicationEntityTitle",
        "SendingApplicationEntityTitle",
        "ReceivingApplicationEntityTitle",
    ):
        p.put(header.meta, "", keyword, p.token("AE"))
    header.meta.PrivateInformationCreatorUID = UID("1.2.826.0.1.99999.7")
    header.meta.PrivateInformation = (word := p.token("Meta")).encode()
    p.note("(0002,0102)", word)
    padding = p.token("Padding")
    header.tail.DataSetTrailingPadding = padding.encode() + b"\0" * (len(padding) % 2)
    p.note("(FFFC,FFFC)", padding)
    if p.drawing.spec.syntax is Syntax.JPEG_BASELINE:
        comment, application = p.token("Com"), p.token("App")
        header.jpeg_segments = (
            (0xFE, f"patient {comment}".encode()),
            (0xED, b"Made\0" + application.encode()),
        )
        p.note("jpeg:COM", comment)
        p.note("jpeg:APP13", application)


def _name_needle(p: _Planter, prefix: str) -> tuple[str, str]:
    """Return a person name and the part of it that occurs nowhere else."""
    name = p.person(prefix)
    return name, name.split("^")[0]


_PLANTERS: Final[tuple[Callable[[_Planter], None], ...]] = (
    _plant_patient,
    _plant_visit,
    _plant_uids,
    _plant_sequences,
    _plant_private,
    _plant_unknown,
    _plant_overlay,
    _plant_icon,
    _plant_checklist,
    _plant_kept,
    _plant_trees,
    _plant_blobs,
    _plant_container,
)

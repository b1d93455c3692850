"""Made-up people, sites, dates and clinical lines, drawn from a seed.

Every list is our own invention; the people don't exist. Nothing here knows of pictures or DICOM.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

__all__ = ["Identity", "clinical_line", "date_text", "draw_identity", "time_text"]

_Drawn = TypeVar("_Drawn")

_FAMILIES: Final = (
    "SMITH", "OKONKWO", "Müller", "Łukasiewicz", "García-Pérez", "O'Dowd", "van der Berg", "LI",
    "WU", "NG", "Ito", "KIM", "Nguyễn", "Sørbø", "BRÛLÉ", "Petrov", "ÖZTÜRK", "Szabó", "Dvořák",
    "haddad", "rossi", "ABERNATHY-FINCH", "Kaur", "MWANGI", "Silva", "Quispe", "Ångström", "DOE",
    "TESTPATIENT", "Papadakis", "Ó Briain", "Lindqvist", "YU", "Oyelaran", "de la Cruz", "Bauer",
)  # fmt: skip
_GIVENS: Final = (
    "JOHN", "Jane", "Wei", "MIN", "Zoë", "André", "Ngozi", "Yūki", "LE", "Jo", "Agnès", "BJÖRN",
    "Siobhán", "marta", "ivan", "Ferenc", "AYŞE", "Li", "Hana", "Mary Ann", "J.", "Chidi", "Noor",
    "Gwendolyn", "Xi", "Tomás", "ELEK", "Ravi", "Amelie", "Kofi",
)  # fmt: skip
_PLACES: Final = (
    "Northgate", "St. Brendan", "Heart Chamber", "Val d'Oro", "KESTREL BAY", "Mitral Valley",
    "Sankt Anna", "Baptist", "Westway", "Río Claro", "lakeshore", "Aurora Ridge", "Great Fen",
)  # fmt: skip
_SITES: Final = (
    "{} Hospital", "{} MED CTR", "{} Clinic", "CHU {}", "Klinikum {}", "{} Medical", "{} IMAGING",
    "Univ. Hosp. {}", "Cardiologie {}", "{} Women's Health", "{} General", "*{} MEDICAL*",
    "{} Központ", '"{}" in echolab', "Hôpital {}", "{} ECHO LAB",
)  # fmt: skip
_IDS: Final = (
    "MRN{}", "{}", "PT{}", "ID{}", "{}-US", "A{}", "00{}", "H-{}", "ID: {}", "#{}", "{}SU5-20-01",
    "MRN: {}", "P{}/US",
)  # fmt: skip
_LONE_LETTERS: Final = "JKNQUWYZ"
"""Initials of one letter that are no mark of orientation, side, mode or sex."""
_DATES: Final = (
    "%d.%m.%Y", "%m/%d/%Y", "%Y/%m/%d", "%d%b%Y", "%d-%b-%y", "%d %b %y", "%Y-%m-%d", "%d/%m/%y",
    "%B %d, %Y", "%a %d %b %Y", "%Y%m%d",
)  # fmt: skip
_TIMES: Final = ("%H:%M:%S", "%I:%M:%S %p", "%H:%M", "%I:%M:%S%p")
_ABBREVIATIONS: Final = (
    "AO AR AS AV BP BPD CBD CO CW DR EF FL FR GA GB GS HC HR IAS IVC IVS LA LAD LE LI "
    "LK LO LS LT LV MI MR MV PA PG PI PV PW RA RE RI RK RT RV SA SAG SAX SMA SV TI "
    "TIB TIS TR TV VR VTI"
)
"""Initials that are clinical words too: whether they identify can't be told from the picture."""
_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Identity:
    """One made-up patient, visit and site."""

    family: str
    given: str
    name_text: str
    """The name as the machine prints it."""
    id_digits: str
    """Seven or more digits, unique to the seed: what planted needles are built from."""
    id_text: str
    birth: dt.date
    birth_label: str
    """What stands before the date of birth."""
    visit: dt.datetime
    date_format: str
    time_format: str
    site: str
    operator: str
    """Two or three letters."""
    initial: str
    """One letter, with a full stop or without."""
    physician: str
    accession: str
    sex: str
    age: int


def draw_identity(rng: np.random.Generator) -> Identity:
    """Draw a patient, visit and site."""
    family, given = _one(rng, _FAMILIES), _one(rng, _GIVENS)
    digits = str(int(rng.integers(1_000_000, 99_999_999)))
    visit = dt.datetime(2001, 1, 1) + dt.timedelta(seconds=int(rng.integers(0, 780_000_000)))
    age = int(rng.integers(18, 89))
    birth = visit.date() - dt.timedelta(days=age * 365 + int(rng.integers(30, 330)))
    doctor_family, doctor_given = _one(rng, _FAMILIES), _one(rng, _GIVENS)
    return Identity(
        family=family,
        given=given,
        name_text=_name_text(rng, family, given),
        id_digits=digits,
        id_text=_one(rng, _IDS).format(digits),
        birth=birth,
        birth_label=_one(rng, ("DOB: ", "DOB ", "DOB", "* ", "b. ", "Born ")),
        visit=visit,
        date_format=_one(rng, _DATES),
        time_format=_one(rng, _TIMES),
        site=_one(rng, _SITES).format(_one(rng, _PLACES)),
        operator=_initials(rng),
        initial=_one(rng, tuple(_LONE_LETTERS)) + _one(rng, ("", ".")),
        physician=f"Dr. {doctor_given[0]}. {doctor_family}",
        accession=f"{_one(rng, ('US', 'E', 'AC'))}{visit:%y}{int(rng.integers(10_000, 99_999))}",
        sex=_one(rng, ("F", "M")),
        age=age,
    )


def date_text(identity: Identity, day: dt.date) -> str:
    """Print a date as this machine does. Independent of the process's locale."""
    text = identity.date_format.replace("%B", "%b")
    text = text.replace("%b", _MONTHS[day.month - 1]).replace("%a", _DAYS[day.weekday()])
    printed = day.strftime(text)
    return printed.upper() if identity.date_format == "%d%b%Y" else printed


def time_text(identity: Identity, moment: dt.datetime) -> str:
    """Print a time of day as this machine does. Independent of the process's locale."""
    half = "AM" if moment.hour < 12 else "PM"
    return moment.strftime(identity.time_format.replace("%p", half))


def clinical_line(rng: np.random.Generator, field: str) -> str:
    """Draw one line of machine text.

    Parameters
    ----------
    field : str
        A setting (`mi`, `depth`, `probe` and so on), `view`, `measure` or `unit`.
    """
    pattern = _one(rng, _CLINICAL[field])
    while "{" in pattern:
        start = pattern.index("{")
        end = pattern.index("}", start)
        pattern = pattern[:start] + _number(rng, pattern[start + 1 : end]) + pattern[end + 1 :]
    return pattern


_CLINICAL: Final[dict[str, tuple[str, ...]]] = {
    "mi": ("MI {0.4:1.4:1}", "MI: {0.4:1.4:1}", "MI{0.4:1.4:1}", "MI={0.4:1.4:1}"),
    "ti": ("TIS {0.1:1.9:1}", "TIS{0.1:1.9:1}", "TIb {0.1:1.9:1}", "TIB: {0.1:1.9:1}",
           "TIs {0.1:1.9:1}", "TIC {0.1:1.9:1}"),
    "mi_ti": ("TIS{0.1:1.9:1} MI {0.4:1.4:1}", "MI {0.4:1.4:1} TIS {0.1:1.9:1}",
              "TIB{0.1:1.9:1} MI {0.4:1.4:1}", "MI {0.4:1.4:1} / TIs {0.1:1.9:1}"),
    "indices": ("TIS={0.1:1.9:1} MI={0.4:1.4:1}", "TIS={0.1:1.9:1} MI={0.4:1.4:1} AO={50:100:0}%"),
    "gain": ("Gn {-9:20:0}", "Gain {30:90:0}%", "G {40:80:0}", "{40:90:0}%", "2D G {40:90:0} dB",
             "2D {40:90:0}%", "G {40:80:0}%", "Gain {-8:12:0} dB"),
    "depth": ("{4:24:0}cm", "{4:24:1} cm", "{4:24:0}.0 cm", "Depth {4:24:0}cm", "D {4:24:1}cm",
              "{4:24:1}cm"),
    "hz": ("{12:90:0}Hz", "FR {12:90:0}Hz", "{12:90:0} Hz", "FPS {12:90:0}", "{12:90:0} fps"),
    "mhz": ("{1.5:2.5:1}/{3:5:1} MHz", "{2:9:1} MHz", "H {3:6:1}MHz", "F {2:9:1} MHz",
            "Frq {2:9:1}", "{2:9:0} MHz"),
    "probe": ("C5-1", "L12-5", "S5-1", "RAB6-D", "P4-2", "C1-5-D", "M5Sc-D", "L9-3", "C9-2",
              "X5-1", "C5-2", "9L-D", "4C-RS", "LA435", "P21", "VF10-5", "6C1", "IC5-9-D"),
    "preset": ("Abd Gen", "Adult Echo", "OB/GYN", "Vascular", "Adv Breast", "Carotid", "Thyroid",
               "Abdomen", "Cardiac", "MSK", "OB 2/3 Trim.", "Renal", "Gen Abd"),
    "preset_caps": ("ABDOMEN", "BREAST", "CARDIAC", "OB", "RENAL", "THYROID", "3:PELVIS"),
    "dr": ("DR {40:70:0}", "C {40:70:0}", "Dyn R {40:70:0}", "DR {50:70:0} dB", "DR{40:70:0}"),
    "map": ("Map {1:7:0}", "Gray Map {1:7:0}", "M{1:7:0} / E{1:4:0}", "C{1:9:0} / M{1:7:0}",
            "M{1:7:0}", "P{1:7:0} / E{1:4:0}"),
    "comp": ("{90:170:0}dB/C {1:5:0}", "{1:5:0} / {0:3:0} / {0:3:0}", "Comp {40:80:0}"),
    "persist": ("Persist Low", "P Med", "P Low", "Persist {1:5:0}", "Pers Med", "P High"),
    "opt": ("2D Opt:Gen", "2D Opt:Res", "2D Opt:Pen"),
    "rate": ("Fr Rate:Max", "Fr Rate:Med", "Fr Rate:High"),
    "colour_gain": ("Col {50:90:0}%  Map {1:5:0}", "CF {50:90:0}%", "Col {50:90:0}% Map {1:5:0}"),
    "wall": ("WF High", "WF Med", "WF {50:400:0}Hz", "WF Low"),
    "prf": ("PRF {1000:6000:0} Hz", "PRF {1:6:1} kHz", "PRF {1000:6000:0}Hz"),
    "flow_opt": ("Flow Opt: Med V", "Flow Opt:High", "Flow Opt: Low V"),
    "mode": ("2D", "HGen", "Har-mid", "THI", "Gen", "HPen", "Res", "SRI II {1:5:0}", "CrossXBeam",
             "Har-low", "Gen THI", "RS"),
    "focus": ("1 Focus", "Focus {2:12:1} cm", "FP {2:9:0}", "Foc {2:12:0}cm"),
    "frames_terse": ("{60:400:0}P", "{1:9:0}P"),
    "rate_terse": ("{20:90:0}F", "{20:90:0}HZ"),
    "gain_terse": ("{30:60:0}CG", "{30:90:0}G"),
    "dr_terse": ("{50:78:0}DR", "R{1:9:0} A{1:4:0} P{8:20:0}"),
    "state": ("FROZEN", "LIVE", "{70:90:0}G"),
    "stage": ("Rest", "Peak", "Stage 1", "Baseline", "Low Dose", "Recovery"),
    "hr": ("HR {52:110:0}bpm", "{52:110:0} bpm", "HR {52:110:0}", "{52:110:0}bpm",
           "{52:110:0} BPM"),
    "view": ("LV", "A4C", "PLAX", "RK LONG", "LIVER", "RT KIDNEY", "SAG", "TRANS", "GB", "AO",
             "LV 4CH", "Pancreas TR", "RV", "A2C", "Spleen", "CBD", "LT OVARY", "BLADDER", "CCA",
             "IVC", "PSAX", "UTERUS"),
    "label": ("Name:", "ID:", "Vmax", "2D", "Results"),
    "measure": (
        "EF (Teich) {35:75:1} %", "MV E/A {0.6:2.1:2}", "LVIDd {3.5:6.2:2} cm", "BPD {2:9:2} cm",
        "GA {12:39:0}w{0:6:0}d", "IVSd {0.6:1.5:2} cm", "Vmax {40:220:0} cm/s",
        "AoV VTI {12:30:1} cm",
        "1 Dist {0.5:9:2} cm", "Area {2:30:2} cm²", "PG {2:60:0} mmHg", "RI {0.5:0.9:2}",
        "Dist {0.5:9:2} cm", "LVPWd {0.6:1.5:2} cm", "FL {2:7:2} cm", "HC {10:33:2} cm",
        "AC {10:33:2} cm", "Asc Ao Diam {2.4:4:1} cm", "LA Diam {2.4:5:1} cm", "Circ {3:20:1} cm",
        "PSV {40:180:1} cm/s", "EDV {8:60:1} cm/s", "EF(Biplane) {35:75:0} %", "L {0.5:9:2} cm",
        "TR Vmax {1.5:4:2} m/s", "D1 {0.5:9:2} cm", "Vol {2:300:1} ml",
    ),
}  # fmt: skip


def _number(rng: np.random.Generator, spec: str) -> str:
    low, high, digits = spec.split(":")
    return f"{rng.uniform(float(low), float(high)):.{digits}f}"


def _name_text(rng: np.random.Generator, family: str, given: str) -> str:
    forms = (
        "{f}, {g}", "{f}^{g}", "{g} {f}", "{F}, {G}", "{f} {i}.", "{F} {G}", "Name: {f}, {g}",
        "{f},{g}", "{F}^{G}", "{f}, {g} *", "{g} {i}. {f}", "{F} {i}", "Pt: {f}, {g}",
    )  # fmt: skip
    form = _one(rng, forms)
    return form.format(f=family, g=given, F=family.upper(), G=given.upper(), i=given[0])


def _initials(rng: np.random.Generator) -> str:
    letters = "ABCDEFGHIJKLMNOPRSTVWZ"
    while True:
        count = int(rng.integers(2, 4))
        drawn = "".join(letters[int(i)] for i in rng.integers(0, len(letters), count))
        if drawn not in _ABBREVIATIONS.split():
            return drawn


def _one(rng: np.random.Generator, choices: tuple[_Drawn, ...]) -> _Drawn:
    return choices[int(rng.integers(len(choices)))]

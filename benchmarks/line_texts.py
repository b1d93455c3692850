"""Lines as ultrasound consoles print them, for `lines.py`: clinical ones by maker, and identifying
ones of made-up people. Data, and the drawing of it from a seed.

Written down before the policy's vocabulary was extended with the same makers' words.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from cinescrub.testing.names import Identity, clinical_line, date_text, draw_identity, time_text

__all__ = ["clinical_text", "phi_text"]

# {low:high:digits} is a number. A maker's name here says whose consoles print lines of this form.
_PRINTED: Final[dict[str, tuple[str, ...]]] = {
    "ge": (
        "FR {20:90:0} Hz", "Freq.: 1.7 MHz/3.3 MHz", "FPS: {20:90:1}", "Depth: {8:24:1} cm",
        "1 LVIDd {3:6:1} cm", "%FS {20:45:0} %", "EDV(Teich) {60:180:0} ml",
        "AV Vmax {0.8:4:2} m/s",
        "AV maxPG {3:60:1} mmHg", "MV E Vel {0.4:1.4:2} m/s", "MV DecT {120:300:0} ms",
        "MV Dec Slope {2:8:1} m/s²", "MV E/A Ratio {0.6:2:2}", "TR maxPG {12:50:0} mmHg",
        "LVEDV MOD A4C {60:180:0} ml", "E' Sept {5:14:0} cm/s", "E/E' Avg {5:15:1}",
        "LVOT Diam {1.7:2.4:1} cm", "Ao Diam {2:4:1} cm", "LVd Mass (ASE) {90:260:0} g",
        "Frq {5:12:1}", "Gn {30:70:0}", "S/A {1:3:0}/{1:3:0}", "Map H/0", "DR {50:80:0}",
        "FR {12:60:0}", "AO% 100", "CHI", "PRF {0.6:6:1}", "SVD {2:9:1}", "WF {50:200:0}",
        "RAB6-D/OB", "Har-mid", "{6:20:1}cm / 1.1 / {15:60:0}Hz", "Tib {0.1:1:1}", "Qual norm",
        "WMF low1", "PRF {0.6:6:1}kHz", "Gn {-9:9:1}", "C5/M7", "P6/E3", "SRI II {1:5:0}/CRI 2",
        "2nd Trim.", "B62°/V40°", "4D Real Time", "HD-Flow", "Th{10:50:0}/Qual high2", "Mix 80/20",
        "Surface Smooth", "2nd Trim. Fetal Echo", "AC {20:60:0}", "B-Flow", "9L-D", "4C-D", "M4S",
    ),
    "philips": (
        "FR {20:90:0}Hz", "{6:24:0}cm", "C {40:60:0}", "P Low", "HPen", "HGen", "WF {100:300:0}Hz",
        "{2:5:1}MHz", "TIS{0.1:2:1} MI {0.5:1.5:1}", "S5-1", "Adult Echo", "X5-1", "JPEG",
        "PAT T: 37.0C", "TEE T: 38.2C", "*** bpm", "232dB/C4", "F/2/3", "Persist Low",
        "2D Opt:Gen", "Fr Rate:Surv", "SonoCT", "XRes", "+ Dist {0.5:9:2} cm",
        "Vel {40:220:0} cm/s", "PG {2:60:0} mmHg", "2D Gen", "Gn {30:70:0}", "M3 M4", "+61.6",
        "-61.6", "cm/s", "V {3:9:1}cm", "LVLd ap4", "Max PG {3:60:0} mmHg", "Grad {1:4:0}",
    ),
    "siemens": (
        "H{2:5:1}MHz", "THI", "4V1c", "{-9:9:0} dB / DR {50:75:0}", "SieClear", "DTCE M",
        "Map E / ST 2", "Delta 2", "Edge 1", "SC Off / DTCE On", "Tint 1", "8C4", "14L5",
        "General Abdomen", "PRF {1000:6000:0} Hz", "Filter 2", "Gate {1:4:1} mm", "Dynamic TCE",
        "{12:60:0} fps", "2D-{60:100:0}%", "CW: 2.0MHz", "{1000:6000:0} Hz", "Sweep=100mm/s",
        "T: {0:100:0}%", "VV:ON", "Store in progress", "R-R: {600:1100:0} ms",
    ),
    "canon": (
        "6C1", "diffT5.0", "{12:60:0} fps", "Qscan", "G:{60:99:0}", "DR:{50:75:0}", "A:2", "P:100%",
        "T5.0", "CF {2:4:1}", "Precision", "ApliPure+", "D-THI", "Gain:{60:99:0}",
        "PRF:{2:9:1}kHz", "Filter:{2:6:0}", "{2:9:1} M", "Angle:{0:60:0}°", "Base:0", "MAG:1.0",
    ),
    "samsung": (
        "CA1-7A", "Abdomen / General", "[2D] G{30:70:0}/DR{60:120:0}/FA10/P90", "FSI 0",
        "[H] Gen. / Gn {30:70:0}", "CV1-8A", "LA3-16A", "S-Harmonic", "[C] {30:60:0}", "[PW]",
        "{1:3:0}.{0:9:0}kHz / F{1:4:0}", "Har H", "MI {0.5:1.5:1} / TIs {0.1:1:1}",
    ),
    "mindray": (
        "AP {50:99:1}%", "MI {0.5:1.5:1} TIS {0.1:1:1}", "SC5-1U", "F H{3:6:1}", "D {6:20:1}",
        "G {30:70:0}", "FR {12:60:0}", "DR {60:130:0}", "iClear 3", "iBeam 2", "Smooth 3",
        "Adult ABD", "Tissue General", "PRF {0.6:6:1}k", "WF {50:200:0}", "SVD {2:9:1}",
        "IP {1:8:0}", "B F H{3:6:1}", "L12-4s", "3C5A",
    ),
    "fujifilm": (
        "MI: {0.5:1.5:1}", "TIS: {0.1:1:1}", "MB", "P21x", "C60x", "L38x", "HFL38x", "rP19x",
        "C11x", "ICTx", "Abd", "Card", "Nrv", "Msk", "SmP", "Ven", "M-Mode", "Flow", "CVD", "Var",
        "2D Gen", "PRF {0.6:6:1} kHz", "{4:20:1} cm", "Color", "Zoom", "Pen", "Cardiac", "TDI",
    ),
    "hitachi": (
        "R{10:20:0} G{40:80:0} C{1:9:0} A{1:4:0}", "FR: {12:60:0}", "BG: {30:70:0}",
        "BD:{55:75:0}", "HdTHI", "B:{30:70:0}", "CFA", "{12:60:0}Hz {6:20:0}.0cm", "H{3:6:1}",
        "DVA:off", "2.14M", "R{2:12:1}", "STD-CARD", "PROC {1:6:0}.{1:6:0}.{1:6:0}", "MI<{0.5:1:1}",
    ),
    "esaote": (
        "G {30:90:0}%", "PRC 10-B-L", "PRS 3", "PST 2", "D {6:20:0} cm", "XV 2", "F {2:7:1} MHz",
        "AC2541", "CA541", "LA523", "PA240", "RES-L", "WF 4", "P 100%", "MVIEW", "C 5",
    ),
    "obstetrics": (
        "BPD (Hadlock) {3:9:2} cm {14:36:0}w{0:6:0}d", "HC {10:33:1} cm {14:36:0}w{0:6:0}d 50%",
        "EFW (AC,BPD,FL,HC) {300:3500:0}g ± {30:400:0}g", "AUA {14:36:0}w{0:6:0}d",
        "GA(LMP) {14:36:0}w{0:6:0}d", "CRL {1:8:2} cm", "FHR {120:160:0} bpm", "AFI {8:20:1} cm",
        "CI(BPD/OFD) {72:86:0}%", "FL/AC {20:24:1} (20.0-24.0)", "HC/AC {0.9:1.2:2}",
        "Uterus-L {5:9:2} cm", "Endo Thickness {3:14:1} mm", "Rt Ovary Vol {3:12:1} ml",
        "Umb A PI {0.7:1.5:2}", "MCA PSV {20:60:1} cm/s", "NT {0.8:2.9:1} mm", "TCD {14:40:1} mm",
        "Cx Length {20:45:0} mm", "Nuchal Fold {2:5:1} mm", "Fetal HR {120:160:0} bpm",
        "FACE PROFILE",
        "PLACENTA ANTERIOR", "SPINE SAG", "Cisterna Magna {3:9:1} mm", "AC {8:33:1} cm", "BREECH",
    ),
    "vascular": (
        "RT CCA PROX", "LT ICA MID", "PSV {40:150:1} cm/s", "EDV {8:40:1} cm/s", "S/D {2:4:1}",
        "RI {0.5:0.9:2}", "ICA/CCA {0.6:2:1}", "VERT", "Bulb", "ECA", "SFA DIST", "POP", "GSV",
        "IMT {0.4:1.1:1} mm", "% Stenosis Area {20:80:1}", "Vol Flow {100:900:0} ml/min",
        "TAMAX {20:60:1} cm/s", "RT CFV COMP", "LT POP V AUG", "AORTA DIST TRANS",
        "Accel {100:900:0}",
    ),
    "echo": (
        "PLAX", "A4C", "PSAX MV LEVEL", "SUBCOSTAL", "SSN", "A2C LV", "IVC Diam {1:2.5:1} cm",
        "TAPSE {14:26:0} mm", "LA Vol Index {16:48:1} ml/m²", "EF (Teich) {35:75:1} %",
        "MV E/A {0.6:2:2}", "AVA (VTI) {0.8:3:1} cm2", "IVSd {0.6:1.5:2} cm", "PHT {60:250:0} msec",
        "HR {52:110:0}bpm", "RVSP {18:60:0} mmHg", "GLS {-24:-12:1} %", "LVPWd {0.6:1.4:1} cm",
        "MR ERO {0.1:0.4:1} cm²", "E/A {0.6:2:2}", "Lat E' {5:15:1} cm/s", "QRS {80:140:0} ms",
        "LA/Ao {0.9:1.8:2}", "SV (LVOT) {40:100:0} ml", "CO {3:7:1} l/min", "4 CHAMBER", "RVOT",
    ),
    "general": (
        "RIGHT LOBE", "LIVER SAG", "GB LONG", "CBD {2:8:1} mm", "PANCREAS", "AORTA TRANS",
        "L KIDNEY", "LK SAG", "RK", "SPLEEN", "BLADDER", "UTERUS", "RT OVARY", "THYROID LT TRV",
        "FETAL HEART", "4CH VIEW", "MORISON'S POUCH", "RUQ", "PELVIS", "SUPRAPUBIC", "SUBXIPHOID",
        "A-LINES", "RT LUNG", "LT BREAST RAD", "GALLBLADDER", "IVC", "PORTAL VEIN",
        "LEFT LOBE LIVER",
        "1 L {1:9:2} cm", "2 D {1:9:2} cm", "Dist A {1:9:2} cm", "Vol {5:300:1} ml",
        "Area {1:30:2} cm²",
        "Circ {3:30:1} cm", "0", "5", "10", "15", "{1:20:0}", "[cm/s]", "Frame {1:90:0}/{90:120:0}",
        "Loop {1:9:0}/{9:12:0}", "Freeze", "GAIN {30:90:0}", "65%", "{10:90:0}%", "LEFT",
        "LT LAT DECUB",
    ),
}  # fmt: skip
_FIELDS: Final = (
    "mi", "ti", "mi_ti", "gain", "depth", "hz", "mhz", "probe", "preset", "dr", "map", "persist",
    "mode", "focus", "hr", "view", "measure",
)  # fmt: skip
_STREETS: Final = ("MAIN STREET", "Harbour Road", "Elm Ave", "Rue Pasteur", "Lindenstrasse")
_TITLES: Final = ("Dr", "DR 1", "Mr", "Prof.", "Frau")
_BEFORE: Final = ("LV", "MI 1.1", "RT", "2D", "LIVER", "Abd", "A4C", "SAG", "16cm", "DR 60")


def clinical_text(rng: np.random.Generator) -> tuple[str, str]:
    """Draw a clinical line and the group that it is from."""
    if rng.random() < 0.25:
        field = _FIELDS[int(rng.integers(len(_FIELDS)))]
        return clinical_line(rng, field), "made"
    group = list(_PRINTED)[int(rng.integers(len(_PRINTED)))]
    text = _PRINTED[group][int(rng.integers(len(_PRINTED[group])))]
    while "{" in text:
        start, end = text.index("{"), text.index("}")
        low, high, digits = text[start + 1 : end].split(":")
        text = f"{text[:start]}{rng.uniform(float(low), float(high)):.{digits}f}{text[end + 1 :]}"
    return text, group


def phi_text(rng: np.random.Generator) -> tuple[str, str, Identity]:
    """Draw an identifying line, its kind, and the made-up person it is of."""
    who = draw_identity(rng)
    drawn = {
        "name": who.name_text,
        "lower": who.name_text.lower(),
        "surname": who.family,
        "beside": f"{_pick(rng, _BEFORE)} {who.family} {who.given}".upper(),
        "after": f"{who.family}, {who.given} {_pick(rng, _BEFORE)}",
        "id": who.id_text,
        "accession": f"Acc# {who.accession}",
        "number": who.id_digits,
        "date": date_text(who, who.visit.date()),
        "birth": f"{_pick(rng, ('DOB', 'DOB:', 'Born', 'Geb.'))} {date_text(who, who.birth)}",
        "time": time_text(who, who.visit),
        "moment": f"{date_text(who, who.visit.date())} {time_text(who, who.visit)}",
        "clock": f"{_pick(rng, _BEFORE)} {who.visit:%H:%M}",
        "day": f"{_pick(rng, _BEFORE)} {who.visit.day}.{who.visit.month}.",
        "site": who.site,
        "initials": who.operator,
        "operator": f"{_pick(rng, ('Op:', 'Sono:', 'Tech'))} {who.operator}",
        "physician": who.physician,
        "age": f"{who.age}{_pick(rng, ('Y', ' yrs', 'y'))} {who.sex}",
        "place": f"D {int(rng.integers(1, 99))} {_pick(rng, _STREETS)}",
        "honorific": f"{_pick(rng, _TITLES)} {who.family} {who.given[0]}",
    }
    kind = list(drawn)[int(rng.integers(len(drawn)))]
    return drawn[kind], kind, who


def _pick(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]

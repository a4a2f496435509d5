"""What of a radiation dose report is kept: concepts and units (PS3.16 TID 10001 to 10007, 10011 to 10013)."""

from collections.abc import Mapping
from dataclasses import dataclass

REPORT, TEMPLATES = "113701", frozenset({"10001", "10011", "10040"})
"""The title of a dose report, and the templates it may follow (TID 10001, 10011; 10040 enhanced)."""

EVENTS = frozenset({"113706", "113819"})
"""Containers of one irradiation event: Irradiation Event X-Ray Data, CT Acquisition."""

ACCUMULATED = frozenset({"113702", "113811"})
"""Containers of what is counted over all of them: Accumulated X-Ray Dose Data, CT Accumulated Dose Data."""

EVENT_UID, STARTED, PROTOCOL, TARGET = "113769", frozenset({"113809", "111526"}), "125203", "123014"
LATERALITY = frozenset({"272741003", "G-C171"})
PLANE, PHANTOM = "113764", "113835"
CT_CONTAINERS = frozenset({"113811", "113819"})
MAMMOGRAPHY = frozenset({"111637", "111631"})

DEVICE = ("121013", "113877", "121014", "113878", "121015", "113879", "121016", "113880")
"""Name, manufacturer, model and serial number of the device, as observer and as participant (TID 1002, 1021)."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that is kept: by its keyword, in one unit whatever the document has."""

    name: str
    unit: str
    meaning: str


QUANTITIES: Mapping[str, Quantity] = {
    "113813": Quantity("CTDoseLengthProductTotal", "mGy.cm", "CT Dose Length Product Total"),
    "113812": Quantity("TotalNumberOfIrradiationEvents", "1", "Total Number of Irradiation Events"),
    "113830": Quantity("MeanCTDIvol", "mGy", "Mean CTDIvol"),
    "113838": Quantity("DLP", "mGy.cm", "DLP"),
    "113930": Quantity("SizeSpecificDoseEstimate", "mGy", "Size Specific Dose Estimation"),
    "113825": Quantity("ScanningLength", "mm", "Scanning Length"),
    "113722": Quantity("DoseAreaProductTotal", "Gy.m2", "Dose Area Product Total"),
    "113725": Quantity("DoseRPTotal", "mGy", "Dose (RP) Total"),
    "113726": Quantity("FluoroDoseAreaProductTotal", "Gy.m2", "Fluoro Dose Area Product Total"),
    "113728": Quantity("FluoroDoseRPTotal", "mGy", "Fluoro Dose (RP) Total"),
    "113727": Quantity("AcquisitionDoseAreaProductTotal", "Gy.m2", "Acquisition Dose Area Product Total"),
    "113729": Quantity("AcquisitionDoseRPTotal", "mGy", "Acquisition Dose (RP) Total"),
    "113730": Quantity("TotalFluoroTime", "s", "Total Fluoro Time"),
    "113855": Quantity("TotalAcquisitionTime", "s", "Total Acquisition Time"),
    "113731": Quantity("TotalNumberOfRadiographicFrames", "1", "Total Number of Radiographic Frames"),
    "111637": Quantity("AccumulatedAverageGlandularDose", "mGy", "Accumulated Average Glandular Dose"),
    "111631": Quantity("AverageGlandularDose", "mGy", "Average Glandular Dose"),
    "111636": Quantity("EntranceExposureAtRP", "mGy", "Entrance Exposure at RP"),
    "122130": Quantity("DoseAreaProduct", "Gy.m2", "Dose Area Product"),
    "113738": Quantity("DoseRP", "mGy", "Dose (RP)"),
    "113733": Quantity("KVP", "kV", "KVP"),
    "113736": Quantity("Exposure", "mA.s", "Exposure"),
    "111633": Quantity("CompressionThickness", "mm", "Compression Thickness"),
}
"""By code value of the DCM scheme; the meaning is what vendors write who code otherwise."""

UNITS: Mapping[str, Mapping[str, float]] = {
    "mGy": {"mgy": 1, "gy": 1e3, "dgy": 100, "cgy": 10, "ugy": 1e-3, "µgy": 1e-3, "μgy": 1e-3},
    "mGy.cm": {"mgycm": 1, "gycm": 1e3, "cgycm": 10, "ugym": 0.1},
    "Gy.m2": {
        "gym2": 1,
        "mgym2": 1e-3,
        "ugym2": 1e-6,
        "µgym2": 1e-6,
        "μgym2": 1e-6,
        "gycm2": 1e-4,
        "dgycm2": 1e-5,
        "cgycm2": 1e-6,
        "mgycm2": 1e-7,
        "ugycm2": 1e-10,
    },
    "s": {"s": 1, "ms": 1e-3, "min": 60},
    "mm": {"mm": 1, "cm": 10, "m": 1e3},
    "kV": {"kv": 1, "kvp": 1, "v": 1e-3},
    "mA.s": {"mas": 1, "uas": 1e-3, "µas": 1e-3, "μas": 1e-3},
    "1": {"1": 1, "events": 1, "frames": 1, "noevents": 1, "": 1},
}
"""For each unit that is kept, what others are worth; they are compared without case, spaces, dots and brackets."""


def unit_key(text: str) -> str:
    """A unit as the table has it."""
    plain = text.replace("²", "2").replace("^", "").lower()
    return "".join(one for one in plain if one.isalnum() or one in "µμ")

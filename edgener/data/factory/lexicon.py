"""The words of the factory for each slot of a template.

Many words are in several lists (a filter is a machine or a part; a leak is a fault, a leak test an action), so the
sentence decides, as in real work orders. Every fourth entry is held out of the training split.
"""

from __future__ import annotations

MACHINES = (
    "feed pump", "conveyor", "filling machine", "cooling tower", "hydraulic press", "air compressor", "packaging line",
    "mixer", "boiler", "chiller", "palletizer", "labeller", "bag filter", "cnc lathe", "crane", "extruder",
    "screw feeder", "stacker", "washer", "oven", "robot cell", "vacuum pump", "heat exchanger", "bucket elevator",
    "slitter", "shrink tunnel", "dust collector", "injection moulder", "belt dryer", "centrifuge", "forklift",
    "furnace",
    "bottle capper", "laser cutter", "scissor lift", "condensate pump", "granulator", "paint booth", "checkweigher",
    "kiln",
)  # fmt: skip
TAG_LETTERS = ("P", "K", "M", "C", "B", "R", "T", "HX", "CV", "EX")
COMPONENTS = (
    "drive end bearing", "shaft seal", "gearbox", "v-belt", "coupling", "motor", "impeller", "pressure sensor",
    "limit switch", "solenoid valve", "filter", "oil pump", "chain", "encoder", "fan", "relief valve",
    "cylinder", "hose", "inverter", "proximity switch", "nozzle", "gripper", "heating element", "thermocouple",
    "roller", "contactor", "o-ring", "pump", "brake", "fuse", "spindle", "flow meter",
    "light curtain", "blade", "gasket", "cooling fan", "drive belt", "level probe", "plc card", "bushing",
)  # fmt: skip
FAULTS = (
    "oil leak", "overheating", "high vibration", "seal leak", "does not start", "bearing noise", "blocked", "worn",
    "low pressure", "trips", "short circuit", "misaligned", "cracked", "jammed", "loose", "pressure drop",
    "grinding noise", "earth fault", "no signal", "overload", "leaking", "corroded", "burnt smell", "runs rough",
    "stuck", "wrong position", "slipping", "communication lost", "dirty", "broken", "cavitation", "belt torn",
    "overpressure", "out of tolerance", "squealing", "water ingress", "motor hot", "stops randomly", "flickers",
    "seized",
)  # fmt: skip
ACTIONS = (
    "replaced", "tightened", "lubricated", "cleaned", "adjusted", "inspected", "reset", "leak test",
    "aligned", "calibrated", "repaired", "topped up", "flushed", "rewired", "balanced", "swapped",
    "oil change", "greased", "restarted", "removed", "tested", "filter change", "drained", "welded",
    "bypassed", "retensioned", "overhauled", "ordered", "bled", "vibration check", "rebuilt", "isolated",
)  # fmt: skip
LOCATIONS = (
    "hall 3", "line 2", "boiler house", "bay 7", "north dock", "pit 4", "warehouse B", "control room",
    "roof", "cell 12", "paint shop", "basement", "tank farm", "gate 5", "pump room", "mezzanine",
    "loading bay", "building 14", "cooling water station", "line 6 infeed", "substation", "press shop", "silo 3",
    "lab 2",
)  # fmt: skip
MAKERS = ("SKF", "Siemens", "Festo", "Bosch", "NSK", "Parker", "Danfoss", "Omron", "SMC", "Gates", "ABB", "Sick")
UNITS = (
    ("bar", 1, 16), ("°C", 40, 140), ("mm/s", 2, 18), ("rpm", 300, 3000), ("A", 2, 60), ("kPa", 80, 900),
    ("l/min", 5, 400), ("V", 12, 690), ("mm", 1, 90), ("psi", 20, 230), ("%", 5, 98), ("kg", 2, 900), ("Hz", 10, 60),
    ("h", 50, 9000), ("dB", 60, 110), ("µm", 5, 300),
)  # fmt: skip
ABBREVIATIONS = {
    "replaced": "repl", "bearing": "brg", "motor": "mtr", "pressure": "press", "temperature": "temp",
    "inspected": "insp",
    "compressor": "comp", "conveyor": "conv", "hydraulic": "hyd", "machine": "mc", "cleaned": "clnd",
    "building": "bldg",
}  # fmt: skip

"""The sentences of the factory, with a slot per entity; `{n}`, `{time}` and `{code}` are not entities."""

from __future__ import annotations

ORDERS = (
    "{ACTION} {COMPONENT} on {EQUIPMENT}",
    "{EQUIPMENT} {FAULT}, {ACTION} {COMPONENT}",
    "{COMPONENT} of {EQUIPMENT} {FAULT}",
    "{EQUIPMENT} in {LOCATION}: {COMPONENT} {FAULT}. {ACTION}.",
    "{ACTION} and {ACTION} {COMPONENT}, {EQUIPMENT}, {LOCATION}",
    "{COMPONENT} {FAULT} at {MEASUREMENT}, {ACTION} with {PART_NUMBER}",
    "Please order {n} pcs {PART_NUMBER} for {EQUIPMENT}",
    "{ACTION} {COMPONENT} ({PART_NUMBER}) on {EQUIPMENT} after {MEASUREMENT}",
    "WO {code}: {EQUIPMENT} {FAULT} - {COMPONENT} to be {ACTION}",
    "{EQUIPMENT}: {FAULT}",
    "{COMPONENT} {ACTION}, new part {PART_NUMBER}",
    "{FAULT} on {COMPONENT}, {EQUIPMENT}",
    "{ACTION} {EQUIPMENT} {COMPONENT}; was {FAULT}",
    "spare {COMPONENT} {PART_NUMBER} not in stock, order {code}",
    "{EQUIPMENT} {COMPONENT} set to {MEASUREMENT}",
)
LOGS = (
    "{time} {EQUIPMENT} stopped, {FAULT}, {ACTION} by {n} men",
    "Shift {n}: {EQUIPMENT} at {LOCATION} {FAULT} again, {COMPONENT} {ACTION}",
    "{time} heard {FAULT} near {LOCATION}, cause was the {COMPONENT} of {EQUIPMENT}",
    "{EQUIPMENT} ran {MEASUREMENT} without {FAULT}",
    "Electrician {ACTION} the {COMPONENT} in {LOCATION}, {time} running again",
    "{EQUIPMENT} moved from {LOCATION} to {LOCATION}",
    "Measured {MEASUREMENT} at the {COMPONENT}, limit is {MEASUREMENT}",
    "After {ACTION} the {COMPONENT} the {EQUIPMENT} still {FAULT}",
    "handover {time}: nothing to report",
    "{n} pallets short at the end of shift {n}, no fault found",
    "Order {code} finished at {time}, {n} pieces scrapped",
    "waiting for {PART_NUMBER} since shift {n}, {EQUIPMENT} stays {ACTION}",
    "Toolbox talk at {time} in {LOCATION}",
    "{LOCATION} {EQUIPMENT} ok, {COMPONENT} {ACTION}, {MEASUREMENT}",
    "we {ACTION} the {COMPONENT} but it is {FAULT} at {MEASUREMENT}",
)
ALARMS = (
    "ALARM {code} {EQUIPMENT} {FAULT}",
    "{EQUIPMENT} {COMPONENT} {MEASUREMENT} {FAULT}",
    "WARNING {LOCATION} {COMPONENT} {FAULT} {MEASUREMENT}",
    "{time} {code} {EQUIPMENT}/{COMPONENT}: {FAULT}",
    "{EQUIPMENT} {FAULT} ({MEASUREMENT} > {MEASUREMENT})",
    "ALARM {code} acknowledged {time}",
    "{LOCATION}: {EQUIPMENT} {FAULT}, code {code}",
)
KINDS = (ORDERS, LOGS, ALARMS)
WEIGHTS = (5, 4, 2)

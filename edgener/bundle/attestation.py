"""The provenance of a bundle as an in-toto statement with the predicate of SLSA, version 1.

It says what the files were made from and with which command. Who says so is said by the signature of the bundle.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .evidence import Evidence, build_time, libraries, package_url

PREDICATE = "https://slsa.dev/provenance/v1"


def provenance_statement(evidence: Evidence) -> str:
    """The statement as JSON."""
    from google.protobuf.json_format import MessageToDict
    from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
    from in_toto_attestation.v1.statement import Statement

    subjects = [ResourceDescriptor(entry.path, digest={"sha256": entry.sha256}).pb for entry in evidence.files]
    statement = Statement(subjects, PREDICATE, _predicate(evidence))
    statement.validate()
    return json.dumps(MessageToDict(statement.pb), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _predicate(evidence: Evidence) -> dict[str, Any]:
    from google.protobuf.json_format import MessageToDict, ParseDict
    from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance

    edgener, provenance = package_url("edgener", evidence.manifest.edgener_version), evidence.provenance
    versions = {"edgener": evidence.manifest.edgener_version, "python": provenance["versions"]["python"]}
    if commit := provenance.get("edgener_commit"):
        versions["edgener_commit"] = commit
    time = build_time()
    record = {
        "buildDefinition": {
            "buildType": f"{edgener}#edgener/pipeline.py",
            "externalParameters": {"command": "edgener export", "arguments": list(evidence.arguments)},
            "internalParameters": {"exporter": provenance["exporter"]},
            "resolvedDependencies": list(_dependencies(evidence)),
        },
        "runDetails": {
            "builder": {"id": edgener, "version": versions},
            **({"metadata": {"finishedOn": f"{time:%Y-%m-%dT%H:%M:%SZ}"}} if time else {}),
        },
    }
    predicate: dict[str, Any] = MessageToDict(ParseDict(record, Provenance()))  # of the declared shape, or an error
    return predicate


def _dependencies(evidence: Evidence) -> Iterator[dict[str, Any]]:
    for folder in ("base_checkpoint", "checkpoint"):
        for name, sha256 in sorted((evidence.provenance.get(folder) or {}).items()):
            yield {"name": f"{folder}/{name}", "digest": {"sha256": sha256}}
    for data in evidence.data:
        # the hash is over the sentences with their entities, whatever the format of the file
        yield {"name": f"{data.role}: {data.title}", "digest": {"sha256": data.sha256}}
    for name, version in libraries(evidence):
        yield {"name": name, "uri": package_url(name, version)}

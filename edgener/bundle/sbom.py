"""The bill of materials of a bundle as CycloneDX 1.6 (ML-BOM): its files, data sets and libraries, and a model card.

The library does not write model cards yet, so the card is added to its document; a test validates the whole.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .evidence import Evidence, build_time, libraries, package_url

if TYPE_CHECKING:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component

    from edgener.parity.bootstrap import Estimate

MODEL = "model"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/")


def bill_of_materials(evidence: Evidence) -> str:
    """The document as JSON."""
    from cyclonedx.output import make_outputter
    from cyclonedx.schema import OutputFormat, SchemaVersion

    written = make_outputter(_bom(evidence), OutputFormat.JSON, SchemaVersion.V1_6).output_as_string()
    document = json.loads(written)
    if not build_time():
        del document["metadata"]["timestamp"]  # that of this moment
    document["metadata"]["component"]["modelCard"] = _model_card(evidence)
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _bom(evidence: Evidence) -> Bom:
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType

    model = Component(name=evidence.manifest.name, type=ComponentType.MACHINE_LEARNING_MODEL, bom_ref=MODEL)
    parts = [*_files(evidence), *_data(evidence), *_libraries(evidence)]
    contents = " ".join(entry.sha256 for entry in evidence.files)
    bom = Bom(
        components=parts,
        serial_number=uuid.uuid5(_NAMESPACE, contents),
        metadata=BomMetaData(component=model, timestamp=build_time()),
    )
    bom.register_dependency(model, parts)
    return bom


def _files(evidence: Evidence) -> Iterator[Component]:
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType

    for entry in evidence.files:
        yield Component(
            name=entry.path,
            type=ComponentType.FILE,
            bom_ref=f"file:{entry.path}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=entry.sha256)],
        )


def _data(evidence: Evidence) -> Iterator[Component]:
    """The hash of a data set is over its sentences with their entities, whatever the format of the file."""
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType

    for data in evidence.data:
        yield Component(
            name=data.title,
            type=ComponentType.DATA,
            bom_ref=f"data:{data.role}",
            description=f"{data.role}: {data.sentences} sentences, {data.entities} entities",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=data.sha256)],
        )


def _libraries(evidence: Evidence) -> Iterator[Component]:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    for name, version in libraries(evidence):
        url = package_url(name, version)
        yield Component(
            name=name, version=version, type=ComponentType.LIBRARY, bom_ref=url, purl=PackageURL.from_string(url)
        )


def _model_card(evidence: Evidence) -> dict[str, Any]:
    manifest = evidence.manifest
    parameters: dict[str, Any] = {
        "task": "token-classification",
        "architectureFamily": "transformer",
        "datasets": [{"ref": f"data:{data.role}"} for data in evidence.data],
        "inputs": [{"format": "text"}],
        "outputs": [{"format": "entities with character offsets"}],
    }
    if manifest.architecture:
        parameters["modelArchitecture"] = manifest.architecture
    return {
        "bom-ref": "model-card",
        "modelParameters": parameters,
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(evidence))},
    }


def _metrics(evidence: Evidence) -> Iterator[dict[str, Any]]:
    for report in evidence.reports:
        found = report.estimates
        if found.overall.f1 is not None:
            yield {"type": "entity F1", "slice": report.variant, "value": f"{found.overall.f1:.4f}"}
        estimates = {
            "entity F1, difference to PyTorch": found.overall.f1_difference,
            "entities that differ from PyTorch's": found.overall.churn,
            "entities that depend on the batch": found.batch_effect,
        }
        yield from (_metric(name, report.variant, estimate) for name, estimate in estimates.items() if estimate)


def _metric(name: str, variant: str, estimate: Estimate) -> dict[str, Any]:
    bounds = {"lowerBound": f"{estimate.low:+z.4f}", "upperBound": f"{estimate.high:+z.4f}"}
    return {"type": name, "slice": variant, "value": f"{estimate.value:+z.4f}", "confidenceInterval": bounds}

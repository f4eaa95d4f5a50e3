"""What a bridge publishes of the texts it answered, beside its status."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, cast

import pytest

pytest.importorskip("paho", reason="the extra mqtt is not installed")

from edgener_runtime import TokenClassifier, UserInputError
from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.monitoring.label_queue import LabelQueue
from edgener_runtime.services.mqtt import monitoring_status
from edgener_runtime.services.mqtt.answers import Answerer, PublishRefusedError
from edgener_runtime.services.mqtt.broker import Topics
from edgener_runtime.services.mqtt.messages import OutgoingMessage
from edgener_runtime.services.mqtt.monitoring_status import publish_regularly


class Recording:
    """A connection that notes what is published, and refuses from `most` messages on."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.messages: list[OutgoingMessage] = []

    async def publish_confirmed(self, message: OutgoingMessage) -> None:
        if len(self.messages) == self.most:
            raise PublishRefusedError("Not authorized")
        self.messages.append(message)


def published(classifier: TokenClassifier, most: int = 2) -> tuple[list[OutgoingMessage], list[str]]:
    connection, reports = Recording(most), list[str]()
    answerer = Answerer(AsyncTokenClassifier(classifier), Topics())
    asyncio.run(publish_regularly(cast(Any, connection), answerer, reports.append))
    return connection.messages, reports


def test_drift_and_the_queue_are_published_until_the_broker_refuses(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring_status, "SECONDS", 0)
    with TokenClassifier.load(bundle, "cpu", "fp32") as classifier:
        classifier.monitor(queue=LabelQueue(tmp_path / "queue.jsonl"))
        classifier.predict("oil leak at pump P-101")
        messages, reports = published(classifier)
        assert [(message.topic, message.retain) for message in messages] == [("edgener/status/monitoring", True)] * 2
        record = json.loads(messages[0].payload)
        assert record["bundle_version"] == classifier.manifest.version
    assert record["drift"]["counts"]["texts"] == 1 and record["drift"]["psi"] == {}
    assert record["label_queue"] == {"texts": 1, "too_long": 0, "failure": None}
    assert b"oil" not in messages[0].payload
    assert "takes nothing on edgener/status/monitoring" in reports[0]


def test_a_classifier_that_monitors_nothing_publishes_nothing(classifier: TokenClassifier) -> None:
    assert published(classifier) == ([], [])


def test_its_topic_must_not_come_back_as_requests() -> None:
    with pytest.raises(UserInputError, match="monitoring on edgener/status/monitoring"):
        Topics(requests="edgener/status/+")
    assert Topics().refusal("edgener/status/monitoring") == "the bridge uses it itself"

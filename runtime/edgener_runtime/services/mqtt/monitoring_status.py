"""What a bridge monitors, as a retained message beside its status: drift, and the queue of texts to label."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from edgener_runtime.base.serde import to_dict

from .answers import Answerer, PublishRefusedError
from .connection import Connection
from .messages import OutgoingMessage

SECONDS = 60.0  # between two messages


async def publish_regularly(connection: Connection, answerer: Answerer, report: Callable[[str], None]) -> None:
    """Publish what is monitored now and every minute, until the broker refuses the topic; nothing where nothing is."""
    while (payload := monitored(answerer)) is not None:
        try:
            await connection.publish_confirmed(OutgoingMessage(answerer.topics.monitoring, payload, retain=True))
        except PublishRefusedError as refused:
            report(f"the broker takes nothing on {answerer.topics.monitoring}: {refused}; drift is not published")
            return
        await asyncio.sleep(SECONDS)


def monitored(answerer: Answerer) -> bytes | None:
    """The drift and the state of the label queue as JSON; None where the classifier monitors nothing."""
    model = answerer.classifier.classifier
    observer = model.observer
    if observer is None:
        return None
    record = {
        "bundle_version": model.manifest.version,
        "drift": to_dict(observer.drift.report()) if observer.drift else None,
        "label_queue": to_dict(observer.queue.state) if observer.queue else None,
    }
    return json.dumps(record, ensure_ascii=False).encode()

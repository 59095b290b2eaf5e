"""The answer of `/ops/v1/services` as records."""

from __future__ import annotations

from console.records_services import ServiceRecord, Services
from console.wire import Body, instant, many


def services(body: Body) -> Services:
    return Services(many(_service, body["services"]))


def _service(row: Body) -> ServiceRecord:
    get = row.get
    return ServiceRecord(
        binary=row["binary"],
        host=row["host"],
        cell=get("cell"),
        status=get("status") or "UNKNOWN",
        state=get("state"),
        updated_at=instant(get("updated_at")),
        last_state=get("last_state"),
        known_at=instant(get("known_at")),
    )

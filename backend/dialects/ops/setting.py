"""The settings of the whole cloud: all are shown, and those that may be are changed."""

from __future__ import annotations

from backend.dialects.ops.bodies import NoBody, NoQuery, SettingsChange
from backend.dialects.ops.schema import SettingsRow
from backend.dialects.ops.table import Answer, Call, once
from backend.operations import Settings, settings


def settings_row(found: Settings) -> SettingsRow:
    return {
        "grace_seconds": found.grace_seconds,
        "floor": found.floor_permille / 1000,
        "placement": found.placement,
        "start_level": found.start_level_permille / 1000,
        "list_records_by_skipping_down_cells": found.list_records_by_skipping_down_cells,
        "default_cpu_type": found.default_cpu_type,
        "rate_limits": found.rate_limits,
        "history_seconds": found.history_seconds,
    }


async def get_settings(call: Call[NoQuery, NoBody]) -> Answer:
    return Answer(settings_row(call.cloud.settings))


async def change_settings(call: Call[NoQuery, SettingsChange]) -> Answer:
    async def change() -> Answer:
        found = await settings.change_settings(
            call.cloud,
            call.account,
            list_records_by_skipping_down_cells=call.body.list_records_by_skipping_down_cells,
            default_cpu_type=call.body.default_cpu_type,
            rate_limits=call.body.rate_limits,
            history_seconds=call.body.history_seconds,
            request=call.request,
        )
        return Answer(settings_row(found))

    return await once(call, change)

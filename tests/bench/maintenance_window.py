"""Makes a maintenance window come now, instead of once a week."""

from __future__ import annotations

import datetime
import json

from tests.recovery.guarded import Guarded

_LIMIT_S = 3_600


def open_window(server: Guarded) -> None:
    """With the guard stopped: its next start is followed by a planned restart at once, as if none had been lately.

    The work would not fit into the window, so no later moment in it can be drawn.
    """
    now = datetime.datetime.now(datetime.UTC)
    server.extra["HEALTH_MAINTENANCE"] = f"daily {now:%H:%M} {_LIMIT_S // 60}m"
    server.extra["HEALTH_MAINTENANCE_LIMIT_S"] = str(_LIMIT_S)
    notes = server.store / ".cortex/guard.json"
    known = json.loads(notes.read_text())
    for name in ("window_start_wall_s", "planned_wall_s", "planned_done_wall_s"):
        known["remembered"][name] = None
    notes.write_text(json.dumps(known))

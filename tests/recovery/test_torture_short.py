"""A few kills of each kind under load; `make torture` does hundreds, and stock Chroma for comparison."""

from __future__ import annotations

import pytest

from tests.recovery.guarded import Guarded
from tests.recovery.servers import Victim
from tests.recovery.torture import Kill, Torture

pytestmark = pytest.mark.process

KILLS = [
    Kill(0, Victim.SERVER, "random"),
    Kill(1, Victim.SERVER, "pickle"),
    Kill(2, Victim.GUARD, "graph"),
    Kill(3, Victim.ALL, "pickle"),
]


@pytest.mark.timeout(180)
def test_nothing_acknowledged_is_lost_when_server_guard_or_both_are_killed(tmp_path):
    torture = Torture(Guarded, tmp_path, "short", first_rows=2_000)
    try:
        for kill in KILLS:
            found = torture.kill(kill)
            assert found.is_clean, f"{kill}: {found.notes}; {torture.tally.as_detail()}"
    finally:
        torture.end()
    assert torture.tally.stores == 1, "one store went through all of it"
    assert torture.tally.missed == 0, "each aimed kill met a save"
    assert torture.tally.rows_compared > 4 * 2_000

"""Does the server's certificate end soon? Pure."""

from __future__ import annotations

from healthcheck.judgement import Judgement, Verdict

DAYS = 7.0
"""Any `up` makes a new one from 30 days before the end: whoever runs one in a month never gets here."""
_DAY_S = 86_400.0


def judge_certificate(ends_wall_s: float, wall_s: float) -> Judgement:
    """Value: days that are left.

    Args:
        ends_wall_s: Last moment, seconds since 1970.
        wall_s: Now.
    """
    days = (ends_wall_s - wall_s) / _DAY_S

    def judged(verdict: Verdict, message: str) -> Judgement:
        return Judgement("certificate", days, DAYS, "days", verdict, message)

    if days <= 0:
        return judged(Verdict.DEGRADED, "has ended, and clients refuse it; `make up` makes another one, or give one")
    if days < DAYS:
        return judged(Verdict.DEGRADED, "ends soon; `make up` makes another one, or give one (tls.given)")
    return judged(Verdict.OK, "until it ends")

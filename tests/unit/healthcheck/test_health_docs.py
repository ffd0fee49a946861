"""The pages tell of everything that the guard judges, does and takes."""

import re
from pathlib import Path

from healthcheck.actions import Phase, RestartReason
from healthcheck.judges import Judges
from healthcheck.limits import Limits
from healthcheck.observation import Observation, ServerView
from healthcheck.settings import GuardSettings

from tests.unit.healthcheck.backups import WELL

DOCS = Path(__file__).parents[3] / "docs"
HEALTH, RUNBOOK = (DOCS / "health.md").read_text(), (DOCS / "runbook.md").read_text()
HEADINGS = "\n".join(line for line in RUNBOOK.splitlines() if line.startswith("#"))


def anchors(page: str) -> set[str]:
    headings = [line.lstrip("# ").lower() for line in page.splitlines() if line.startswith("#")]
    return {re.sub(r"[^a-z0-9_ -]", "", heading).replace(" ", "-") for heading in headings}


def test_each_judgement_is_explained_and_has_its_page() -> None:
    seen = Observation(at_s=0, wall_s=0, server=ServerView(running=False), backup=WELL)
    limits = Limits(certificate="/certificate.pem", backups=True)
    names = {"guard"} | {judgement.name for judgement in Judges(limits).judge(seen)}
    assert len(names) > 12
    assert {name for name in names if f"| `{name}` |" not in HEALTH} == set()
    assert {name for name in names if f"\n### {name}\n" not in RUNBOOK} == set()


def test_each_setting_is_listed() -> None:
    variables = {f"HEALTH_{name.upper()}" for name in GuardSettings.__dataclass_fields__}
    assert {variable for variable in variables if f"`{variable}`" not in HEALTH} == set()
    known = variables | {"HEALTH_"}
    assert set(re.findall(r"HEALTH_[A-Z_]*", HEALTH + RUNBOOK)) <= known


def test_each_phase_and_each_reason_for_a_restart_is_told() -> None:
    assert {phase for phase in Phase if f"`{phase}`" not in HEALTH} == set()
    assert {reason for reason in RestartReason if f"`{reason}`" not in HEALTH} == set()
    assert {reason for reason in RestartReason if reason not in HEADINGS} == set()


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", RUNBOOK + HEALTH)
    assert len(links) > 10
    for link in links:
        page, _, anchor = link.partition("#")
        text = RUNBOOK if not page else (DOCS / page).read_text()
        assert not anchor or anchor in anchors(text), link

# The one door to the project: `make help` lists it. What a target does lives in `cortex` (ops/) and in tools/.
SHELL := /bin/sh
.DEFAULT_GOAL := help
STACK ?= $(or $(CORTEX_STACK),dev)
N ?= 20000
KILLS ?= 200
export CORTEX_STACK := $(STACK)

CORTEX := .venv/bin/cortex
PYTEST := .venv/bin/pytest

##@ Running a stack (STACK=dev by default)

.PHONY: up
up: env ## Bring the stack up, with everything that needs installing or building
	@$(CORTEX) up

.PHONY: preview
preview: env ## Show what `up` would change, and the sizing arithmetic
	@$(CORTEX) preview

.PHONY: demo
demo: env ## Index real texts and search them (N=20000)
	@$(CORTEX) demo --n $(N)

.PHONY: status
status: env ## Containers, health, sizes
	@$(CORTEX) status

.PHONY: logs
logs: env ## A log: of the server with the store, or of CONTAINER=gateway (FOLLOW=1 to keep watching)
	@$(CORTEX) logs $(CONTAINER) $(if $(FOLLOW),--follow)

.PHONY: url
url: env ## Print only the endpoint
	@$(CORTEX) url

.PHONY: token
token: env ## Print only a token: an admin's, or that of NAME=...
	@$(CORTEX) token $(NAME)

.PHONY: tokens
tokens: env ## Who may do what: every token's role, end and reach, never the token itself
	@$(CORTEX) tokens

.PHONY: ca
ca: env ## Print only the certificate that clients must trust
	@$(CORTEX) ca

.PHONY: shell
shell: env ## A shell in which plain `pulumi up` works
	@$(CORTEX) shell

.PHONY: size
size: env ## The sizing arithmetic: make size VECTORS=1000000 DIMENSIONS=384
	@$(CORTEX) size $(foreach key,$(SIZE_KEYS),$(if $($(key)),$(key)=$($(key))))

##@ Backups

.PHONY: backup
backup: env ## Take a base now
	@$(CORTEX) backup now

.PHONY: backups
backups: env ## The bases at the target, and the time that can be restored
	@$(CORTEX) backup list

.PHONY: drill
drill: env ## Restore the newest backup beside the stack, and read everything back
	@$(CORTEX) drill

.PHONY: recovery-sheet
recovery-sheet: env ## What a rebuild needs, the key included: print it, and keep it elsewhere
	@$(CORTEX) recovery-sheet

##@ Coming from a stock Chroma

.PHONY: import
import: env ## Take over a Chroma: FROM=directory, volume:NAME or http://host:port (FORCE=1, TOKEN=1)
	@$(CORTEX) import --from "$(FROM)" $(if $(FORCE),--force) $(if $(TOKEN),--token)

##@ Taking it down

.PHONY: down
down: env ## Stop the stack; data, secrets and settings stay
	@$(CORTEX) down

.PHONY: destroy
destroy: env ## Remove everything but the store and its backups, after a last base
	@$(CORTEX) destroy

.PHONY: purge
purge: env ## Remove the stack with its store; backups stay; asks for the stack's name
	@$(CORTEX) purge $(if $(CONFIRM),--confirm $(CONFIRM))

.PHONY: clean
clean: ## Remove what was made inside the checkout; stacks, state and caches stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Setting the machine up

.PHONY: doctor
doctor: env ## What is there, what is missing, what to do
	@.venv/bin/python -m tools doctor

.PHONY: env
env:
	@tools/bootstrap.sh

.PHONY: dev-env
dev-env:
	@tools/bootstrap.sh dev

.PHONY: bench-env
bench-env:
	@tools/bootstrap.sh bench

##@ Testing

.PHONY: test
test: dev-env ## Lint, types, unit tests and the tests on real Docker
	@.venv/bin/python -m tools up
	@$(MAKE) --no-print-directory lint
	@$(PYTEST) -m "not full" --durations=20

.PHONY: test-fast
test-fast: dev-env lint ## Lint, types and pure code only: no Docker, no servers, under a minute
	@$(PYTEST) -m "not full and not docker and not process" --durations=20

.PHONY: test-full
test-full: dev-env ## Everything, the long matrices included
	@.venv/bin/python -m tools up
	@$(MAKE) --no-print-directory lint
	@$(PYTEST) --durations=20

.PHONY: lint
lint: dev-env
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy

.PHONY: torture
torture: dev-env ## Kill servers under load, guarded and stock, and count what is lost (KILLS=200)
	@.venv/bin/python -m tests.recovery.torture --kills $(KILLS) $(if $(SEED),--seed $(SEED))

.PHONY: faults
faults: dev-env ## Make every known fault happen, and write docs/faults.md
	@.venv/bin/python -m tests.recovery.fault_table

.PHONY: churn
churn: bench-env ## Create and delete for long, guarded and stock; writes docs/figures/churn.svg
	@.venv/bin/python -m tests.bench.churn

.PHONY: bench-guard
bench-guard: dev-env ## What the guard, the kept log and its journal cost, as ratios in one run
	@.venv/bin/python -m tests.bench.guard $(if $(VECTORS),--vectors $(VECTORS)) $(if $(REST_S),--rest-s $(REST_S))

.PHONY: bench-deploy
bench-deploy: dev-env ## `up` and no-op preview against plain Docker and the bare CLI, as ratios
	@.venv/bin/python -m tools up
	@.venv/bin/python -m tests.bench.deploy

.PHONY: bench-continuity
bench-continuity: dev-env ## Updates, restarts and kills of a stack under load, and how many requests failed
	@.venv/bin/python -m tools up
	@.venv/bin/python -m tests.bench.continuity

.PHONY: bench-gateway
bench-gateway: dev-env ## Native queries and inserts through the gateway against Chroma itself, as ratios
	@.venv/bin/python -m tests.bench.gateway $(if $(SLOTS),--slots $(SLOTS))

.PHONY: bench-recovery
bench-recovery: dev-env ## Everything killed at once, and how much is lost, how soon it serves, what backups cost (ROUNDS=20)
	@.venv/bin/python -m tools up
	@.venv/bin/python -m tests.bench.recovery $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SIZES),--sizes $(SIZES)) \
	$(if $(SEED),--seed $(SEED)) $(if $(TARGET),--target $(TARGET))

##@ Help

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

SIZE_KEYS := VECTORS MODEL DIMENSIONS COLLECTIONS DOCUMENT_BYTES METADATA_BYTES BATCH_ROWS UPDATES_PER_DAY \
	GROWTH_PERCENT_PER_MONTH HORIZON_MONTHS

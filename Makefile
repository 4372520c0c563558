# One command each. `make run` needs Python 3.11 to 3.13 and make; everything else it installs into .venv.
#
#   make run           start Orrery        PORT=8001 ORRERY_HOME=/elsewhere WORKERS=4 TURNS=tasks HOST=0.0.0.0
#   make test          all tests           ARGS="-k inbox" for some of them
#   make check         ruff, mypy, import contracts
#   make bench         every figure that we claim
#   make screenshots   the page in all its states, as files

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv/bin
export PORT TLS_PORT HOST ORRERY_HOME WORKERS TURNS ORRERY_LAB DATABASE_URL REDIS_URL
unexport MAKEFLAGS MAKELEVEL

.PHONY: run test check bench screenshots runtime development system

run: runtime
	@exec $(VENV)/python -m dashboard

runtime:
	@$(PYTHON) tools/setup_venv.py requirements.txt

development:
	@$(PYTHON) tools/setup_venv.py requirements-dev.txt

system:
	@tools/system_packages.sh

test: development system
	$(VENV)/python -m pytest -n 2 --dist loadscope $(ARGS)

check: development
	$(VENV)/ruff check .
	$(VENV)/mypy cluster dashboard
	$(VENV)/lint-imports

bench: development
	$(VENV)/python -m bench $(ARGS)

screenshots: development system
	$(VENV)/python -m tests.browser.screenshots $(ARGS)

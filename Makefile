# Everything runs in .venv, which the first target makes. TORCH_INDEX=<url> takes torch from another wheel index,
# for example https://download.pytorch.org/whl/cpu for the CPU build.
PYTHON ?= python3
BIN := .venv/bin
TORCH_INDEX ?=
DEMO := demo
BUNDLE := bundles/nlcen_jsrt
RESULTS ?= $(if $(DATA)$(SKIN),results/paper,results/phantoms)
MATRIX ?= $(if $(DATA)$(SKIN),experiments/paper.json,experiments/phantoms.json)
JOBS ?= 2
CORES ?= $(shell nproc)
PAPER_CONFIG = matrix=$(MATRIX) $(if $(DATA)$(SKIN),'data={$(if $(DATA),jsrt: $(DATA)$(COMMA)) $(if $(SKIN),isbi2016: $(SKIN))}' \
	'only=[$(if $(DATA),"jsrt-*"$(COMMA)) $(if $(SKIN),"isbi2016-*")]')
PORT ?= 5000
COMPARISON = .venv/snakemake/bin/snakemake --snakefile experiments/Snakefile --profile experiments/profiles/local \
	--directory $(RESULTS) --cores $(CORES) --set-threads cell=$$(( $(CORES) > $(JOBS) ? $(CORES) / $(JOBS) : 1 )) \
	--config $(PAPER_CONFIG)
DEMO_SETTINGS := --dataset_dir $(DEMO)/phantoms --output_dir $(DEMO)/runs --ckpt_dir $(DEMO)/models \
	--experiment_name demo --max_epochs 16 --panels 2

export MLFLOW_DISABLE_TELEMETRY := true
# MONAI warns of foreign bundles, which can run any code, at each start of these two, too
COMMA := ,
export PYTHONWARNINGS := $(if $(PYTHONWARNINGS),$(PYTHONWARNINGS)$(COMMA))ignore:parsing config_file bundles/nlcen_,ignore:parsing config_file ['bundles/nlcen_

.DEFAULT_GOAL := help
.PHONY: help environment demo paper package test check format bench ui clean lock

help:
	@echo "make demo     train NLCEN on phantoms, attack it, report how robust it is (5 to 10 minutes on two cores)"
	@echo "make paper    the paper's whole comparison on phantoms at toy size (15 minutes); DATA=data/jsrt SKIN=data/isbi2016"
	@echo "              for the real one (resumable: type it again; MINUTES=9 stops cleanly, JOBS=2 side by side)"
	@echo "make package  the bundles as zips that need nothing of this repository, with weights trained on phantoms"
	@echo "make test     the test suite     make bench   the benchmarks     make ui  the MLflow UI (PORT=5000)"
	@echo "make check    lint and types     make format  format the code    make lock  write the lock files anew"

environment: .venv/.runtime

.venv/.runtime: requirements.txt pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed; name one with PYTHON=...')"
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$$(grep '^torch==' requirements.txt)"
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@# so that bundles run from their own folder, too; setuptools is there, as torch needs it
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

.venv/.development: .venv/.runtime requirements-dev.txt
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $@

.venv/snakemake/.ready: experiments/requirements.txt | .venv/.runtime
	$(PYTHON) -m venv .venv/snakemake
	.venv/snakemake/bin/python -m pip install --quiet -r experiments/requirements.txt
	touch $@

demo: .venv/.runtime
	$(BIN)/python -m data_prep phantoms --output $(DEMO)/phantoms --count 34 --test-fraction 0.12 --seed 0
	$(BIN)/python -m monai.bundle run training --config_file $(BUNDLE)/train.json $(DEMO_SETTINGS)
	$(BIN)/python -m monai.bundle run robustness --budget quick --robustness_dir $(DEMO)/robustness \
		--config_file "['$(BUNDLE)/train.json','$(BUNDLE)/evaluate.json','bundles/robustness.json']" $(DEMO_SETTINGS)
	@echo "How robust it is: $(DEMO)/robustness/report.html. Tables and pictures: $(DEMO)/runs, or type 'make ui'."

paper: .venv/.runtime .venv/snakemake/.ready
ifeq ($(DATA)$(SKIN),)
	$(BIN)/python -m data_prep phantoms --output $(DEMO)/paper/chest --count 16 --size 96 --seed 0
	$(BIN)/python -m data_prep phantoms --kind skin --output $(DEMO)/paper/skin --count 16 --size 96 --seed 0
endif
	@mkdir -p $(RESULTS)
ifdef MINUTES
	@# timeout tells the cells, too; it has a process group of its own, which Ctrl-C does not reach without the trap
	@timeout $(MINUTES)m $(COMPARISON) & trap "kill $$!" INT TERM; \
	while wait $$!; status=$$?; kill -0 $$! 2>/dev/null; do :; done; \
	[ $$status != 124 ] || echo "The time is up. Type the same command again to go on."; exit $$status
else
	@$(COMPARISON)
endif
	@echo "Tables and figures: $(RESULTS)/summary.md"

# weights trained on phantoms, once for each package; the report is there when training and attacks are finished.
# A package with _robust in its name is trained to resist.
PACKAGED = bundles/$(patsubst %_robust,%,$*)
DEFENCE = $(if $(findstring _robust,$*),'$(PACKAGED)/defence/mixed.json'$(COMMA))
PACKAGE_SETTINGS = --dataset_dir dist/$*/phantoms --output_dir dist/$*/runs --ckpt_dir dist/$*/models \
	--experiment_name package --max_epochs $(if $(DEFENCE),32,16) --epsilons "[2.0,8.0,32.0]" --panels 0
.PRECIOUS: dist/%/robustness/report.json
dist/%/robustness/report.json: | .venv/.runtime
	$(BIN)/python -m data_prep phantoms $(if $(findstring isbi,$*),--kind skin) --output dist/$*/phantoms --count 40 --seed 0
	$(BIN)/python -m monai.bundle run training --config_file "['$(PACKAGED)/train.json',$(DEFENCE)]" $(PACKAGE_SETTINGS)
	$(BIN)/python -m monai.bundle run robustness --budget quick --robustness_dir dist/$*/robustness $(PACKAGE_SETTINGS) \
		--config_file "['$(PACKAGED)/train.json',$(DEFENCE)'$(PACKAGED)/evaluate.json','bundles/robustness.json']"

dist/%.zip: dist/%/robustness/report.json FORCE
	$(BIN)/python -m pipeline.packaging $(PACKAGED) --run "$$(ls -d dist/$*/runs/training_* | tail -n 1)" --output dist \
		--report $< --name $*

package: dist/nlcen_jsrt.zip dist/nlcen_jsrt_robust.zip dist/nlcen_isbi2016.zip

FORCE:

test: .venv/.runtime .venv/snakemake/.ready
	@# as many threads as processes: more would wait for each other
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

check: .venv/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/.development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.runtime
	$(BIN)/python -m benchmarks

ui: .venv/.runtime
	$(BIN)/python -m pipeline.tracking ui --port $(PORT)

# The versions that .venv has, which the tests ran with, with the hashes of all their files, for Python 3.11 or newer.
# TORCH_WHEELS=<folder or page> takes the CPU build of torch from there instead of https://download.pytorch.org/whl/cpu.
LOCK = $(BIN)/uv pip compile - --quiet --no-config --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make lock"
lock: .venv/.development .venv/snakemake/.ready
	$(BIN)/python -m pip freeze --exclude torch --exclude-editable > .venv/versions.txt
	$(LOCK) --constraint .venv/versions.txt --output-file locks/linux-cuda.txt < requirements.txt
	sed '/^torch==/s/$$/+cpu/' requirements.txt | $(LOCK) --constraint .venv/versions.txt \
		--output-file locks/linux-cpu.txt $(if $(TORCH_WHEELS),--find-links $(TORCH_WHEELS),--torch-backend cpu)
	.venv/snakemake/bin/python -m pip freeze > .venv/snakemake/versions.txt
	$(LOCK) --constraint .venv/snakemake/versions.txt --output-file locks/snakemake.txt < experiments/requirements.txt

clean:
	rm -rf $(DEMO) build dist .pytest_cache .mypy_cache .ruff_cache

# `make demo` and `make test` are all the set-up there is; each makes what it needs and is quick the second time.

PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
OUT    := out/demo
BUNDLE ?= $(OUT)/bundle
DATA   ?= builtin:factory
VARIANT ?= int8-dynamic
TEXTS  ?= 50000
PICTURE ?= docs/report.png
RESULTS ?= $(OUT)/bench.json
BOUNDS ?=
BENCH_PICTURE ?= docs/bench.png
CHROMIUM ?= chromium
PLATFORM ?=
PYTHON_VERSION ?= 3.11
EXTRAS ?= serve,mqtt
CONSTRAINTS ?= constraints.txt
TARGET ?= cpu
DRAW   = $(CHROMIUM) --headless --no-sandbox --disable-gpu --hide-scrollbars

# On x86-64 Linux the package index's own build of torch carries several gigabytes of CUDA, so only a CPU build is
# taken unless you say otherwise. On a GPU machine: make TORCH=torch==2.13.0 demo
ifeq ($(shell uname -sm),Linux x86_64)
TORCH ?= torch==2.13.0+cpu
else
TORCH ?= torch==2.13.0
endif

# One worker for each core, each with one thread; conftest.py says which tests run beside each other
BESIDE := OMP_NUM_THREADS=1
SPREAD := -n auto --dist loadscope --no-loadscope-reorder

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: help demo picture report-picture bench-picture test lint test-slow test-matrix test-arm64 test-nvidia test-cluster test-ops test-optimum test-trust ops bench-runtime bench-mqtt bench-mqtt-bounds bench-serve bench-serve-bounds serve-picture wheels release-check device-folder image test-device clean

help: ## Show the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.ready ## Fine-tune, export, check and run on the built-in factory data
	$(BIN)/python examples/demo.py $(OUT)

# Chromium draws the picture that the demo wrote as SVG
picture: demo ## The README's picture of the demo's output
	$(DRAW) --window-size=1400,630 --screenshot=$(abspath docs/demo.png) file://$(abspath $(OUT))/demo.svg

report-picture: ## A picture of a bundle's report: make report-picture BUNDLE=out/bundle
	@test -f "$(BUNDLE)/report.html" || { echo "$(BUNDLE) has no report.html; make one with: edgener export" >&2; exit 2; }
	$(DRAW) --window-size=1200,1500 --screenshot=$(abspath $(PICTURE)) file://$(abspath $(BUNDLE))/report.html

bench-picture: $(VENV)/.ready ## A picture of the benchmark page: make bench-picture RESULTS="results/*.json" BOUNDS="--max-p99 20"
	@mkdir -p "$(OUT)"
	$(BIN)/edgener report $(RESULTS) $(BOUNDS) --html > "$(OUT)/bench.html"
	$(DRAW) --window-size=1200,1500 --screenshot=$(abspath $(BENCH_PICTURE)) file://$(abspath $(OUT)/bench.html)

test: lint ## Lint, type-check and run both test suites
	$(BESIDE) $(BIN)/python -m pytest $(SPREAD)

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-slow: $(VENV)/.ready ## BERT-base through every builder, each in less than 8 GB of memory
	$(BIN)/python -m pytest -m "slow and not environment"

test-matrix: $(VENV)/.ready ## The runtime's wheel on old and new Pythons and onnxruntimes; variants on the oldest
	tools/test_matrix.sh
	$(BIN)/python -m pytest -m environment tests/exporters/test_oldest_runtime.py

test-arm64: $(VENV)/.ready ## The runtime's suite and answers on arm64, emulated by qemu
	tools/test_arm64.sh

test-nvidia: $(VENV)/.ready ## NVIDIA's real packages on a machine without a GPU: what is there, built, and refused
	tools/test_nvidia.sh

test-cluster: $(VENV)/.ready ## The examples for clusters on Ray, Dask and Spark, two workers each on this machine
	tools/test_cluster.sh

ops: $(VENV)/.ready ## The operators for int8-native, compiled into the environment; needs a C++17 compiler
	$(BIN)/python -m pip install --quiet --no-deps ./runtime/ops

test-ops: $(VENV)/.ready ## The operators: every instruction set, sanitizers, fuzzing, arm64 under qemu, old and new onnxruntime
	tools/test_ops.sh

test-trust: $(VENV)/.ready ## Bundles under attack, kills, power cuts and full disks, with counts of each
	tools/test_trust.sh

test-optimum: .venv-optimum/.ready ## The build side on transformers 4.57 with optimum's exporter
	$(BESIDE) .venv-optimum/bin/python -m pytest $(SPREAD) -m "compat and not slow" tests

bench-runtime: $(VENV)/.ready ## Size, cold start and soak against what is promised: make bench-runtime BUNDLE=...
	$(BIN)/python benchmarks/runtime/run.py $(BUNDLE) --variant $(VARIANT) --texts $(TEXTS) --out out/bench-runtime.json

$(VENV)/.ready: pyproject.toml runtime/pyproject.toml constraints.txt encoders.txt tools/make_venv.sh
	tools/make_venv.sh $(VENV) "$(PYTHON)" "$(TORCH)" constraints.txt .

.venv-optimum/.ready: pyproject.toml runtime/pyproject.toml constraints-optimum.txt encoders.txt tools/make_venv.sh
	tools/make_venv.sh .venv-optimum "$(PYTHON)" "$(TORCH)" constraints-optimum.txt ".[optimum]"

bench-mqtt: $(VENV)/.ready ## 10,000 MQTT messages while broker and bridge are harmed: make bench-mqtt BUNDLE=out/bundle
	$(BIN)/python benchmarks/mqtt_chaos.py $(BUNDLE) --data $(DATA) --out out/bench-mqtt.json

bench-mqtt-bounds: $(VENV)/.ready ## Hostile messages, a stop and a second bridge: make bench-mqtt-bounds BUNDLE=out/bundle
	$(BIN)/python benchmarks/mqtt_bounds.py $(BUNDLE) --out out/bench-mqtt-bounds.json

.PHONY: bench-bulk
bench-bulk: $(VENV)/.ready ## Bulk tagging beside bare onnxruntime, memory, kills: make bench-bulk BUNDLE=out/bundle TEXTS=1000000
	$(BIN)/python benchmarks/bulk.py "$(BUNDLE)" --variant "$(VARIANT)" --texts $(TEXTS) --out out/bench-bulk.json

bench-serve-bounds: $(VENV)/.ready ## Idle connections, unfinished bodies, a long request and a model that hangs: make bench-serve-bounds BUNDLE=out/bundle
	$(BIN)/python benchmarks/serve_bounds.py $(BUNDLE) --out out/bench-serve-bounds.json

bench-serve: $(VENV)/.ready ## Load a server, restart it in the middle: make bench-serve BUNDLE=out/bundle DATA=conll2003
	$(BIN)/python benchmarks/serve_load.py "$(BUNDLE)" --data "$(DATA)" --out out/bench-serve.json

.PHONY: bench-store
bench-store: $(VENV)/.ready ## Activations and rollbacks under load, over HTTP and MQTT: make bench-store BUNDLE=out/bundle
	$(BIN)/python benchmarks/store_load.py "$(BUNDLE)" --out out/bench-store.json

serve-picture: $(VENV)/.ready ## A picture of the server's page: make serve-picture BUNDLE=out/bundle
	$(BIN)/python tools/serve_picture.py "$(BUNDLE)" docs/serve.png "$(CHROMIUM)"

wheels: $(VENV)/.ready ## Wheels and source distributions of edgener and edgener-runtime, wheels of edgener-ops, in dist/
	rm -rf dist
	tools/make_wheels.sh $(BIN)/python dist
	tools/ops/wheel.sh x86_64 dist
	tools/ops/wheel.sh aarch64 dist

# BUNDLE only where it was asked for
device-folder: $(VENV)/.ready ## The runtime in a folder for a device without pip: make device-folder PLATFORM=linux-aarch64 [BUNDLE=...]
	@$(BIN)/python -m tools.device_folder --platform "$(PLATFORM)" --python-version "$(PYTHON_VERSION)" \
	    --extras "$(EXTRAS)" --constraints "$(CONSTRAINTS)" --bundle "$(if $(filter file,$(origin BUNDLE)),,$(BUNDLE))"

image: ## A container image: make image TARGET=cpu|cuda|jetpack6|jetpack7 [BUNDLE=...]
	@tools/make_image.sh "$(TARGET)" "$(if $(filter file,$(origin BUNDLE)),,$(BUNDLE))"

test-device: $(VENV)/.ready ## The device folder in empty root folders (arm64 by qemu), and the image for CPUs in podman
	tools/test_device.sh

release-check: wheels ## Is this ready for a release? Versions, changelog, files, and clean installs of each wheel and sdist
	$(BIN)/python tools/release_check.py --dist dist
	$(BIN)/python -m pytest -m install

.PHONY: docs
docs: .venv-docs/.ready ## The documentation as a site in out/site; a broken link or page is an error
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet

.venv-docs/.ready: tools/docs/requirements.txt
	"$(PYTHON)" -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --requirement tools/docs/requirements.txt
	touch $@

.PHONY: locks audit
locks: .venv-locks/.ready ## The lock files with hashes, locks/device.txt and locks/release.txt, after a change of versions
	tools/locks/make.sh .venv-locks/bin/uv locks

audit: .venv-locks/.ready ## Known vulnerabilities in what the lock files pin; 3: there are some, 4: no database answered
	.venv-locks/bin/python -m tools.locks.audit .venv-locks/bin/pip-audit locks/device.txt locks/release.txt

.venv-locks/.ready: tools/locks/requirements.txt
	"$(PYTHON)" -m venv .venv-locks
	.venv-locks/bin/python -m pip install --quiet --requirement tools/locks/requirements.txt
	touch $@

clean: ## Remove environments, caches and outputs
	rm -rf .venv .venv-optimum .venv-docs .venv-locks .cache out dist

.PHONY: bench-native
bench-native: $(VENV)/.ready ops ## int8-native beside the stock variants: make bench-native BUNDLE=out/bundle CHECKPOINT=out/checkpoint DATA=conll2003
	$(BIN)/python -m benchmarks.native "$(BUNDLE)" --data "$(DATA)" $(if $(CHECKPOINT),--checkpoint "$(CHECKPOINT)") \
	    $(if $(ONLY),--only "$(ONLY)") $(if $(QUICK),--quick) --out out/bench-native.json

.PHONY: bench-peers
bench-peers: $(VENV)/.ready ## The same model in other engines: make bench-peers CHECKPOINT=out/checkpoint BUNDLE=out/bundle DATA=conll2003
	benchmarks/peers/make_envs.sh .cache/peers/envs "$(PYTHON)" "$(TORCH)"
	$(BIN)/python -m benchmarks.peers "$(CHECKPOINT)" "$(BUNDLE)" --data "$(DATA)" \
	    --out benchmarks/results/peers/$(notdir $(CHECKPOINT)).json

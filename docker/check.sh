#!/bin/bash
# Build the image and try it: a demo, logged to the container's own MLflow server over loopback, evaluating, inferring, the
# cells of paper, a bundle from its own folder; then build the image with the tests, and run them in it. With Docker, or
# with buildah where there is no Docker engine (as root). From the repository's root:
#
#   docker/check.sh [BASE_IMAGE [LOCK]]
#
# LOCK is the file of locks/ to install from, such as locks/linux-cpu.txt for torch's CPU build, which needs
# PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu and a base with Python 3.11 on x86-64, such as debian:12.
# Nothing of it needs a GPU; with one, `docker run --gpus all nlcen:check demo` is the rest.
set -euo pipefail
base=${1:-nvidia/cuda:13.0.1-base-ubuntu24.04}
lock=${2:-locks/linux-cuda.txt}
commit=$(git describe --always --abbrev=40 --exclude '*' --dirty=+dirty)
work=$(mktemp --directory)
store=http://127.0.0.1:5055
server=""
container=""
finish() {
    # the server's whole group: it is a child of what was started
    if [ -n "$server" ] && kill -- "-$server" 2>/dev/null; then wait "$server" || true; fi
    [ -z "$container" ] || buildah rm "$container" >/dev/null
}
trap finish EXIT
if curl --silent --output /dev/null "$store"; then
    echo "error: Something answers at $store already; end it first." >&2
    exit 1
fi
arguments=(--build-arg "BASE_IMAGE=$base" --build-arg "LOCK=$lock" --build-arg "COMMIT=$commit")
arguments+=(--build-arg PIP_EXTRA_INDEX_URL --file docker/Dockerfile)

if docker info >/dev/null 2>&1; then
    build() { docker build "${arguments[@]}" --target "$1" --tag "nlcen:$2" . && image=nlcen:$2; }
    inside() { docker run --rm --network host --env DEVICE --env MLFLOW_TRACKING_URI --volume "$work:/output" "$image" "$@"; }
elif command -v buildah >/dev/null; then
    export BUILDAH_ISOLATION=chroot
    build() {
        buildah build "${arguments[@]}" --layers --target "$1" --tag "nlcen:$2" .
        [ -z "$container" ] || buildah rm "$container" >/dev/null
        container=$(buildah from "nlcen:$2")
    }
    inside() {
        # a host name that has an address: torchrun asks for its own, and chroot isolation gives the container's none
        buildah run --user 1000:1000 --hostname localhost --env "DEVICE=${DEVICE:-}" \
            --env "MLFLOW_TRACKING_URI=${MLFLOW_TRACKING_URI:-}" \
            --volume "$work:/output" "$container" -- /opt/nlcen/docker/entrypoint.sh "$@"
    }
else
    echo "error: No Docker engine answers, and there is no buildah; start the one or install the other." >&2
    exit 1
fi
build program check
chmod 777 "$work"

echo "== without a GPU it says so"
if message=$(inside training 2>&1); then
    echo "training began without a GPU" >&2
    exit 1
fi
grep --quiet "^error: No GPU is visible in this container. " <<<"$message"

echo "== a demo on the CPU, logged to the container's own MLflow server"
export DEVICE=cpu
set -m # the server gets a process group of its own
inside shell mlflow server --host 127.0.0.1 --port 5055 --backend-store-uri sqlite:////output/mlflow.db \
    --artifacts-destination /output/artifacts --serve-artifacts >"$work/server.log" 2>&1 &
server=$!
set +m
for _ in $(seq 90); do
    curl --silent --fail $store/health >/dev/null && break
    sleep 1
done
settings=(--image_size '[64,64]' --epsilons '[1.0]' --progress False)
MLFLOW_TRACKING_URI=$store inside demo --max_epochs 1 "${settings[@]}"
grep --quiet "\"commit\": \"${commit%+dirty}\"" "$work"/runs/*/result.json
test -s "$work/models/model.pt"
curl --silent --fail --json '{"experiment_ids": ["1"]}' $store/api/2.0/mlflow/runs/search |
    grep --quiet '"status": *"FINISHED"'

echo "== evaluating, inferring, paper"
inside evaluating --dataset_dir /output/phantoms "${settings[@]}"
inside inferring --dataset_dir /output/phantoms/images --image_size '[64,64]' --progress False
test "$(find "$work/inference" -name '*_mask.png' | wc -l)" = 40
inside shell sh -c 'cd /opt/nlcen && /opt/snakemake/bin/snakemake --snakefile experiments/Snakefile \
    --profile experiments/profiles/local --directory /output/results --dry-run --quiet host \
    --config matrix=experiments/paper.json "data={jsrt: /output/phantoms}" "only=[jsrt-unet-seed0]"' >"$work/cells.txt"
grep --quiet "jsrt-unet-seed0" "$work/cells.txt"

echo "== a bundle from its own folder"
inside shell sh -c 'cd /opt/nlcen/bundles/nlcen_jsrt && python -m monai.bundle run inferring \
    --config_file configs/inference.json --dataset_dir /output/phantoms/images --output_dir /output/again \
    --ckpt_path /output/models/model.pt --image_size "[64,64]" --progress False'
diff <(cd "$work/inference" && sha256sum -- *_mask.png) <(cd "$work/again" && sha256sum -- *_mask.png)

echo "== the tests, which the image leaves out"
inside shell test ! -e /opt/nlcen/tests
build test check-test
inside shell python -m pytest -q -p no:cacheprovider -n "$(nproc)" "${TESTS:-tests}"
echo "== done"

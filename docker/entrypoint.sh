#!/bin/bash
# What the container does. Data is read from /data, everything that is made goes to /output.
set -euo pipefail

help() {
    cat <<'TEXT'
training    train, attack and track the network on /data; further arguments are settings, such as --max_epochs 30
evaluating  attack the weights /output/models/model.pt again
inferring   segment the pictures in /data
paper       the paper's whole comparison on /data; further arguments as of snakemake
demo        the same as training, on phantoms
shell       a shell, or the program that is named
Variables: BUNDLE (nlcen_jsrt or nlcen_isbi2016), MLFLOW_TRACKING_URI, PROCESSES (one for each GPU; not of inferring),
           DEVICE=cpu
TEXT
}

need_gpu() {
    if [ "${DEVICE:-gpu}" = cpu ]; then
        export CUDA_VISIBLE_DEVICES=
        return
    fi
    python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null || {
        echo "error: No GPU is visible in this container. Start it with --gpus all (this needs the NVIDIA Container" \
            "Toolkit), or with -e DEVICE=cpu to go on with the CPU, which takes hours instead of minutes." >&2
        exit 1
    }
}

# MONAI warns of foreign bundles, which can run any code, at each start of those in the image, too
for start in "" "['"; do
    PYTHONWARNINGS=${PYTHONWARNINGS:+$PYTHONWARNINGS,}"ignore:parsing config_file ${start}bundles/nlcen_"
done
export PYTHONWARNINGS

bundle=bundles/${BUNDLE:-nlcen_jsrt}
places=(--output_dir /output/runs --ckpt_dir /output/models --tracking_uri sqlite:////output/mlruns.db)

run() { # run ID FILES SETTINGS...
    local id=$1 files=$2
    shift 2
    if [ "${PROCESSES:-1}" -gt 1 ]; then
        exec torchrun --standalone --nproc_per_node "$PROCESSES" -m monai.bundle run "$id" \
            --config_file "[$files,'$bundle/multi_gpu_train.json']" "${places[@]}" "$@"
    fi
    exec python -m monai.bundle run "$id" --config_file "[$files]" "${places[@]}" "$@"
}

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
    training)
        need_gpu
        run training "'$bundle/train.json'" --dataset_dir /data "$@"
        ;;
    evaluating)
        need_gpu
        run evaluating "'$bundle/train.json','$bundle/evaluate.json'" --dataset_dir /data "$@"
        ;;
    inferring)
        need_gpu
        exec python -m monai.bundle run inferring --config_file "$bundle/inference.json" --dataset_dir /data \
            --output_dir /output/inference --ckpt_path /output/models/model.pt "$@"
        ;;
    paper)
        need_gpu
        # as for the others; the cells' own default lies in the image
        export MLFLOW_TRACKING_URI=${MLFLOW_TRACKING_URI:-sqlite:////output/mlruns.db}
        case ${BUNDLE:-nlcen_jsrt} in nlcen_isbi2016) data=isbi2016 ;; *) data=jsrt ;; esac
        mkdir --parents /output/results
        exec /opt/snakemake/bin/snakemake --snakefile experiments/Snakefile --profile experiments/profiles/local \
            --directory /output/results "$@" --config matrix=experiments/paper.json "processes=${PROCESSES:-1}" \
            "data={$data: /data}" "only=[\"$data-*\"]"
        ;;
    demo)
        need_gpu
        python -m data_prep phantoms --output /output/phantoms --count 40 --seed 0
        run training "'$bundle/train.json'" --dataset_dir /output/phantoms --experiment_name demo --max_epochs 16 \
            --panels 2 "$@"
        ;;
    shell)
        exec "${@:-bash}"
        ;;
    help | --help | -h)
        help
        ;;
    *)
        echo "error: There is no command '$command'; there are:" >&2
        help >&2
        exit 2
        ;;
esac

#!/bin/bash
# Segment pictures by MONAI Deploy's bundle operator (app.py) with a packaged bundle, from its folder and from its TorchScript,
# and compare every mask with the bundle's own. From the repository's root, with an environment of install.sh:
#
#   integrations/monai_deploy/try.sh ENVIRONMENT dist/nlcen_jsrt.zip FOLDER_OF_PICTURES
set -euo pipefail
usage="usage: try.sh ENVIRONMENT BUNDLE_ZIP FOLDER_OF_PICTURES"
environment=$(realpath --canonicalize-existing "${1:?$usage}")
if [ ! -e "$environment/bin/python" ]; then
    echo "error: $environment is no environment with what is needed; make it by integrations/monai_deploy/install.sh." >&2
    exit 1
fi
zip=$(realpath --canonicalize-existing "${2:?$usage}")
HOLOSCAN_INPUT_PATH=$(realpath --canonicalize-existing "${3:?$usage}")
export HOLOSCAN_INPUT_PATH
name=$(basename "$zip" .zip)
here=$(realpath "$(dirname "$0")/..")
python=$(realpath --no-symlinks .venv/bin/python)
work=$(mktemp --directory)
ulimit -s 32768 # what Holoscan wants
cd "$work"
"$python" -m zipfile -e "$zip" .
cd "$name"
"$python" -m monai.bundle run inferring --config_file configs/inference.json --dataset_dir "$HOLOSCAN_INPUT_PATH" \
    --output_dir "$work/reference" --original_names True --progress False >"$work/bundle.log"
"$python" -m monai.bundle ckpt_export --net_id network_def --filepath "$work/model.ts" --ckpt_file models/model.pt \
    --meta_file configs/metadata.json --config_file configs/inference.json >"$work/export.log"
cd "$work"
for model in "$work/$name" "$work/$name/models/model.ts"; do
    # of a folder the operator takes model.ts before model.pt
    case $model in *.ts) mv model.ts "$model" ;; esac
    HOLOSCAN_OUTPUT_PATH=$work/result/$(basename "$model") HOLOSCAN_MODEL_PATH=$model \
        "$environment/bin/python" "$here/monai_deploy/app.py" >"$(basename "$model").log" 2>&1 ||
        { echo "error: The application failed, see $work/$(basename "$model").log." >&2; exit 1; }
    echo "== $(basename "$model")"
    "$python" "$here/compare_masks.py" reference "result/$(basename "$model")"
done

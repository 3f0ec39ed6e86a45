#!/bin/bash
# Segment pictures through the REST API of a MONAI Label server that runs a packaged bundle, and compare every mask with the
# bundle's own. Pictures in subfolders are left out: the server does not look there. From the repository's root, with an
# environment of install.sh:
#
#   integrations/monai_label/try.sh ENVIRONMENT dist/nlcen_jsrt.zip FOLDER_OF_PICTURES
set -euo pipefail
usage="usage: try.sh ENVIRONMENT BUNDLE_ZIP FOLDER_OF_PICTURES"
environment=$(realpath --canonicalize-existing "${1:?$usage}")
if [ ! -e "$environment/monailabel" ]; then
    echo "error: $environment is no environment with what is needed; make it by integrations/monai_label/install.sh." >&2
    exit 1
fi
zip=$(realpath --canonicalize-existing "${2:?$usage}")
pictures=$(realpath --canonicalize-existing "${3:?$usage}")
name=$(basename "$zip" .zip)
here=$(realpath "$(dirname "$0")/..")
python=$(realpath --no-symlinks .venv/bin/python)
url=http://127.0.0.1:${PORT:-8123}
work=$(mktemp --directory)
cd "$work"
mkdir result
cp -r "$environment/monailabel/sample-apps/monaibundle" app
mkdir app/model
"$python" -m zipfile -e "$zip" app/model
mkdir studies
find "$pictures" -maxdepth 1 -type f -exec cp --target-directory studies {} +

# ngc: with another source of bundles than GitHub, the server asks none for one that is there already
PATH=$environment/bin:$PATH MONAI_LABEL_DATASTORE_FILE_EXT='["*.nii.gz","*.nii","*.jpg","*.jpeg","*.png","*.dcm"]' \
    monailabel start_server --app app --studies studies --conf models "$name" --conf zoo_source ngc --conf sam2 false \
    --conf skip_trainers true --host 127.0.0.1 --port "${url##*:}" >server.log 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
for _ in $(seq 150); do
    curl --silent --fail --output info.json "$url/info/" && break
    kill -0 $server || { echo "error: The server did not start, see $work/server.log." >&2; exit 1; }
    sleep 2
done
grep --quiet "\"$name\"" info.json
# the server's names of the pictures: without ending
images=$(curl --silent --fail "$url/datastore/?output=all" |
    "$python" -c 'import json, sys; print(*json.load(sys.stdin)["objects"], sep="\n")')
for image in $images; do
    endings=".nii.gz .png"
    # as PNG the mask of a NIfTI comes in the axes of the file, the bundle's the right way up
    if compgen -G "studies/$image.nii*" >/dev/null; then endings=.nii.gz; fi
    for ending in $endings; do
        answer=$(curl --silent --show-error --fail \
            --output "result/${image}_mask$ending" --write-out '%{http_code} %{content_type}, %{size_download} bytes' \
            --request POST "$url/infer/$name?image=$image&output=image" \
            --form "params={\"result_extension\":\"$ending\",\"result_dtype\":\"uint8\"}")
        echo "POST /infer/$name?image=$image&output=image, $ending: $answer"
    done
done
kill $server

(cd "app/model/$name" && "$python" -m monai.bundle run inferring --config_file configs/inference.json \
    --dataset_dir "$work/studies" --output_dir "$work/reference" --original_names True --progress False) >bundle.log
for image in $images; do
    if [ ! -e "result/${image}_mask.png" ]; then rm "reference/${image}_mask.png"; fi
done
"$python" "$here/compare_masks.py" reference result

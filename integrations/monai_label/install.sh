#!/bin/bash
# An environment of MONAI Label with what the bundles import: integrations/monai_label/install.sh FOLDER
set -euo pipefail
python3 -m venv "${1:?usage: install.sh FOLDER}"
# torch===: the CUDA build, which runs on the CPU, too: beside torch's CPU build PyPI's torchvision does not load
"$1/bin/pip" install torch===2.13.0 torchvision==0.28.0 monai==1.6.1 monailabel==0.8.5
# a second step, which pip warns of: packages of MONAI Label say numpy<2, ours need numpy>=2
"$1/bin/pip" install numpy==2.4.6 highdicom==0.28.2 pylibjpeg==2.1.0 pylibjpeg-openjpeg==2.6.0 safetensors==0.8.0
# pydicom-seg 0.4.1 imports a private module of pydicom 2
sed -i 's/pydicom\._storage_sopclass_uids/pydicom.uid/' "$1"/lib/python3*/site-packages/pydicom_seg/{reader,segmentation_dataset}.py

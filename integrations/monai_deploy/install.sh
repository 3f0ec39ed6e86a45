#!/bin/bash
# An environment of the MONAI Deploy App SDK with what the bundles import: integrations/monai_deploy/install.sh FOLDER
set -euo pipefail
python3 -m venv "${1:?usage: install.sh FOLDER}"
"$1/bin/pip" install monai-deploy-app-sdk==4.0.0 torch==2.13.0 monai==1.6.1 nibabel==5.4.2 scikit-image==0.26.0 \
    pytorch-ignite==0.5.5 fire==0.7.1 highdicom==0.28.2 pydicom==3.0.2 pylibjpeg==2.1.0 pylibjpeg-openjpeg==2.6.0 \
    safetensors==0.8.0 tqdm==4.70.1

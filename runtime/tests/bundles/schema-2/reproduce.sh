#!/bin/sh
# Makes this bundle again and compares: sh reproduce.sh CHECKPOINT DATA OUT
# with Python 3.11.7 and: pip install edgener==0.1.0 torch==2.13.0 transformers==5.24.0 tokenizers==0.23.3 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
# The hashes of the checkpoint and of the data it was made from stand in manifest.json under provenance.
set -eu
bundle=$(dirname "$0")
checkpoint=${1:?name the checkpoint} data=${2:-builtin:factory} out=${3:?name the folder to write}
edgener export "$checkpoint" --data "$data" --out "$out" --max-f1-drop 0.02
cmp "$out/manifest.json" "$bundle/manifest.json"
echo "the same, byte for byte"

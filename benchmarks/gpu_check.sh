#!/usr/bin/env bash
# What is to be seen on a machine with a GPU, in some minutes: `bash benchmarks/gpu_check.sh [DIR]`.
# Needs the models, a checkout with the tests' packages and cinescrub[gpu] instead of [cpu]
# (benchmarks/README.md). Each step is told and none stops the next.
set -u
cd "$(dirname "$0")/.."
out=${1:-gpu-check}
mkdir -p "$out"

step() { # name, command: its output goes to a file of that name
  local start=$SECONDS name=$1
  shift
  "$@" > "$out/$name.txt" 2>&1
  echo "$name: exit $?, $((SECONDS - start)) s"
}

nvidia-smi > "$out/machine.txt" 2>&1
step export-fp16 cinescrub export all --precision fp16
step tests python -m pytest -q -m gpu
step providers timeout 240 python benchmarks/providers.py --providers cpu cuda --sizes 640x480 \
  --frames 1 4 --lines 1 16 --repeats 10 --budget 3 --cine-sizes 640x480 --cine-repeats 2 \
  --json "$out/providers.json"

python - "$out" << 'PY'
import sys
from pathlib import Path

from cinescrub.testing import CineSpec, Syntax, make_cine

folder = Path(sys.argv[1]) / "in"
folder.mkdir(exist_ok=True)
for seed in range(4):
    spec = CineSpec(seed=seed, frames=30, rows=480, columns=640, syntax=Syntax.JPEG_BASELINE)
    make_cine(spec, folder / f"{seed}.dcm")
PY
run() { # name, options: outputs of equal names are compared with those of the first
  local name=$1
  shift
  step "run-$name" timeout 240 cinescrub run "$out/in" --out "$out/$name" --key "$out/key" \
    --report "$out/$name.jsonl" "$@"
  [ "$name" = cuda ] || { diff -rq "$out/cuda" "$out/$name" > /dev/null &&
    echo "  the same bytes as cuda"; }
}
run cuda --provider cuda --precision fp32
run again --provider cuda --precision fp32
run joined --provider cuda --precision fp32 --jobs 4
run graphs --provider cuda --precision fp32 --cuda-graphs
run half --provider cuda --precision fp16
run limited --provider cuda --precision fp32 --gpu-memory-mib 2048
# Compiles in the first run (cut off after 240 s), takes what it kept in the second. Needs TensorRT's libraries.
run tensorrt --provider tensorrt --precision fp32
run tensorrt-again --provider tensorrt --precision fp32

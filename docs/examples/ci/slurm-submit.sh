#!/bin/bash
# Submits both, and ends as the merge ends.
set -euo pipefail
examples=$(dirname "$0")
array=$(sbatch --parsable "$examples/slurm-share.sh")
exec sbatch --wait --dependency="afterany:$array" "$examples/slurm-merge.sh"

#!/bin/bash
#SBATCH --job-name=raml-eval
#SBATCH --array=1-4
#SBATCH --gpus-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@180
# Draws one of 4 shards. The options of `raml-eval run` follow the script's name; the 4 here is that of --array.
set -eu
exec raml-eval run "$@" --shard "$SLURM_ARRAY_TASK_ID/4" --quiet

#!/bin/bash
#SBATCH --job-name=sandproof-share
#SBATCH --array=0-3
#SBATCH --requeue
# One share of a plan for each task of the array. A task that is requeued, because it was killed or its node went away, is the
# same share once more, beside what is left of the attempt before.
exec sandproof run --plan plans/quickstart --shard auto --out "shards/$SLURM_ARRAY_TASK_ID"

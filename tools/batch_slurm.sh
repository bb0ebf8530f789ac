#!/bin/sh
#SBATCH --job-name=lory-batch
#SBATCH --array=1-8
#SBATCH --cpus-per-task=4
#SBATCH --output=lory-batch-%A-%a.log
#SBATCH --requeue
# batch_slurm.sh IN OUT [OPTIONS] - one shard of lory batch for each task of a Slurm job array:
#     sbatch --wait --array=1-40 tools/batch_slurm.sh in.jsonl out.jsonl -m model.gguf
#     tools/batch_join.sh 40 in.jsonl out.jsonl
# A task that is requeued or submitted again goes on where it was. $LORY is the program (lory).
set -eu
in=$1 out=$2
shift 2
exec "${LORY:-lory}" batch -i "$in" -o "$out.$SLURM_ARRAY_TASK_ID" --resume \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" -t "${SLURM_CPUS_PER_TASK:-1}" "$@"

# A cluster of one machine, of this folder's own: munged, slurmctld, slurmd, and an array of 3 tasks.
for program in munged slurmctld slurmd sbatch sinfo mungekey; do
    PATH=$PATH:/usr/sbin command -v $program > /dev/null || exit 77
done
test "$(id -u)" = 0 || exit 77 # slurmd starts tasks as their users
case $LORY in *emulated) exit 77 ;; esac
test -z "${TEST_SLOW-}" || exit 77
PATH=$PATH:/usr/sbin
tools=$VECTORS/../../tools dir=$PWD host=$(hostname -s)
base=$((20000 + $$ % 20000)) # ports
mkdir state spool log
mungekey --create --keyfile="$dir/key" && chmod 700 . log && chmod 400 key
cat > slurm.conf <<END
ClusterName=lory
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$base
SlurmdPort=$((base + 1))
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket
CredType=cred/munge
MpiDefault=none
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
END
export SLURM_CONF="$dir/slurm.conf"
pids=
stop() {
    # shellcheck disable=SC2086
    kill $pids && sleep 1 && kill -KILL $pids || true
} 2> /dev/null
trap stop EXIT
munged --foreground --force --key-file="$dir/key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" \
    --log-file="$dir/log/munged" --seed-file="$dir/seed" > log/munged.out 2>&1 & pids="$pids $!"
sleep 1
slurmctld -D -c > log/ctld 2>&1 & pids="$pids $!"
slurmd -D -N "$host" > log/slurmd 2>&1 & pids="$pids $!"
# Its programs wait for minutes for one another where they may not meet.
is_idle() { timeout 2 sinfo -h -o %t 2> /dev/null | grep -q idle; }
for i in $(seq 12); do is_idle && break; sleep 1; done
is_idle || exit 77 # a machine that does not let it start
for i in $(seq 20); do echo "{\"id\": $i, \"prompt\": \"Tom $i\", \"max_tokens\": 6}"; done > in.jsonl
"$LORY" batch -i in.jsonl -o want
code=0
timeout 100 sbatch --wait --array=1-3 --cpus-per-task=1 "$tools/batch_slurm.sh" in.jsonl out.jsonl \
    > job || code=$?
[ $code != 124 ] || ls lory-batch-* > /dev/null 2>&1 || exit 77 # it started no task
[ $code = 0 ] || { echo "exit $code"; cat lory-batch-*; }
"$tools/batch_join.sh" 3 in.jsonl out.jsonl
cmp out.jsonl want

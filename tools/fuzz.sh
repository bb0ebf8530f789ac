#!/bin/sh
# fuzz.sh SECONDS FUZZER... - runs each libFuzzer program on a corpus that starts from the good
# inputs in tests/fuzz/seeds/ and is kept in build/fuzz/corpus/ from run to run. An input that
# crashes, hangs or leaks is left in build/fuzz/found/; the status is 1 when there was one.
seconds=$1
shift
status=0
for fuzzer; do
    name=${fuzzer##*/fuzz_}
    corpus=build/fuzz/corpus/$name found=build/fuzz/found log=build/fuzz/$name.log
    seeds=tests/fuzz/seeds/$name
    [ "$name" != model ] || seeds=tests/fuzz/seeds/gguf
    mkdir -p "$corpus" "$found"
    if "$fuzzer" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 -malloc_limit_mb=1024 \
        -max_len=65536 -print_final_stats=1 -artifact_prefix="$found/$name-" \
        "$corpus" "$seeds" > "$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        echo "fuzz_$name: $runs inputs in $seconds s, nothing found"
    else
        tail -n 40 "$log"
        echo "fuzz_$name: FAILED, see $log and $found"
        status=1
    fi
done
exit $status

#!/bin/sh
# coverage.sh BUILD - line coverage of every source file from the .gcda files that a run of the
# tests left in BUILD (make coverage), lowest first, and the total.
build=$1
if [ -z "$(find "$build/src" -name '*.gcda' | head -n 1)" ]; then
    echo "coverage: no .gcda files in $build" >&2
    exit 1
fi

# gcov says for each object: File 'src/text/json.c' / Lines executed:97.10% of 345
find "$build/src" -name '*.gcda' -exec gcov -n {} + 2> /dev/null | awk '
/^File / { file = substr($2, 2, length($2) - 2) }
/^Lines executed:/ && file ~ /^src\/.*\.c$/ {
    split($2, part, "[:%]")
    n_lines[file] = $4
    n_run[file] = $4 * part[2] / 100
    file = ""
}
END {
    for (f in n_lines) {
        printf "%6.1f %% of %5d  %s\n", 100 * n_run[f] / n_lines[f], n_lines[f], f | "sort -n"
        run += n_run[f]
        lines += n_lines[f]
    }
    close("sort -n")
    printf "%6.1f %% of %5d  total\n", 100 * run / lines, lines
}'

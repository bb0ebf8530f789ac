#!/bin/sh
# layers.sh [SRC] - holds every source file against the floors of the house (src/README.md).
# Prints one line for each breach and exits 1, or says that there is none.
src=${1:-src}

# folder: the folders it may include from besides itself; everybody may include lory.h
table='
base:
text:    base
quant:   base
gguf:    base text quant
kernels: base text quant
chat:    base text
token:   base text gguf
convert: base text quant gguf token
model:   base quant gguf token
sample:  base text token
engine:  base quant kernels model
lory.c:  base text quant gguf kernels chat token model sample engine
cli:     base text
cli/inspect|quantize|convert|imatrix|outputs: base text gguf quant convert
'

files=$(find "$src" -name '*.[ch]' | sort)
edges=$(mktemp) && trap 'rm -f "$edges"' EXIT

# shellcheck disable=SC2086  # names of sources have no spaces
LC_ALL=C awk -v root="$src/" -v table="$table" -v edges="$edges" '
function breach(why) { printf "%s:%d: %s\n", FILENAME, FNR, why; n_breaches++ }

BEGIN {
    for (n = split(table, rows, "\n"); n > 0; n--)
        if (split(rows[n], row, ":") == 2) may[row[1]] = " " row[2] " "
    os = "<(sys/|linux/|asm/|windows|unistd|fcntl|pthread|sched|signal|poll|termios|dirent|dlfcn" \
         "|spawn|omp)"
    isa = "<(.*intrin|arm_neon|arm_sve|arm_acle)\\.h"
    platform = "__linux|_WIN32|_WIN64|__APPLE__|__unix|__x86_64|__i386|__amd64|__aarch64|__arm" \
               "|__ARM|__AVX|__SSE|__FMA|__BYTE_ORDER|_OPENMP"
    word = "(^|[^A-Za-z0-9_.>])"
    prints = word "(v?printf|puts|putchar|perror|std(out|err))([^A-Za-z0-9_]|$)"
    exits = word "(_?exit|_Exit|quick_exit|abort) *\\("
}

FNR == 1 {
    file = substr(FILENAME, length(root) + 1)
    folder = file ~ /\// ? substr(file, 1, index(file, "/") - 1) : "lory.c"
    rule = folder
    if (folder == "cli" && file ~ /inspect|quantize|convert|imatrix|outputs/)
        rule = "cli/inspect|quantize|convert|imatrix|outputs"
    if (!(rule in may)) breach("no folder " folder " in the house: tools/layers.sh has no row of it")
    in_comment = 0
}

/^ *# *include *"/ {
    split($0, part, "\"")
    to = part[2]
    if (to == "lory.h") next
    if (to !~ /\// && folder == "lory.c") next # a neighbour on the top floor
    if (to !~ /\//) to = folder "/" to
    to_folder = substr(to, 1, index(to, "/") - 1)
    if (to_folder != folder && !index(may[rule], " " to_folder " "))
        breach(folder " may not include " to)
    if (file ~ /\.h$/) print file, to > edges
    next
}

/^ *# *include *</ {
    once = file == "kernels/select.c" && /<pthread\.h>/ # it merges its table once, by pthread_once
    if ($0 ~ os && folder !~ /^(base|cli)$/ && !once)
        breach("only base and cli know the operating system: " $0)
    if ($0 ~ isa && folder != "kernels") breach("only kernels have intrinsics: " $0)
}

/^ *# *(if|elif)/ && $0 ~ platform && folder !~ /^(base|kernels)$/ {
    breach("only base and kernels ask for the platform: " $0)
}

folder != "cli" { # what is left of the line without strings and comments
    gsub(/"([^"\\]|\\.)*"/, "\"\"")
    gsub(/\/\*([^*]|\*[^\/])*\*\//, "")
    sub(/\/\/.*/, "")
    if (in_comment && !sub(/^.*\*\//, "")) next
    in_comment = sub(/\/\*.*/, "")
    sub(/format\(printf/, "") # an attribute
    if ($0 ~ prints) breach("the library never prints: " $0)
    if ($0 ~ exits) breach("the library never exits: " $0)
}

END { exit n_breaches > 0 }
' $files
status=$?

# Headers that include each other in a circle.
if ! tsort "$edges" > /dev/null 2> "$edges.loop"; then
    loop=$(sed -n 's/^tsort: \([^ ]*\.h\)$/ \1/p' "$edges.loop" | tr -d '\n')
    echo "$src: headers include each other in a circle:$loop"
    status=1
fi
rm -f "$edges.loop"
[ $status -ne 0 ] || echo "layers: $(echo "$files" | wc -l) files, every arrow points down"
exit $status

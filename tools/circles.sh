#!/bin/sh
# circles.sh BUILD OBJECT... - finds source files that use each other in a circle, by the symbols of
# their objects, which lie below BUILD. Prints each circle and exits 1, or says that there is none.
build=$1 && shift

# Circles that are in the nature of what is written down: the first file of a line stands for all.
known='
chat/jinja_expr chat/jinja_call chat/jinja_eval: an expression calls a macro, which has expressions
chat/jinja_filters chat/jinja_filters_seq chat/jinja_tests: map and select take filters by name
chat/jinja_get chat/jinja_types chat/jinja_methods chat/jinja_format chat/jinja_translate: methods
    are attributes, and the method format looks attributes up
'

edges=$(mktemp) && trap 'rm -f "$edges" "$edges.loop"' EXIT

nm -A -P "$@" | awk -v root="$build/src/" -v known="$known" '
BEGIN {
    for (n = split(known, lines, "\n"); n > 0; n--) {
        if (!sub(/:.*/, "", lines[n])) continue
        for (k = split(lines[n], files, " "); k > 0; k--) stands_for[files[k]] = files[1]
    }
}
{
    file = $1
    sub(/\.o:$/, "", file)
    if (index(file, root) == 1) file = substr(file, length(root) + 1)
    if (file in stands_for) file = stands_for[file]
}
$3 ~ /^[BCDRT]$/ { home[$2] = file }
$3 == "U" { uses[file, $2] = file }
END {
    for (use in uses) {
        split(use, part, SUBSEP)
        to = home[part[2]]
        if (to != "" && to != uses[use]) print uses[use], to
    }
}' > "$edges"

if tsort "$edges" > /dev/null 2> "$edges.loop"; then
    echo "circles: $# files, none but those that tools/circles.sh knows"
else
    awk '/input contains a loop/ { print "files that use each other in a circle:"; next }
         /^tsort: / { print "  " $2 }' "$edges.loop"
    exit 1
fi

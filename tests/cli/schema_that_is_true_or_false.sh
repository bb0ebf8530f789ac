# true and false are schemas as {} and {"not": {}} are, but for files of these names.
check() { printf "$2" | "$LORY" grammar --json-schema "$1" && echo "$1: $2" || echo "exit $?"; }
check true '[1, {"a": null}]'
check true '[1'
check false 1
check null null
printf '{"type": "integer"}' > true
check true 12
check true '"a"'

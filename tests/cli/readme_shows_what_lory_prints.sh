# What README.md shows of the bundled model is what comes; who changes the model writes it anew.
readme=$VECTORS/../../README.md
export LORY_MODEL="$BUNDLED"
lory() { "$LORY" "$@"; }
# The indented lines behind the one that begins so, up to the next command or the end of the block.
shown() { awk -v after="$1" '
    on && (!/^    / || /^    \$/) { if (n) exit; next }
    on { n++; print substr($0, 5) }
    index($0, after) == 1 { on = 1 }' "$readme"; }
same() {
    printf '%s\n' "$2" > got
    printf '%s\n' "$3" > want
    cmp -s want got || { echo "$1:"; diff want got || true; }
}

text() { tr -s ' \n' '  ' | sed 's/ $//'; }
story=$(shown 'What the bundled model says' | text)
same story "$(lory run -p "Once upon a time" -s 1 -n 90 | text)" "$story"

shown '    $ cat child.json' > child.json
command=$(sed -n 's/^    \$ \(lory run .*--json-schema child.json\)$/\1/p' "$readme")
same schema "$(eval "$command")" "$(shown "    \$ $command")"

shown '    $ head -n 2 in.jsonl' > in.jsonl
lory batch -i in.jsonl -o out.jsonl --parallel 32
same batch "$(cat out.jsonl)" "$(shown '    $ head -n 2 out.jsonl')"

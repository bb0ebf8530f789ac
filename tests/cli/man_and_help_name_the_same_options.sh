# Of the manual page: the options that head a paragraph, section by section, "run --temp".
sed 's/\\-/-/g; s/"//g' "$VECTORS/../../tools/lory.1" | awk '
    /^\.SH / { section = $2 == "lory" ? $3 : $2 }
    head && /^\.BI? |^\.BR |^\.RB / {
        while (match($0, /--[a-z][a-z0-9-]*/)) {
            print section, substr($0, RSTART, RLENGTH)
            $0 = substr($0, RSTART + RLENGTH)
        }
    }
    { head = /^\.TP|^\.TQ/ }' | sort -u > man
"$LORY" help | sed -n 's/^  \([a-z]*\)  .*/\1/p' | grep -v -e help -e lory > commands
wc -l < commands
while read -r c; do
    "$LORY" help "$c" | sed -n "s/^  *\(-[a-zA-Z], \)*\(--[a-z][a-z0-9-]*\).*/$c \2/p"
done < commands | sort -u > help
# What help lists is in the command's section, the common one, or (sampling) in that of lory run.
while read -r c option; do
    grep -qx -e "$c $option" -e "COMMON $option" -e "run $option" man \
        || echo "not in the manual: $c $option"
done < help
# What a command's section lists is in its help.
grep -v '^COMMON' man | while read -r c option; do
    grep -qx -e "$c $option" help || echo "not in the help: $c $option"
done
[ "$(wc -l < man)" -gt 80 ] && [ "$(wc -l < help)" -gt 150 ] # they were read

for command in $("$LORY" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
    "$LORY" help $command | awk -v c=$command 'length($0) > 80 { print c ": " $0 }'
done

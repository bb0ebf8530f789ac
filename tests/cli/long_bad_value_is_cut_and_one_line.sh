try() { "$LORY" "$@" && echo "exit 0" || echo "exit $?"; }
long=$(printf 'n%.0s' $(seq 1000))
try run -t "$long"
try run "--$long"
try run -t "$(printf 'a\nb\033[31m')"

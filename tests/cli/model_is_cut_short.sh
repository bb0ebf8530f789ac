# Runs the program and puts its status on stdout.
try() { "$LORY" "$@" && echo "exit 0" || echo "exit $?"; }
for n in 3 20 100 1500 20000 150000; do
    head -c $n "$MODEL" > cut.gguf
    try run -m cut.gguf -p hi
done

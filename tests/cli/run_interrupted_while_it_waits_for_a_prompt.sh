mkfifo pipe
sleep 3 > pipe &
timeout -s INT --preserve-status 0.5 "$LORY" run < pipe && echo "exit 0" || echo "exit $?"

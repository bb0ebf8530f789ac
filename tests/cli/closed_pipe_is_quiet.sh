# The reader is gone before the first byte is written.
{ { sleep 0.3; "$LORY" help run || echo "exit $?" >&3; } | true; } 3>&1

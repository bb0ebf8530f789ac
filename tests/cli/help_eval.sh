"$LORY" help eval

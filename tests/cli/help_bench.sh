"$LORY" help bench

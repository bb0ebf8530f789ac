"$LORY" help

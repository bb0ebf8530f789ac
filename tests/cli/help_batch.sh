"$LORY" help batch

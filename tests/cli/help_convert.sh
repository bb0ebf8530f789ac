"$LORY" help convert

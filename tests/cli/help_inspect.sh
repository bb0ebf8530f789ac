"$LORY" help inspect

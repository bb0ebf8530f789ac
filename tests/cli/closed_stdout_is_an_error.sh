"$LORY" help >&-

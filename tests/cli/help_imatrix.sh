"$LORY" help imatrix

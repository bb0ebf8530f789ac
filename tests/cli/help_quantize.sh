"$LORY" help quantize

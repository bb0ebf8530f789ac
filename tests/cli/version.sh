"$LORY" --version

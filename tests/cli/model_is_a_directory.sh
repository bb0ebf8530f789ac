mkdir folder
! "$LORY" run -m folder -p hi
echo '{}' > folder/config.json
! "$LORY" inspect folder
"$LORY" run -m folder -p hi

"$LORY" help run chat || echo $?
"$LORY" --version run || echo $?

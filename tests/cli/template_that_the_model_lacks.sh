try() { echo '{"messages": []}' | "$LORY" template "$@" || echo "exit $?"; }
try -m "$MODEL" --template-name tool_use
try --template chatml --template-name tool_use

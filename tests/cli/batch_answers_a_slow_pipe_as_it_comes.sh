# The second line is asked when the first is answered.
mkfifo ask answer
"$LORY" batch < ask > answer &
exec 3> ask 4< answer
echo '{"id": 1, "prompt": "The", "max_tokens": 2, "temperature": 0}' >&3
read -r line <&4 && echo "$line"
echo '{"id": 2, "prompt": "A", "max_tokens": 2, "temperature": 0}' >&3
read -r line <&4 && echo "$line"
exec 3>&-
wait

# A byte order mark and CRLF, as some editors write them, are no part of a turn, of the system text
# or of a template.
chat() { "$LORY" chat -m "$BUNDLED" --temp 0 "$@"; }
mark='\357\273\277'
printf "Hello\nWhat is your name?\n" | chat > want && cat want
printf "${mark}Hello\r\nWhat is your name?\r\n" | chat | cmp - want
printf "${mark}Be nice." > system
echo Hello | chat --system "Be nice." > want
echo Hello | chat --system @system | cmp - want
printf '/system @system\nHello\n' | chat | cmp - want
printf "${mark}{{ messages[0].content }}." > template
echo '{"messages": [{"role": "user", "content": "Hello"}]}' | "$LORY" template --template template

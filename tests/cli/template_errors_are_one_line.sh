try() { "$LORY" template --template t.jinja < case && echo "exit 0" || echo "exit $?"; }
echo '{"messages": []}' > case
printf "{{ raise_exception('Conversation roles must alternate') }}" > t.jinja && try
printf 'a\n{{ messages.x.y }}' > t.jinja && try
printf 'a\n{%% frob %%}' > t.jinja && try
printf '{{ 1 }}' > t.jinja && echo '[' > case && try
echo '[]' > case && try
echo 3 > case && try
rm t.jinja && try

tokens() { printf '<s>\n/stats\n' | "$LORY" chat -m "$MODEL" --template t.jinja --temp 0 -n 1 2>&1 > /dev/null | grep -o 'prompt [0-9]* tokens'; }
printf '{{ messages[0].content }}' > t.jinja
tokens                                    # of the user: its characters
printf '{{ "<s>" }}' > t.jinja
tokens                                    # of the template: one control token

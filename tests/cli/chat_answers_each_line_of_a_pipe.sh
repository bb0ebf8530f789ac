printf 'Once upon a time there was a cat.\n\nWhat then?\r\n' | "$LORY" chat -m "$MODEL" --template plain --temp 0 -n 12

# Who forgot the input sees what the program waits for; the shell's prompt gets a line of its own.
command -v tmux > /dev/null || exit 77
unset NO_COLOR TMUX
export TERM=xterm-256color LC_ALL=C.UTF-8
tm() { tmux -u -S "$PWD/socket" -f /dev/null "$@"; }
trap 'tm kill-server 2> /dev/null || true' EXIT
wait_for() {
    i=0
    until tm capture-pane -p | grep -q "$1"; do
        i=$((i + 1))
        [ $i -lt 300 ] || break
        sleep 0.1
    done
}
tm new-session -d -x 100 -y 30 "PS1='$ ' LORY='$LORY' exec sh"
ask() { # what it reads, what is typed, the command
    wait_for '^\$ *$'
    tm send-keys 'clear; $LORY '"$3" Enter
    wait_for "reading $1 from"
    tm send-keys "$2" Enter C-d
    wait_for '^\$ *$'
    tm capture-pane -p | grep .
}
ask 'the text' Once 'tokenize --no-bos'
ask 'the ids' 300 'tokenize --decode'
ask 'the JSON object' '{"messages": [{"role": "user", "content": "hi"}]}' 'template --template gemma'
ask 'the text' '12' "grammar --json-schema '{}'"
ask 'the lines' '{"text": "Once"}' 'tokenize --jsonl'
ask 'the requests' '{"prompt": "a", "max_tokens": 0}' 'batch 2>&1 | head -n 1 | cut -c 1-63'

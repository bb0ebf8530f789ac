# Answers on a terminal stand on lines of their own, not behind the progress.
command -v tmux > /dev/null || exit 77
unset NO_COLOR TMUX
export TERM=xterm-256color LC_ALL=C.UTF-8
tm() { tmux -u -S "$PWD/socket" -f /dev/null "$@"; }
trap 'tm kill-server 2> /dev/null || true' EXIT
line='{"prompt":"Tom","max_tokens":1}'
tm new-session -d -x 150 -y 20 "for i in 1 2 3; do sleep 1; echo '$line'; done | '$LORY' batch; \
    echo left with \$?; exec sleep 100"
i=0
until tm capture-pane -p | grep -q 'left with'; do
    i=$((i + 1))
    [ $i -lt 300 ] || break
    sleep 0.1
done
tm capture-pane -p | sed 's/"text":".*/.../' | grep .

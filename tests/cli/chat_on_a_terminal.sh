command -v tmux > /dev/null || exit 77
sh -eu "$(dirname "$0")/../tmux_chat.sh"

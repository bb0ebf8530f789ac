# Years and weeks that begin in each other; leap years; every directive, as `date -u` writes it.
week='%Y-%m-%d is %G-W%V-%u (%g), day %j, weeks %U and %W'
all='%a %A %b %B %d %e %y %C %H %I %k %l %M %S %p %P %r %R %T %D %F %w %% %-d %-m %_d %_m %^a %^b %h'
at() {
    echo "{{ strftime_now('$2') }}" > dates.jinja
    echo '{"messages": []}' | SOURCE_DATE_EPOCH=$1 "$LORY" template --template dates.jinja
    echo
}
for t in 951825600 1230768000 1609459200 1609631999 1735516800; do at $t "$week"; done
at 0 "$all"
at 1722009845 "$all"

#!/bin/sh
# Types a session, read from stdin, and prints it as a terminal would show it: each command behind "$ ", what it
# writes to stdout, what it writes to stderr behind "! ", and its exit code behind "= " where that is not 0.
# Files go into the current directory.
seen=$(mktemp -d)
trap 'rm -rf "$seen"' EXIT
while IFS= read -r command; do
    case $command in '' | '#'*) continue ;; esac
    printf '$ %s\n' "$command"
    code=0
    timeout 60 sh -c "$command" </dev/null >"$seen/stdout" 2>"$seen/stderr" || code=$?
    tr -d '\r' <"$seen/stdout" # of a terminal
    # Whether the last line ends or not: the next command has one of its own.
    [ -z "$(tail -c 1 "$seen/stdout")" ] || echo
    sed 's/^/! /' "$seen/stderr"
    [ "$code" = 0 ] || echo "= $code"
done

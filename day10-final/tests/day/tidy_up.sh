# Ends what the tests have left running, and removes what they have made: all of it below the directory $1. They start
# this as they begin, and hold its stdin open, so that it goes on when they end, even by Ctrl-C or SIGKILL.
cat

# Each process that they have started has the directory in its environment, except in a container.
left() {
    grep -lsz "=$1" /proc/[0-9]*/environ | cut -d / -f 3
}

# The containers first, so that whoever waits for them can tidy up: control groups, and rules on the network.
for process in $(left "$1"); do
    kill -KILL $(grep -lsx "PPid:	$process" /proc/[0-9]*/status | cut -d / -f 3)
done
for try in $(seq 100); do
    [ "$(left "$1")" ] || break
    sleep 0.1
done
kill -KILL $(left "$1")
# Directories only: the files of a root filesystem are links to those that the next tests use.
find "$1" -type d -exec chmod u+rwx {} \;
rm -rf "$1"

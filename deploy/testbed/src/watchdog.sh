# Runs a program for a test process and never longer than that process lives.
# Called: sh -c SCRIPT testbed-watchdog LOG PROGRAM ARGUMENT..., as the leader of a process group of its own.
# Stdin is a pipe whose other end only the test process holds: it ends when that process does, even by SIGKILL.
# Stdout is a pipe that tells the test process the program's id, and its exit code when it has ended.
log=$1
shift
exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
program=$!
echo "$program"
(
	exec >/dev/null
	read -r _ <&3
	kill -KILL 0
) &
exec 3<&-
wait "$program"
echo "$?"
# What the program has left in its group ends with it, and so does the watcher above.
kill -KILL 0

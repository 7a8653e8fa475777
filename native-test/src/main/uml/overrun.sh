# The plan of the boot with a small ring: more is printed than it holds, while the agent stands still, while it reads,
# and while it is not there.

# The record that a reader gets who starts now.
note_oldest() {
  busybox dd if=/dev/kmsg bs=8192 count=1 2> /dev/null > $out/oldest-after-$1
}

start_aggregator
start_watch
start_agent
settle start

kill -STOP $agent_pid
scenario overrun
note_oldest overrun
kill -CONT $agent_pid
settle overrun

scenario larger-than-ring
scenario kills-in-flood
settle kills-in-flood

kill -9 $agent_pid
wait $agent_pid
# The kernel prints 10 reports in 5 s, and the flood had some: the one that the ring keeps of what follows shall be whole.
busybox sleep 6
scenario overrun-while-down
note_oldest overrun-while-down
start_agent
settle overrun-while-down
scenario after-overrun
settle after-overrun

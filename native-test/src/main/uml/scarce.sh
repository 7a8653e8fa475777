# The plan of the boot with hardly any inotify: first the kernel refuses watches, then its queue overflows.

start_aggregator
start_watch
echo 20 > /proc/sys/fs/inotify/max_user_watches
start_agent
settle start
scenario storm
settle storm

kill -9 $agent_pid
wait $agent_pid
echo 65536 > /proc/sys/fs/inotify/max_user_watches
echo 4 > /proc/sys/fs/inotify/max_queued_events
start_agent
settle restart
scenario churn
settle churn

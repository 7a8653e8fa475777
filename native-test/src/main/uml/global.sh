# The plan of the small boot: the node itself runs out of memory. Its own daemons are not for killing.

echo -1000 > /proc/self/oom_score_adj
start_aggregator
start_watch
start_agent
settle start
scenario global
settle global

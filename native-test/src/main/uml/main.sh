# The plan of the main boot: each scenario, and after it what the agent says of itself.

scenario before-first-start
start_aggregator
start_watch
start_agent
settle before-first-start

for name in container-limit pod-limit group removed-at-death child-of-main strange-names ordinary-kill spoof shared-mm \
    long-report churn storm storm-of-pods; do
  scenario $name
  settle $name
done

mkfifo /run/reap
scenario storm-of-zombies < /run/reap &
exec 9> /run/reap
require 60 grep -q 'storm-of-zombies.*vmstatGrowth' $out/truth.jsonl
settle storm-of-zombies
exec 9>&-

# A crash between a kill and whatever the agent wanted to write down about it.
scenario before-restart
kill -9 $agent_pid
wait $agent_pid
scenario while-down
start_agent
settle while-down
scenario after-restart
settle after-restart

# And one in the middle of a storm.
scenario storm-at-crash &
scenario_pid=$!
require 60 grep -q '/crash/' $out/events.jsonl
kill -9 $agent_pid
wait $agent_pid
wait $scenario_pid
start_agent
settle storm-at-crash

"$exit137" list -o json --limit 1000 --server $server > $out/list.jsonl 2>> $out/plan.log

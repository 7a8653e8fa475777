package dev.exit137.agent.container;

import dev.exit137.agent.exit.ContainerEnd;
import dev.exit137.exitreport.facts.RuntimeAction;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** Keeps what a runtime says, in words. */
class FakeWatcher implements RuntimeWatcher {
    final List<String> said = new ArrayList<>();

    @Override
    public void onAppeared(String id) {
        said.add("appeared " + id);
    }

    @Override
    public void onStarted(String id, Instant time, Integer pid) {
        said.add("started " + id + " " + pid);
    }

    @Override
    public void onAction(String id, RuntimeAction action) {
        said.add(action.kind() + " " + id);
    }

    @Override
    public void onEnded(ContainerEnd end) {
        said.add("ended " + end.id() + " " + end.exitCode());
    }

    @Override
    public void onNonsense(String what) {
        said.add("nonsense");
    }
}

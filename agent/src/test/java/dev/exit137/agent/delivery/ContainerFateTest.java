package dev.exit137.agent.delivery;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Whether a container outlived the kill of a process in it is said after a moment, once, and never guessed. */
class ContainerFateTest {
    private static final Timestamp KILLED =
            Timestamp.newBuilder().setSeconds(1000).build();

    private final List<OomKillEvent> revised = new ArrayList<>();
    private final List<Runnable> afterAMoment = new ArrayList<>();
    private Optional<Boolean> alive = Optional.of(true);

    /** Time passes when the test says so. */
    private final ScheduledThreadPoolExecutor worker = new ScheduledThreadPoolExecutor(1) {
        @Override
        public ScheduledFuture<?> schedule(Runnable command, long delay, TimeUnit unit) {
            assertThat(unit.toMillis(delay)).isEqualTo(ContainerFate.MOMENT.toMillis());
            afterAMoment.add(command);
            return null;
        }
    };

    private final ContainerFate fate = new ContainerFate(
            _ -> alive,
            (sent, outlived) -> {
                OomKillEvent.Builder better = sent.toBuilder().setRevision(sent.getRevision() + 1);
                better.getVictimBuilder().setContainerOutlived(outlived);
                revised.add(better.build());
            },
            worker);

    @AfterEach
    void end() {
        worker.shutdown();
    }

    private static OomKillEvent.Builder child() {
        OomKillEvent.Builder event = OomKillEvent.newBuilder()
                .setEventId("child")
                .setRevision(1)
                .setTime(KILLED)
                .setObservedTime(KILLED);
        event.getVictimBuilder().setIsContainerInit(false);
        return event;
    }

    private void aMomentLater() {
        List<Runnable> due = List.copyOf(afterAMoment);
        afterAMoment.clear();
        due.forEach(Runnable::run);
    }

    @Test
    void aContainerThatEndsRightAfterItsChildIsNotSaidToLiveOn() {
        fate.onSent(child().build());
        assertThat(revised).as("nothing is said before the moment").isEmpty();
        alive = Optional.of(false);
        aMomentLater();
        assertThat(revised).hasSize(1);
        assertThat(revised.getFirst().getVictim().getContainerOutlived()).isFalse();
        assertThat(revised.getFirst().getVictim().hasContainerOutlived()).isTrue();
    }

    @Test
    void aRevisionThatComesLaterKeepsTheAnswer() {
        fate.onSent(child().build());
        aMomentLater();
        fate.onSent(revised.getFirst());
        assertThat(revised).as("the answer itself asks nothing").hasSize(1);
        alive = Optional.of(false);
        fate.onSent(child().setRevision(3).build());
        assertThat(afterAMoment).isEmpty();
        assertThat(revised.getLast().getRevision()).isEqualTo(4);
        assertThat(revised.getLast().getVictim().getContainerOutlived()).isTrue();
    }

    @Test
    void whereTheMainProcessIsNotKnownNothingIsSaid() {
        alive = Optional.empty();
        fate.onSent(child().build());
        aMomentLater();
        assertThat(revised).isEmpty();
    }

    @Test
    void nobodyIsAskedWhereTheContainerEndedOrTheKillIsOld() {
        OomKillEvent.Builder main = child();
        main.getVictimBuilder().setIsContainerInit(true);
        fate.onSent(main.build());
        OomKillEvent.Builder unknown = child();
        unknown.getVictimBuilder().clearIsContainerInit();
        fate.onSent(unknown.build());
        fate.onSent(child().setObservedTime(KILLED.toBuilder().setSeconds(1010)).build());
        assertThat(afterAMoment).isEmpty();
    }
}

package io.github.resilience4j.circuitbreaker.internal;

import java.util.PriorityQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.Delayed;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Stands in the class path before Resilience4j's own class of this name, whose timers run by the machine's clock: these
 * run when the histories' clock comes to them, so that Resilience4j's own code for the end of the half-open state is
 * judged too.
 */
public final class SchedulerFactory {
    private static final SchedulerFactory INSTANCE = new SchedulerFactory();

    private final PriorityQueue<Timer> timers = new PriorityQueue<>();
    private final ScheduledExecutorService scheduler = new VirtualScheduler();
    private long now;

    public static SchedulerFactory getInstance() {
        return INSTANCE;
    }

    public ScheduledExecutorService getScheduler() {
        return scheduler;
    }

    /** A new history: nothing is due. */
    public void restart(long millis) {
        timers.clear();
        now = millis;
    }

    /** When the next timer is due at or before `until`; else -1. */
    public long nextDue(long until) {
        while (!timers.isEmpty() && timers.peek().isDone()) {
            timers.poll();
        }
        return timers.isEmpty() || timers.peek().due > until ? -1 : timers.peek().due;
    }

    /** The clock stands at `millis`; what is due runs. */
    public void advance(long millis) {
        now = millis;
        while (nextDue(millis) >= 0) {
            Timer timer = timers.poll();
            timer.run();
            timer.rethrow();
        }
    }

    private static final class Timer extends FutureTask<Object> implements ScheduledFuture<Object> {
        private final long due;

        Timer(Runnable task, long due) {
            super(task, null);
            this.due = due;
        }

        void rethrow() {
            if (isCancelled()) {
                return; // a task that changes the state cancels the timer that it is
            }
            try {
                get();
            } catch (InterruptedException | ExecutionException e) {
                throw new IllegalStateException(e);
            }
        }

        @Override
        public long getDelay(TimeUnit unit) {
            return unit.convert(due - INSTANCE.now, TimeUnit.MILLISECONDS);
        }

        @Override
        public int compareTo(Delayed other) {
            return Long.compare(due, ((Timer) other).due);
        }
    }

    private static final class VirtualScheduler extends ScheduledThreadPoolExecutor {
        VirtualScheduler() {
            super(0);
        }

        @Override
        public ScheduledFuture<?> schedule(Runnable task, long delay, TimeUnit unit) {
            Timer timer = new Timer(task, INSTANCE.now + unit.toMillis(delay));
            INSTANCE.timers.add(timer);
            return timer;
        }

        @Override
        public <V> ScheduledFuture<V> schedule(Callable<V> task, long delay, TimeUnit unit) {
            throw new UnsupportedOperationException();
        }
    }
}

import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig.SlidingWindowType;
import io.github.resilience4j.circuitbreaker.internal.SchedulerFactory;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/**
 * Replays histories, which breaker_histories writes, on Resilience4j's circuit breaker and compares after every step:
 * whether a call was let through, the state, and (but for the open state) the counts of calls, failed and slow ones.
 * Exit status 1 if anything differs but by the rules that are named here.
 */
public final class BreakerHistories {
    /** A probe of ours decides nothing before all probes have ended. */
    private static final String ALL_PROBES = "half-open, the decision waits until all permitted calls have completed, as "
        + "Resilience4j's documentation says; its code decides when minimumNumberOfCalls have (the history ends there)";
    /** An end that tells of a time that is over. */
    private static final String LATE = "a call that was let through in an earlier state counts for nothing; Resilience4j "
        + "counts it in the state that it meets (it is kept from Resilience4j)";

    private static final int CLOSED = 'C', OPEN = 'O', HALF_OPEN = 'H';
    private static final RuntimeException FAILURE = new RuntimeException("failed");

    private final Numbers in;
    private final SettableClock clock = new SettableClock();
    private final SchedulerFactory timers = SchedulerFactory.getInstance();
    private final TreeMap<String, Long> seen = new TreeMap<>();
    private final TreeMap<String, Long> differences = new TreeMap<>();
    private long histories, steps, wrong;

    // Of one history.
    private CircuitBreaker breaker;
    private int generation;
    private long minimum, probes;
    private final List<Integer> permits = new ArrayList<>();

    private BreakerHistories(InputStream in) {
        this.in = new Numbers(in);
    }

    public static void main(String[] arguments) throws IOException {
        BreakerHistories all = new BreakerHistories(new BufferedInputStream(System.in, 1 << 20));
        while (all.in.begin()) {
            all.history();
        }
        all.tell();
        System.exit(all.wrong == 0 ? 0 : 1);
    }

    private void history() throws IOException {
        ++histories;
        String settings = start();
        long count = in.next();
        boolean on = true;
        for (long step = 0; step < count; ++step) {
            Step s = new Step(in);
            if (on) {
                ++steps;
                on = replay(s, settings + ", step " + step);
            }
        }
    }

    private String start() throws IOException {
        long calls = in.next(), seconds = in.next(), failureRate = in.next(), slowRate = in.next(), slowCall = in.next();
        minimum = in.next();
        long openFor = in.next();
        probes = in.next();
        long halfOpenFor = in.next(), begin = in.next();
        clock.millis = begin;
        timers.restart(begin);
        breaker = CircuitBreaker.of("b", CircuitBreakerConfig.custom()
            .slidingWindowType(calls > 0 ? SlidingWindowType.COUNT_BASED : SlidingWindowType.TIME_BASED)
            .slidingWindowSize((int) (calls > 0 ? calls : seconds))
            .minimumNumberOfCalls((int) minimum)
            .failureRateThreshold(failureRate)
            .slowCallRateThreshold(slowRate)
            .slowCallDurationThreshold(Duration.ofMillis(slowCall))
            .waitDurationInOpenState(Duration.ofMillis(openFor))
            .permittedNumberOfCallsInHalfOpenState((int) probes)
            .maxWaitDurationInHalfOpenState(Duration.ofMillis(halfOpenFor))
            .clock(clock)
            .build());
        generation = 0;
        permits.clear();
        breaker.getEventPublisher().onStateTransition(event -> {
            ++generation;
            seen.merge(event.getStateTransition().toString(), 1L, Long::sum);
        });
        return "history " + histories + " (window " + (calls > 0 ? calls + " calls" : seconds + " s") + ", failures "
            + failureRate + " %, slow " + slowRate + " % over " + slowCall + " ms, minimum " + minimum + ", open for "
            + openFor + " ms, probes " + probes + ", half-open for " + halfOpenFor + " ms)";
    }

    /** False: this history is over. */
    private boolean replay(Step s, String where) {
        advance(clock.millis + s.wait);
        boolean admitted = s.admitted;
        switch (s.what) {
            case 'a' -> {
                admitted = breaker.tryAcquirePermission();
                if (admitted) {
                    permits.add(generation);
                }
                seen.merge(admitted ? "let through" : "refused", 1L, Long::sum);
            }
            default -> end(s);
        }
        CircuitBreaker.Metrics metrics = breaker.getMetrics();
        int state = letter();
        boolean countsEqual = state == OPEN || (metrics.getNumberOfBufferedCalls() == s.calls
            && metrics.getNumberOfFailedCalls() == s.failed && metrics.getNumberOfSlowCalls() == s.slow);
        if (admitted == s.admitted && state == s.state && countsEqual) {
            return true;
        }
        if (s.state == HALF_OPEN && state != HALF_OPEN && s.calls >= minimum && s.calls < probes) {
            differences.merge(ALL_PROBES, 1L, Long::sum);
            return false;
        }
        if (++wrong <= 10) {
            System.out.println(where + ": " + s + "; Resilience4j: " + (admitted ? "let through, " : "refused, ")
                + (char) state + ", " + metrics.getNumberOfBufferedCalls() + " calls, " + metrics.getNumberOfFailedCalls()
                + " failed, " + metrics.getNumberOfSlowCalls() + " slow");
        }
        return false;
    }

    private void end(Step s) {
        int state = letter();
        boolean late = permits.get((int) s.call) != generation;
        if (late && (state == HALF_OPEN || (state == CLOSED && s.what != 'u'))) {
            differences.merge(LATE, 1L, Long::sum);
            return;
        }
        switch (s.what) {
            case 'g' -> breaker.onSuccess(s.took, TimeUnit.MILLISECONDS);
            case 'f' -> breaker.onError(s.took, TimeUnit.MILLISECONDS, FAILURE);
            default -> breaker.releasePermission();
        }
    }

    private void advance(long until) {
        for (long due = timers.nextDue(until); due >= 0; due = timers.nextDue(until)) {
            clock.millis = due;
            timers.advance(due);
        }
        clock.millis = until;
        timers.advance(until);
    }

    private int letter() {
        return switch (breaker.getState()) {
            case CLOSED -> CLOSED;
            case OPEN -> OPEN;
            case HALF_OPEN -> HALF_OPEN;
            default -> '?';
        };
    }

    private void tell() {
        System.out.printf("%,d histories, %,d steps, %,d of them differ%n", histories, steps, wrong);
        seen.forEach((what, times) -> System.out.printf("  %,12d %s%n", times, what));
        System.out.println("differences that have a rule:");
        differences.forEach((rule, times) -> System.out.printf("  %,12d %s%n", times, rule));
    }

    /** What is done, and how ours is afterwards. */
    private static final class Step {
        final long wait, call, took, calls, failed, slow;
        final int what, state;
        final boolean admitted;

        Step(Numbers in) throws IOException {
            wait = in.next();
            what = (int) in.next();
            call = in.next();
            took = in.next();
            admitted = in.next() == 1;
            state = (int) in.next();
            calls = in.next();
            failed = in.next();
            slow = in.next();
        }

        @Override
        public String toString() {
            return "after " + wait + " ms '" + (char) what + "' of call " + call + " that took " + took + " ms; ours: "
                + (admitted ? "let through, " : "refused, ") + (char) state + ", " + calls + " calls, " + failed
                + " failed, " + slow + " slow";
        }
    }

    private static final class SettableClock extends Clock {
        private long millis;

        @Override
        public Instant instant() {
            return Instant.ofEpochMilli(millis);
        }

        @Override
        public ZoneId getZone() {
            return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(ZoneId zone) {
            return this;
        }
    }

    /** Whole numbers, and single letters as their codes, between blanks. */
    private static final class Numbers {
        private final InputStream in;
        private int ahead;

        Numbers(InputStream in) {
            this.in = in;
        }

        boolean begin() throws IOException {
            do {
                ahead = in.read();
            } while (ahead == '\n' || ahead == ' ');
            return ahead >= 0;
        }

        long next() throws IOException {
            while (ahead == ' ' || ahead == '\n') {
                ahead = in.read();
            }
            if (ahead < 0) {
                throw new IOException("the histories end within one");
            }
            if (ahead > '9') {
                int letter = ahead;
                ahead = in.read();
                return letter;
            }
            long number = 0;
            while (ahead >= '0' && ahead <= '9') {
                number = number * 10 + (ahead - '0');
                ahead = in.read();
            }
            return number;
        }
    }
}

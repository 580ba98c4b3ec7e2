package bench;

import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig.SlidingWindowType;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/**
 * One decision and one record of Resilience4j's circuit breaker, with its defaults: what ours.cc does with ours.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class BreakerBenchmark {
    private static final RuntimeException FAILURE = new RuntimeException("failed");

    @Param({"COUNT_BASED", "TIME_BASED"})
    public SlidingWindowType window;

    /** One call of so many fails: 8 are too few to open it. 0: none. */
    @Param({"0", "8"})
    public int failing;

    private CircuitBreaker breaker;

    /** Each thread counts its own calls. */
    @State(Scope.Thread)
    public static class Calls {
        private int n;
    }

    @Setup
    public void setUp() {
        breaker = CircuitBreaker.of("b", CircuitBreakerConfig.custom().slidingWindowType(window).build());
    }

    @Benchmark
    public boolean decisionAndRecord(Calls calls) {
        boolean admitted = breaker.tryAcquirePermission();
        if (failing != 0 && (++calls.n & (failing - 1)) == 0) {
            breaker.onError(1000, TimeUnit.NANOSECONDS, FAILURE);
        } else {
            breaker.onSuccess(1000, TimeUnit.NANOSECONDS);
        }
        return admitted;
    }
}

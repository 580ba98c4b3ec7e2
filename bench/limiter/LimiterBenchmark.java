package bench;

import io.github.resilience4j.bulkhead.Bulkhead;
import io.github.resilience4j.bulkhead.BulkheadConfig;
import io.github.resilience4j.ratelimiter.RateLimiter;
import io.github.resilience4j.ratelimiter.RateLimiterConfig;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** One decision and one record of Resilience4j's limits, none of which refuses: what ours.cc does with ours. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class LimiterBenchmark {
    private final Bulkhead bulkhead =
            Bulkhead.of("b", BulkheadConfig.custom().maxConcurrentCalls(200).maxWaitDuration(Duration.ZERO).build());
    private final RateLimiter limiter = RateLimiter.of(
            "r",
            RateLimiterConfig.custom()
                    .limitForPeriod(1_000_000_000)
                    .limitRefreshPeriod(Duration.ofSeconds(1))
                    .timeoutDuration(Duration.ZERO)
                    .build());

    /** Each thread has eight more calls under way. */
    @State(Scope.Thread)
    public static class Busy {
        @Setup
        public void setUp(LimiterBenchmark shared) {
            for (int i = 0; i < 8; ++i) {
                shared.bulkhead.tryAcquirePermission();
            }
        }
    }

    @Benchmark
    public boolean bulkhead(Busy busy) {
        boolean entered = bulkhead.tryAcquirePermission();
        if (entered) {
            bulkhead.onComplete();
        }
        return entered;
    }

    @Benchmark
    public boolean bucket() {
        return limiter.acquirePermission();
    }
}

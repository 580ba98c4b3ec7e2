// The line that a call leaves.
#pragma once

#include "duplex/telemetry/loop_log.h"
#include "duplex/telemetry/trace_context.h"
#include "telemetry/method_series.h"

namespace duplex::telemetry {

// WARN where the service is at fault, INFO else; nothing if that level is off.
void write_access_line(LoopLog& log, const MethodSeries& series, const TraceContext& trace, const Status& status,
                       Duration took, const Peer* peer);

}  // namespace duplex::telemetry

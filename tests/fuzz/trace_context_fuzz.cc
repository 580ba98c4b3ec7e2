// traceparent and tracestate of anybody. Input: the two, with a line break between.
#include <string>

#include "duplex/telemetry/trace_context.h"
#include "fuzz.h"

using duplex::Metadata;
using duplex::TraceContext;
using duplex::fuzz::demand;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = duplex::fuzz::text_of(data, size);
  const size_t line = text.find('\n');
  const std::string_view parent = text.substr(0, line);
  const std::string_view state = line == std::string_view::npos ? std::string_view() : text.substr(line + 1);

  const auto trace = TraceContext::parse(parent);
  if (trace) {
    demand(trace->valid(), "a trace that was read is valid");
    const auto again = TraceContext::parse(trace->traceparent());
    demand(again.has_value(), "what we write is read");
    demand(again->trace_id == trace->trace_id && again->span_id == trace->span_id, "the ids stay");
    demand(again->flags == trace->flags, "the flags stay");
    demand(trace->child().trace_id == trace->trace_id, "a child is of the same trace");
  }

  const std::string clean = duplex::clean_tracestate(state);
  demand(clean.size() <= 1024, "a tracestate is bounded");
  demand(duplex::fuzz::split(clean, ',').size() <= 32, "its members are bounded");
  for (char c : clean) demand(c >= 0x20 && c < 0x7f, "nothing in it ends a field");
  demand(duplex::clean_tracestate(clean) == clean, "what is clean stays as it is");

  Metadata fields;
  fields.add("traceparent", parent);
  fields.add("tracestate", state);
  const auto of = TraceContext::of(fields);
  demand(of.has_value() == trace.has_value(), "metadata says what its traceparent says");
  if (of) {
    demand(of->tracestate == clean, "the tracestate comes along");
    Metadata out;
    of->put_into(out);
    demand(TraceContext::of(out).has_value(), "and goes on");
  }
  return 0;
}

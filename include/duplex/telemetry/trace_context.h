// TraceContext: which trace and which span of it a piece of work belongs to (W3C Trace Context level 2,
// https://www.w3.org/TR/trace-context-2/). In a call it is found by ctx.find<TraceContext>().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "duplex/base/ids.h"
#include "duplex/base/metadata.h"

namespace duplex {

class LoopLog;

class TraceContext {
 public:
  static constexpr uint8_t kSampled = 1, kRandom = 2;  // flags; all others are zeroed
  static constexpr size_t kTraceparentSize = 55;

  // A new trace, with its first span. `sampled` is what all parties that decide by their parent will follow.
  static TraceContext start(bool sampled);
  // What a `traceparent` says: the span that called. nullopt if it breaks the standard in any way.
  static std::optional<TraceContext> parse(std::string_view traceparent);
  // What the metadata of a call says, with its tracestate. nullopt: there is none, or two, or a broken one.
  static std::optional<TraceContext> of(const Metadata& metadata);

  // Another span of the same trace, called by this one.
  TraceContext child() const;

  bool valid() const { return trace_id.valid() && span_id.valid(); }
  bool sampled() const { return flags & kSampled; }
  // "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": exactly kTraceparentSize characters.
  char* write_traceparent(char* to) const;
  std::string traceparent() const;
  // Writes traceparent, and tracestate if there is one, in place of what the metadata has of them.
  void put_into(Metadata& metadata) const;

  TraceId trace_id;
  SpanId span_id;
  SpanId parent_id;  // not valid in the first span of a trace
  uint8_t flags = 0;
  std::string tracestate;  // of other vendors, passed on unread
  LoopLog* log = nullptr;  // where log(ctx) writes; set by the filters of Telemetry
};

// A tracestate in its shortest right form: no spaces, no empty members. Empty if it breaks the standard (a key twice,
// more than 32 members, characters that are not allowed). What goes past 1,024 octets is dropped from the end, member
// by member.
std::string clean_tracestate(std::string_view text);

}  // namespace duplex

#include "duplex/telemetry/trace_context.h"

#include <cstring>

namespace duplex {
namespace {

std::optional<uint8_t> parse_octet(std::string_view two) {
  unsigned value = 0;
  for (char c : two) {
    if (c >= '0' && c <= '9')
      value = value << 4 | static_cast<unsigned>(c - '0');
    else if (c >= 'a' && c <= 'f')
      value = value << 4 | static_cast<unsigned>(c - 'a' + 10);
    else
      return std::nullopt;
  }
  return static_cast<uint8_t>(value);
}

}  // namespace

TraceContext TraceContext::start(bool sampled) {
  TraceContext t;
  t.trace_id = TraceId::random();
  t.span_id = SpanId::random();
  t.flags = static_cast<uint8_t>(kRandom | (sampled ? kSampled : 0));
  return t;
}

std::optional<TraceContext> TraceContext::parse(std::string_view text) {
  // version "-" trace-id "-" parent-id "-" flags; a version after 00 may add more, behind another "-".
  if (text.size() < kTraceparentSize || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  auto version = parse_octet(text.substr(0, 2));
  if (!version || *version == 0xff) return std::nullopt;
  if (text.size() > kTraceparentSize && (*version == 0 || text[kTraceparentSize] != '-')) return std::nullopt;
  auto high = parse_hex(text.substr(3, 16)), low = parse_hex(text.substr(19, 16)),
       span = parse_hex(text.substr(36, 16));
  auto flags = parse_octet(text.substr(53, 2));
  if (!high || !low || !span || !flags) return std::nullopt;
  TraceContext t;
  t.trace_id = {*high, *low};
  t.span_id = {*span};
  t.flags = *flags & (kSampled | kRandom);
  if (!t.valid()) return std::nullopt;
  return t;
}

std::optional<TraceContext> TraceContext::of(const Metadata& metadata) {
  if (!metadata.may_have("traceparent")) return std::nullopt;
  std::string_view parent, state;
  size_t parents = 0, states = 0;
  std::string joined;  // of several tracestate lines
  for (Metadata::Entry e : metadata) {
    if (e.name.size() == 11 && e.name == "traceparent") {
      parent = e.value;
      ++parents;
    } else if (e.name.size() == 10 && e.name == "tracestate") {
      if (++states == 1) {
        state = e.value;
        continue;
      }
      if (states == 2) joined = state;
      joined.append(1, ',').append(e.value);
    }
  }
  if (parents != 1) return std::nullopt;
  std::optional<TraceContext> t = parse(parent);
  if (t && states) t->tracestate = clean_tracestate(states == 1 ? state : std::string_view(joined));
  return t;
}

TraceContext TraceContext::child() const {
  TraceContext t = *this;
  t.parent_id = span_id;
  t.span_id = SpanId::random();
  return t;
}

char* TraceContext::write_traceparent(char* to) const {
  std::memcpy(to, "00-", 3);
  to = trace_id.write(to + 3);
  *to++ = '-';
  to = span_id.write(to);
  *to++ = '-';
  *to++ = '0';
  *to++ = static_cast<char>('0' + (flags & (kSampled | kRandom)));
  return to;
}

std::string TraceContext::traceparent() const {
  char text[kTraceparentSize];
  return std::string(text, write_traceparent(text));
}

void TraceContext::put_into(Metadata& metadata) const {
  char text[kTraceparentSize];
  write_traceparent(text);
  metadata.remove("traceparent");
  metadata.remove("tracestate");
  metadata.add("traceparent", {text, sizeof text});
  if (!tracestate.empty()) metadata.add("tracestate", tracestate);
}

}  // namespace duplex

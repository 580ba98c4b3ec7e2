#include "protocols/grpc_form.h"

#include <algorithm>

#include "protocols/grpc_wire.h"

namespace duplex::grpc {
namespace {

constexpr uint8_t kTrailers = 0x80;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Takes `start` off, whatever its case. False: it does not begin so.
bool take(std::string_view& text, std::string_view start) {
  if (text.size() < start.size()) return false;
  if (!std::equal(start.begin(), start.end(), text.begin(), [](char a, char b) { return a == lower(b); })) return false;
  text.remove_prefix(start.size());
  return true;
}

}  // namespace

const Metadata& Form::reply_head() const {
  static const auto make = [](std::string_view type) {
    return std::pair(
        Metadata::constant({{"content-type", type}}),
        Metadata::constant(
            {{"content-type", type}, {"grpc-encoding", "gzip"}, {"grpc-accept-encoding", "identity,gzip"}}));
  };
  static const auto native = make("application/grpc"), web_binary = make("application/grpc-web+proto"),
                    web_text = make("application/grpc-web-text+proto");
  const auto& pair = !web ? native : text ? web_text : web_binary;
  return gzip ? pair.second : pair.first;
}

std::optional<Form> form_of(std::string_view type) {
  Form form;
  if (!take(type, "application/grpc")) return std::nullopt;
  form.web = take(type, "-web");
  form.text = form.web && take(type, "-text");
  take(type, "+proto");
  if (!type.empty() && type[0] != ';' && type[0] != ' ') return std::nullopt;
  return form;
}

void append_frame(Buffer& out, const Form& form, uint8_t flags, std::string_view message) {
  char prefix[5];
  frame_prefix(prefix, message.size());
  prefix[0] = static_cast<char>(flags);
  if (!form.text) {
    out.append({prefix, sizeof prefix});
    out.append(message);
    return;
  }
  std::string frame(prefix, sizeof prefix);
  frame.append(message);
  std::string armoured = encode_binary(frame);
  armoured.append((4 - armoured.size() % 4) % 4, '=');
  out.append(armoured);
}

void append_trailers(Buffer& out, const Form& form, const Metadata& trailers) {
  std::string lines;
  for (Metadata::Entry e : trailers) {
    lines.append(e.name).append(": ").append(e.value).append("\r\n");
  }
  append_frame(out, form, kTrailers, lines);
}

bool takes_gzip(std::string_view list) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    std::string_view one = list.substr(0, comma);
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one == "gzip") return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

bool Unarmour::decode(std::string_view text, Buffer& out) {
  std::string all = std::move(kept_);
  all.append(text);
  kept_.clear();
  size_t at = 0;
  for (; at + 4 <= all.size(); at += 4) {
    const std::string_view group = std::string_view(all).substr(at, 4);
    const size_t padding = group.ends_with("==") ? 2 : group.ends_with('=') ? 1 : 0;
    std::optional<std::string> octets = decode_binary(group.substr(0, 4 - padding));
    if (!octets) return false;
    out.append(*octets);
  }
  kept_ = all.substr(at);
  return true;
}

}  // namespace duplex::grpc

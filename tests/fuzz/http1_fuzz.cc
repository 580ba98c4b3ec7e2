// Octets into the HTTP/1.1 parser: in one piece and in many they must mean the same, and what is let through must keep
// what the rest of the program relies on.
#include <string>
#include <string_view>

#include "fuzz.h"
#include "http/http1_parser.h"
#include "http/http1_text.h"

namespace {

using duplex::Buffer;
using duplex::Metadata;
using duplex::fuzz::demand;
using duplex::http::Head;
using duplex::http::Http1Parser;

void check_fields(const Metadata& fields) {
  for (Metadata::Entry e : fields) {
    demand(duplex::http::is_token(e.name), "a field's name is a token");
    demand(duplex::is_field_value(e.value), "a field's value has no control octet");
  }
}

std::string shown(const Metadata& fields) {
  std::string text;
  for (Metadata::Entry e : fields) text.append(e.name).append("=").append(e.value).append("\n");
  return text;
}

// All that a connection would learn from `octets` if they came `step` at a time.
std::string told(Http1Parser::Kind kind, std::string_view octets, size_t step) {
  Http1Parser parser(kind, 4096);
  std::string text, pending;
  Head head;
  Buffer body;
  Metadata trailers;
  parser.begin(head, body, trailers);
  for (size_t at = 0; at < octets.size(); at += step) {
    pending.append(octets.substr(at, step));
    std::string_view input = pending;
    bool more = true;
    while (more) switch (parser.next(input)) {
        case Http1Parser::Event::kMore:
          more = false;
          break;
        case Http1Parser::Event::kHead:
          check_fields(head.fields);
          demand(!(parser.chunked() && parser.has_length()), "one framing");
          text += head.method + " " + head.target + " " + head.authority + std::to_string(head.status) + "\n";
          text += shown(head.fields);
          break;
        case Http1Parser::Event::kEnd:
          check_fields(trailers);
          if (parser.has_length() && kind == Http1Parser::Kind::kRequest)
            demand(body.size() == parser.length(), "the body is as long as it was said to be");
          text.append(body.view()).append("|").append(shown(trailers));
          head = Head();
          body.clear();
          trailers = Metadata();
          parser.begin(head, body, trailers);
          more = !input.empty();
          break;
        case Http1Parser::Event::kError:
          return text + "error " + std::to_string(parser.error_status());
      }
    pending.erase(0, pending.size() - input.size());
    demand(pending.size() <= 4096 + step, "what waits is bounded");
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto kind = data[0] & 1 ? Http1Parser::Kind::kResponse : Http1Parser::Kind::kRequest;
  std::string_view octets(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string whole = told(kind, octets, octets.size());
  std::string pieces = told(kind, octets, 1 + (data[0] >> 1) % 7);
  demand(whole == pieces || whole.ends_with("error 414") || whole.ends_with("error 431"), "pieces mean the same");
  return 0;
}

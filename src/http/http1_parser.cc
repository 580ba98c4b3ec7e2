#include "http/http1_parser.h"

#include <algorithm>
#include <cstring>

#include "http/http1_text.h"

namespace duplex::http {
namespace {

constexpr size_t kMaxFields = 1000;            // of one head or one set of trailers
constexpr size_t kMaxConnectionElements = 32;  // each is looked for among all fields
constexpr size_t kMaxExtensionOctets = 4096;   // chunk extensions of one message: nobody uses them but attackers

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool is_known_method(std::string_view method) {
#define DUPLEX_METHOD(number, name, string) \
  if (method == #string) return true;
  HTTP_METHOD_MAP(DUPLEX_METHOD)
#undef DUPLEX_METHOD
  return false;
}

// Octets of a path and query. What RFC 3986 leaves out and clients send all the same (such as '|') is let through; what
// could end a line, begin a fragment or look like a second path separator is not.
bool is_target(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c <= ' ' || c >= 0x7f || c == '#' || c == '"' || c == '<' || c == '>' || c == '\\') return false;
    if (c == '%') {
      if (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
      if (text[i + 1] == '0' && text[i + 2] == '0') return false;  // a NUL cuts paths short in somebody's C code
    }
  }
  return true;
}

}  // namespace

bool is_authority(std::string_view text) {
  std::string_view port;
  if (text.starts_with('[')) {  // an IPv6 literal
    size_t end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    for (char c : text.substr(1, end - 1))
      if (!is_hex(c) && c != ':' && c != '.') return false;
    std::string_view rest = text.substr(end + 1);
    if (rest.empty()) return true;
    if (rest.front() != ':') return false;
    port = rest.substr(1);
  } else {
    size_t colon = text.find(':');
    std::string_view name = text.substr(0, colon);
    if (name.empty()) return false;
    for (size_t i = 0; i < name.size(); ++i) {
      char c = name[i];
      bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                std::string_view("-._~!$&'()*+;=").find(c) != std::string_view::npos;
      if (!ok && !(c == '%' && i + 2 < name.size() && is_hex(name[i + 1]) && is_hex(name[i + 2]))) return false;
    }
    if (colon == std::string_view::npos) return true;
    port = text.substr(colon + 1);
  }
  return port.size() <= 5 && std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// llhttp calls these while it runs: they only count and copy (law 6).
struct Http1Parser::Callbacks {
  static Http1Parser& of(llhttp_t* p) { return *static_cast<Http1Parser*>(p->data); }
  static int on_headers_complete(llhttp_t* p) {
    Http1Parser& self = of(p);
    self.head_complete_ = true;
    self.keep_alive_ = llhttp_should_keep_alive(p) != 0;
    p->upgrade = 0;  // what comes next is HTTP until a handler has agreed to something else
    if (self.kind_ == Kind::kRequest) return 0;
    bool bodyless = self.no_body_ || self.head_->status < 200 || self.head_->status == 204 || self.head_->status == 304;
    self.until_close_ = !bodyless && llhttp_message_needs_eof(p);
    return bodyless ? 1 : 0;
  }
  static int on_body(llhttp_t* p, const char* at, size_t size) {
    Http1Parser& self = of(p);
    self.body_octets_ += size;
    if (self.body_) self.body_->append({at, size});
    return 0;
  }
  static int on_message_complete(llhttp_t* p) {
    of(p).message_complete_ = true;
    return HPE_PAUSED;
  }
  // The last chunk: the trailers are ours to read.
  static int on_chunk_header(llhttp_t* p) { return p->content_length == 0 ? HPE_PAUSED : 0; }
  static int on_extension(llhttp_t* p, const char*, size_t size) {
    return (of(p).extension_octets_ += size + 1) > kMaxExtensionOctets ? HPE_USER : 0;
  }
  static const llhttp_settings_t* settings() {
    static const llhttp_settings_t all = [] {
      llhttp_settings_t s;
      llhttp_settings_init(&s);
      s.on_headers_complete = on_headers_complete;
      s.on_body = on_body;
      s.on_message_complete = on_message_complete;
      s.on_chunk_header = on_chunk_header;
      s.on_chunk_extension_name = on_extension;
      s.on_chunk_extension_value = on_extension;
      return s;
    }();
    return &all;
  }
};

void Http1Parser::begin(Head& head, Buffer& body, Metadata& trailers, bool no_body) {
  if (state_ == State::kBroken) return;
  head_ = &head;
  body_ = &body;
  trailers_ = &trailers;
  no_body_ = no_body;
  state_ = State::kHead;
  line_at_ = searched_ = section_ = count_ = extension_octets_ = 0;
  start_line_read_ = blank_line_skipped_ = false;
  http11_ = keep_alive_ = until_close_ = expects_continue_ = takes_trailers_ = false;
  absolute_ = head_complete_ = message_complete_ = false;
  hosts_ = lengths_ = transfer_encodings_ = 0;
  length_ = body_octets_ = 0;
  connection_.clear();
}

Http1Parser::Event Http1Parser::fail(int status, std::string_view text) {
  state_ = State::kBroken;
  if (error_status_ == 0) {
    error_status_ = status;
    error_text_ = text;
  }
  return Event::kError;
}

Http1Parser::Event Http1Parser::next(std::string_view& input) {
  switch (state_) {
    case State::kHead:
      return head(input);
    case State::kBody:
      return body(input);
    case State::kTrailers:
      return trailers(input);
    case State::kDone:
      return Event::kEnd;
    case State::kBroken:
      break;
  }
  return Event::kError;
}

Http1Parser::Event Http1Parser::finish() {
  if (state_ == State::kDone) return Event::kEnd;
  if (state_ == State::kBody && until_close_) {
    state_ = State::kDone;
    return Event::kEnd;
  }
  return fail(400, "the message was cut short");
}

Http1Parser::Event Http1Parser::lines(std::string_view input) {
  for (;;) {
    size_t from = std::max(line_at_, searched_);
    const void* found = from < input.size() ? std::memchr(input.data() + from, '\n', input.size() - from) : nullptr;
    size_t end = found ? static_cast<size_t>(static_cast<const char*>(found) - input.data()) : input.size();
    if (end >= max_head_)
      return start_line_read_ ? fail(431, "the fields are too large") : fail(414, "the request line is too long");
    if (!found) {
      searched_ = input.size();
      return Event::kMore;
    }
    std::string_view line = input.substr(line_at_, end - line_at_);
    line_at_ = searched_ = end + 1;
    if (!line.ends_with('\r')) return fail(400, "a line does not end with CR LF");
    line.remove_suffix(1);
    if (line.empty() && start_line_read_) {
      section_ = end + 1;
      return Event::kEnd;
    }
    if (!is_field_value(line)) return fail(400, "a control octet");
    if (!start_line_read_) {
      if (!start_line(line)) return fail(400, "a malformed start line");
      start_line_read_ = true;
    } else if (!field(line)) {
      return fail(400, "a malformed field");
    }
  }
}

Http1Parser::Event Http1Parser::head(std::string_view& input) {
  if (kind_ == Kind::kRequest && !start_line_read_ && !blank_line_skipped_ && input.starts_with("\r\n")) {
    blank_line_skipped_ = true;  // RFC 9112 section 2.2: at least one; we say at most one
    input.remove_prefix(2);
    searched_ = 0;
  }
  if (Event event = lines(input); event != Event::kEnd) return event;
  std::string_view section = input.substr(0, section_);
  if (!check_head()) return fail(400, "a malformed head");
  if (!run_llhttp(section)) return fail(400, "a malformed head");
  input.remove_prefix(section_);
  state_ = message_complete_ ? State::kDone : State::kBody;
  return Event::kHead;
}

bool Http1Parser::run_llhttp(std::string_view section) {
  llhttp_init(&parser_, kind_ == Kind::kRequest ? HTTP_REQUEST : HTTP_RESPONSE, Callbacks::settings());
  parser_.data = this;
  llhttp_errno_t error = llhttp_execute(&parser_, section.data(), section.size());
  return head_complete_ && (error == HPE_OK || (error == HPE_PAUSED && message_complete_));
}

bool Http1Parser::start_line(std::string_view line) {
  if (line.find('\t') != std::string_view::npos) return false;
  return kind_ == Kind::kRequest ? request_line(line) : status_line(line);
}

bool Http1Parser::request_line(std::string_view line) {
  size_t first = line.find(' '), last = line.rfind(' ');
  foreign_ = !line.empty() && !is_known_method(line.substr(0, first)) && !line.substr(last + 1).starts_with("HTTP/");
  if (first == std::string_view::npos || last == first || foreign_) return false;
  std::string_view method = line.substr(0, first), text = line.substr(first + 1, last - first - 1),
                   version = line.substr(last + 1);
  if (!is_token(method) || text.empty()) return false;
  if (version.size() != 8 || !version.starts_with("HTTP/") || version[6] != '.' || version[5] < '0' ||
      version[5] > '9' || version[7] < '0' || version[7] > '9')
    return false;
  http11_ = version == "HTTP/1.1";
  if (!http11_ && version != "HTTP/1.0") {
    fail(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    return false;
  }
  // CONNECT asks for a tunnel and TRACE shows a caller's credentials to whoever can make it call: neither is served.
  if (!is_known_method(method) || method == "CONNECT" || method == "TRACE" || method == "PRI") {
    fail(501, "this method is not implemented");
    return false;
  }
  head_->method = method;
  head_->scheme = "http";
  return target(method, text);
}

bool Http1Parser::target(std::string_view method, std::string_view text) {
  if (text.front() == '/') {
    if (!is_target(text)) return false;
    head_->target = text;
    return true;
  }
  if (text == "*") {
    head_->target = text;
    return method == "OPTIONS";
  }
  // The absolute form: its authority wins over Host (RFC 9112 section 3.2.2).
  size_t colon = text.find("://");
  if (colon == std::string_view::npos) return false;
  std::string_view scheme = text.substr(0, colon), rest = text.substr(colon + 3);
  if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https")) return false;
  size_t path = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, path), origin = rest.substr(path);
  if (!is_authority(authority) || !is_target(origin)) return false;
  absolute_ = true;
  head_->authority = authority;
  if (!origin.starts_with('/')) {
    head_->target = '/';
    head_->target += origin;
  } else {
    head_->target = origin;
  }
  return true;
}

bool Http1Parser::status_line(std::string_view line) {
  if (line.size() < 12 || !(line.starts_with("HTTP/1.1 ") || line.starts_with("HTTP/1.0 "))) return false;
  http11_ = line[7] == '1';
  std::string_view code = line.substr(9, 3);
  if (code[0] < '1' || code[0] > '9' || code[1] < '0' || code[1] > '9' || code[2] < '0' || code[2] > '9') return false;
  if (line.size() > 12 && line[12] != ' ') return false;
  head_->status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
  return true;
}

bool Http1Parser::field(std::string_view line) {
  // A line that begins with a blank continues the one before (obs-fold): its blank is not a token's octet either.
  size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  if (++count_ > kMaxFields) {
    fail(431, "too many fields");
    return false;
  }
  name_.resize(colon);
  for (size_t i = 0; i < colon; ++i)
    if (!(name_[i] = token_lower(line[i]))) return false;
  std::string_view value = trim_blanks(line.substr(colon + 1));
  if (state_ == State::kTrailers) {
    if (may_be_trailer(name_)) trailers_->add(name_, value);
    return true;
  }
  return head_field(name_, value);
}

bool Http1Parser::head_field(std::string_view name, std::string_view value) {
  switch (name.size()) {
    case 2:
      if (name == "te")
        for_each_element(value, [this](std::string_view e) { takes_trailers_ |= equals_ignoring_case(e, "trailers"); });
      break;
    case 4:
      if (name == "host" && kind_ == Kind::kRequest) return set_host(value);
      break;
    case 6:
      if (name == "expect" && kind_ == Kind::kRequest) {
        if (!equals_ignoring_case(value, "100-continue")) {
          fail(417, "only 100-continue can be expected");
          return false;
        }
        expects_continue_ = true;
        return true;
      }
      break;
    case 10:
      if (name == "keep-alive") return true;
      if (name == "connection") {
        connection_.append(value).append(",");
        return true;
      }
      break;
    case 14:
      if (name == "content-length" && (++lengths_ > 1 || !parse_length(value, length_))) return false;
      break;
    case 16:
      if (name == "proxy-connection") return true;
      break;
    case 17:
      if (name == "transfer-encoding") return ++transfer_encodings_ == 1 && equals_ignoring_case(value, "chunked");
      break;
    default:
      break;
  }
  head_->fields.add(name, value);
  return true;
}

bool Http1Parser::set_host(std::string_view value) {
  if (++hosts_ > 1 || !is_authority(value)) return false;
  if (!absolute_) head_->authority = value;
  return true;
}

bool Http1Parser::check_head() {
  if (transfer_encodings_ && (lengths_ || !http11_)) return false;
  if (kind_ == Kind::kRequest && http11_ && hosts_ == 0) return false;
  if (!http11_) expects_continue_ = false;  // RFC 9110 section 10.1.1
  // What Connection names concerns this connection alone and goes no further; but nobody may hide by it what frames,
  // routes or authorises a request.
  size_t elements = 0;
  for_each_element(connection_, [&](std::string_view element) {
    if (++elements > kMaxConnectionElements) return;
    if (equals_ignoring_case(element, "close") || equals_ignoring_case(element, "keep-alive") ||
        equals_ignoring_case(element, "upgrade") || equals_ignoring_case(element, "te"))
      return;
    name_.resize(element.size());
    std::transform(element.begin(), element.end(), name_.begin(), token_lower);
    if (may_be_trailer(name_)) head_->fields.remove(name_);
  });
  return elements <= kMaxConnectionElements;
}

Http1Parser::Event Http1Parser::body(std::string_view& input) {
  if (input.empty()) return Event::kMore;
  llhttp_errno_t error = llhttp_execute(&parser_, input.data(), input.size());
  if (error == HPE_OK) {
    input = {};
    return Event::kMore;
  }
  if (error != HPE_PAUSED) return fail(400, "a malformed body");
  input.remove_prefix(static_cast<size_t>(llhttp_get_error_pos(&parser_) - input.data()));
  if (message_complete_) {
    state_ = State::kDone;
    return Event::kEnd;
  }
  state_ = State::kTrailers;
  line_at_ = searched_ = count_ = 0;
  return trailers(input);
}

Http1Parser::Event Http1Parser::trailers(std::string_view& input) {
  if (Event event = lines(input); event != Event::kEnd) return event;
  input.remove_prefix(section_);
  state_ = State::kDone;
  return Event::kEnd;
}

}  // namespace duplex::http

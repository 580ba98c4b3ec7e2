#include "duplex/contract/path_template.h"

#include <algorithm>

namespace duplex::contract {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_letter_or_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// RFC 3986 pchar but ":", which begins a verb here, and `*`, which is a wildcard.
bool is_literal_char(char c) {
  return is_letter_or_digit(c) || std::string_view("-_.~%!$&'()+,;=@").find(c) != std::string_view::npos;
}
bool is_field_path_char(char c) { return is_letter_or_digit(c) || c == '_' || c == '.'; }

class Parser {
 public:
  Parser(std::string_view text, std::vector<PathTemplate::Segment>& segments,
         std::vector<PathTemplate::Variable>& variables, std::string& verb)
      : text_(text), segments_(segments), variables_(variables), verb_(verb) {}

  Status run() {
    if (peek() != '/') return error("a path begins with `/`");
    ++at_;
    if (at_ == text_.size()) return Status::ok();  // "/": the root
    if (Status s = segments(false); !s.is_ok()) return s;
    if (peek() == ':') {
      ++at_;
      if (Status s = literal(verb_, "a verb after `:`"); !s.is_ok()) return s;
    }
    if (at_ != text_.size()) return error("this character cannot stand here (percent-encode it)");
    for (size_t i = 0; i + 1 < segments_.size(); ++i) {
      if (segments_[i].kind == PathTemplate::Kind::kRest) return error_at(text_.find("**"), "`**` must come last");
    }
    if (variables_.size() > kMaxPathVariables)
      return error_at(0, "more than " + std::to_string(kMaxPathVariables) + " variables");
    return Status::ok();
  }

 private:
  Status segments(bool in_variable) {
    for (;;) {
      if (Status s = segment(in_variable); !s.is_ok()) return s;
      if (peek() != '/') return Status::ok();
      ++at_;
    }
  }

  Status segment(bool in_variable) {
    if (peek() == '*') {
      ++at_;
      const bool rest = peek() == '*';
      if (rest) ++at_;
      PathTemplate::Segment made;
      made.kind = rest ? PathTemplate::Kind::kRest : PathTemplate::Kind::kOne;
      segments_.push_back(std::move(made));
      return Status::ok();
    }
    if (peek() == '{') {
      if (in_variable) return error("a variable cannot stand within a variable");
      return variable();
    }
    PathTemplate::Segment made;
    if (Status s = literal(made.literal, "a segment (`*`, `**`, `{field}` or a word)"); !s.is_ok()) return s;
    segments_.push_back(std::move(made));
    return Status::ok();
  }

  Status variable() {
    ++at_;
    PathTemplate::Variable made;
    const size_t from = at_;
    while (is_field_path_char(peek())) ++at_;
    made.field_path = std::string(text_.substr(from, at_ - from));
    if (made.field_path.empty()) return error("a field's name must follow `{`");
    if (made.field_path.front() == '.' || made.field_path.back() == '.' ||
        made.field_path.find("..") != std::string::npos)
      return error_at(from, "a field path is names with one `.` between them");
    made.first = segments_.size();
    if (peek() == '=') {
      ++at_;
      if (Status s = segments(true); !s.is_ok()) return s;
    } else {
      segments_.emplace_back().kind = PathTemplate::Kind::kOne;
    }
    if (peek() != '}') return error("`}` is missing here");
    ++at_;
    made.count = segments_.size() - made.first;
    made.multi = made.count > 1 || segments_.back().kind == PathTemplate::Kind::kRest;
    for (const auto& other : variables_) {
      if (other.field_path == made.field_path)
        return error_at(from, "the variable `" + made.field_path + "` stands here a second time");
    }
    variables_.push_back(std::move(made));
    return Status::ok();
  }

  Status literal(std::string& into, const char* wanted) {
    const size_t from = at_;
    while (is_literal_char(peek())) ++at_;
    if (from == at_) return error(std::string(wanted) + " must stand here");
    auto decoded = percent_decode(text_.substr(from, at_ - from));
    if (!decoded) return error_at(from, decoded.error().message());
    into = std::move(*decoded);
    return Status::ok();
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  Status error(const std::string& what) const { return error_at(at_, what); }
  Status error_at(size_t at, const std::string& what) const {
    return Status::invalid_argument("path template \"" + std::string(text_) + "\", column " + std::to_string(at + 1) +
                                    ": " + what);
  }

  std::string_view text_;
  size_t at_ = 0;
  std::vector<PathTemplate::Segment>& segments_;
  std::vector<PathTemplate::Variable>& variables_;
  std::string& verb_;
};

}  // namespace

Result<PathTemplate> PathTemplate::parse(std::string_view text) {
  PathTemplate made;
  made.text_ = std::string(text);
  Parser parser(made.text_, made.segments_, made.variables_, made.verb_);
  if (Status s = parser.run(); !s.is_ok()) return s;
  return made;
}

std::string PathTemplate::shape() const {
  std::string out;
  for (const Segment& segment : segments_) {
    out += '/';
    if (segment.kind == Kind::kLiteral) out += percent_encode(segment.literal);
    if (segment.kind == Kind::kOne) out += "*";
    if (segment.kind == Kind::kRest) out += "**";
  }
  if (out.empty()) out = "/";
  return verb_.empty() ? out : out + ":" + percent_encode(verb_);
}

Result<std::string> percent_decode(std::string_view raw, bool keep_slashes) {
  std::string out;
  out.reserve(raw.size());
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '%') {
      out += raw[i];
      continue;
    }
    const int high = i + 1 < raw.size() ? hex_digit(raw[i + 1]) : -1;
    const int low = i + 2 < raw.size() ? hex_digit(raw[i + 2]) : -1;
    if (high < 0 || low < 0) return Status::invalid_argument("a `%` in the URL must be followed by two hex digits");
    const char c = static_cast<char>(high * 16 + low);
    if (c == '/' && keep_slashes)
      out += raw.substr(i, 3);
    else
      out += c;
    i += 2;
  }
  return out;
}

std::string percent_encode(std::string_view text, bool keep_slashes) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (is_letter_or_digit(c) || c == '-' || c == '_' || c == '.' || c == '~' || (c == '/' && keep_slashes)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

}  // namespace duplex::contract

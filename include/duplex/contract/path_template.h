// The path of a google.api.http rule, such as `/v1/{order=shops/*/orders/*}:cancel`.
//
//   Template = "/" Segments [ ":" Verb ]      Segments = Segment { "/" Segment }
//   Segment  = "*" | "**" | LITERAL | "{" FieldPath [ "=" Segments ] "}"
//
// Source: google/api/http.proto, "Path template syntax".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "duplex/base/status.h"

namespace duplex::contract {

// A template with more variables than this is refused, so that a match needs no memory of its own.
inline constexpr size_t kMaxPathVariables = 16;

class PathTemplate {
 public:
  enum class Kind : uint8_t {
    kLiteral,
    kOne,   // "*": one segment that is not empty
    kRest,  // "**": all that is left, even nothing; only the last segment can be it
  };
  struct Segment {
    Kind kind = Kind::kLiteral;
    std::string literal;  // percent-decoded; of kLiteral
  };
  struct Variable {
    std::string field_path;  // "order.customer_id"
    size_t first = 0;        // its first segment
    size_t count = 0;        // how many segments it spans, a `**` counted as one
    bool multi = false;      // it can hold several path segments, so its `/` stays what it is and %2F stays encoded
  };

  // Error: INVALID_ARGUMENT that names the place in `text`, and the mend.
  static Result<PathTemplate> parse(std::string_view text);

  const std::string& text() const { return text_; }
  const std::vector<Segment>& segments() const { return segments_; }
  const std::vector<Variable>& variables() const { return variables_; }
  // What follows the last ":", without it; empty if there is none.
  const std::string& verb() const { return verb_; }
  // The template without its variables' names: two templates of one shape match the same paths.
  std::string shape() const;

 private:
  std::string text_;
  std::vector<Segment> segments_;
  std::vector<Variable> variables_;
  std::string verb_;
};

// `raw` with its %XX replaced. `keep_slashes`: "%2F" and "%2f" stay as they are (the rule for variables of several
// segments). Error: INVALID_ARGUMENT for a `%` that two hex digits do not follow.
Result<std::string> percent_decode(std::string_view raw, bool keep_slashes = false);
// All but `-_.~`, digits, letters and (if `keep_slashes`) `/` as %XX.
std::string percent_encode(std::string_view text, bool keep_slashes = false);

}  // namespace duplex::contract

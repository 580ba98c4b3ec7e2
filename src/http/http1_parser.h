// Http1Parser: the octets of one side of an HTTP/1.1 connection, taken apart into messages.
//
// Two readers must agree before anything above sees a head. Lines and fields are read here, by RFC 9112 without any of
// its leniencies; llhttp then reads the same head and decides the framing, and takes the body apart. What either of
// them does not like is refused, so that no message can mean one thing to us and another to a proxy before us.
#pragma once

#include <llhttp.h>

#include <string_view>

#include "duplex/http/exchange.h"

namespace duplex::http {

class Http1Parser {
 public:
  enum class Kind : uint8_t { kRequest, kResponse };
  enum class Event : uint8_t {
    kMore,   // what is left of the input (an unfinished head) is to be given again with what follows it
    kHead,   // the head is whole
    kEnd,    // the message is whole: begin() the next
    kError,  // error_status() and error_text(); nothing more can be read
  };

  Http1Parser(Kind kind, size_t max_head) : kind_(kind), max_head_(max_head) {}
  Http1Parser(const Http1Parser&) = delete;

  // Where the next message goes. `no_body` (a response): the request was a HEAD.
  void begin(Head& head, Buffer& body, Metadata& trailers, bool no_body = false);
  // Takes from the front of `input`, up to the next event. Body octets go to the body.
  Event next(std::string_view& input);
  // The input has ended: the message's end, if it was to be ended by that.
  Event finish();
  // The body that still comes is counted and dropped.
  void discard_body() { body_ = nullptr; }

  // Has a message begun that is not whole?
  bool in_head() const { return state_ == State::kHead; }
  bool in_message() const { return state_ == State::kBody || state_ == State::kTrailers; }

  // ---- of the head that was read ----
  bool http11() const { return http11_; }
  bool keep_alive() const { return keep_alive_; }
  bool chunked() const { return transfer_encodings_ > 0; }
  bool ends_with_connection() const { return until_close_; }
  bool no_body() const { return no_body_; }
  bool expects_continue() const { return expects_continue_; }
  bool takes_trailers() const { return takes_trailers_; }
  bool has_length() const { return lengths_ > 0; }
  uint64_t length() const { return length_; }
  uint64_t body_octets() const { return body_octets_; }

  int error_status() const { return error_status_; }
  std::string_view error_text() const { return error_text_; }
  // The error is a first line that has neither a method that we know nor a version of HTTP: its sender speaks another
  // protocol, or a broken preface of HTTP/2, and would not understand an answer.
  bool foreign() const { return foreign_; }

 private:
  enum class State : uint8_t { kHead, kBody, kTrailers, kDone, kBroken };
  struct Callbacks;

  Event fail(int status, std::string_view text);
  Event head(std::string_view& input);
  Event body(std::string_view& input);
  Event trailers(std::string_view& input);
  // Reads whole lines of a head or of trailers; kEnd when the empty line that ends them is there.
  Event lines(std::string_view input);
  bool start_line(std::string_view line);
  bool request_line(std::string_view line);
  bool target(std::string_view method, std::string_view text);
  bool status_line(std::string_view line);
  bool field(std::string_view line);
  bool head_field(std::string_view name, std::string_view value);
  bool check_head();
  bool run_llhttp(std::string_view section);
  bool set_host(std::string_view value);

  const Kind kind_;
  const size_t max_head_;
  State state_ = State::kDone;
  Head* head_ = nullptr;
  Buffer* body_ = nullptr;
  Metadata* trailers_ = nullptr;
  llhttp_t parser_{};

  size_t line_at_ = 0, searched_ = 0, section_ = 0;  // offsets in the input: this line, where to look on, the whole
  size_t count_ = 0;                                 // fields
  bool start_line_read_ = false, blank_line_skipped_ = false, no_body_ = false;
  bool http11_ = false, keep_alive_ = false, until_close_ = false, expects_continue_ = false, takes_trailers_ = false;
  bool foreign_ = false;
  bool absolute_ = false, head_complete_ = false, message_complete_ = false;
  uint8_t hosts_ = 0, lengths_ = 0, transfer_encodings_ = 0;
  uint64_t length_ = 0, body_octets_ = 0;
  size_t extension_octets_ = 0;
  std::string name_;        // scratch: the field's name in lower case
  std::string connection_;  // scratch: the elements of all Connection fields
  int error_status_ = 0;
  std::string_view error_text_;
};

// A host and an optional port as they may stand in `Host` and in a target (RFC 9110 section 7.2).
bool is_authority(std::string_view text);

}  // namespace duplex::http

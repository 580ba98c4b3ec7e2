#include "duplex/contract/text_format.h"

#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>

#include <memory>

#include "duplex/contract/json.h"

namespace duplex::contract {

namespace pb = google::protobuf;

namespace {

constexpr int kDeepest = 100;

// Keeps the first mistake: those behind it often follow from it.
class FirstMistake final : public pb::io::ErrorCollector {
 public:
  void AddError(int line, pb::io::ColumnNumber column, const std::string& message) override {
    if (!text_.empty()) return;
    if (line >= 0) text_ = "line " + std::to_string(line + 1) + ", column " + std::to_string(column + 1) + ": ";
    text_ += message;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool looks_like_text_format(std::string_view text) {
  if (text.front() == '#') return true;
  if (!is_letter(text.front())) return false;
  size_t end = 0;
  while (end < text.size() && is_letter(text[end])) ++end;
  const std::string_view word = text.substr(0, end);
  return word != "true" && word != "false" && word != "null";
}

}  // namespace

Result<Bytes> text_to_proto(const Type& type, std::string_view text) {
  if (text.size() > static_cast<size_t>(INT32_MAX)) return Status::invalid_argument("a text of 2 GiB or more");
  pb::DynamicMessageFactory factory;
  const std::unique_ptr<pb::Message> message(factory.GetPrototype(&type.descriptor())->New());
  pb::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  FirstMistake mistake;
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&mistake);
  parser.SetRecursionLimit(kDeepest);
  if (!parser.Parse(&input, message.get()))
    return Status::invalid_argument("text of " + type.name() + ": " + mistake.text());
  return Bytes::copy(message->SerializeAsString());
}

Result<Bytes> written_to_proto(const Type& type, std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return Status::invalid_argument("an empty text is no message; {} is one without fields");
  return looks_like_text_format(text.substr(begin)) ? text_to_proto(type, text) : json_to_proto(type, text);
}

}  // namespace duplex::contract

#include "cli/call.h"

#include "duplex/contract/json.h"
#include "duplex/runtime/blocking.h"
#include "duplex/runtime/run.h"
#include "duplex/service/pipe.h"

namespace duplex::cli {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Requests: those that were given, or the lines of a file as they come.
class Requests final : public Source {
 public:
  Requests(const contract::Type& type, std::vector<std::string> given) : type_(type), given_(std::move(given)) {}
  Requests(const contract::Type& type, std::FILE* lines) : type_(type), lines_(lines) {}

  Task<NextResult> next(Context& ctx) override {
    std::string json;
    if (lines_) {
      Result<std::optional<std::string>> line = co_await blocking(ctx, [file = lines_] { return read_line(file); });
      if (!line) co_return line.error();
      if (!*line) co_return std::optional<Message>();
      json = std::move(**line);
    } else {
      if (at_ == given_.size()) co_return std::optional<Message>();
      json = given_[at_++];
    }
    Result<Bytes> bytes = contract::json_to_proto(type_, json);
    if (!bytes) co_return bytes.error();
    co_return std::optional<Message>(std::in_place, std::move(*bytes));
  }

 private:
  // The next line that is not blank.
  static Result<std::optional<std::string>> read_line(std::FILE* file) {
    std::string line;
    for (int c; (c = std::fgetc(file)) != EOF;) {
      if (c != '\n') {
        line += static_cast<char>(c);
        continue;
      }
      if (line.find_first_not_of(" \t\r") != line.npos) return std::optional<std::string>(std::move(line));
      line.clear();
    }
    if (line.find_first_not_of(" \t\r") != line.npos) return std::optional<std::string>(std::move(line));
    return std::optional<std::string>();
  }

  const contract::Type& type_;
  std::vector<std::string> given_;
  size_t at_ = 0;
  std::FILE* lines_ = nullptr;
};

// Replies, a line each.
class Lines final : public Sink {
 public:
  Lines(const contract::Type& type, std::FILE* out) : type_(type), out_(out) {}
  Task<Status> head(Context&, Metadata) override { return Task<Status>::ready(Status()); }
  Task<Status> write(Context&, Message message) override {
    Result<Bytes> json = contract::proto_to_json(type_, message.bytes.view());
    if (!json) return Task<Status>::ready(json.error());
    std::fwrite(json->data(), 1, json->size(), out_);
    std::fputc('\n', out_);
    std::fflush(out_);
    return Task<Status>::ready(Status());
  }

 private:
  const contract::Type& type_;
  std::FILE* out_;
};

void complain(std::FILE* error, const Status& status) {
  std::fprintf(error, "duplex: %s\n", status.to_string().c_str());
  for (const Detail& detail : status.details()) std::fprintf(error, "  with %s\n", detail.type_url.c_str());
}

Task<Status> call_method(Context& ctx, Client& client, const CallQuestion& question, std::FILE* in, std::FILE* out) {
  Result<Metadata> metadata = metadata_of(question.target);
  if (!metadata) co_return metadata.error();
  auto contract = co_await contract_of(ctx, client, question.target);
  if (!contract) co_return contract.error();
  auto method = find_method(**contract, question.method);
  if (!method) co_return method.error();
  const contract::Type& input = (*method)->input();
  const bool lines = (*method)->caller_streams() && !question.json;
  auto given = json_values(question.json.value_or(lines ? "" : "{}"));
  if (!given) co_return given.error();
  if (!(*method)->caller_streams() && given->size() != 1)
    co_return Status::invalid_argument((*method)->name() + " takes one request, not " + std::to_string(given->size()));
  for (const std::string& json : *given)  // before anything is sent
    if (auto bytes = contract::json_to_proto(input, json); !bytes) co_return bytes.error();
  Requests requests = lines ? Requests(input, in) : Requests(input, std::move(*given));
  Lines replies((*method)->output(), out);
  Call call((*method)->plain(), std::move(*metadata), requests, replies);
  Outcome outcome = co_await client.call(ctx, call);
  co_return outcome.status;
}

}  // namespace

Result<std::vector<std::string>> json_values(std::string_view text) {
  std::vector<std::string> values;
  size_t begin = 0;
  int depth = 0;
  bool quoted = false, open = false;
  auto end_value = [&](size_t end) {
    values.emplace_back(text.substr(begin, end - begin));
    open = false;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
      continue;
    }
    if (!open) {
      if (is_blank(c)) continue;
      open = true;
      begin = i;
    } else if (depth == 0 && is_blank(c)) {
      end_value(i);
      continue;
    }
    if (c == '"') quoted = true;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) end_value(i + 1);
  }
  if (quoted || depth > 0) return Status::invalid_argument("the JSON does not end: a quote or a bracket is open");
  if (open) end_value(text.size());
  return values;
}

int call(const CallQuestion& question, std::FILE* in, std::FILE* out, std::FILE* error) {
  auto client = client_of(question.target);
  if (!client) {
    complain(error, client.error());
    return 1;
  }
  const Status status =
      run([&](Context& ctx) -> Task<Status> { co_return co_await call_method(ctx, **client, question, in, out); });
  if (status.is_ok()) return 0;
  complain(error, status);
  return 1;
}

}  // namespace duplex::cli

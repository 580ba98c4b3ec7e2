#include "protocols/json_stream.h"

#include <gtest/gtest.h>

namespace duplex::rest {
namespace {

// The items of `body` fed in pieces of `step` octets: "a|b|!c" where c is a failure; "(CODE)" for an error.
std::string items(JsonStream::Form form, std::string_view body, size_t step, size_t limit = 100) {
  JsonStream stream(form, limit);
  std::string out;
  bool over = false;
  auto take = [&](Result<std::optional<JsonStream::Item>> item) {
    if (!item) {
      out += "(" + std::string(code_name(item.error().code())) + ")";
      over = true;
    }
    if (!item || !*item) return false;
    if (!out.empty()) out += '|';
    if ((*item)->failure) out += '!';
    out += (*item)->text;
    return true;
  };
  for (size_t at = 0; at < body.size() && !over; at += step) {
    stream.feed(body.substr(at, step));
    while (take(stream.next())) {
    }
  }
  if (!over) take(stream.finish());
  return out;
}

void expect(JsonStream::Form form, std::string_view body, const std::string& wanted) {
  for (size_t step = 1; step <= body.size(); ++step)
    EXPECT_EQ(items(form, body, step), wanted) << "in steps of " << step;
}

TEST(JsonStream, LinesOverAnyCutOfTheOctets) {
  expect(JsonStream::Form::kLines, "{\"a\":1}\n{\"b\":2}\r\n\n  \n{}\n", "{\"a\":1}|{\"b\":2}\r|{}");
  expect(JsonStream::Form::kLines, "1\n2", "1|2");  // the last line's end may be missing
}

TEST(JsonStream, EventsOverAnyCutOfTheOctets) {
  expect(JsonStream::Form::kEvents,
         "\xEF\xBB\xBF"
         "data: 1\n\ndata:2\n\n",
         "1|2");
  expect(JsonStream::Form::kEvents, ": hello\r\nid: 7\r\nretry: 10\r\ndata: {\r\ndata: }\r\n\r\ndata: 2\r\r", "{\n}|2");
  expect(JsonStream::Form::kEvents, "event: error\ndata: x\n\nevent: news\ndata: y\n\n", "!x|y");
  expect(JsonStream::Form::kEvents, "event: error\n\ndata: y\n\n", "y");  // no data, no event; and its name is gone
  expect(JsonStream::Form::kEvents, "data\n\n", "");
}

TEST(JsonStream, AnEventThatWasCutOffIsNotTakenForAWholeOne) {
  expect(JsonStream::Form::kEvents, "data: 1\n\ndata: 2\n", "1(INTERNAL)");
  expect(JsonStream::Form::kEvents, "data: 1\n\nda", "1(INTERNAL)");
}

TEST(JsonStream, AMessagePastTheLimitIsRefusedBeforeItIsWhole) {
  const std::string line(101, 'x');
  for (size_t step : {1u, 7u, 50u, 200u}) {
    EXPECT_EQ(items(JsonStream::Form::kLines, "1\n" + line, step), "1(RESOURCE_EXHAUSTED)");
    EXPECT_EQ(items(JsonStream::Form::kLines, "1\n" + line + "\n", step), "1(RESOURCE_EXHAUSTED)");
    EXPECT_EQ(items(JsonStream::Form::kEvents, "data: 1\n\ndata: " + line, step), "1(RESOURCE_EXHAUSTED)");
  }
  std::string endless;
  for (int i = 0; i < 100; ++i) endless += "data: xx\n";
  EXPECT_EQ(items(JsonStream::Form::kEvents, endless, 10), "(RESOURCE_EXHAUSTED)");
}

}  // namespace
}  // namespace duplex::rest

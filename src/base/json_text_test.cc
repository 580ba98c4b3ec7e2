#include "duplex/base/json_text.h"

#include <gtest/gtest.h>

namespace duplex {
namespace {

TEST(JsonText, EscapesWhatJsonAndALineForbid) {
  EXPECT_EQ(json_quoted("plain text that is longer than eight"), "\"plain text that is longer than eight\"");
  EXPECT_EQ(json_quoted("a\"b\\c\nd\re\tf"), R"("a\"b\\c\nd\re\tf")");
  EXPECT_EQ(json_quoted(std::string_view("\0\x1f\x7f", 3)), "\"\\u0000\\u001f\\u007f\"");
  for (int c = 0; c < 256; ++c) {
    for (size_t at : {size_t{0}, size_t{7}, size_t{12}}) {
      std::string text(20, 'x');
      text[at] = static_cast<char>(c);
      for (unsigned char out : json_quoted(text)) EXPECT_TRUE(out >= 0x20 && out != 0x7f) << c;
    }
  }
}

TEST(JsonText, KeepsUtf8AndReplacesWhatIsNot) {
  EXPECT_EQ(json_quoted("Grüße € 🎉"), "\"Grüße € 🎉\"");
  EXPECT_EQ(json_quoted("\xff"), "\"\xef\xbf\xbd\"");
  EXPECT_EQ(json_quoted("a\xc3"), "\"a\xef\xbf\xbd\"");                                                // cut short
  EXPECT_EQ(json_quoted("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");                                  // overlong
  EXPECT_EQ(json_quoted("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");                  // a surrogate
  EXPECT_EQ(json_quoted("\xf4\x90\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");  // > U+10FFFF
  EXPECT_EQ(json_quoted("\xe2\x82z"), "\"\xef\xbf\xbdz\"");  // one mark for the longest wrong start
}

}  // namespace
}  // namespace duplex

#include "duplex/telemetry/trace_context.h"

#include <gtest/gtest.h>

namespace duplex {
namespace {

const std::string kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceContext, ReadsAndWritesTheStandardForm) {
  auto t = TraceContext::parse(kParent);
  ASSERT_TRUE(t);
  EXPECT_EQ(t->trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(t->span_id.to_string(), "b7ad6b7169203331");
  EXPECT_TRUE(t->sampled());
  EXPECT_EQ(t->traceparent(), kParent);
}

TEST(TraceContext, RefusesWhatTheStandardForbids) {
  for (const char* bad : {
           "", "00",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",       // no flags
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",     // short
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",  // more, on version 00
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.",   //
           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",    // forbidden version
           "0A-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",    // upper case
           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",    //
           "00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01",    //
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0G",    //
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",    // no trace
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",    // no span
           "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",    //
           " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",   //
           "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",   // a later version's more needs its '-'
       })
    EXPECT_FALSE(TraceContext::parse(bad)) << bad;
}

TEST(TraceContext, LaterVersionsAreReadByTheirStartAndWrittenAs00) {
  auto t = TraceContext::parse("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-what-comes");
  ASSERT_TRUE(t);
  EXPECT_EQ(t->traceparent(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03");  // unknown flags zeroed
}

TEST(TraceContext, AChildIsOfTheSameTrace) {
  auto parent = *TraceContext::parse(kParent);
  TraceContext child = parent.child();
  EXPECT_EQ(child.trace_id, parent.trace_id);
  EXPECT_NE(child.span_id, parent.span_id);
  EXPECT_EQ(child.parent_id, parent.span_id);
  EXPECT_TRUE(child.sampled());
  TraceContext root = TraceContext::start(false);
  EXPECT_EQ(root.flags, TraceContext::kRandom);
  EXPECT_TRUE(root.valid());
}

TEST(TraceContext, MetadataCarriesIt) {
  Metadata m;
  EXPECT_FALSE(TraceContext::of(m));
  m.add("traceparent", kParent);
  m.add("tracestate", "a=1");
  m.add("tracestate", " b=2 ,, c=3");
  EXPECT_EQ(TraceContext::of(m)->tracestate, "a=1,b=2,c=3");
  Metadata out;
  out.add("traceparent", "stale");
  out.add("x", "y");
  TraceContext::of(m)->put_into(out);
  EXPECT_EQ(*out.find("traceparent"), kParent);
  EXPECT_EQ(*out.find("tracestate"), "a=1,b=2,c=3");
  EXPECT_EQ(out.size(), 3u);
  m.add("traceparent", kParent);
  EXPECT_FALSE(TraceContext::of(m));  // two are none
}

TEST(Tracestate, KeepsToTheStandard) {
  EXPECT_EQ(clean_tracestate("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"), "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
  EXPECT_EQ(clean_tracestate("\t a=1 \t,,\t b_-*/=2 3 "), "a=1,b_-*/=2 3");
  EXPECT_EQ(clean_tracestate("fw529a3039@dt=FfAAAAAA,0tenant@sys=1"), "fw529a3039@dt=FfAAAAAA,0tenant@sys=1");
  for (const char* bad :
       {"a=1,a=2", "A=1", "a", "a=", "=1", "a=1=2", "a b=1", "a@1s=1", "@s=1", "a@b@c=1", "a=\x01", "a=ü", "_a=1"})
    EXPECT_EQ(clean_tracestate(bad), "") << bad;
  std::string many;
  for (int i = 0; i < 32; ++i) many += (i ? "," : "") + ("k" + std::to_string(i)) + "=v";
  EXPECT_EQ(clean_tracestate(many), many);
  EXPECT_EQ(clean_tracestate(many + ",one=more"), "");
  EXPECT_EQ(clean_tracestate(std::string(256, 'k') + "=v").size(), 258u);
  EXPECT_EQ(clean_tracestate(std::string(257, 'k') + "=v"), "");
}

TEST(Tracestate, AtLeast512OctetsAreKeptAndTooMuchGoesFromTheEnd) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += (i ? "," : "") + ("k" + std::to_string(i)) + "=" + std::string(100, 'v');
  std::string kept = clean_tracestate(text);
  EXPECT_GE(kept.size(), 512u);
  EXPECT_LE(kept.size(), 1024u);
  EXPECT_TRUE(text.starts_with(kept + ","));
}

}  // namespace
}  // namespace duplex

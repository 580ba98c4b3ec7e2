#include "duplex/contract/problem.h"

#include <gtest/gtest.h>

#include "contract/base64.h"
#include "contract/test_contract.h"
#include "duplex/contract/http_status.h"
#include "duplex/contract/json.h"

namespace duplex::contract {

TEST(HttpStatus, IsTheTableOfGoogleRpcCode) {
  const int expected[] = {200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401};
  for (uint64_t code = 0; code <= 16; ++code) EXPECT_EQ(http_status(code_of(code)), expected[code]) << code;
}

TEST(HttpStatus, WithoutGrpcStatusIsTheTableOfGrpc) {
  const std::pair<int, Code> expected[] = {
      {400, Code::kInternal},      {401, Code::kUnauthenticated}, {403, Code::kPermissionDenied},
      {404, Code::kUnimplemented}, {429, Code::kUnavailable},     {431, Code::kInternal},
      {502, Code::kUnavailable},   {503, Code::kUnavailable},     {504, Code::kUnavailable},
      {200, Code::kUnknown},       {302, Code::kUnknown},         {500, Code::kUnknown}};
  for (const auto& [http, code] : expected) EXPECT_EQ(code_without_grpc_status(http), code) << http;
}

TEST(Problem, HasTheMembersOfRfc9457) {
  EXPECT_EQ(problem_json(Status::not_found("no order \"7\"")),
            R"({"type":"about:blank","title":"Not Found","status":404,"detail":"no order \"7\"","code":"NOT_FOUND"})");
}

TEST(Problem, RepeatsTheStatusOfItsAnswer) {
  EXPECT_EQ(problem_json(Status::unimplemented("it takes GET"), nullptr, 405),
            R"({"type":"about:blank","title":"Method Not Allowed","status":405,"detail":"it takes GET",)"
            R"("code":"UNIMPLEMENTED"})");
}

TEST(Problem, DetailsAreJsonIfTheirTypeIsKnownElseBase64) {
  auto contract = test_contract("dispatch.proto");
  ASSERT_TRUE(contract);
  const std::string bad_request = "type.googleapis.com/google.rpc.BadRequest";
  auto detail = json_to_proto(*contract->find_type("google.rpc.BadRequest"),
                              R"({"field_violations":[{"field":"city","description":"is empty"}]})");
  ASSERT_TRUE(detail);
  auto retry = json_to_proto(*contract->find_type("google.rpc.RetryInfo"), R"({"retry_delay":"2s"})");
  ASSERT_TRUE(retry);
  const Status status(
      Code::kInvalidArgument, "bad",
      {Detail{bad_request, detail->to_string()}, Detail{"type.googleapis.com/google.rpc.RetryInfo", retry->to_string()},
       Detail{"type.example.com/un.Known", "\x01\x02"}});
  const std::string json = problem_json(status, contract.get());
  EXPECT_EQ(json,
            R"({"type":"about:blank","title":"Bad Request","status":400,"detail":"bad","code":"INVALID_ARGUMENT",)"
            R"("details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","field_violations":[{"field":"city",)"
            R"("description":"is empty"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retry_delay":"2s"},)"
            R"({"@type":"type.example.com/un.Known","value":"AQI="}]})");
  const Status back = status_from_problem(400, json, contract.get());
  EXPECT_EQ(back.code(), status.code());
  EXPECT_EQ(back.message(), "bad");
  ASSERT_EQ(back.details().size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(back.details()[i].type_url, status.details()[i].type_url);
    EXPECT_EQ(back.details()[i].value, status.details()[i].value);
  }
  // Nobody who knows no types loses one.
  const Status blind = status_from_problem(400, problem_json(status));
  ASSERT_EQ(blind.details().size(), 3u);
  EXPECT_EQ(blind.details()[0].value, detail->to_string());
}

TEST(Problem, AnAnswerThatIsNoProblemIsStillAnError) {
  const Status html = status_from_problem(502, "<html>Bad Gateway</html>");
  EXPECT_EQ(html.code(), Code::kUnavailable);
  EXPECT_EQ(html.message(), "HTTP 502 Bad Gateway");
  EXPECT_EQ(status_from_problem(404, "").code(), Code::kNotFound);
  EXPECT_EQ(status_from_problem(200, "").code(), Code::kUnknown);
  EXPECT_EQ(status_from_problem(409, R"({"title":"taken","code":7,"details":{}})").message(), "taken");
  EXPECT_EQ(status_from_problem(409, R"({"title":"taken","code":"ALREADY_EXISTS"})").code(), Code::kAlreadyExists);
  EXPECT_EQ(status_from_problem(409, R"({"code":"OK"})").code(), Code::kAborted);
}

TEST(Problem, OtherTranscodersSendAGoogleRpcStatus) {
  const Status status = status_from_problem(404, R"({"code":5,"message":"no ride 7","details":[]})");
  EXPECT_EQ(status.to_string(), "NOT_FOUND: no ride 7");
  EXPECT_EQ(status_from_problem(404, R"({"code":404,"message":"gone"})").to_string(), "NOT_FOUND: gone");
}

TEST(Problem, TheLastLineOfAStreamIsToldFromAMessageThatHasAnError) {
  const Status lost(Code::kDataLoss, "gone");
  const auto told = status_from_error_line("{\"error\":" + problem_json(lost) + "}");
  ASSERT_TRUE(told);
  EXPECT_EQ(told->to_string(), "DATA_LOSS: gone");
  EXPECT_FALSE(status_from_error_line(R"({"error":"a message's own"})"));
  EXPECT_FALSE(status_from_error_line(R"({"error":{"code":7,"text":"a message's own"}})"));
  EXPECT_FALSE(status_from_error_line(R"({"id":"7"})"));
  EXPECT_FALSE(status_from_error_line("{"));
}

TEST(Base64, TakesBothAlphabetsWithOrWithoutPadding) {
  EXPECT_EQ(base64_encode(""), "");
  EXPECT_EQ(base64_encode("a"), "YQ==");
  EXPECT_EQ(base64_encode("ab"), "YWI=");
  EXPECT_EQ(base64_encode("abc"), "YWJj");
  EXPECT_EQ(base64_decode("YQ"), "a");
  EXPECT_EQ(base64_decode("YQ=="), "a");
  EXPECT_EQ(base64_decode("_-8"), "\xff\xef");
  EXPECT_EQ(base64_decode("/+8="), "\xff\xef");
  EXPECT_FALSE(base64_decode("Y"));
  EXPECT_FALSE(base64_decode("Y Q="));
  EXPECT_FALSE(base64_decode("YQ="));
}

}  // namespace duplex::contract

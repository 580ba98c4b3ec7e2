#include "random_message.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

namespace duplex::tests {

using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

namespace {
constexpr int kMostDepth = 4;
}

RandomMessages::RandomMessages() {
  const char* given = std::getenv("DUPLEX_SEED");
  const uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::printf("DUPLEX_SEED=%llu\n", static_cast<unsigned long long>(seed));
  random_.seed(seed);
}

uint64_t RandomMessages::below(uint64_t limit) { return random_() % limit; }

uint64_t RandomMessages::bits() {
  constexpr uint64_t kEdges[] = {0, 1, ~0ull, 1ull << 63, 1ull << 31, 0x7fffffff, 127, 128};
  return below(2) ? kEdges[below(std::size(kEdges))] : random_() >> below(64);
}

double RandomMessages::real() {
  constexpr double kEdges[] = {0, -1, 0.1, std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::quiet_NaN()};
  return below(2) ? kEdges[below(std::size(kEdges))] : std::ldexp(static_cast<double>(random_()), -100);
}

std::string RandomMessages::text() {
  constexpr const char* kTexts[] = {"", "a", "Zoë", "日本 🎉", "\"\\/", "line\nline", "\x01\x7f"};
  return below(2) ? kTexts[below(std::size(kTexts))] : std::string(below(300), 'x');
}

int RandomMessages::enum_number(const EnumDescriptor& type) {
  if (below(5) == 0) return 77;  // a name that only a newer peer knows
  return type.value(static_cast<int>(below(static_cast<uint64_t>(type.value_count()))))->number();
}

void RandomMessages::fill(Message& message, int depth) {
  const auto& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (below(depth == 0 ? 2 : 4) != 0) continue;
    for (uint64_t n = field.is_repeated() ? below(4) : 1; n > 0; --n) set(message, field, depth);
  }
}

void RandomMessages::set_message(Message& message, const FieldDescriptor& field, int depth) {
  const Reflection& r = *message.GetReflection();
  if (depth == kMostDepth) return;
  if (!field.is_map()) {
    fill(field.is_repeated() ? *r.AddMessage(&message, &field) : *r.MutableMessage(&message, &field), depth + 1);
    return;
  }
  // A map is a list of entries to reflection; two of one key would not survive a parser.
  if (r.FieldSize(message, &field) > 0) return;
  Message& entry = *r.AddMessage(&message, &field);
  set(entry, *field.message_type()->map_key(), depth + 1);
  set(entry, *field.message_type()->map_value(), depth + 1);
}

void RandomMessages::set(Message& message, const FieldDescriptor& field, int depth) {
  const Reflection& r = *message.GetReflection();
  auto put = [&](auto one, auto add, auto value) {
    if (field.is_repeated())
      (r.*add)(&message, &field, value);
    else
      (r.*one)(&message, &field, value);
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return put(&Reflection::SetInt32, &Reflection::AddInt32, static_cast<int32_t>(bits()));
    case FieldDescriptor::CPPTYPE_INT64:
      return put(&Reflection::SetInt64, &Reflection::AddInt64, static_cast<int64_t>(bits()));
    case FieldDescriptor::CPPTYPE_UINT32:
      return put(&Reflection::SetUInt32, &Reflection::AddUInt32, static_cast<uint32_t>(bits()));
    case FieldDescriptor::CPPTYPE_UINT64:
      return put(&Reflection::SetUInt64, &Reflection::AddUInt64, bits());
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return put(&Reflection::SetDouble, &Reflection::AddDouble, real());
    case FieldDescriptor::CPPTYPE_FLOAT:
      return put(&Reflection::SetFloat, &Reflection::AddFloat, static_cast<float>(real()));
    case FieldDescriptor::CPPTYPE_BOOL:
      return put(&Reflection::SetBool, &Reflection::AddBool, below(2) == 1);
    case FieldDescriptor::CPPTYPE_ENUM:
      return put(&Reflection::SetEnumValue, &Reflection::AddEnumValue, enum_number(*field.enum_type()));
    case FieldDescriptor::CPPTYPE_STRING:
      return put(&Reflection::SetString, &Reflection::AddString, text());
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return set_message(message, field, depth);
  }
}

}  // namespace duplex::tests

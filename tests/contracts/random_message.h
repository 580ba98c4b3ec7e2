// Random messages of any type, by reflection; the seed is in the test's output.
#pragma once

#include <google/protobuf/message.h>

#include <random>
#include <string>

namespace duplex::tests {

class RandomMessages {
 public:
  // DUPLEX_SEED of the environment; without it another one each time.
  RandomMessages();

  // Each field is set or not, a repeated one up to three times; messages nest four deep.
  void fill(google::protobuf::Message& message, int depth = 0);

 private:
  void set(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field, int depth);
  void set_message(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field, int depth);
  uint64_t below(uint64_t limit);
  uint64_t bits();  // zero, one, all and the highest bit more often than chance has them
  double real();
  std::string text();
  int enum_number(const google::protobuf::EnumDescriptor& type);

  std::mt19937_64 random_;
};

}  // namespace duplex::tests

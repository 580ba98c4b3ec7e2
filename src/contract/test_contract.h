// The contracts under testdata/, and small ones written in a test.
#pragma once

#include <gtest/gtest.h>

#include <unistd.h>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "duplex/contract/contract.h"
#include "duplex/contract/proto_files.h"

namespace duplex::contract {

inline Result<std::shared_ptr<const Contract>> load_test_contract(const std::string& file) {
  auto set = read_proto_files({file}, {DUPLEX_CONTRACT_TESTDATA, DUPLEX_GOOGLEAPIS_DIR});
  if (!set) return set.error();
  return Contract::load(*set);
}

inline std::shared_ptr<const Contract> test_contract(const std::string& file) {
  auto loaded = load_test_contract(file);
  EXPECT_TRUE(loaded) << loaded.error().to_string();
  return loaded ? *loaded : nullptr;
}

// A contract whose text is `body`, after a head that imports google/api/annotations.proto in package `t`.
inline Result<std::shared_ptr<const Contract>> contract_of(const std::string& body) {
  const auto dir = std::filesystem::temp_directory_path() / ("duplex-contract-test-" + std::to_string(::getpid()));
  std::filesystem::create_directories(dir);
  {
    std::ofstream file(dir / "made.proto");
    file << "syntax = \"proto3\";\npackage t;\nimport \"google/api/annotations.proto\";\n" << body;
  }
  auto set = read_proto_files({"made.proto"}, {dir.string(), DUPLEX_GOOGLEAPIS_DIR});
  std::filesystem::remove_all(dir);
  if (!set) return set.error();
  return Contract::load(*set);
}

}  // namespace duplex::contract

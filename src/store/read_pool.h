// ReadPool: the connections that read.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "duplex/store/connection.h"

namespace duplex::store::detail {

// As many connections as there are threads to use them, so that nobody waits for one.
class ReadPool {
 public:
  explicit ReadPool(std::vector<std::unique_ptr<Reader>> readers) : readers_(std::move(readers)) {
    for (const auto& reader : readers_) idle_.push_back(reader.get());
  }
  Reader* take();  // null: closed
  void give_back(Reader& reader);
  void close();  // waits for those in use

 private:
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Reader>> readers_;
  std::vector<Reader*> idle_;  // the last used first: its cache is warm
  bool closed_ = false;
};

}  // namespace duplex::store::detail

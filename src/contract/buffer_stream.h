// A Buffer as protobuf's output stream, so that what it writes becomes Bytes without a copy.
#pragma once

#include <google/protobuf/io/zero_copy_stream.h>

#include <algorithm>

#include "duplex/base/bytes.h"

namespace duplex::contract {

class BufferStream final : public google::protobuf::io::ZeroCopyOutputStream {
 public:
  explicit BufferStream(Buffer& buffer) : buffer_(buffer) {}

  bool Next(void** data, int* size) override {
    const size_t room = std::clamp<size_t>(buffer_.capacity() - buffer_.size(), 64, 1 << 20);
    *data = buffer_.extend(room);
    *size = static_cast<int>(room);
    return true;
  }
  void BackUp(int count) override { buffer_.truncate(buffer_.size() - static_cast<size_t>(count)); }
  int64_t ByteCount() const override { return static_cast<int64_t>(buffer_.size()); }

 private:
  Buffer& buffer_;
};

}  // namespace duplex::contract

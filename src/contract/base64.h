// Base64 (RFC 4648), as the JSON form of `bytes` wants it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace duplex::contract {

std::string base64_encode(std::string_view bytes);  // the standard alphabet, padded

// Either alphabet, padded or not; nullopt: it is not base64.
std::optional<std::string> base64_decode(std::string_view text);

// The same into room that is there already.
inline size_t base64_encoded_size(size_t size) { return (size + 2) / 3 * 4; }
char* base64_encode(std::string_view bytes, char* to);  // returns the end of what was written
size_t base64_decoded_size(std::string_view text);      // of what is base64
bool base64_decode(std::string_view text, char* to);    // false: it is not base64

}  // namespace duplex::contract

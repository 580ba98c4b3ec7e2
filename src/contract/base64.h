// Base64 (RFC 4648), as the JSON form of `bytes` wants it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace duplex::contract {

std::string base64_encode(std::string_view bytes);  // the standard alphabet, padded

// Either alphabet, padded or not; nullopt: it is not base64.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace duplex::contract

// The Huffman code of HPACK (RFC 7541 section 5.2 and Appendix B).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace duplex::http {

// How many octets `text` has when it is encoded.
size_t huffman_length(std::string_view text);
// Writes exactly huffman_length(text) octets.
void huffman_encode(std::string_view text, char* to);

// How many octets of room huffman_decode() wants for `encoded` octets: no code is shorter than five bits, and it may
// write a few octets past what it decodes.
constexpr size_t huffman_room(size_t encoded) { return encoded * 8 / 5 + 8; }
// The end of what was written at `to`; null for what section 5.2 has taken for an error: padding of more than seven
// bits or other than the first bits of EOS, or EOS itself.
char* huffman_decode(std::string_view encoded, char* to);

}  // namespace duplex::http

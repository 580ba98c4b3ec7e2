// The paths of a google.protobuf.FieldMask between the two spellings of names.
#pragma once

#include <cstddef>
#include <string_view>

namespace duplex::contract {

// "userName.photo" to "user_name.photo". A path that is in the .proto's spelling already stays as it is. `to` has room
// for twice the size. Null: it holds what no path has. Else the end of what was written.
char* mask_path_from_json(std::string_view path, char* to);

// The other way round. `to` has room for the size. Null: it would not come back as the same path ("a_1", "A", "a__b").
char* mask_path_to_json(std::string_view path, char* to);

}  // namespace duplex::contract

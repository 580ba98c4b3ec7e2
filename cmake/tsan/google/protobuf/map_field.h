// Found before protobuf's own header of this name in builds under ThreadSanitizer, and nowhere else.
//
// There that header gives its map fields two more members. The distribution's libprotobuf is built without the
// sanitizer, hence without them, and a map would be looked for eight bytes off. So it is read as the library was built.
#include <memory>  // the standard library has to see the macro: what it does under the sanitizer depends on it
#include <string>

#pragma push_macro("__SANITIZE_THREAD__")
#undef __SANITIZE_THREAD__
#include_next <google/protobuf/map_field.h>
#pragma pop_macro("__SANITIZE_THREAD__")

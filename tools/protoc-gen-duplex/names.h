// What things of a .proto are called in C++.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Descriptor;
class FileDescriptor;
class MethodDescriptor;
}  // namespace google::protobuf

namespace duplex::generator {

// "get_order" for "GetOrder", "get_http_info" for "GetHTTPInfo"; a word that C++ or the generated class keeps for
// itself gets a "_": "delete_".
std::string method_name(std::string_view proto_name);

// {"shop", "v1"} for the package shop.v1; a part that is a word of C++ gets a "_", as protoc does it.
std::vector<std::string> namespace_of(const google::protobuf::FileDescriptor& file);

// The class of a message as it is written within the namespace of `seen_from`.
std::string class_name(const google::protobuf::Descriptor& message, const google::protobuf::FileDescriptor& seen_from);

// "shop/v1/orders" for "shop/v1/orders.proto".
std::string stem(std::string_view file);

}  // namespace duplex::generator

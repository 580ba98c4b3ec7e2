#include "duplex/base/metadata.h"

#include <algorithm>
#include <string>

namespace duplex {
namespace {

bool is_name_octet(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

bool is_reserved(std::string_view name) {
  static constexpr std::string_view kReserved[] = {"content-type",      "content-length", "te",     "user-agent",
                                                   "transfer-encoding", "connection",     "host",   "keep-alive",
                                                   "proxy-connection",  "upgrade",        "trailer"};
  return name.starts_with("grpc-") ||
         std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved);
}

}  // namespace

bool is_field_value(std::string_view value) {
  bool bad = false;  // no early exit: the compiler makes it sixteen octets a step
  for (unsigned char c : value) bad |= (c < 0x20 && c != '\t') || c == 0x7f;
  return !bad;
}

void Metadata::drop() {
  // The only owner needs no locked instruction.
  if (rep_->refs.load(std::memory_order_acquire) == 1 || rep_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    rep_->~Rep();
    free_list_release(rep_, sizeof(Rep));
  }
  rep_ = nullptr;
}

Metadata Metadata::constant(std::initializer_list<Entry> entries) {
  Metadata m;
  for (const Entry& e : entries) m.add(e.name, e.value);
  if (m.rep_) m.rep_->constant = true;
  return m;
}

void Metadata::clear() {
  if (!rep_) return;
  if (rep_->constant || rep_->refs.load(std::memory_order_acquire) != 1) {
    *this = Metadata();
    return;
  }
  rep_->count = 0;
  rep_->names = 0;
  rep_->binary = false;
  rep_->data.clear();
}

Metadata::Rep& Metadata::unshare() {
  Rep* mine = new (free_list_allocate(sizeof(Rep))) Rep;
  if (rep_) {
    mine->count = rep_->count;
    mine->names = rep_->names;
    mine->binary = rep_->binary;
    mine->data.append(rep_->data.view());
    if (!rep_->constant) drop();
  } else {
    mine->data.reserve(240);
  }
  rep_ = mine;
  return *rep_;
}

std::optional<std::string_view> Metadata::find_by_walk(std::string_view name) const {
  for (Entry e : *this)
    if (e.name == name) return e.value;
  return std::nullopt;
}

void Metadata::add(std::string_view name, std::string_view value) {
  Rep& rep = own();
  Lengths n{static_cast<uint32_t>(name.size()), static_cast<uint32_t>(value.size())};
  char* at = rep.data.extend(sizeof n + name.size() + value.size());
  std::memcpy(at, &n, sizeof n);
  if (!name.empty()) std::memcpy(at + sizeof n, name.data(), name.size());
  if (!value.empty()) std::memcpy(at + sizeof n + name.size(), value.data(), value.size());
  ++rep.count;
  rep.names |= mark(name);
  rep.binary |= is_binary_name(name);
}

Status Metadata::set_by_user(std::string_view name, std::string_view value) {
  std::string shown(name.substr(0, 100));
  if (name.empty()) return Status::invalid_argument("a metadata name is empty");
  if (!std::all_of(name.begin(), name.end(), is_name_octet))
    return Status::invalid_argument("metadata name '" + shown + "': only a-z, 0-9, '-', '_' and '.' are allowed");
  if (is_reserved(name)) return Status::invalid_argument("metadata name '" + shown + "' is the protocol's own");
  if (!is_binary_name(name) && !std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c <= 0x7e; }))
    return Status::invalid_argument("the value of metadata '" + shown +
                                    "' is not printable ASCII; a name that ends in -bin may carry any bytes");
  add(name, value);
  return {};
}

void Metadata::remove(std::string_view name) {
  if (!find(name)) return;
  Metadata kept;
  for (Entry e : *this)
    if (e.name != name) kept.add(e.name, e.value);
  *this = std::move(kept);
}

}  // namespace duplex

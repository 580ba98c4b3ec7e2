#include "contract/json_writer.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "contract/base64.h"
#include "contract/json_number.h"
#include "contract/json_string.h"

namespace duplex::contract {

namespace {

constexpr size_t kMostPath = 512;

int64_t unzigzag(uint64_t value) { return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1)); }

}  // namespace

bool WriteScratch::is_large() const {
  constexpr size_t kWorthKeeping = 1 << 16;  // parts or keys
  return parts.capacity() > kWorthKeeping || keys.capacity() > kWorthKeeping;
}

bool JsonWriter::message(const MessageTable& type, std::string_view wire, int depth) {
  if (depth > kMostWireDepth) return too_deep();
  const size_t first = parts_.open();
  if (!parts_.read(type, wire)) return malformed();
  bool written = false;
  if (type.form == Form::kObject) {
    const size_t opened = open();
    written = members(type, first, depth);
    if (written) close(opened, "{}");
  } else {
    written = well_known(type, first, depth);
  }
  parts_.close(first);
  return written;
}

bool JsonWriter::field(const MessageTable& type, const FieldTable& field, std::string_view wire) {
  const size_t first = parts_.open();
  if (!parts_.read(type, wire)) return malformed();
  size_t at = first;
  while (at < parts_.size() && parts_[at].field != field.index) ++at;
  bool written = true;
  if (at < parts_.size()) {
    written = value(field, at, parts_.end_of_field(at), 0);
  } else if ((options_.print_zeros && !field.presence) ||
             (field.kind == Kind::kMessage && field.message->form == Form::kObject && !field.repeated)) {
    written = zero(field, 0);
  } else {
    out_.put("null");
  }
  parts_.close(first);
  return written || in_member(field);
}

bool JsonWriter::members(const MessageTable& type, size_t first, int depth) {
  if (!options_.print_zeros) {
    for (size_t i = first; i < parts_.size();) {
      const FieldTable& field = type.fields[parts_[i].field];
      const size_t end = parts_.end_of_field(i);
      if (!member(field, i, end, depth)) return in_member(field);
      i = end;
    }
    return true;
  }
  size_t i = first;
  for (const FieldTable& field : type.fields) {
    if (i < parts_.size() && parts_[i].field == field.index) {
      const size_t end = parts_.end_of_field(i);
      if (!member(field, i, end, depth)) return in_member(field);
      i = end;
    } else if (!field.presence) {
      key(field);
      zero(field, depth);
    }
  }
  return true;
}

bool JsonWriter::member(const FieldTable& field, size_t first, size_t end, int depth) {
  if (!field.presence && !field.repeated && !options_.print_zeros) {
    const WirePart& last = parts_[end - 1];
    if (last.is_number() ? last.bits == 0 : last.size == 0) return true;  // as good as absent
  }
  const size_t before = out_.size();
  key(field);
  const size_t begin = out_.size();
  if (!value(field, first, end, depth)) return false;
  // A packed field without a value is as good as absent, too.
  if (field.repeated && !options_.print_zeros && out_.size() == begin + 2) out_.truncate(before);
  return true;
}

bool JsonWriter::value(const FieldTable& field, size_t first, size_t end, int depth) {
  if (field.map) return map(field, first, end, depth);
  if (field.repeated) return list(field, first, end, depth);
  if (end - first > 1 && field.message) {
    // A message that stands in several places is all of them, one after the other.
    std::string whole;
    for (size_t i = first; i < end; ++i) whole += parts_[i].bytes();
    return message(*field.message, whole, depth + 1);
  }
  return single(field, parts_[end - 1], depth);
}

bool JsonWriter::single(const FieldTable& field, const WirePart& part, int depth) {
  switch (field.kind) {
    case Kind::kMessage:
    case Kind::kGroup:
      return message(*field.message, part.bytes(), depth + 1);
    case Kind::kString:
      return text(part.bytes());
    case Kind::kBytes:
      bytes(part.bytes());
      return true;
    default:
      return number(field, part.bits);
  }
}

bool JsonWriter::list(const FieldTable& field, size_t first, size_t end, int depth) {
  const size_t opened = open();
  size_t index = 0;
  for (size_t i = first; i < end; ++i) {
    const WirePart part = parts_[i];
    if (!field.is_number || part.is_number()) {
      out_.put(",");
      if (!single(field, part, depth)) return in_element(index);
      ++index;
      continue;
    }
    PackedValues values(field.wire, part.bytes());
    for (uint64_t bits = 0; values.next(bits); ++index) {
      out_.put(",");
      if (!number(field, bits)) return in_element(index);
    }
    if (!values.ok()) return malformed();
  }
  close(opened, "[]");
  return true;
}

bool JsonWriter::map(const FieldTable& field, size_t first, size_t end, int depth) {
  std::vector<bool> last;  // empty: each key stands once
  if (!map_keys(field, first, end, last)) return false;
  const size_t opened = open();
  for (size_t i = first; i < end; ++i) {
    if (!last.empty() && !last[i - first]) continue;
    if (!map_entry(field, parts_[i].bytes(), depth)) return false;
  }
  close(opened, "{}");
  return true;
}

// Of two entries with one key the later counts.
bool JsonWriter::map_keys(const FieldTable& field, size_t first, size_t end, std::vector<bool>& last) {
  if (end - first < 2) return true;
  const FieldTable& key_field = field.message->fields[0];
  const char* const base = parts_[first].data;
  const size_t opened = keys_.open();
  for (size_t i = first; i < end; ++i) {
    wire::Reader reader(parts_[i].bytes());
    wire::Field found;
    std::string_view text;
    uint64_t bits = 0;
    while (reader.next(found)) {
      if (found.number != 1 || found.type != key_field.wire) continue;
      text = found.bytes;
      bits = key_field.significant(found.value);
    }
    if (!reader.ok()) return malformed();
    if (key_field.kind == Kind::kString) {
      keys_.add_text(text, static_cast<size_t>(text.data() - base));
    } else {
      keys_.add_number(bits);
    }
  }
  if (keys_.has_twins(opened, base)) keys_.mark_last(opened, base, last);
  keys_.close(opened);
  return true;
}

bool JsonWriter::map_entry(const FieldTable& field, std::string_view entry, int depth) {
  const FieldTable& key_field = field.message->fields[0];
  const FieldTable& value_field = field.message->fields[1];
  const size_t opened = parts_.open();
  if (!parts_.read(*field.message, entry)) return malformed();
  size_t at = opened;
  out_.put(",");
  const size_t key_at = out_.size();
  if (at < parts_.size() && parts_[at].field == 0) {
    at = parts_.end_of_field(at);
    const WirePart& key = parts_[at - 1];
    if (key_field.kind == Kind::kString) {
      if (!text(key.bytes())) return false;
    } else {
      map_key(key_field, key.bits);
    }
  } else if (key_field.kind == Kind::kString) {
    out_.put("\"\"");
  } else {
    map_key(key_field, 0);
  }
  const size_t key_end = out_.size();
  out_.put(":");
  const bool written = at < parts_.size() ? value(value_field, at, parts_.size(), depth) : zero(value_field, depth);
  parts_.close(opened);
  return written || in_part(std::string(out_.begin() + key_at + 1, key_end - key_at - 2));
}

bool JsonWriter::zero(const FieldTable& field, int depth) {
  if (field.map) {
    out_.put("{}");
  } else if (field.repeated) {
    out_.put("[]");
  } else if (field.message) {
    return message(*field.message, {}, depth + 1);
  } else if (field.is_number) {
    return number(field, 0);
  } else {
    out_.put("\"\"");
  }
  return true;
}

void JsonWriter::map_key(const FieldTable& field, uint64_t bits) {
  // Numbers of 64 bits have their quotes already.
  const size_t before = out_.size();
  number(field, bits);
  if (out_.begin()[before] == '"') return;
  const size_t size = out_.size() - before;
  out_.need(2);
  char* const begin = out_.begin() + before;
  std::memmove(begin + 1, begin, size);
  *begin = '"';
  begin[size + 1] = '"';
  out_.move_to(begin + size + 2);
}

bool JsonWriter::number(const FieldTable& field, uint64_t bits) {
  out_.need(kMostNumberText + 2);
  char* at = out_.at();
  switch (field.kind) {
    case Kind::kInt32:
    case Kind::kSfixed32:
      at = write_whole(at, int64_t{static_cast<int32_t>(bits)});
      break;
    case Kind::kSint32:
      at = write_whole(at, int64_t{static_cast<int32_t>(unzigzag(static_cast<uint32_t>(bits)))});
      break;
    case Kind::kUint32:
    case Kind::kFixed32:
      at = write_whole(at, uint64_t{static_cast<uint32_t>(bits)});
      break;
    case Kind::kInt64:
    case Kind::kSfixed64:
    case Kind::kSint64:
      *at++ = '"';
      at = write_whole(at, field.kind == Kind::kSint64 ? unzigzag(bits) : static_cast<int64_t>(bits));
      *at++ = '"';
      break;
    case Kind::kUint64:
    case Kind::kFixed64:
      *at++ = '"';
      at = write_whole(at, bits);
      *at++ = '"';
      break;
    case Kind::kDouble:
      return real(std::bit_cast<double>(bits));
    case Kind::kFloat:
      return real(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    case Kind::kBool:
      out_.put(bits ? "true" : "false");
      return true;
    default: {
      const auto value = static_cast<int32_t>(bits);
      if (field.enumeration->is_null) {
        out_.put("null");
        return true;
      }
      const std::string_view name =
          options_.enums_as_numbers ? std::string_view() : field.enumeration->quoted_name(value);
      if (!name.empty()) {
        out_.put(name);
        return true;
      }
      at = write_whole(at, int64_t{value});
      break;
    }
  }
  out_.move_to(at);
  return true;
}

template <class T>
bool JsonWriter::real(T value) {
  if (std::isnan(value)) {
    out_.put("\"NaN\"");
  } else if (std::isinf(value)) {
    out_.put(value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
  } else {
    out_.move_to(write_real(out_.at(), value));
  }
  return true;
}

bool JsonWriter::text(std::string_view text) {
  // In pieces, so that a long text does not ask for six times its size.
  constexpr size_t kPiece = 4096;
  bool ascii = true;
  out_.need(2);
  *out_.at() = '"';
  out_.move_to(out_.at() + 1);
  for (size_t from = 0; from < text.size(); from += kPiece) {
    const std::string_view piece = text.substr(from, kPiece);
    out_.need(piece.size() * kJsonEscapeGrowth + kJsonStringSlack);
    out_.move_to(escape_json(piece, out_.at(), ascii));
  }
  out_.put("\"");
  return ascii || is_utf8_text(text) || fail("a text is not UTF-8");
}

void JsonWriter::bytes(std::string_view bytes) {
  out_.need(base64_encoded_size(bytes.size()) + 2);
  char* at = out_.at();
  *at++ = '"';
  at = base64_encode(bytes, at);
  *at++ = '"';
  out_.move_to(at);
}

void JsonWriter::close(size_t opened, const char (&brackets)[3]) {
  if (out_.size() == opened) {
    out_.put(std::string_view(brackets, 2));
  } else {
    out_.begin()[opened] = brackets[0];
    out_.put(std::string_view(brackets + 1, 1));
  }
}

bool JsonWriter::fail(std::string what) {
  what_ = std::move(what);
  return false;
}

bool JsonWriter::too_deep() {
  return fail("messages are nested more than " + std::to_string(kMostWireDepth) + " deep");
}

bool JsonWriter::in_member(const FieldTable& field) {
  return in_part(std::string(options_.proto_names ? field.name : field.json_name));
}

bool JsonWriter::in_element(size_t index) { return in_part("[" + std::to_string(index) + "]"); }

bool JsonWriter::in_part(std::string part) {
  if (!path_.empty() && path_[0] != '[') part += '.';
  if (path_.size() < kMostPath) path_.insert(0, part);
  return false;
}

}  // namespace duplex::contract

#include "duplex/client/origin.h"

#include <charconv>

#include "duplex/config/table.h"

namespace duplex::client {
namespace {

constexpr std::string_view kSrv = "dns+srv:", kFile = "file:", kWeight = "weight=";
constexpr double kMaxWeight = 1'000'000;

Status wrong(std::string_view text, std::string_view why) {
  return Status::invalid_argument("\"" + std::string(text.substr(0, 200)) + "\"" + std::string(why));
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// The pieces between commas, but for those within parentheses.
Result<std::vector<std::string_view>> pieces_of(std::string_view text) {
  std::vector<std::string_view> pieces;
  size_t from = 0;
  int depth = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ',';
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (depth < 0 || depth > 1) return wrong(text, ": a parenthesis has no partner, or groups stand in one another");
    if (c != ',' || (depth > 0 && i < text.size())) continue;
    pieces.push_back(trimmed(text.substr(from, i - from)));
    from = i + 1;
  }
  if (depth != 0) return wrong(text, ": a group has no end; write (host:port, host:port);weight=90");
  return pieces;
}

Result<double> parse_weight(std::string_view text) {
  double weight = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), weight);
  if (error != std::errc() || end != text.data() + text.size() || !(weight > 0) || weight > kMaxWeight)
    return wrong(text, " is no weight: write a number above 0, at most 1000000");
  return weight;
}

// Takes ";weight=3" off the end of `piece`; 0: there is none.
Result<double> take_weight(std::string_view& piece) {
  size_t semicolon = piece.rfind(';');
  if (semicolon == std::string_view::npos) return 0.0;
  std::string_view option = trimmed(piece.substr(semicolon + 1));
  if (!option.starts_with(kWeight)) {
    if (piece.starts_with("unix:") || piece.starts_with(kFile)) return 0.0;  // a part of the path
    return wrong(option, " is not known behind an address; write host:port;weight=3");
  }
  piece = trimmed(piece.substr(0, semicolon));
  return parse_weight(option.substr(kWeight.size()));
}

bool is_dns_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name.find_first_of(" :/,;()@[]") == std::string_view::npos;
}

Result<Origin> parse_origin(std::string_view piece, size_t group) {
  Origin origin;
  origin.group = group;
  Result<double> weight = take_weight(piece);
  if (!weight) return weight.error();
  origin.weight = *weight;
  if (piece.starts_with(kSrv)) {
    origin.kind = Origin::Kind::kSrv;
    origin.text = piece.substr(kSrv.size());
    if (!is_dns_name(origin.text)) return wrong(piece, " names no service: write dns+srv:_grpc._tcp.payments.internal");
    return origin;
  }
  if (piece.starts_with(kFile)) {
    origin.kind = Origin::Kind::kFile;
    origin.text = piece.substr(kFile.size());
    if (origin.text.empty()) return wrong(piece, " names no file: write file:endpoints.yaml");
    return origin;
  }
  static const config::Kind<std::string> form = config::address();
  Result<std::string> well = form.parse(piece);
  if (!well) return well.error();
  Result<Address> address = Address::parse(*well);
  if (!address) return address.error();
  origin.kind = address->kind() == Address::Kind::kName ? Origin::Kind::kName : Origin::Kind::kEndpoint;
  origin.address = std::move(*address);
  return origin;
}

Status parse_group(std::string_view text, size_t group, std::vector<Origin>& into) {
  Result<std::vector<std::string_view>> pieces = pieces_of(text);
  if (!pieces) return pieces.error();
  for (std::string_view piece : *pieces) {
    Result<Origin> origin = parse_origin(piece, group);
    if (!origin) return origin.error();
    into.push_back(std::move(*origin));
  }
  return {};
}

// "(a:1, b:1);weight=90"
Status parse_split(std::string_view piece, Origins& into) {
  constexpr std::string_view kHow =
      ": in a split each item is a group with its weight: (host:port, host:port);weight=90";
  if (!piece.starts_with('(')) return wrong(piece, kHow);
  size_t end = piece.rfind(')');
  std::string_view rest = piece.substr(end);
  Result<double> weight = take_weight(rest);
  if (!weight) return weight.error();
  if (rest != ")" || *weight == 0) return wrong(piece, kHow);
  into.groups.push_back(*weight);
  return parse_group(trimmed(piece.substr(1, end - 1)), into.groups.size() - 1, into.list);
}

}  // namespace

Result<Origins> parse_origins(std::string_view text) {
  Origins origins;
  Status s;
  if (text.find('(') == std::string_view::npos) {
    origins.groups.push_back(1);
    s = parse_group(text, 0, origins.list);
  } else {
    Result<std::vector<std::string_view>> pieces = pieces_of(text);
    if (!pieces) return pieces.error();
    for (size_t i = 0; i < pieces->size() && s.is_ok(); ++i) s = parse_split((*pieces)[i], origins);
  }
  if (!s.is_ok()) return s;
  return origins;
}

namespace {

struct Share {
  std::string address;
  std::string weight;
};

config::Table<Share> share_table() {
  config::Kind<std::string> weight = config::nonempty_text();
  weight.type = "number";
  weight.parse = [](std::string_view text) -> Result<std::string> {
    Result<double> w = parse_weight(text);
    if (!w) return w.error();
    return std::string(text);
  };
  config::Kind<std::string> address = config::nonempty_text();
  address.type = "address";
  address.parse = [](std::string_view text) -> Result<std::string> {
    if (text.find('(') != std::string_view::npos) return wrong(text, ": groups cannot stand in one another");
    Result<Origins> origins = parse_origins(text);
    if (!origins) return origins.error();
    return std::string(text);
  };
  return config::Table<Share>()
      .required("address", &Share::address, address, "Where this share of the calls goes.")
      .required("weight", &Share::weight, weight, "The share, against the others' weights.");
}

}  // namespace

void read_origins(const config::Value& value, const std::string& path, std::string& into, config::Problems& problems) {
  using Kind = config::Value::Kind;
  const std::vector<config::Value> itself{value};
  const std::vector<config::Value>& items = value.kind == Kind::kList ? value.items : itself;
  const size_t before = problems.size();
  size_t sections = 0;
  std::string text;
  for (size_t i = 0; i < items.size(); ++i) {
    const config::Value& item = items[i];
    const std::string at = value.kind == Kind::kList ? path + "[" + std::to_string(i) + "]" : path;
    if (item.kind == Kind::kMap && value.kind == Kind::kList) {
      ++sections;
      Share share;
      share_table().shape()->read(item, at, &share, problems);
      text += (text.empty() ? "(" : ", (") + share.address + ");weight=" + share.weight;
    } else if (item.kind == Kind::kText) {
      if (Result<Origins> origins = parse_origins(item.text); !origins)
        problems.add(item.place, at, origins.error().message());
      text += (text.empty() ? "" : ", ") + item.text;
    } else {
      problems.add(item.place, at,
                   "expected an address, a list of them, or a list of sections with `address` and `weight`; found " +
                       std::string(config::kind_name(item.kind)));
    }
  }
  if (items.empty()) problems.add(value.place, path, "the list is empty: write host:port");
  if (sections > 0 && sections < items.size())
    problems.add(value.place, path, "in a split each item is a section with `address` and `weight`");
  if (problems.size() != before) return;
  if (Result<Origins> origins = parse_origins(text); !origins)
    problems.add(value.place, path, origins.error().message());
  else
    into = std::move(text);
}

Result<std::vector<Origin>> read_origins_file(const std::string& path) {
  Result<config::Value> root = config::parse_yaml_file(path);
  if (!root) return root.error();
  config::Problems problems;
  std::vector<Origin> origins;
  if (root->kind != config::Value::Kind::kList)
    problems.add(root->place, "", "expected a list of addresses, such as - 10.0.0.7:8080;weight=3");
  for (const config::Value& item : root->items) {
    if (item.kind != config::Value::Kind::kText) {
      problems.add(item.place, "", "expected an address, found " + std::string(config::kind_name(item.kind)));
      continue;
    }
    Result<Origin> origin = parse_origin(trimmed(item.text), 0);
    if (!origin)
      problems.add(item.place, "", origin.error().message());
    else if (origin->kind == Origin::Kind::kFile)
      problems.add(item.place, "", "a file of endpoints cannot name another");
    else
      origins.push_back(std::move(*origin));
  }
  if (problems.empty() && origins.empty()) problems.add(root->place, "", "the list is empty");
  if (!problems.empty()) return problems.status();
  return origins;
}

}  // namespace duplex::client

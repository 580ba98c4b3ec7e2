// The only file that sees yaml-cpp.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "duplex/config/value.h"

namespace duplex::config {
namespace {

constexpr int kMaxDepth = 32;
constexpr size_t kMaxValues = 100'000;
constexpr size_t kMaxFile = 4 << 20;

// Turns yaml-cpp's nodes into ours. It stops at the first thing that it refuses.
class Reader {
 public:
  explicit Reader(std::string source) : source_(std::make_shared<const std::string>(std::move(source))) {}

  Place place(const YAML::Mark& mark) const {
    return mark.is_null() ? Place{source_, 1, 1} : Place{source_, mark.line + 1, mark.column + 1};
  }
  const Problems& problems() const { return problems_; }
  void refuse(const Place& at, std::string_view why) { problems_.add(at, "", why); }

  Value read(const YAML::Node& node, int depth) {
    Value value;
    value.place = place(node.Mark());
    if (!problems_.empty()) return value;
    if (depth > kMaxDepth) {
      refuse(value.place, "nested more than 32 deep (does an alias stand inside its own anchor?)");
      return value;
    }
    if (++values_ > kMaxValues) {
      refuse(value.place, "more than 100000 values (do aliases multiply them?)");
      return value;
    }
    switch (node.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null:
        break;
      case YAML::NodeType::Scalar:
        value.kind = Value::Kind::kText;
        value.text = node.Scalar();
        break;
      case YAML::NodeType::Sequence:
        value.kind = Value::Kind::kList;
        for (const auto& item : node) value.items.push_back(read(item, depth + 1));
        break;
      case YAML::NodeType::Map:
        read_map(node, depth, value);
        break;
    }
    return value;
  }

 private:
  void read_map(const YAML::Node& node, int depth, Value& value) {
    value.kind = Value::Kind::kMap;
    for (const auto& pair : node) {
      Place at = place(pair.first.Mark());
      if (!pair.first.IsScalar()) return refuse(at, "a key must be a plain word");
      const std::string& name = pair.first.Scalar();
      for (const Member& other : value.members)
        if (other.name == name)
          return refuse(at, "\"" + name + "\" stands here twice; the first is at " + other.place.to_string());
      value.members.push_back({name, at, read(pair.second, depth + 1)});
    }
  }

  const std::shared_ptr<const std::string> source_;
  Problems problems_;
  size_t values_ = 0;
};

// How many documents a text has, of two. YAML::LoadAll would ask for all, and never end where its parser stays at a
// token that begins none: a lone "," fills the memory.
class Documents final : private YAML::EventHandler {
 public:
  explicit Documents(const std::string& text) {
    std::istringstream input(text);
    YAML::Parser parser(input);
    while (count_ < 2 && parser.HandleNextDocument(*this)) {
    }
  }
  int count() const { return count_; }
  const YAML::Mark& second() const { return starts_[1]; }
  bool stuck() const { return starts_[0].pos == starts_[1].pos; }

 private:
  void OnDocumentStart(const YAML::Mark& mark) override { starts_[count_++] = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

  int count_ = 0;
  YAML::Mark starts_[2];
};

}  // namespace

Result<Value> parse_yaml(std::string_view text, std::string source) {
  Reader reader(std::move(source));
  try {
    const std::string all(text);
    const Documents documents(all);
    if (documents.count() > 1) {
      const Place second = reader.place(documents.second());
      reader.refuse(second, documents.stuck() ? "this is no YAML: no value can begin here"
                                              : "a second document begins here; a configuration is one");
      return reader.problems().status();
    }
    Value value = reader.read(YAML::Load(all), 0);
    if (!reader.problems().empty()) return reader.problems().status();
    return value;
  } catch (const YAML::Exception& e) {
    const bool tabs = ("\n" + std::string(text)).find("\n\t") != std::string::npos;
    reader.refuse(reader.place(e.mark), "this is no YAML: " + e.msg +
                                            (tabs ? "; a line begins with a tab, and YAML is indented by blanks" : ""));
    return reader.problems().status();
  }
}

Result<Value> parse_yaml_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::string why = std::strerror(errno);
    if (errno == ENOENT) return Status::not_found("there is no configuration file " + path);
    return Status::failed_precondition("cannot read the configuration file " + path + ": " + why);
  }
  std::string text(kMaxFile + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (file.fail() && !file.eof()))
    return Status::failed_precondition("cannot read the configuration file " + path);
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMaxFile) return Status::invalid_argument(path + ": larger than 4 MiB, which no configuration is");
  return parse_yaml(text, path);
}

}  // namespace duplex::config

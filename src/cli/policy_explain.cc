#include "cli/policy_explain.h"

#include <algorithm>
#include <optional>

#include "cli/worst_case.h"
#include "duplex/app/configured.h"
#include "duplex/contract/proto_files.h"

namespace duplex::cli {
namespace {

using config::Shape;
using config::Value;

const Value* member(const Value* map, std::string_view name) {
  if (!map) return nullptr;
  for (const config::Member& m : map->members)
    if (m.name == name) return &m.value;
  return nullptr;
}

// What a setting was said to be at each place that may say it; null where it says nothing.
struct Said {
  const Value* method;
  const Value* peer;
  Said inside(std::string_view name) const { return {member(method, name), member(peer, name)}; }
};

struct Row {
  std::string setting, value, from;
};

std::string text_of(const Value& value) {
  if (value.kind != Value::Kind::kList) return value.text;
  std::string all;
  for (const Value& item : value.items) all += (all.empty() ? "" : ", ") + item.text;
  return "[" + all + "]";
}

std::string place_of(const Value& value, std::string_view whose) {
  return value.place.to_string() + " (" + std::string(whose) + ")";
}

class Table {
 public:
  void add(const Shape& shape, const std::string& path, const Said& said) {
    for (const Shape::Entry& e : shape.entries()) {
      if (e.named) continue;
      const std::string name = path.empty() ? e.name : path + "." + e.name;
      const Said here = said.inside(e.name);
      if (!e.inside)
        leaf(e, name, here);
      else if (e.type == "section")
        add(*e.inside, name, here);
      else if (is_on(e, name, here))
        add(*e.inside, name, here);
    }
  }

  // What a gRPC service config says of the method holds in place of what is there.
  void lay_over(const resilience::MethodConfig& said, const std::string& from) {
    if (said.timeout) put("timeout", show_duration(*said.timeout), from);
    if (said.wait_for_ready) put("wait_for_ready", *said.wait_for_ready ? "true" : "false", from);
    if (said.retry) {
      put("retry.attempts", std::to_string(said.retry->attempts), from);
      put("retry.backoff.base", show_duration(said.retry->backoff.base), from);
      put("retry.backoff.cap", show_duration(said.retry->backoff.cap), from);
      put("retry.on", list_of(said.retry->on), from);
    }
    if (said.hedge) {
      put("hedge.attempts", std::to_string(said.hedge->attempts), from);
      put("hedge.delay", show_duration(said.hedge->delay), from);
      put("hedge.non_fatal", list_of(said.hedge->non_fatal), from);
    }
  }

  std::string to_string() const {
    size_t setting = 7, value = 5;
    for (const Row& row : rows_) {
      setting = std::max(setting, row.setting.size());
      value = std::max(value, row.value.size());
    }
    std::string out;
    auto line = [&](const Row& row) {
      std::string text = row.setting + std::string(setting + 2 - row.setting.size(), ' ') + row.value;
      text += std::string(setting + value + 4 - text.size(), ' ') + row.from;
      out += text + "\n";
    };
    line({"setting", "value", "from"});
    for (const Row& row : rows_) line(row);
    return out;
  }

 private:
  void leaf(const Shape::Entry& e, const std::string& name, const Said& said) {
    if (said.method)
      rows_.push_back({name, text_of(*said.method), place_of(*said.method, "method")});
    else if (said.peer)
      rows_.push_back({name, text_of(*said.peer), place_of(*said.peer, "peer")});
    else
      rows_.push_back({name, e.fallback.empty() ? "\"\"" : e.fallback, "default"});
  }

  // The nearest place that speaks of it decides.
  bool is_on(const Shape::Entry& e, const std::string& name, const Said& said) {
    const Value* nearest = said.method ? said.method : said.peer;
    const bool on = nearest ? nearest->text != "off" || nearest->kind != Value::Kind::kText : e.fallback == "on";
    if (on) return true;
    rows_.push_back({name, "off", nearest ? place_of(*nearest, said.method ? "method" : "peer") : "default"});
    return false;
  }

  static std::string list_of(const std::vector<resilience::Cause>& causes) {
    const auto kind = resilience::cause();
    std::string all;
    for (const resilience::Cause& cause : causes) all += (all.empty() ? "" : ", ") + kind.show(cause);
    return "[" + all + "]";
  }

  // In its own place, or in that of its section, which is off.
  void put(const std::string& setting, std::string value, const std::string& from) {
    const std::string section = setting.substr(0, setting.find('.'));
    auto at = std::find_if(rows_.begin(), rows_.end(), [&](const Row& r) { return r.setting == setting; });
    if (at == rows_.end())
      at = std::find_if(rows_.begin(), rows_.end(), [&](const Row& r) { return r.setting == section; });
    if (at != rows_.end() && (at->setting == setting || at->value == "off")) {
      *at = {setting, std::move(value), from};
      return;
    }
    auto last =
        std::find_if(rows_.rbegin(), rows_.rend(), [&](const Row& r) { return r.setting.starts_with(section + "."); });
    rows_.insert(last.base(), {setting, std::move(value), from});
  }

  std::vector<Row> rows_;
};

const Shape& shape_of_peer(const Shape& root) {
  for (const Shape::Entry& e : root.entries())
    if (e.name == "peers") return *e.inside;
  std::abort();  // a configuration without peers is none of ours
}

// Do the peer's rules fit what its .proto files say?
Status check_contract(const PolicyQuestion& question, const Configuration& conf) {
  if (question.protos.empty()) return {};
  Result<std::string> set = contract::read_proto_files(question.protos, question.imports);
  if (!set) return set.error();
  Result<std::shared_ptr<const contract::Contract>> contract = contract::Contract::load(*set);
  if (!contract) return contract.error();
  Result<Client::Settings> settings = peer_settings(conf, question.peer);
  if (!settings) return settings.error();
  Client client(std::move(*settings));
  for (const auto& service : (*contract)->services())
    client.bind(contract::ServiceDescription(service->name(), {}, contract));
  return client.mistake();
}

}  // namespace

Result<std::string> explain_policy(const PolicyQuestion& question) {
  Result<Configuration> conf = load_configuration(question.file, question.environment);
  if (!conf) return conf.error();
  if (Status mistake = check(*conf); !mistake.is_ok()) return mistake;
  auto peer = conf->peers.find(question.peer);
  if (peer == conf->peers.end()) {
    std::vector<std::string> known;
    for (const auto& [name, settings] : conf->peers) known.push_back(name);
    return Status::not_found(question.file + " has no peer \"" + question.peer + "\"; " +
                             (known.empty() ? "it has none" : config::suggestion(question.peer, known)));
  }
  if (Status mistake = check_contract(question, *conf); !mistake.is_ok()) return mistake;
  const Value* of_peer = member(member(conf->written.get(), "peers"), question.peer);
  const Value* of_method = question.method.empty() ? nullptr : member(member(of_peer, "methods"), question.method);

  const auto shape = configuration_table().shape();
  Table table;
  table.add(shape_of_peer(*shape), "", Said{of_method, of_peer});
  auto own = peer->second.methods.find(question.method);
  resilience::Policy policy = own != peer->second.methods.end() ? own->second : peer->second;
  if (const auto& config = peer->second.service_config.read) {
    const resilience::MethodConfig* said = config->find(question.method.empty() ? "" : "/" + question.method);
    resilience::apply(said, policy);
    if (said) table.lay_over(*said, place_of(*member(of_peer, "service_config"), "service config"));
  }
  const std::string out =
      question.peer + (question.method.empty() ? "" : "  " + question.method) + "\n\n" + table.to_string();
  return out + "\n" + draw_worst_case(policy);
}

}  // namespace duplex::cli
